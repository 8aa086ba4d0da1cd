"""Which reply of one arm is compared with which reply of another.

Guaranteed: only replies to the same problem are compared, and a pair with an ungraded side is left
out and counted. Rows pair by (problem, sample, seed). An arm that has only one seed (an untrained
model has no others) or one sample is compared with each seed or sample of the other arms; its
repeated use narrows nothing, because intervals resample problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from records.nouns import EvaluationRow

Key = tuple[str, int | None, int | None]


@dataclass(frozen=True)
class Aligned:
    """Graded outcomes side by side, `{problem id: [(first arm, second arm, …), …]}`."""

    units: dict[str, list[tuple[bool, ...]]]
    ungraded: int

    @property
    def n(self) -> int:
        """Number of graded units."""
        return sum(len(units) for units in self.units.values())

    def pairs(self, a: int, b: int) -> dict[str, list[tuple[bool, bool]]]:
        """The outcomes of two of the arms."""
        return {problem: [(unit[a], unit[b]) for unit in units] for problem, units in self.units.items()}


def correct(row: EvaluationRow) -> bool | None:
    """Whether a reply counts as solved; None if it could not be judged."""
    return None if row.outcome == "ungraded" else row.outcome == "pass"


def align(arms: Sequence[Sequence[EvaluationRow]]) -> Aligned:
    """Put the replies of two or more arms side by side."""
    samples = _common([{row.sample for row in rows} for rows in arms])
    seeds = _common([{row.seed for row in rows} for rows in arms])
    tables = [_table(rows) for rows in arms]
    units: dict[str, list[tuple[bool, ...]]] = {}
    ungraded = 0
    for problem in sorted(set.intersection(*({row.problem_id for row in rows} for rows in arms))):
        for sample in samples:
            for seed in seeds:
                found = [table.find(problem, sample, seed) for table in tables]
                if any(row is None for row in found):
                    continue
                outcomes = [correct(row) for row in found if row is not None]
                if None in outcomes:
                    ungraded += 1
                else:
                    units.setdefault(problem, []).append(tuple(bool(outcome) for outcome in outcomes))
    return Aligned(units, ungraded)


@dataclass(frozen=True)
class _Table:
    rows: dict[Key, EvaluationRow]
    many_samples: bool
    many_seeds: bool

    def find(self, problem: str, sample: int | None, seed: int | None) -> EvaluationRow | None:
        return self.rows.get((problem, sample if self.many_samples else None, seed if self.many_seeds else None))


def _table(rows: Iterable[EvaluationRow]) -> _Table:
    rows = list(rows)
    many_samples, many_seeds = len({row.sample for row in rows}) > 1, len({row.seed for row in rows}) > 1
    keys = {
        (row.problem_id, row.sample if many_samples else None, row.seed if many_seeds else None): row for row in rows
    }
    return _Table(keys, many_samples, many_seeds)


def _common(values: Sequence[set[int]]) -> list[int | None]:
    """Values that all arms with more than one have; [None] if no arm has more than one."""
    several = [found for found in values if len(found) > 1]
    return list(sorted(set.intersection(*several))) if several else [None]
