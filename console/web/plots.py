"""Pictures as inline SVG: the flow of a run, figures with their intervals, a curve, the tree of versions.

Guaranteed: every text in them is escaped and every control character visible; colours come from the style
sheet, so that they fit light and dark pages; each has a title for those who do not see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from console.text import plain
from console.web.flow import Progress, Stage
from console.web.words import count, duration, percent

MOST_NOTE = 27  # characters
MARKS = {"done": "✓", "active": "●", "waiting": "?", "stopped": "■", "open": "", "skipped": "–"}
WORDS = {"done": "done", "active": "at work", "waiting": "waits for you", "stopped": "stopped here", "open": "to come"}


def _text(x: float, y: float, text: Any, style: str = "", anchor: str = "start") -> Markup:
    shown = plain(str(text), 80).replace("\n", " ")
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(
        _n(x), _n(y), style, anchor, shown
    )


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _svg(width: float, height: float, title: str, parts: Sequence[str], style: str, role: str = "img") -> Markup:
    head = Markup('<svg class="{}" viewBox="0 0 {} {}" role="{}" aria-label="{}"><title>{}</title>')
    shown = plain(title, 400)
    return head.format(style, _n(width), _n(height), role, shown, shown) + Markup("").join(parts) + Markup("</svg>")


def flow(progress: Progress, columns: int = 5) -> Markup:
    """The stages as boxes in reading order, `columns` a row, with arrows between them."""
    wide, high, gap_x, gap_y = (176, 108, 26, 34) if columns > 1 else (330, 62, 0, 20)
    parts = []
    for number, stage in enumerate(progress.stages):
        column, row = number % columns, number // columns
        x, y = 2 + column * (wide + gap_x), 2 + row * (high + gap_y)
        if number:
            parts.append(_arrow(column, x, y, wide, high, gap_x, gap_y, columns))
        parts.append(_box(stage, x, y, wide, high))
    rows = -(-len(progress.stages) // columns)
    title = "Stages: " + "; ".join(f"{s.label} {WORDS.get(s.state, s.state)}, {_counts(s)}" for s in progress.stages)
    return _svg(
        4 + columns * (wide + gap_x) - gap_x, 4 + rows * (high + gap_y) - gap_y, title, parts,
        f"flow {'wide' if columns > 1 else 'tall'}",
    )  # fmt: skip


def _arrow(
    column: int, x: float, y: float, wide: float, high: float, gap_x: float, gap_y: float, columns: int
) -> Markup:
    if column:
        path = f"M{_n(x - gap_x + 4)} {_n(y + high / 2)}H{_n(x - 5)}m-6 -4l6 4l-6 4"
    else:
        last = x + (columns - 1) * (wide + gap_x) + wide / 2
        middle = y - gap_y / 2
        path = f"M{_n(last)} {_n(y - gap_y + 3)}V{_n(middle)}H{_n(x + wide / 2)}V{_n(y - 4)}m-4 -6l4 6l4 -6"
    return Markup('<path class="arrow" d="{}"/>').format(path)


def _counts(stage: Stage) -> str:
    if stage.key == "report":
        return "written" if stage.done else "not yet"
    total = f" of {count(stage.total)}" if stage.total and stage.state != "done" else ""
    unit = stage.unit.removesuffix("s") if stage.done == 1 and not total else stage.unit
    return f"{count(stage.done)}{total} {unit}"


def _box(stage: Stage, x: float, y: float, wide: float, high: float) -> Markup:
    parts = [
        Markup('<g class="stage {}"><rect x="{}" y="{}" width="{}" height="{}" rx="7"/>').format(
            stage.state, _n(x), _n(y), _n(wide), _n(high)
        )
    ]
    parts.append(_text(x + 12, y + 23, stage.label, "name"))
    parts.append(_text(x + wide - 12, y + 23, MARKS[stage.state], "mark", "end"))
    parts.append(_text(x + 12, y + 43, _counts(stage), "figure"))
    tall = high > 80
    when = duration(stage.seconds) if stage.seconds is not None else ""
    if tall:
        for line, said in enumerate(filter(None, (when, shortened(stage.note)))):
            parts.append(_text(x + 12, y + 61 + 18 * line, said, "soft"))
    else:
        parts.append(_text(x + wide - 12, y + 43, when, "soft", "end"))
    track = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="4" rx="2"/>')
    length = wide - 24
    parts.append(track.format("track", _n(x + 12), _n(y + high - 13), _n(length)))
    if stage.share > 0:
        parts.append(track.format("fill", _n(x + 12), _n(y + high - 13), _n(max(4, length * stage.share))))
    return Markup("").join(parts) + Markup("</g>")


def shortened(text: str) -> str:
    """What fits into a box."""
    return text if len(text) <= MOST_NOTE else text[: MOST_NOTE - 1] + "…"


def intervals(groups: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], title: str, signed: bool = False) -> Markup:
    """Rows of points with whiskers, in groups with a heading each.

    A row has `label`, `value` and `ci` (shares; None: not known) and `mark` (a class of the style sheet).
    """
    left, right, step, top = 118.0, 300.0, 22.0, 8.0
    low, high = (-1.0, 1.0) if signed else (0.0, 1.0)
    scale = (right - left) / (high - low)
    parts, y = [], top
    for name, rows in groups:
        if name:
            parts.append(_text(0, y + 13, name, "head"))
            y += step
        for row in rows:
            parts.append(_interval_row(row, y, left, scale, low, step, signed))
            y += step
        y += 6
    ticks = [low + (high - low) * i / 4 for i in range(5)]
    grid = Markup('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>')
    for tick in ticks:
        x = left + (tick - low) * scale
        style = "zero" if signed and tick == 0 else "grid"
        parts.insert(0, grid.format(style, _n(x), _n(x), _n(top), _n(y)))
        parts.append(_text(x, y + 14, f"{100 * tick:+.0f}" if signed else f"{100 * tick:.0f}%", "soft", "middle"))
    return _svg(380, y + 22, title, parts, "intervals")


def _interval_row(
    row: Mapping[str, Any], y: float, left: float, scale: float, low: float, step: float, signed: bool
) -> Markup:
    parts = [_text(left - 8, y + 14, row["label"], "label", "end")]
    middle = y + step / 2
    line = Markup('<path class="whisker {}" d="M{} {}v8m0 -4H{}m0 -4v8"/>')
    if isinstance(row["ci"], list | tuple):
        ends = [left + (min(1.0, max(low, end)) - low) * scale for end in row["ci"]]
        parts.append(line.format(row.get("mark", ""), _n(ends[0]), _n(middle - 4), _n(ends[1])))
    if isinstance(row["value"], int | float):
        x = left + (min(1.0, max(low, row["value"])) - low) * scale
        parts.append(
            Markup('<circle class="point {}" cx="{}" cy="{}" r="4"/>').format(row.get("mark", ""), _n(x), _n(middle))
        )
        shown = f"{100 * row['value']:+.1f}" if signed else percent(row["value"])
        parts.append(_text(372, y + 14, shown, "value", "end"))
    else:
        parts.append(_text(372, y + 14, "–", "value", "end"))
    return Markup("").join(parts)


def curve(values: Sequence[float], title: str, caption: str) -> Markup:
    """A line from left to right; the axis begins at 0."""
    if len(values) < 2:
        return Markup("")
    left, top, wide, high, most = 40.0, 10.0, 320.0, 110.0, max(*values, 1e-9)
    spots = [
        f"{_n(left + wide * i / (len(values) - 1))},{_n(top + high * (1 - min(1.0, max(0.0, value / most))))}"
        for i, value in enumerate(values)
    ]
    parts = [
        Markup('<path class="axis" d="M{} {}V{}H{}"/>').format(_n(left), _n(top), _n(top + high), _n(left + wide)),
        Markup('<polyline class="line" points="{}"/>').format(" ".join(spots)),
        _text(left - 6, top + 8, f"{most:.2f}", "soft", "end"),
        _text(left - 6, top + high, "0", "soft", "end"),
        _text(left + wide, top + high + 16, caption, "soft", "end"),
    ]
    return _svg(380, top + high + 22, title, parts, "curve")


def tree(nodes: Sequence[Mapping[str, Any]], title: str) -> Markup:
    """Versions as a tree: a node has `id`, `parent`, `label`, `status`, `href` and `chosen`."""
    depth: dict[str, int] = {}
    for node in nodes:
        depth[node["id"]] = depth.get(node["parent"], -1) + 1
    place = {node["id"]: number for number, node in enumerate(nodes)}
    parts = []
    for number, node in enumerate(nodes):
        x, y = 14 + 22 * min(depth[node["id"]], 6), 16 + 34 * number
        if node["parent"] in place and place[node["parent"]] < number:
            above = 14 + 22 * min(depth[node["parent"]], 6), 16 + 34 * place[node["parent"]]
            path = f"M{above[0]} {above[1] + 6}V{y}H{x - 7}"
            parts.append(Markup('<path class="branch" d="{}"/>').format(path))
        dot = Markup('<circle class="node {} {}" cx="{}" cy="{}" r="6"/>')
        parts.append(dot.format(node["status"], "chosen" if node["chosen"] else "", x, y))
        label = _text(x + 14, y + 4, node["label"], "label chosen" if node["chosen"] else "label")
        parts.append(Markup('<a href="{}">{}</a>').format(node["href"], label))
    return _svg(300, 34 * len(nodes) + 4, title, parts, "tree", role="group")  # an image may hold no links


__all__ = ["curve", "escape", "flow", "intervals", "tree"]
