"""Where scheduling problems come from: a balanced generator, the origin's generator, a file.

Guaranteed: the generators are deterministic in their seed; a file is validated as a whole before
anything is returned, and an error names the file, the line and the field. `Instance.key` ignores
the order of the meetings. Not guaranteed: that a file's classes are balanced.
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from domains.base import DomainError
from records.nouns import Difficulty, Split, content_hash

Meeting = tuple[int, int]
DAY_START, DAY_LAST_START, LONGEST = 9, 15, 3
MAX_MEETINGS, MAX_HOUR, MAX_ROOMS = 20, 48, 99
_FIELDS = {"meetings", "rooms", "answer", "split", "problem_id", "difficulty", "generator", "max_simultaneous"}


@dataclass(frozen=True)
class Instance:
    """Meetings as half-open hour ranges [start, end), and a number of rooms."""

    meetings: tuple[Meeting, ...]
    rooms: int

    @property
    def peak(self) -> int:
        """Most meetings going on at once; it is attained at some meeting's start."""
        return max(sum(a <= start < b for a, b in self.meetings) for start, _ in self.meetings)

    @property
    def answer(self) -> str:
        """ "YES" if the peak is at most the number of rooms, else "NO"."""
        return "YES" if self.peak <= self.rooms else "NO"

    @property
    def key(self) -> str:
        """Content hash that ignores the meetings' order."""
        return content_hash({"meetings": sorted(self.meetings), "rooms": self.rooms})

    @property
    def difficulty(self) -> Difficulty:
        """By the number of meetings, with the origin's borders."""
        return "easy" if len(self.meetings) <= 2 else "medium" if len(self.meetings) <= 4 else "hard"


@dataclass(frozen=True)
class Shape:
    """What a generator may draw: numbers of meetings (repeated = likelier) and start hours."""

    family: str
    counts: tuple[int, ...] = (2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6)
    first: int = DAY_START
    last: int = DAY_LAST_START


DAY = Shape("day")
# What training never has: more meetings, or hours before and after the training day's.
UNSEEN = (
    Shape("more-meetings", counts=(7, 8)),
    Shape("late-hours", counts=(2, 3, 4, 5, 6), first=18, last=21),
    Shape("early-hours", counts=(2, 3, 4, 5, 6), first=5, last=7),
)


def draw(rng: random.Random, answer: str, shape: Shape) -> Instance:
    """One instance with the wanted answer.

    Starts fall into a random window of the shape's hours, so that every peak from 1 to the number
    of meetings is common; half of the room counts sit right at the border between YES and NO.
    """
    while True:
        instance = _propose(rng, answer, shape)
        if instance is not None:
            return instance


def _propose(rng: random.Random, answer: str, shape: Shape) -> Instance | None:
    span = shape.last - shape.first
    width = span if rng.random() < 0.4 else rng.randint(0, span)
    start = rng.randint(shape.first, shape.last - width)
    starts = [rng.randint(start, start + width) for _ in range(rng.choice(shape.counts))]
    # Early meetings end before the training day begins.
    limit = DAY_START if shape.last < DAY_START else MAX_HOUR
    meetings = tuple((s, min(s + rng.randint(1, LONGEST), limit)) for s in starts)
    peak = Instance(meetings, 1).peak
    if answer == "YES":
        rooms = peak if rng.random() < 0.5 else rng.randint(peak, max(6, peak))
    elif peak > 1:
        rooms = peak - 1 if rng.random() < 0.5 else rng.randint(1, peak - 1)
    else:
        return None
    return Instance(meetings, rooms)


