"""The gate's calls over HTTP: who is asked what, how often, and what is recorded of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from evaluation.gate import ONCE, SequentialGate
from graphs.context import RunContext, Silent
from graphs.gating import Comparison, compare_strategies, put_to_test
from graphs.item_ledger import record_use, uses
from graphs.runner import create_run, open_context
from graphs.settings import build_config
from graphs.strategies import save_strategy
from records.nouns import Bullet, GateResult, Reflection, Strategy
from tests.loopback import Loopback, Request

ITEMS = 48


def strategy(text: str) -> Strategy:
    return Strategy(name=text, bullets=(Bullet(id="b1", section="Method", text=text),))


PLAIN, SAME, GOOD = strategy("Look at it."), strategy("Have a look at it."), strategy("Count the rooms: GOOD.")


class Room:
    """A run that stands before its first gate, its student on a server; the GOOD strategy solves everything."""

    def __init__(self, context: RunContext, server: Loopback) -> None:
        self.context, self.server = context, server

    def asked(self) -> Counter[str]:
        """Calls per strategy."""
        systems = [request.body["messages"][0]["content"] for request in self.server.requests]
        names = {s.name: s.text for s in (PLAIN, SAME, GOOD)}
        return Counter(name for system in systems for name, text in names.items() if text in system)

    async def compare(self, candidate: Strategy, number: int = 1) -> GateResult:
        """The gate's result, with the reflection that a run would record."""
        result = await compare_strategies(self.context, PLAIN.hash, candidate.hash, number)
        fields = {"attempt_ids": (), "journal": "", "edits": (), "parent_hash": PLAIN.hash}
        entry = {"id": f"r{number}", "round": number, "batch": number, "candidate_hash": candidate.hash, **fields}
        self.context.run.append(
            "reflections.jsonl", [Reflection.model_validate({**entry, "gate": result, "accepted": result.accepted})]
        )
        return result


@asynccontextmanager
async def room(tmp_path: Path, *overrides: str) -> AsyncIterator[Room]:
    answers: dict[str, str] = {}

    def reply(request: Request) -> str:
        right = answers[request.prompt]
        wrong = {"YES": "NO", "NO": "YES"}[right]
        return f"ANSWER: {right if 'GOOD' in request.body['messages'][0]['content'] else wrong}"

    with Loopback(reply) as server:
        spec = f"vllm:student@{server.openai_url}"
        flags = {"domain": "scheduling", "student": spec, "validators": [spec], "approve": "gate"}
        sizes = ("sizes.train=4", f"sizes.gate={ITEMS}", "sizes.transfer=4", "sizes.test=4", "sizes.ood=0")
        config = build_config(
            flags, [*sizes, "student_arms=[base]", "loop.rounds=4", "gate.rule=sequential", *overrides]
        )
        run = create_run(config, tmp_path, "r")
        async with open_context(run, config, Silent()) as context:
            problems = context.domain.load(None, config.sizes, 0)
            run.append("problems.jsonl", problems)
            answers |= {problem.prompt: str(problem.answer) for problem in problems}
            for version in (PLAIN, SAME, GOOD):
                save_strategy(run, version, "candidate")
            yield Room(context, server)


async def test_an_edit_that_changes_nothing_is_dropped_before_all_items_are_asked(tmp_path: Path) -> None:
    async with room(tmp_path, "gate.looks=4") as at:
        result = await at.compare(SAME)
        assert not result.accepted and result.stopped and result.reason.endswith("0.0125 of 0.05 spent")
        assert (result.policy, result.wins, result.losses) == ("sequential", 0, 0)
        asked = at.asked()
        assert asked[PLAIN.name] == asked[SAME.name] == result.n < ITEMS == result.planned
        better = await at.compare(GOOD, number=2)
        assert better.accepted and better.alpha == better.alpha_spent - 0.0125 == pytest.approx(0.0125)
        assert at.asked()[SAME.name] == asked[SAME.name]
        assert at.asked()[PLAIN.name] == max(result.n, better.n)  # known replies are not asked for again
        assert better.stopped and at.asked()[GOOD.name] == better.n < ITEMS  # the rest could not undo it


async def test_a_round_without_a_candidate_leaves_its_alpha(tmp_path: Path) -> None:
    async with room(tmp_path) as at:
        result = await at.compare(GOOD, number=3)
        assert result.alpha == result.alpha_spent == pytest.approx(0.0375)


async def test_repeats_are_several_replies_to_one_item(tmp_path: Path) -> None:
    async with room(tmp_path, "gate.repeats=3", "decoding.temperature=0.7", "gate.looks=1") as at:
        result = await at.compare(GOOD)
        assert (result.n, result.wins, result.repeats, result.difference) == (ITEMS, ITEMS, 3, 1.0)
        assert at.asked() == {PLAIN.name: 3 * ITEMS, GOOD.name: 3 * ITEMS}


@pytest.mark.parametrize(("rule", "calls", "accepted"), [("strict", 6, False), ("none", 0, True)])
async def test_the_rules_without_a_test_ask_little_or_nothing(
    rule: str, calls: int, accepted: bool, tmp_path: Path
) -> None:
    async with room(tmp_path, f"gate.rule={rule}") as at:
        result = await at.compare(SAME)
        assert (result.policy, result.accepted, result.alpha_spent) == (rule, accepted, None)
        assert sum(at.asked().values()) == calls


async def edited(at: Room) -> GateResult:
    """The test of a person's edit."""
    compared = Comparison("edit", PLAIN.hash, GOOD.hash, at.context.config.student, "Gate: an edit")
    return await put_to_test(at.context, SequentialGate(0.05, looks=1), ONCE, compared)


async def test_an_edit_is_tested_on_items_that_had_no_part_in_it(tmp_path: Path) -> None:
    async with room(tmp_path) as at:
        items = at.context.problems.open("validation", "gate")
        record_use(at.context, "ablation", "ablation", items[:40])
        result = await edited(at)
        assert result.tested
        assert result.n == ITEMS - 40

        (tested,) = [use for use in uses(at.context) if use.use == "edit"]
        assert set(tested.problem_ids) == {item.id for item in items[40:]}
        assert tested.strategy_hashes == (PLAIN.hash, GOOD.hash)
        assert tested.level == 0.05


async def test_without_unused_items_nothing_is_tested_and_no_call_is_made(tmp_path: Path) -> None:
    async with room(tmp_path) as at:
        record_use(at.context, "ablation", "ablation", at.context.problems.open("validation", "gate"))
        result = await edited(at)
        assert not result.tested
        assert not result.accepted
        assert result.reason == "chosen on these items, not proved"
        assert not at.asked()
        assert [use.use for use in uses(at.context)] == ["ablation"]
