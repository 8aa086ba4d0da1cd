"""Ways to write down the worked steps of a scheduling problem, compared in `worked_steps.py`.

Each function takes meetings as [start, end) hours and the number of rooms, and returns the reply.
Hours have two digits throughout, as in the domain's prompt. `ended` is what the domain uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from domains.scheduling_problems import Instance
from domains.scheduling_steps import two_digits, write

Writer = Callable[[Instance], str]
DAY = range(9, 18)
_WORDS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty twenty-one twenty-two twenty-three twenty-four"""
HOUR_WORDS = _WORDS.split()


def starts(instance: Instance) -> str:
    """At each meeting's start, every meeting with a mark and the running count: `12: 09-12.0 12-14+1 max 1`."""
    lines, highest = [], 0
    for start, _ in instance.meetings:
        marks = list(_marks(instance, start))
        highest = max(highest, marks[-1][2])
        cells = " ".join(f"{name}{'+' if on else '.'}{count}" for name, on, count in marks)
        lines.append(f"{start:02d}: {cells} max {highest}")
    return "\n".join([*lines, *_closing(instance)])


def tally(instance: Instance) -> str:
    """One line per meeting with the running count of every hour: `12-14: 09=0 … 12=1 13=1 …`."""
    counts = dict.fromkeys(DAY, 0)
    lines = []
    for meeting in instance.meetings:
        for hour in range(*meeting):
            counts[hour] += 1
        lines.append(f"{two_digits(meeting)}: " + " ".join(f"{hour:02d}={count}" for hour, count in counts.items()))
    return "\n".join([*lines, *_closing(instance)])


def tally_marks(instance: Instance) -> str:
    """As `tally`, with a mark where the line's meeting is going on: `12-14: 09.0 … 12+1 13+1 …`."""
    counts = dict.fromkeys(DAY, 0)
    lines = []
    for start, end in instance.meetings:
        cells = []
        for hour in DAY:
            counts[hour] += start <= hour < end
            cells.append(f"{hour:02d}{'+' if start <= hour < end else '.'}{counts[hour]}")
        lines.append(f"{two_digits((start, end))}: " + " ".join(cells))
    return "\n".join([*lines, *_closing(instance)])


def bits(instance: Instance) -> str:
    """One line per meeting: its hours as bits, then the sums so far: `12-14 000110000 011220000`."""
    counts = [0] * len(DAY)
    lines = []
    for start, end in instance.meetings:
        own = [int(start <= hour < end) for hour in DAY]
        counts = [a + b for a, b in zip(counts, own, strict=True)]
        lines.append(f"{two_digits((start, end))} {''.join(map(str, own))} {''.join(map(str, counts))}")
    return "\n".join([*lines, *_closing(instance)])


def digits(instance: Instance) -> str:
    """As `tally`, the counts alone in one block of digits: `12-14 000110000`."""
    counts = dict.fromkeys(DAY, 0)
    lines = []
    for meeting in instance.meetings:
        for hour in range(*meeting):
            counts[hour] += 1
        lines.append(f"{two_digits(meeting)} " + "".join(map(str, counts.values())))
    return "\n".join([*lines, *_closing(instance)])


def listing(instance: Instance) -> str:
    """Per hour the meetings going on, their number and the highest so far (the earlier trials)."""
    lines, highest = [], 0
    for hour in DAY:
        going_on = [two_digits(m) for m in instance.meetings if m[0] <= hour < m[1]]
        highest = max(highest, len(going_on))
        lines.append(f"{hour:02d}: {', '.join(going_on) or 'none'} = {len(going_on)}; max {highest}")
    return "\n".join([*lines, *_closing(instance)])


def occupied(instance: Instance) -> str:
    """One line per meeting with its own hours only, each with its running count: `11-13: 11=2 12=1`."""
    return _occupied(instance, lambda hour: f"{hour:02d}")


def occupied_words(instance: Instance) -> str:
    """As `occupied`, the hours as words, one token each: `11-13: eleven=2 twelve=1 max 2`."""
    return _occupied(instance, HOUR_WORDS.__getitem__)


def _occupied(instance: Instance, hour_name: Callable[[int], str]) -> str:
    counts: Counter[int] = Counter()
    lines = []
    for meeting in instance.meetings:
        hours = range(*meeting)
        counts.update(hours)
        cells = " ".join(f"{hour_name(hour)}={counts[hour]}" for hour in hours)
        lines.append(f"{two_digits(meeting)}: {cells} max {max(counts.values())}")
    return "\n".join([*lines, *_closing(instance)])


def ended_ok(instance: Instance) -> str:
    """As the domain's `ended`, with other words than the answer's: `11-13: 11=2 12=1 13 max 2/3 ok`."""
    steps = write(instance).splitlines()
    lines = [line.removesuffix(" yes") + " ok" if line.endswith(" yes") else line for line in steps[:-1]]
    lines = [line.removesuffix(" no") + " over" if line.endswith(" no") else line for line in lines]
    return "\n".join([*lines, steps[-1]])


def verdict_only(instance: Instance) -> str:
    """No steps at all."""
    return _closing(instance)[-1]


def _marks(instance: Instance, start: int) -> Iterator[tuple[str, bool, int]]:
    count = 0
    for meeting in instance.meetings:
        going_on = meeting[0] <= start < meeting[1]
        count += going_on
        yield two_digits(meeting), going_on, count


def _closing(instance: Instance) -> list[str]:
    sign = "<=" if instance.answer == "YES" else ">"
    comparison = f"peak {instance.peak}, rooms {instance.rooms}: {instance.peak} {sign} {instance.rooms}"
    return [comparison, f"ANSWER: {instance.answer}"]


FORMATS: dict[str, Writer] = {
    "ended": write,
    "starts": starts,
    "tally": tally,
    "tally_marks": tally_marks,
    "digits": digits,
    "bits": bits,
    "listing": listing,
    "occupied": occupied,
    "occupied_words": occupied_words,
    "ended_ok": ended_ok,
    "verdict_only": verdict_only,
}