def balanced(count: int, rng: random.Random, shapes: tuple[Shape, ...], taken: set[str]) -> list[tuple[Instance, str]]:
    """`count` new instances with their family, YES and NO in turn, shapes in turn by pairs.

    `taken` holds the keys that must not appear and gains the new ones.
    Raises DomainError if the shapes have too few different problems.
    """
    found: list[tuple[Instance, str]] = []
    failures = 0
    while len(found) < count:
        shape = shapes[len(found) // 2 % len(shapes)]
        instance = draw(rng, "YES" if len(found) % 2 == 0 else "NO", shape)
        if instance.key in taken:
            failures += 1
            if failures > 2000:
                raise DomainError(
                    f"scheduling: no more new '{shape.family}' problems after {len(found)}; ask for fewer"
                )
            continue
        failures = 0
        taken.add(instance.key)
        found.append((instance, shape.family))
    return found


def origin(seed: int, count: int) -> list[tuple[Instance, Difficulty]]:
    """The origin experiment's problems (seed 42: 100 for training, seed 123: 150 for testing).

    Draw order: difficulties in thirds, shuffled; then per problem the number of meetings, the
    rooms, and start and duration of each meeting.
    """
    rng = random.Random(seed)
    third = count // 3
    sizes: tuple[tuple[Difficulty, int], ...] = (("easy", third), ("medium", third), ("hard", count - 2 * third))
    levels = [level for level, number in sizes for _ in range(number)]
    rng.shuffle(levels)
    return [(_origin_instance(rng, level), level) for level in levels]


def _origin_instance(rng: random.Random, level: Difficulty) -> Instance:
    number = 2 if level == "easy" else rng.choice([3, 4] if level == "medium" else [4, 5, 6])
    rooms = rng.choice([2, 3, 4] if level == "hard" else [2, 3])
    meetings = []
    for _ in range(number):
        start = rng.randint(9, 15)
        meetings.append((start, start + rng.randint(1, 3)))
    return Instance(tuple(meetings), rooms)


@dataclass(frozen=True)
class FileRow:
    """One validated line of a problems file."""

    instance: Instance
    split: Split
    problem_id: str | None


def read_file(path: Path) -> list[FileRow]:
    """Rows of a JSONL problems file. A row without a split is a test problem.

    Raises DomainError naming file, line and field; nothing is returned from a broken file.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DomainError(
            f"{path}: cannot be read as UTF-8 text ({error}); check the path given to --problems"
        ) from None
    rows = [_row(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise DomainError(f"{path}: no problems in the file; expected one JSON object per line")
    _refuse_shared(rows, path)
    return rows


def _refuse_shared(rows: Collection[FileRow], path: Path) -> None:
    first: dict[str, FileRow] = {}
    for row in rows:
        other = first.setdefault(row.instance.key, row)
        if other.split != row.split:
            raise DomainError(
                f"{path}: the same problem (any order of meetings) is in '{other.split}' and '{row.split}': "
                f"{list(row.instance.meetings)} with {row.instance.rooms} rooms; field 'split' must keep them apart"
            )


def _row(line: str, where: str) -> FileRow:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DomainError(f"{where}: not JSON ({error.msg} at column {error.colno})") from None
    except RecursionError:
        raise DomainError(f"{where}: not JSON that can be read (nested too deeply)") from None
    if not isinstance(row, dict):
        raise DomainError(f"{where}: expected a JSON object with fields meetings and rooms")
    for message in _complaints(row):
        raise DomainError(f"{where}, {message}")
    instance = Instance(tuple((s, e) for s, e in row["meetings"]), row["rooms"])
    _check_truth(row, instance, where)
    return FileRow(instance, row.get("split", "test"), row.get("problem_id"))


def _complaints(row: dict[str, Any]) -> Iterator[str]:
    for name in sorted(set(row) - _FIELDS):
        yield f"field '{name[:40]}': unknown; known fields are {', '.join(sorted(_FIELDS))}"
    for name in ("meetings", "rooms"):
        if name not in row:
            yield f"field '{name}': missing"
    meetings = row["meetings"]
    if not isinstance(meetings, list) or not 1 <= len(meetings) <= MAX_MEETINGS:
        yield f"field 'meetings': expected a list of 1 to {MAX_MEETINGS} [start, end] pairs"
    for index, pair in enumerate(meetings):
        if not _is_meeting(pair):
            yield f"field 'meetings'[{index}]: expected [start, end], whole hours with 0 <= start < end <= {MAX_HOUR}"
    if not _is_int(row["rooms"]) or not 1 <= row["rooms"] <= MAX_ROOMS:
        yield f"field 'rooms': expected a whole number from 1 to {MAX_ROOMS}"
    if "split" in row and row["split"] not in get_args(Split):
        yield f"field 'split': {str(row['split'])[:40]!r} is none of {', '.join(get_args(Split))}"
    if "problem_id" in row and (not isinstance(row["problem_id"], str) or not 0 < len(row["problem_id"]) <= 80):
        yield "field 'problem_id': expected a text of 1 to 80 characters"


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_meeting(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(map(_is_int, pair)) and 0 <= pair[0] < pair[1] <= MAX_HOUR


def _check_truth(row: dict[str, Any], instance: Instance, where: str) -> None:
    for name, truth in (("answer", instance.answer), ("max_simultaneous", instance.peak)):
        if name in row and row[name] != truth:
            raise DomainError(
                f"{where}, field '{name}': the file says {str(row[name])[:40]!r}, the meetings say {truth!r}"
            )
