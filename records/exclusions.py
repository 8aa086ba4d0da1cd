"""Training rows that a person left out: the record and what stands after all changes."""

from __future__ import annotations

from pydantic import ValidationError

from records.nouns import Record
from records.rundir import RunDirectory, RunError

EXCLUSIONS = "exclusions.jsonl"


class Exclusion(Record):
    """One change: a row, and with it its problem in every arm, is left out or (`excluded` False) taken back."""

    row_id: str
    problem_id: str
    reason: str
    who: str
    time: str  # ISO 8601, UTC
    excluded: bool = True


def standing_exclusions(run: RunDirectory) -> dict[str, Exclusion]:
    """By problem id, what is left out after all changes. Raises RunError at a row that cannot be read."""
    standing: dict[str, Exclusion] = {}
    try:
        for row in run.read(EXCLUSIONS, Exclusion):
            standing.pop(row.problem_id, None)
            if row.excluded:
                standing[row.problem_id] = row
    except ValidationError as error:
        raise RunError(f"{run.path / EXCLUSIONS}: a row cannot be read ({error.errors()[0]['msg']})") from error
    return standing
