"""Plots of a run as SVG, drawn once for light and once for dark pages.

Guaranteed: the same summary gives the same bytes with the same matplotlib; no display, no date,
no font file is needed (text is drawn as paths). Width is chosen for a phone: 3.9 inches.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from records.rundir import RunDirectory

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn: the program starts faster
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Json = Mapping[str, Any]
WIDTH = 3.9
STYLE: dict[str, Any] = {
    "svg.hashsalt": "figures",
    "svg.fonttype": "path",
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Palette:
    """Colours of one page mode. The three series also differ in their markers."""

    text: str
    grid: str
    series: tuple[str, str, str, str]


LIGHT = Palette("#1f2933", "#d5dae1", ("#1d5fbf", "#b8560b", "#2e7d4f", "#7a3fa0"))
DARK = Palette("#e6e9ee", "#3a424d", ("#7fb2ff", "#f2a65a", "#7fd0a0", "#c79bea"))
MARKERS = ("o", "D", "s", "^")


@dataclass(frozen=True)
class Plot:
    """One figure in both modes; `alt` says in words what it shows."""

    name: str
    title: str
    alt: str
    light: str
    dark: str


def draw_all(run: RunDirectory, summary: Json) -> list[Plot]:
    """The figures that the run has data for."""
    makers = (student_arms(summary), strategy_lift(summary), training_loss(run), calls_and_cost(summary))
    return [plot for plot in makers if plot is not None]


def student_arms(summary: Json) -> Plot | None:
    """Accuracy of each student arm with Wilson intervals, test and ood, and the constant baseline."""
    splits = {name: summary["splits"][name] for name in ("test", "ood") if name in summary["splits"]}
    arms = list(dict.fromkeys(arm for split in splits.values() for arm in split["arms"]))
    if not arms:
        return None

    def draw(axes: Axes, colours: Palette) -> None:
        for i, (split, figures) in enumerate(splits.items()):
            offset = 0.16 * (i - (len(splits) - 1) / 2) * 2
            points = [(row + offset, figures["arms"][arm]) for row, arm in enumerate(arms) if arm in figures["arms"]]
            graded = [(y, arm["accuracy"], arm["ci95"]) for y, arm in points if arm["n"]]
            whiskers(axes, graded, colours.series[i], MARKERS[i], split)
            if figures["constant_baseline"]:
                constant = figures["constant_baseline"]
                label = f"always {constant['class']} ({split})"
                axes.axvline(
                    constant["accuracy"], color=colours.series[i], linestyle=("--", ":")[i], linewidth=1.2, label=label
                )
        label_rows(axes, arms)
        percent_axis(axes, "problems solved")

    height = 1.3 + 0.5 * len(arms)
    alt = "Accuracy with 95% Wilson intervals of " + ", ".join(arms)
    return make_plot("student_arms", "Student arms", alt, height, draw)


def strategy_lift(summary: Json) -> Plot | None:
    """Gain of the learned strategy over each control arm, per validator, with bootstrap intervals."""
    suites = summary["strategy"]["validators"]
    versus = list(dict.fromkeys(c["b"] for suite in suites.values() for c in suite["comparisons"] if c["n"]))
    if not versus:
        return None

    def draw(axes: Axes, colours: Palette) -> None:
        axes.axvline(0, color=colours.text, linewidth=1)
        for i, arm in enumerate(versus):
            found = []
            for row, suite in enumerate(suites.values()):
                y = row + 0.2 * (i - (len(versus) - 1) / 2)
                found += [(y, c["difference"], c["ci95"]) for c in suite["comparisons"] if c["b"] == arm and c["n"]]
            whiskers(axes, found, colours.series[i], MARKERS[i], f"over {arm}")
        label_rows(axes, list(suites))
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.0f}")
        axes.set_xlabel("gain of the learned strategy, points")

    alt = "Gain of the learned strategy with 95% bootstrap intervals over " + ", ".join(versus)
    return make_plot("strategy_lift", "Strategy lift per validator", alt, 1.5 + 0.75 * len(suites), draw)


def training_loss(run: RunDirectory) -> Plot | None:
    """Training loss per optimiser step of each adapter."""
    curves = loss_curves(run)
    if not curves:
        return None

    def draw(axes: Axes, colours: Palette) -> None:
        for i, (name, curve) in enumerate(curves.items()):
            style = ("-", "--", ":", "-.")[i // 4 % 4]
            colour = colours.series[i % 4]
            axes.plot(list(curve), list(curve.values()), color=colour, linestyle=style, linewidth=1.5, label=name)
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        axes.set_ylim(bottom=0)
        axes.grid(True, axis="y")

    return make_plot("training_loss", "Training loss", "Training loss per step of " + ", ".join(curves), 2.9, draw)


def loss_curves(run: RunDirectory) -> dict[str, dict[int, float]]:
    """`{adapter: {step: loss}}`; after a resumed step the later line counts."""
    curves = {}
    for path in sorted((run.path / "adapters").glob("*/progress.jsonl")):
        rows = run.rows(f"adapters/{path.parent.name}/progress.jsonl")
        curve = {int(row["step"]): float(row["loss"]) for row in rows if row.get("loss") is not None}
        if curve:
            curves[path.parent.name] = dict(sorted(curve.items()))
    return curves


def calls_and_cost(summary: Json) -> Plot | None:
    """Model calls per stage, with tokens and cost beside the bars."""
    stages: dict[str, list[Json]] = {}
    for row in summary["usage"]:
        stages.setdefault(str(row.get("stage") or "?"), []).append(row)
    if not stages:
        return None
    calls = [sum(row.get("calls") or 0 for row in rows) for rows in stages.values()]

    def draw(axes: Axes, colours: Palette) -> None:
        axes.barh(range(len(calls)), calls, color=colours.series[0], height=0.55)
        for y, (count, rows) in enumerate(zip(calls, stages.values(), strict=True)):
            axes.annotate(usage_label(rows), (count, y), (4, 0), textcoords="offset points", va="center", fontsize=8)
        label_rows(axes, list(stages))
        axes.set_xlim(0, max([*calls, 1]) * 1.75)
        axes.set_xlabel("model calls")

    return make_plot(
        "calls_and_cost", "Calls and cost", "Model calls per stage with tokens and cost", 1.2 + 0.36 * len(calls), draw
    )


def usage_label(rows: Sequence[Json]) -> str:
    """ "120 calls, 30k tokens, $0.02"; an unknown cost is said, never counted as nothing."""
    calls = sum(row.get("calls") or 0 for row in rows)
    tokens = sum((row.get("prompt_tokens") or 0) + (row.get("completion_tokens") or 0) for row in rows)
    return f"{calls}, {_thousands(tokens)} tokens, {cost_text(rows)}"


def cost_text(rows: Sequence[Json]) -> str:
    """Known cost in dollars, and whether some of it is unknown."""
    known = [row["cost"] for row in rows if row.get("cost") is not None]
    unknown = sum(row.get("unknown_cost_calls") or (row.get("calls") or 0) * (row.get("cost") is None) for row in rows)
    if not unknown:
        return f"${sum(known):.2f}"
    return f"${sum(known):.2f} + unknown" if sum(known) else "cost unknown"


def _thousands(count: int) -> str:
    return f"{count / 1000:.0f}k" if count >= 10_000 else f"{count}"


def whiskers(
    axes: Axes, rows: Sequence[tuple[float, float, Sequence[float]]], colour: str, marker: str, label: str
) -> None:
    """Points with their intervals as (height, value, interval), one series."""
    for y, _, (low, high) in rows:
        axes.plot([low, high], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
    values, heights = [value for _, value, _ in rows], [y for y, _, _ in rows]
    axes.plot(values, heights, linestyle="", marker=marker, markersize=5.5, color=colour, label=label)


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Name the rows from the top."""
    axes.set_yticks(range(len(labels)), [label if len(label) <= 24 else label[:23] + "…" for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(True, axis="x")


def percent_axis(axes: Axes, label: str) -> None:
    """From 0 to 100%."""
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel(label)


def make_plot(name: str, title: str, alt: str, height: float, draw: Callable[[Axes, Palette], None]) -> Plot:
    """Draw a figure of that height (inches) for light and dark pages."""
    return Plot(name, title, alt, _svg(height, draw, LIGHT), _svg(height, draw, DARK))


def _svg(height: float, draw: Callable[[Axes, Palette], None], colours: Palette) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    names = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor")
    ink: dict[str, Any] = {**dict.fromkeys(names, colours.text), "grid.color": colours.grid, "axes.axisbelow": True}
    style: Any = {**STYLE, **ink}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_facecolor("none")
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes, colours)
        _legend(figure, axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1 or (labels and not axes.patches):
        figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=8)
