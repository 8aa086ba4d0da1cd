"""A student that is trained several times: its accuracy round by round.

Guaranteed: test and ood rows of a round are figures for the report and nothing else; what a round worked on
was decided by the student's failures on validation items of their own. The report's verdict is about
the last round, which is settled before the run begins, so that no round is chosen by its score.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from evaluation import tables
from evaluation.pairs import align
from evaluation.verdicts import IMPROVED, NOT_SHOWN, WORSE, is_harm, is_shown
from records.nouns import EvaluationRow

Json = dict[str, Any]
Rows = Sequence[EvaluationRow]
UNTRAINED = ("base", "teacher")  # arms that no round changes
FEEDBACK = "feedback"
SPLITS = ("test", "ood")


def last_round(rows: Rows) -> list[EvaluationRow]:
    """The student rows that the main figures are about: the untrained arms and the last round's."""
    last = max((row.round for row in rows), default=1)
    return [row for row in rows if row.arm in UNTRAINED or row.round == last]


def student_rounds(rows: Rows) -> Json | None:
    """Accuracy of every arm per round and split, and what each round changed; None for a single round."""
    relevant = [row for row in rows if row.suite in ("student", FEEDBACK) and row.arm not in UNTRAINED]
    numbers = sorted({row.round for row in relevant})
    if not any(row.suite == FEEDBACK for row in relevant) and len(numbers) < 2:
        return None
    groups = {name: _group(relevant, name) for name in (*SPLITS, FEEDBACK)}
    return {
        "rounds": [
            {"round": number, **{name: _figures(groups[name], number) for name in groups}} for number in numbers
        ],
        "changes": [change for name, found in groups.items() for change in _changes(name, found, numbers)],
    }


def _group(rows: Rows, name: str) -> list[EvaluationRow]:
    if name == FEEDBACK:
        return [row for row in rows if row.suite == FEEDBACK]
    return [row for row in rows if row.suite == "student" and row.split == name]


def _figures(rows: Rows, number: int) -> Json:
    """Counts, accuracy and interval per arm of one round; failing families where they were fed back."""
    arms = tables.by_arm(row for row in rows if row.round == number)
    kept = ("n", "correct", "accuracy", "ci95", "unparsed", "ungraded")
    return {arm: {name: tables.arm_figures(found)[name] for name in kept} for arm, found in arms.items()}


def _changes(name: str, rows: Rows, numbers: Sequence[int]) -> list[Json]:
    """Each round against the one before, per arm; one Holm family per split."""
    pairs = []
    for arm, found in tables.by_arm(rows).items():
        by_round = {number: [row for row in found if row.round == number] for number in numbers}
        for before, after in itertools.pairwise(numbers):
            if by_round[before] and by_round[after]:
                pairs.append((arm, before, after, align([by_round[after], by_round[before]])))
    compared = tables.compare_all([(str(after), str(before), aligned) for _, before, after, aligned in pairs])
    return [
        {**row, "split": name, "arm": pair[0], "a": pair[2], "b": pair[1], "verdict": _word(row)}
        for row, pair in zip(compared, pairs, strict=True)
    ]


def _word(row: Json) -> str:
    if row["difference"] is None:
        return NOT_SHOWN
    if is_shown(row):
        return IMPROVED
    return WORSE if is_harm(row) and row["p"] < 0.05 else NOT_SHOWN


def failing_families(rows: Rows) -> list[str]:
    """Families in which a graded reply did not pass, most failures first."""
    failed: dict[str, int] = {}
    for row in rows:
        if row.outcome in ("fail", "unparsed"):
            failed[row.family] = failed.get(row.family, 0) + 1
    return sorted(failed, key=lambda family: (-failed[family], family))
