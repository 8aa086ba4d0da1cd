"""A whole run whose decisions come from elsewhere; its models answer over the loopback address."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphs.inbox import AlreadyDecided, DecisionRow, PendingDecision, decisions, pending_decision, submit_decision
from graphs.runner import Finished, Waiting, create_run, where_it_stands, work
from graphs.settings import build_config
from graphs.strategies import load_strategy
from records.config import RunConfig
from records.nouns import Decision, Problem
from records.rundir import RunDirectory
from tests.graphs.runs import TINY
from tests.loopback import Loopback


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[tuple[RunDirectory, RunConfig]]:
    with Loopback(lambda _: "ANSWER: YES") as server:
        model = f"vllm:m@{server.openai_url}"
        flags = {"domain": "scheduling", "student": model, "validators": [model], "approve": "ask"}
        small = {**TINY, "loop.rounds": 0, "student_arms": "[base, base+strategy]"}
        config = build_config(flags, [f"{name}={value}" for name, value in small.items()])
        yield create_run(config, tmp_path, "r"), config


def waiting(run: RunDirectory) -> PendingDecision:
    pending = pending_decision(run.path)
    assert pending is not None and where_it_stands(run) == "waits for a decision"
    return pending


def decide(run: RunDirectory, action: str, text: str = "") -> DecisionRow:
    pending = waiting(run)
    row = {"interrupt_id": pending.interrupt_id, "strategy_hash": pending.strategy_hash, "action": action, "text": text}
    return submit_decision(run.path, DecisionRow.model_validate({**row, "who": "ada"})).row


async def test_edits_and_approval_from_elsewhere_carry_the_run_to_its_report(
    begun: tuple[RunDirectory, RunConfig],
) -> None:
    run, config = begun
    assert isinstance(await work(run, config), Waiting)
    first = waiting(run)
    text = load_strategy(run, first.strategy_hash).text
    leak = next(p for p in run.read("problems.jsonl", Problem) if p.split == "test")
    decide(run, "edit", f"{text}\n- {leak.prompt} {leak.id}\n")
    assert where_it_stands(run) == "decided, to be resumed"
    outcome = await work(run, config)
    assert isinstance(outcome, Waiting) and "cannot be used" in outcome.payload["notice"]
    assert waiting(run).interrupt_id != first.interrupt_id and not (run.path / "decisions.jsonl").exists()

    decide(run, "edit", f"{text}\n- Count the rooms before the meetings.\n")
    assert isinstance(await work(run, config), Waiting)
    edited = waiting(run)
    assert edited.strategy_hash != first.strategy_hash

    going = asyncio.create_task(work(run, config, wait=True))
    await asyncio.sleep(0.2)
    assert not going.done()
    approved = decide(run, "approve", "it counts")
    late = approved.model_copy(update={"who": "bob", "action": "reject"})
    assert isinstance(submit_decision(run.path, late), AlreadyDecided)
    assert isinstance(await asyncio.wait_for(going, 120), Finished)
    assert pending_decision(run.path) is None and len(decisions(run.path)) == 3
    carried_out = run.read("decisions.jsonl", Decision)
    assert [(d.action, d.who) for d in carried_out] == [("edit", "ada"), ("approve", "ada")]
    assert (carried_out[1].approved_hash, carried_out[1].time) == (edited.strategy_hash, approved.time)
