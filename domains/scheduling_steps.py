"""The worked steps of a scheduling solution: written, spoiled, and checked line by line.

One line per meeting, in the problem's order: `11-13: 11=2 12=1 13 max 2/3 yes` says that with this
meeting two go on at 11 and one at 12, that it ends at 13, that the highest count so far is 2, and
that 3 rooms are enough for it. For a small model every token is a step of its own kind: the next
hour is the last one plus one, its count is one more than where that hour stood last (or 1), writing
the end out makes stopping an equality, and each line repeats the comparison. `benchmarks/
worked_steps.py` compares this with other layouts.

Guaranteed: `write` without slips is right; `spoiled` ends with the wrong answer; `first_slip` names
the first line that departs from the truth. Not guaranteed: that a reply in another format is read.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass

from domains.scheduling_problems import Instance, Meeting

_ROW = re.compile(r"^(\d\d-\d\d): ((?:\d\d=\d+ )*)(\d\d) max (\d+)/(\d+) (yes|no)$")
_CELL = re.compile(r"(\d\d)=(\d+) ")


@dataclass(frozen=True)
class Slip:
    """What goes wrong in a spoiled solution; `Slip()` is a right one. Indices count meetings."""

    missed: int | None = None  # has no line
    touching: int | None = None  # its end hour is counted too
    dropped: int | None = None  # its first hour is not counted
    doubled: int | None = None  # raises the counts by two
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
    counts: Counter[int] = Counter()
    lines, fits = [], True
    last = len(instance.meetings) - (2 if slip.missed == len(instance.meetings) - 1 else 1)
    for index, (start, end) in enumerate(instance.meetings):
        if index == slip.missed:
            continue
        hours = range(start + (index == slip.dropped), end + (index == slip.touching))
        counts.update({hour: 2 if index == slip.doubled else 1 for hour in hours})
        highest = max(counts.values(), default=0)
        fits = (highest <= instance.rooms) != (slip.comparison and index == last)
        cells = "".join(f"{hour:02d}={counts[hour]} " for hour in hours)
        word = "yes" if fits else "no"
        lines.append(f"{two_digits((start, end))}: {cells}{end:02d} max {highest}/{instance.rooms} {word}")
    return "\n".join([*lines, f"ANSWER: {'YES' if fits else 'NO'}"])


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
    if should_be_row is None:
        return "wrong_table" if is_row else "wrong_comparison"
    if is_row is None:
        return "missed_meeting" if found.startswith("ANSWER:") else "wrong_table"
    if is_row[1] != should_be_row[1]:
        return "missed_meeting"
    cells, truth = _CELL.findall(is_row[2]), _CELL.findall(should_be_row[2])
    if [hour for hour, _ in cells] != [hour for hour, _ in truth]:
        return "wrong_overlap"
    if cells != truth:
        return "wrong_count"
    return "wrong_peak" if is_row[4] != should_be_row[4] else "wrong_comparison"
