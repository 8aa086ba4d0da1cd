"""`python -m sandbox math`: one pair from the command line, or a JSONL file of pairs.

A row is `{"id", "gold", "pred", "contract"?}`; out comes `{"id", "verdict", "reason", "seconds"}`, in
the file's order. A row that cannot be read is `error` with its number and field.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pydantic import ConfigDict, Field, field_validator

from records.nouns import Record
from sandbox.json_rows import UnreadRow, read_row
from sandbox.maths_checker import MathChecker, MathVerdict
from sandbox.maths_contracts import parse_contract

_AHEAD = 64  # rows that are read before the first of them is written


class PairRow(Record):
    """A pair to compare. Further fields are allowed and ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    id: str | int | None = None
    gold: str
    pred: str = Field(description="the answer, or the whole reply that holds it")
    contract: str | None = None

    @field_validator("contract")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        parse_contract(value)
        return value


def judge_rows(lines: Iterable[bytes], checker: MathChecker, workers: int) -> Iterator[dict[str, Any]]:
    """One result per row that is not blank, in order, a few rows ahead."""
    with ThreadPoolExecutor(workers) as threads:
        waiting: deque[Future[dict[str, Any]]] = deque()
        for number, line in enumerate(lines, 1):
            if line.strip():
                waiting.append(threads.submit(_judged, number, line, checker.check))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _judged(number: int, line: bytes, check: Callable[..., MathVerdict]) -> dict[str, Any]:
    try:
        row = read_row(number, line, PairRow, "gold and pred")
    except UnreadRow as problem:
        return {"id": problem.identity, "verdict": "error", "reason": str(problem), "seconds": 0.0}
    verdict = check(row.gold, row.pred, row.contract)
    return {"id": row.id, **verdict.model_dump(mode="json")}
