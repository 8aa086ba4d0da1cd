"""The worked steps of a scheduling solution: written, spoiled, and checked line by line.

The steps visit each meeting's start in the problem's order and go through all meetings in the same
order: `12: 09-12.0 12-14+1 11-13+2 max 2` says that at 12 o'clock 09-12 is not going on (`.`),
12-14 and 11-13 are (`+`), with the running count behind each mark and the highest count so far at
the end of the line. The peak is attained at some start, so no other hour is needed. Every token
copies the next meeting, compares two pairs of digits, or adds one: a small model can do each.

Guaranteed: `write` without slips is right; `spoiled` ends with the wrong answer; `first_slip` names
the first line that departs from the truth. Not guaranteed: that a reply in another format is read.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from domains.scheduling_problems import Instance, Meeting

_ROW = re.compile(r"^(\d\d): ((?:\d\d-\d\d[+.]\d+ )+)max (\d+)$")
_CELL = re.compile(r"(\d\d)-(\d\d)([+.])(\d+) ")


@dataclass(frozen=True)
class Slip:
    """What goes wrong in a spoiled solution; `Slip()` is a right one. Indices count meetings."""

    missed: int | None = None  # never looked at
    touching: int | None = None  # taken to be still going on at its end
    dropped: int | None = None  # its own start is not counted
    doubled: int | None = None  # raises the count by two
    comparison: bool = False  # the last comparison comes out the wrong way

    @property
    def kind(self) -> str:
        """The verifier's word for this slip."""
        if self.missed is not None:
            return "missed_meeting"
        if self.touching is not None or self.dropped is not None:
            return "wrong_overlap"
        return "wrong_count" if self.doubled is not None else "wrong_comparison"


def two_digits(meeting: Meeting) -> str:
    """ "09-12": fixed width, so that a copy always has the same number of tokens."""
    return f"{meeting[0]:02d}-{meeting[1]:02d}"


def write(instance: Instance, slip: Slip = Slip()) -> str:
    """The worked solution, ending with `ANSWER: YES` or `ANSWER: NO`."""
    lines = []
    highest = 0
    for start, _ in instance.meetings:
        cells = list(_cells(instance, start, slip))
        highest = max(highest, cells[-1][1])
        lines.append(f"{start:02d}: " + " ".join(text for text, _ in cells) + f" max {highest}")
    fits = (highest <= instance.rooms) != slip.comparison
    sign = "<=" if fits else ">"
    lines.append(f"peak {highest}, rooms {instance.rooms}: {highest} {sign} {instance.rooms}")
    return "\n".join([*lines, f"ANSWER: {'YES' if fits else 'NO'}"])


def _cells(instance: Instance, start: int, slip: Slip) -> Iterator[tuple[str, int]]:
    """Text of each meeting's cell in the row of `start`, with the running count."""
    count = 0
    for index, (begin, end) in enumerate(instance.meetings):
        if index == slip.missed:
            continue
        going_on = begin <= start < end or (index == slip.touching and start == end)
        going_on = going_on and not (index == slip.dropped and start == begin)
        count += going_on * (2 if index == slip.doubled else 1)
        yield f"{two_digits((begin, end))}{'+' if going_on else '.'}{count}", count


def spoiled(instance: Instance, rng: random.Random) -> tuple[str, Slip]:
    """Worked steps with one slip that leads to the wrong answer, and the slip.

    The slip is drawn among the kinds that do change the answer of this instance.
    """
    indices = range(len(instance.meetings))
    tries = [Slip(missed=i) for i in indices] if len(indices) > 1 else []  # a table needs a meeting
    tries += [slip for i in indices for slip in (Slip(touching=i), Slip(dropped=i), Slip(doubled=i))]
    wrong = "ANSWER: NO" if instance.answer == "YES" else "ANSWER: YES"
    by_kind: dict[str, list[Slip]] = {}
    for slip in [*tries, Slip(comparison=True)]:
        if write(instance, slip).endswith(wrong):
            by_kind.setdefault(slip.kind, []).append(slip)
    chosen = rng.choice(by_kind[rng.choice(sorted(by_kind))])
    return write(instance, chosen), chosen


@dataclass(frozen=True)
class Finding:
    """Where a reply's own table first departs from the truth."""

    kind: str
    line: int
    found: str
    right: str


def first_slip(instance: Instance, reply: str) -> Finding | None:
    """The first wrong line of a reply that follows the worked format, None if there is none.

    A reply with no line of the format gives None: there is nothing to compare.
    """
    got = [line.strip() for line in reply.strip().splitlines() if line.strip()]
    if not any(_ROW.match(line) for line in got):
        return None
    right = write(instance).splitlines()
    for number, line in enumerate(right):
        if number >= len(got):
            return Finding("incomplete_table", number + 1, "(nothing)", line)
        if got[number] != line:
            return Finding(_kind(got[number], line), number + 1, got[number][:200], line)
    return None


def _kind(found: str, right: str) -> str:
    """The verifier's word for a wrong line."""
    is_row, should_be_row = _ROW.match(found), _ROW.match(right)
    if not should_be_row:
        return "wrong_table" if is_row else "wrong_comparison"
    if not is_row or is_row[1] != should_be_row[1]:
        return "wrong_table"
    cells, truth = _CELL.findall(is_row[2]), _CELL.findall(should_be_row[2])
    if [cell[:2] for cell in cells] != [cell[:2] for cell in truth]:
        return "missed_meeting" if len(cells) < len(truth) else "wrong_table"
    if [cell[2] for cell in cells] != [cell[2] for cell in truth]:
        return "wrong_overlap"
    return "wrong_count" if cells != truth else "wrong_peak"
