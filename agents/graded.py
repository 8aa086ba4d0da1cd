"""What a teacher learns from: attempts with verdicts, of train problems only.

Guaranteed: `require_train` raises SplitViolation before anything of another split is shown.
"""

from __future__ import annotations

from collections.abc import Iterable

from records.nouns import Attempt, Judgement, Problem, Record
from records.splits import SplitViolation


class Graded(Record):
    """One attempt with its problem and what the verifier said of it."""

    problem: Problem
    attempt: Attempt
    judgement: Judgement


def require_train(problems: Iterable[Problem]) -> None:
    """Raise SplitViolation if a problem is not of the train split."""
    for problem in problems:
        if problem.split != "train":
            raise SplitViolation(f"a teacher may learn from train problems only; {problem.id} is of '{problem.split}'")
