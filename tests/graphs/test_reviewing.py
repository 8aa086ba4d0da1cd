"""The answer of an interrupt is the row of the inbox that stands, wherever it was decided."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Interrupt

from graphs.approval import Answer
from graphs.context import Silent
from graphs.inbox import DecisionRefused, DecisionRow, decisions, pending_decision, submit_decision, submitted_decision
from graphs.reviewing import Reviewer, answer_of, decided_answer, row_of
from records.rundir import RunDirectory

PAYLOAD = {"review": 1, "strategy_hash": "aaaa", "draft_hash": "bbbb", "verdicts": {}, "notice": ""}
HERE = Answer(action="approve", strategy_hash="aaaa", who="ada", reason="it helps")
ELSEWHERE = DecisionRow(interrupt_id="i1", strategy_hash="aaaa", action="reject", who="bob", text="no")


class Told(Silent):
    """Keeps what the run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "r")
    run.write_json("run.json", {"id": "r"})
    return run


async def answer(run: RunDirectory, reviewer: Reviewer | None = None, **settings: Any) -> Answer | None:
    return await decided_answer(
        run, Interrupt(PAYLOAD, id="i1"), reviewer, settings.pop("events", Silent()), **settings
    )


async def test_reviewer_here_writes_the_row_that_the_run_takes(run: RunDirectory) -> None:
    taken = await answer(run, lambda _, payload: HERE if payload == PAYLOAD else None)
    (row,) = decisions(run.path)
    assert taken == answer_of(row) and (row.who, row.text, row.action) == ("ada", "it helps", "approve")
    assert taken is not None and taken.time == row.time
    assert pending_decision(run.path) is None and submitted_decision(run.path) is None  # taken


async def test_nobody_decides_and_the_run_says_what_it_waits_for(run: RunDirectory) -> None:
    assert await answer(run, lambda *_: None) is None
    pending = pending_decision(run.path)
    assert pending is not None and (pending.interrupt_id, pending.payload) == ("i1", PAYLOAD)


async def test_decision_from_before_is_taken_without_asking(run: RunDirectory) -> None:
    def never(*_: object) -> Answer | None:
        raise AssertionError("asked although it is decided")

    await answer(run)
    submit_decision(run.path, ELSEWHERE)
    for _ in range(2):  # also once more, by a process that was killed before its effect
        taken = await answer(run, never)
        assert taken is not None and (taken.who, taken.reason, taken.text) == ("bob", "no", None)


async def test_decision_from_elsewhere_is_waited_for(run: RunDirectory) -> None:
    waiting = asyncio.create_task(answer(run, wait=True))
    while not pending_decision(run.path):
        await asyncio.sleep(0.01)
    assert not waiting.done()
    submit_decision(run.path, ELSEWHERE)
    taken = await asyncio.wait_for(waiting, 10)
    assert taken is not None and taken.who == "bob"


async def test_who_is_slower_is_told_and_the_first_decision_counts(run: RunDirectory) -> None:
    def slow(run: RunDirectory, payload: dict[str, Any]) -> Answer | None:
        submit_decision(run.path, ELSEWHERE)
        return HERE

    told = Told()
    taken = await answer(run, slow, events=told)
    assert taken is not None and taken.who == "bob" and len(decisions(run.path)) == 1
    assert "bob decided first" in told.lines[0] and "not used" in told.lines[0]


async def test_answer_about_another_strategy_is_refused(run: RunDirectory) -> None:
    with pytest.raises(DecisionRefused, match="cccc"):
        await answer(run, lambda *_: HERE.model_copy(update={"strategy_hash": "cccc"}))


@pytest.mark.parametrize("given", [HERE, HERE.model_copy(update={"action": "edit", "text": "## A\n- b"})])
def test_row_and_answer_say_the_same(given: Answer) -> None:
    back = answer_of(row_of(given, "i1"))
    assert back.model_dump(exclude={"time"}) == given.model_dump(exclude={"time"}) and back.time
