"""Attempts are on disk when `keep` returns, many with one write, and a disk that refuses is an error."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from graphs.attempts import Records
from graphs.context import Judged, RunContext
from records.nouns import Attempt, Judgement, Verdict
from records.rundir import RunDirectory


class Standing:
    """The part of a context that is needed here, over a real run directory."""

    def __init__(self, path: Path) -> None:
        self.run, self.judged = RunDirectory(path), Judged({}, {})


def pair(number: int) -> tuple[Attempt, Verdict]:
    fields: dict[str, Any] = {"stage": "lrl", "arm": "learning", "agent": "teacher", "model": "m"}
    attempt = Attempt(id=f"a/{number}", problem_id=f"p/{number}", **fields)
    return attempt, Verdict(
        id=attempt.id, problem_id=attempt.problem_id, judgement=Judgement(outcome="pass", kind="ok")
    )


async def test_what_waits_together_is_written_together_and_is_there_afterwards(tmp_path: Path) -> None:
    at = Standing(tmp_path)
    records, seen = Records(cast(RunContext, at)), list[int]()

    async def keep(number: int) -> None:
        await records.keep(*pair(number))
        found = {one.id for one in RunDirectory(tmp_path).read("verdicts.jsonl", Verdict)}
        assert f"a/{number}" in found and f"a/{number}" in at.judged.verdicts
        seen.append(len(found))

    await asyncio.gather(*(keep(number) for number in range(50)))
    await keep(3)  # once more adds nothing
    assert len(set(seen)) < 10 and len(list(at.run.rows("attempts.jsonl"))) == 50
    assert list(at.judged.attempts) == [one.id for one in at.run.read("attempts.jsonl", Attempt)]


async def test_a_write_that_fails_is_an_error_for_everyone_who_waits(tmp_path: Path) -> None:
    at = Standing(tmp_path)
    (tmp_path / "attempts.jsonl").mkdir()
    records = Records(cast(RunContext, at))
    results = await asyncio.gather(*(records.keep(*pair(n)) for n in range(5)), return_exceptions=True)
    assert all(isinstance(result, OSError) for result in results) and not at.judged.attempts
    (tmp_path / "attempts.jsonl").rmdir()
    with pytest.raises(asyncio.CancelledError):
        task = asyncio.create_task(records.keep(*pair(9)))
        await asyncio.sleep(0)
        task.cancel()
        await task
    await records.keep(*pair(10))
    assert {one.id for one in at.run.read("attempts.jsonl", Attempt)} == {"a/9", "a/10"}  # what was begun is kept
