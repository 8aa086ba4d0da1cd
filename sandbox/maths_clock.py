"""Times of day: `7:00`, `3:30 p.m.`, `15:30`, `noon`. They are values of their own, and no ratios.

`2:10` may be a time or a ratio; `2:05`, `0:30` and whatever has a.m. or p.m. can only be times, and
`3:4` and `2:60` only ratios. Two times are the same if they name the same minute of the day. Where
one side alone says a.m. or p.m. and they agree on the dial only, nothing is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?\s*(?:(am|pm|AM|PM)|(?:h|hrs?|hours|[Uu]hr|o'clock))?")
_HOUR = re.compile(r"(\d{1,2})\s*(?:(am|pm|AM|PM)|o'clock)")  # Pm is a petametre
_NAMED = {"noon": 12, "midday": 12, "midnight": 0}
_HALF_DAY = 12 * 3600


@dataclass(frozen=True)
class Clock:
    """`seconds` since midnight. `half`: a.m. or p.m. is said. `certain`: it can be no ratio."""

    seconds: int
    half: bool
    certain: bool


def read_clock(text: str) -> Clock | None:
    """The time of day that a whole text names, None if it names none."""
    if text.lower() in _NAMED:
        return Clock(_NAMED[text.lower()] * 3600, half=True, certain=True)
    if not text[:1].isdigit():
        return None
    bare = re.sub(r"\\(?:text|mathrm|mbox|textrm)\s*\{([^{}]*)\}", r" \1 ", text)
    bare = re.sub(r"\\[,;!: ]|~", " ", bare)
    bare = re.sub(r"\b([ap])\.\s?m\b\.?", r"\1m", bare, flags=re.IGNORECASE).strip()
    bare = re.sub(r"\s*:\s*", ":", bare) if re.search(r"[a-z]", bare, re.IGNORECASE) else bare
    found = _TIME.fullmatch(bare) or _HOUR.fullmatch(bare)
    return _clock(found, bare) if found else None


def _clock(found: re.Match[str], bare: str) -> Clock | None:
    groups = found.groups()
    minutes = groups[1] if len(groups) == 4 else "00"
    seconds = (groups[2] if len(groups) == 4 else None) or "00"
    hour, half = int(groups[0]), groups[-1]
    if int(minutes) > 59 or int(seconds) > 59 or not (1 <= hour <= 12 if half else hour <= 24):
        return None
    if half:
        hour = hour % 12 + (12 if half.lower() == "pm" else 0)
    said = bool(re.search(r"[a-z]", bare, re.IGNORECASE))
    certain = said or "0" in (bare[0], minutes[0], seconds[0] if len(groups) == 4 and groups[2] else "")
    return Clock((hour * 3600 + int(minutes) * 60 + int(seconds)) % (2 * _HALF_DAY), bool(half), certain)


def same_time(gold: Clock, answer: Clock) -> bool | None:
    """Whether they name the same time of day."""
    if gold.seconds == answer.seconds:
        return True
    on_the_dial = gold.seconds % _HALF_DAY == answer.seconds % _HALF_DAY
    return None if on_the_dial and gold.half != answer.half else False
