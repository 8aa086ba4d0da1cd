"""`python -m sandbox lean`: a JSONL file of proofs.

A row is `{"id", "header"?, "statement", "proof"}`; out comes `{"id", "verdict", "reason", "axioms", "grade"}`, in
the file's order; `grade` is null but for an ungraded proof that a weaker check accepts. A row that cannot be read is
`ungraded` with its number and field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pydantic import ConfigDict

from sandbox.json_rows import UnreadRow, read_row
from sandbox.lean import BATCH, LeanJudge
from sandbox.lean_claims import LeanClaim
from sandbox.lean_verdict import LeanVerdict, printable
from sandbox.nouns import SandboxError


class ProofRow(LeanClaim):
    """A row of the file. Further fields are allowed and ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str | int | None = None


def judge_rows(lines: Iterable[bytes], judge: LeanJudge) -> Iterator[dict[str, Any]]:
    """One result per row that is not blank, in order, a batch at a time.

    Raises SandboxError after the results of the batch in which a canary came out wrong.
    """
    rows = (_read(number, line) for number, line in enumerate(lines, 1) if line.strip())
    while batch := list(islice(rows, BATCH)):
        claims = [LeanClaim(**row.model_dump(exclude={"id"})) for row in batch if isinstance(row, ProofRow)]
        problem: SandboxError | None = None
        try:
            verdicts = judge.check(claims)
        except SandboxError as error:
            problem, verdicts = error, [LeanVerdict(verdict="ungraded", reason=str(error))] * len(claims)
        answers = iter(verdicts)
        for row in batch:
            yield _written(row.id, next(answers)) if isinstance(row, ProofRow) else row
        if problem is not None:
            raise problem


def _read(number: int, line: bytes) -> ProofRow | dict[str, Any]:
    try:
        return read_row(number, line, ProofRow, "statement and proof")
    except UnreadRow as problem:
        return _written(problem.identity, LeanVerdict(verdict="ungraded", reason=printable(str(problem))))


def _written(identity: str | int | None, verdict: LeanVerdict) -> dict[str, Any]:
    return {"id": identity, **verdict.model_dump(mode="json", exclude={"seconds"})}
