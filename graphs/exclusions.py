"""Training rows that a person leaves out, with a reason, before the training begins.

Guaranteed: the arms keep the same problems in the same order, so a row is left out of every arm with the
other rows of its problem; what was left out, why and by whom stands in the dataset card and in the report;
once the training of any arm has begun nothing can be left out or taken back, so what an adapter was
trained on is what its dataset file holds. A row that was left out is not lost: exclusions.jsonl keeps every
change, and dataset/excluded/ the rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from evaluation.dataset import FROZEN, drop_problems
from records.exclusions import EXCLUSIONS, Exclusion, standing_exclusions
from records.nouns import Problem, TrainingRow
from records.rundir import RunDirectory, RunError, append_lines, locked

LOCK = "exclusions.lock"


class ExclusionRefused(RunError):
    """The row cannot be left out or taken back; the message says why."""


def exclude_row(run_dir: Path, row_id: str, reason: str, who: str) -> Exclusion:
    """Leave out the row, and its problem's rows in the other arms.

    Raises ExclusionRefused without a reason or a name, for an unknown row, for the last row that is left,
    and once training has begun; RunError if there is no such run. A row that is left out already stays
    left out for its first reason.
    """
    if not reason.strip() or not who.strip():
        raise ExclusionRefused("leaving out a row needs a reason and a name: they are part of the record")
    with _open(run_dir) as run:
        problem_id = _problem_of(run, row_id)
        standing = standing_exclusions(run)
        if problem_id in standing:
            return standing[problem_id]
        if not _left(run) - {problem_id, *standing}:
            raise ExclusionRefused(f"{row_id} is the last row that is left; reject the strategy or end the run instead")
        return _write(run, row_id, problem_id, reason, who, excluded=True)


def include_row(run_dir: Path, row_id: str, who: str, reason: str = "") -> Exclusion:
    """Take a row back that was left out. Raises ExclusionRefused if it was not, and as `exclude_row` does."""
    with _open(run_dir) as run:
        problem_id = _problem_of(run, row_id)
        if problem_id not in standing_exclusions(run):
            raise ExclusionRefused(f"the row {row_id} is not left out")
        return _write(run, row_id, problem_id, reason, who, excluded=False)


def exclusions(run_dir: Path) -> list[Exclusion]:
    """What is left out now, the oldest first. Raises RunError at a row that is none."""
    return list(standing_exclusions(RunDirectory(run_dir)).values())


def training_begun(run_dir: Path) -> bool:
    """From here on nothing can be left out or taken back."""
    marks = ("adapters/*/job.json", "adapters/*/lock")  # of a trainer; a fork's copied adapters have neither
    return (run_dir / FROZEN).exists() or any(any(run_dir.glob(mark)) for mark in marks)


def freeze_datasets(run: RunDirectory) -> list[Exclusion]:
    """Take the rows that are left out from the datasets, once, before the first training; returns them."""
    with locked(run.path / LOCK):
        standing = standing_exclusions(run)
        if not (run.path / FROZEN).exists():
            rows = [exclusion.model_dump(mode="json") for exclusion in standing.values()]
            drop_problems(run, {row["problem_id"]: row for row in rows})
    return list(standing.values())


def without_excluded(run: RunDirectory, problems: Sequence[Problem]) -> list[Problem]:
    """The problems that a later round of the student may be trained on: what was left out stays out."""
    standing = standing_exclusions(run)
    return [problem for problem in problems if problem.id not in standing]


def _write(run: RunDirectory, row_id: str, problem_id: str, reason: str, who: str, *, excluded: bool) -> Exclusion:
    time = datetime.now(UTC).isoformat(timespec="seconds")
    row = Exclusion(row_id=row_id, problem_id=problem_id, reason=reason, who=who, time=time, excluded=excluded)
    append_lines(run.path / EXCLUSIONS, [json.dumps(row.model_dump(mode="json"))])
    return row


def _rows(run: RunDirectory) -> Iterator[TrainingRow]:
    for file in sorted((run.path / "dataset").glob("*.jsonl")):
        yield from run.read(f"dataset/{file.name}", TrainingRow)


def _problem_of(run: RunDirectory, row_id: str) -> str:
    for row in _rows(run):
        if row.id == row_id:
            return row.problem_id
    raise ExclusionRefused(f"run '{run.id}' has no training row {row_id}")


def _left(run: RunDirectory) -> set[str]:
    return {row.problem_id for row in _rows(run)}


@contextmanager
def _open(run_dir: Path) -> Iterator[RunDirectory]:
    """One writer at a time, before the training. Raises RunError, ExclusionRefused."""
    if not (run_dir / "run.json").exists():
        raise RunError(f"there is no run in {run_dir}")
    run = RunDirectory(run_dir)
    with locked(run_dir / LOCK):
        if training_begun(run_dir):
            raise ExclusionRefused(f"the training of run '{run.id}' has begun; its rows can no longer be changed")
        if not (run_dir / "dataset").exists():
            raise ExclusionRefused(f"run '{run.id}' has no training rows yet")
        yield run
