"""Plots of what carries over: lifts between models, lifts per bullet, the student's rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evaluation.figures import MARKERS, Palette, Plot, label_rows, make_plot, whiskers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Json = Mapping[str, Any]
Point = tuple[float, float, Sequence[float]]


def draw_evidence(summary: Json) -> list[Plot]:
    """The figures that the summary has data for."""
    makers = (transfer_lifts(summary), bullet_lifts(summary), student_round_accuracy(summary))
    return [plot for plot in makers if plot is not None]


def transfer_lifts(summary: Json) -> Plot | None:
    """Lift of every strategy arm over no strategy, per validator."""
    transfer = summary["strategy"]["transfer"]
    if not transfer or not any(found for arms in transfer["lifts"].values() for found in arms.values()):
        return None
    lifts = transfer["lifts"]
    arms = list(dict.fromkeys(arm for found in lifts.values() for arm in found))
    named = {model: {arm: found.get(arm) for arm in arms} for model, found in lifts.items()}
    return _lift_plot("transfer_lifts", "Lift over no strategy, per model", arms, named, "lift over none, points")


def bullet_lifts(summary: Json) -> Plot | None:
    """Lift of each bullet, per validator."""
    ablation = summary["strategy"]["ablation"]
    if not ablation:
        return None
    named = {model: {b["id"]: b["lifts"].get(model) for b in ablation["bullets"]} for model in ablation["models"]}
    labels = [bullet["id"] for bullet in ablation["bullets"]]
    return _lift_plot("bullet_lifts", "Lift of each bullet", labels, named, "lost without the bullet, points")


def _lift_plot(name: str, title: str, labels: Sequence[str], series: Mapping[str, Json], axis: str) -> Plot:
    """One row per label, one series per model, with 95% bootstrap intervals."""

    def draw(axes: Axes, colours: Palette) -> None:
        axes.axvline(0, color=colours.text, linewidth=1)
        for i, (model, found) in enumerate(series.items()):
            offset = 0.5 * (i - (len(series) - 1) / 2) / len(series)
            points = [(y + offset, lift["lift"], lift["ci95"]) for y, x in enumerate(labels) if (lift := found.get(x))]
            whiskers(axes, points, colours.series[i % 4], MARKERS[i % 4], model)
        label_rows(axes, labels)
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.0f}")
        axes.set_xlabel(axis)

    height = 1.3 + (0.25 + 0.12 * len(series)) * len(labels)
    return make_plot(name, title, f"{title} with 95% bootstrap intervals: {', '.join(labels)}", height, draw)


def student_round_accuracy(summary: Json) -> Plot | None:
    """Accuracy of each trained arm per round, on test, ood and the student's own validation items."""
    found = summary["student_rounds"]
    if not found:
        return None
    curves = round_curves(found)

    def draw(axes: Axes, colours: Palette) -> None:
        for i, (name, curve) in enumerate(curves.items()):
            colour, numbers = colours.series[i % 4], list(curve)
            values = [curve[number][0] for number in numbers]
            for number in numbers:
                axes.plot([number, number], curve[number][1], color=colour, linewidth=1.4)
            axes.plot(
                numbers, values, "-", marker=MARKERS[i % 4], markersize=5, color=colour, linewidth=1.2, label=name
            )
        axes.set_xticks([entry["round"] for entry in found["rounds"]])
        axes.set_xlabel("round")
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.grid(True, axis="y")

    alt = "Accuracy per round with 95% Wilson intervals of " + ", ".join(curves)
    return make_plot("student_rounds", "Accuracy per round", alt, 3.2 + 0.1 * len(curves), draw)


def round_curves(found: Json) -> dict[str, dict[int, tuple[float, Sequence[float]]]]:
    """`{"arm, split": {round: (accuracy, interval)}}` of what was graded."""
    curves: dict[str, dict[int, tuple[float, Sequence[float]]]] = {}
    for entry in found["rounds"]:
        for split, arms in entry.items():
            if split != "round":
                for arm, figures in arms.items():
                    if figures["n"]:
                        point = (figures["accuracy"], figures["ci95"])
                        curves.setdefault(f"{arm}, {split}", {})[entry["round"]] = point
    return curves
