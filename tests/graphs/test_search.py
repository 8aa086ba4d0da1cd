"""Whole searches over HTTP against a model with known truth: which bullets help is decided here, by the prompt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from graphs.context import RunContext, Silent
from graphs.crossmodel import candidates
from graphs.learning import learning_builder
from graphs.runner import create_run, open_context
from graphs.search import MERGE_EVERY
from graphs.settings import SettingsError, build_config
from graphs.strategies import load_strategy, load_version
from models.budget import BudgetSpent
from records.config import Budget
from records.nouns import Attempt, Confirmation, Reflection
from tests.agents.test_teacher import LONG
from tests.agents.writing import teacher_writes
from tests.loopback import Loopback, Request

SIZES = ("sizes.train=8", "sizes.gate=60", "sizes.transfer=4", "sizes.test=4", "sizes.ood=0")
LOOP = ("loop.rounds=4", "loop.batch=4", "loop.attempts=2", "student_arms=[base]")
WORTH = {"HELPS": 0.35, "SERVES": 0.3, "HARMS": -0.35, "IDLE": 0.0}  # lifts; a task is solved if its place is below
ROUNDS = (("HELPS", "HARMS"), ("SERVES", "IDLE"), ("HARMS",), ("IDLE",))  # what the teacher adds, in this order


def bullet(name: str) -> str:
    return f"Advice {name}: look at the rooms before the hours."


class Truth:
    """A server that is the teacher, the gate's model and the student."""

    def __init__(self, rounds: tuple[tuple[str, ...], ...] = ROUNDS, worth: dict[str, float] = WORTH) -> None:
        self.rounds, self.worth, self.proposed = rounds, worth, 0
        self.answers: dict[str, str] = {}

    def __call__(self, request: Request) -> str:
        if "Your task is to write a new instruction" in request.prompt:  # GEPA's own prompt
            return f"```\n{LONG}\n- {bullet('HELPS')}\n```"
        if "Tidy it for small models" in request.prompt:
            inside = request.prompt.split("<strategy>")[1].split("</strategy>")[0]
            return "\n".join(line if line.startswith("#") else f"- {line}" for line in inside.strip().splitlines())
        if "Your reply could not be used" in request.prompt:  # the strategy has that bullet
            return '{"edits": []}'
        if "Propose at most" in request.prompt:
            self.proposed += 1
        added = self.rounds[(self.proposed - 1) % len(self.rounds)]
        edits = [{"operation": "ADD", "section": "Method", "text": bullet(one), "origin": ["A1"]} for one in added]
        written = teacher_writes(request.prompt, "It did not look.", json.dumps({"edits": edits}), "")
        return written if written is not None else self.solved(request)

    def solved(self, request: Request) -> str:
        system = request.body["messages"][0]["content"]
        place = int(hashlib.sha256(request.prompt.encode()).hexdigest()[:8], 16) / 16**8
        chance = 0.3 + sum(lift for name, lift in self.worth.items() if name in system)
        right = self.answers[request.prompt]
        return f"ANSWER: {right if place < chance else {'YES': 'NO', 'NO': 'YES'}[right]}"


class Room:
    """A run that stands before its learning loop."""

    def __init__(self, context: RunContext, server: Loopback) -> None:
        self.context, self.server = context, server

    async def learn(self) -> dict[str, Any]:
        """The loop from its beginning; the final state."""
        graph = learning_builder().compile()
        return await graph.ainvoke({"reviews": 0}, {"recursion_limit": 200}, context=self.context)  # type: ignore[return-value]

    def entries(self) -> dict[str, Reflection]:
        return {entry.id: entry for entry in self.context.run.read("reflections.jsonl", Reflection)}

    def names(self, strategy_hash: str) -> set[str]:
        """Which of the bullets a strategy has."""
        text = load_strategy(self.context.run, strategy_hash).text
        return {name for name in WORTH if bullet(name) in text}

    def asked(self) -> dict[str, set[str]]:
        """Per arm at the gate the problems that were asked."""
        found: dict[str, set[str]] = {}
        for attempt in self.context.run.read("attempts.jsonl", Attempt):
            if attempt.stage == "gate":
                found.setdefault(attempt.arm, set()).add(attempt.problem_id)
        return found


@asynccontextmanager
async def room(
    tmp_path: Path, *overrides: str, truth: Callable[[Request], str] | None = None, **flags: object
) -> AsyncIterator[Room]:
    """`flags` as on the command line; the same folder again is the same run, with its ledger."""
    world = truth or Truth()
    with Loopback(world) as server:
        spec = f"vllm:model@{server.openai_url}"
        given = {
            "domain": "scheduling",
            "teacher": spec,
            "student": spec,
            "validators": [spec],
            "approve": "gate",
            **flags,
        }
        config = build_config(given, [*SIZES, *LOOP, *overrides])
        run = create_run(config, tmp_path, "r")
        async with open_context(run, config, Silent()) as context:
            problems = context.domain.load(None, config.sizes, 0)
            run.append("problems.jsonl", problems)
            if isinstance(world, Truth):
                world.answers |= {problem.prompt: str(problem.answer) for problem in problems}
            yield Room(context, server)


async def test_the_front_merges_what_helps_out_of_refused_edits_and_proves_the_end(tmp_path: Path) -> None:
    async with room(tmp_path) as at:
        state = await at.learn()
        entries = at.entries()
        assert [name for name in entries if name.startswith("reflection")] == [f"reflection-{n}" for n in range(1, 5)]
        assert [name for name in entries if name.startswith("merge")] == ["merge-2", "merge-4"] and MERGE_EVERY == 2
        assert not entries["reflection-1"].accepted and entries["reflection-2"].accepted  # one helps, one harms as much
        assert entries["merge-4"].accepted and "points: Advice HELPS" in entries["merge-4"].journal
        assert at.names(state["current"]) >= {"HELPS", "SERVES"} and "HARMS" not in at.names(state["current"])
        (proof,) = at.context.run.read("confirmation.jsonl", Confirmation)
        assert proof.gate.accepted and proof.kept_hash == proof.final_hash == state["current"]
        assert (proof.gate.policy, proof.gate.planned, proof.gate.alpha) == ("sequential", 40, 0.05)
        assert load_version(at.context.run, state["current"]).status == "proved"
        asked = at.asked()
        proved = asked[f"strategy-{state['draft']}"] & asked[f"strategy-{state['current']}"]
        search = set.union(*(items for arm, items in asked.items() if arm not in proved_arms(state)))
        assert len(search) == 20 and len(proved - search) == proof.gate.n
        assert candidates(at.context, state) == [state["draft"], state["current"]]  # steps of the search are none
        calls = at.server.count
        again = await at.learn()  # a step that is repeated sees what it saw
        assert again == state and at.server.count == calls and at.entries() == entries
        lifts = {one.text: one.lift for one in load_strategy(at.context.run, state["current"]).bullets}
        assert lifts[bullet("SERVES")] == pytest.approx(entries["reflection-2"].gate.difference)  # type: ignore[union-attr]


def proved_arms(state: dict[str, Any]) -> set[str]:
    return {f"strategy-{state[name]}" for name in ("draft", "current")}


async def test_greedy_keeps_the_last_accepted_edit_and_merges_nothing(tmp_path: Path) -> None:
    async with room(tmp_path, search="greedy") as at:
        state = await at.learn()
        assert set(at.entries()) == {f"reflection-{n}" for n in range(1, 5)}
        assert at.names(state["current"]) == {"SERVES", "IDLE"}


async def test_what_is_not_proved_falls_back_to_the_draft(tmp_path: Path) -> None:
    """A few tasks more are enough for the search, not for the proof."""
    worth = {**WORTH, "SERVES": 0.07, "HELPS": 0.0, "HARMS": 0.0}
    async with room(tmp_path, "loop.alpha=0.001", truth=Truth(worth=worth)) as at:
        state = await at.learn()
        entries = at.entries()
        assert entries["reflection-2"].accepted
        (proof,) = at.context.run.read("confirmation.jsonl", Confirmation)
        assert not proof.gate.accepted and proof.kept_hash == proof.start_hash == state["current"] == state["draft"]
        assert load_version(at.context.run, proof.final_hash).status == "not proved"


async def test_without_a_kept_edit_nothing_is_distilled_or_proved(tmp_path: Path) -> None:
    async with room(tmp_path, truth=Truth(rounds=(("IDLE",),))) as at:
        state = await at.learn()
        entries = at.entries()
        assert state["current"] == state["draft"] and not any(entry.accepted for entry in entries.values())
        assert "was tried before" in entries["reflection-2"].note and entries["reflection-2"].gate is None
        assert not at.context.run.read("confirmation.jsonl", Confirmation)
        assert not any("Tidy it" in request.prompt for request in at.server.requests)


@pytest.mark.parametrize("teacher", ["model", "oracle"])
async def test_gepa_searches_over_the_same_problems_and_ledger(teacher: str, tmp_path: Path) -> None:
    flags = {"teacher": "oracle"} if teacher == "oracle" else {}
    async with room(tmp_path, search="gepa", **flags) as at:
        state = await at.learn()
        entries = at.entries()
        assert entries and all(name.startswith("gepa-") for name in entries)
        train = {problem.id for problem in at.context.problems.open("train", "reflector")}

        attempts = {attempt.id: attempt for attempt in at.context.run.read("attempts.jsonl", Attempt)}
        assert {attempts[i].problem_id for e in entries.values() for i in e.attempt_ids} <= train
        if teacher == "model":
            assert at.names(state["current"]) == {"HELPS"}
            assert any(entry.accepted and entry.candidate_hash for entry in entries.values())
            assert len(at.context.run.read("confirmation.jsonl", Confirmation)) == 1
        else:  # its rules know nothing of this truth, so that no edit of it helps
            assert any(entry.edits for entry in entries.values())
        calls = at.server.count
        assert await at.learn() == state and at.server.count == calls and at.entries() == entries


async def test_a_budget_ends_gepa_and_a_larger_one_lets_it_go_on(tmp_path: Path) -> None:
    async with room(tmp_path, "budget.calls=60", search="gepa") as at:
        with pytest.raises(BudgetSpent):
            await at.learn()
        assert at.server.count <= 60
        config = at.context.config.model_copy(update={"budget": Budget()})
        async with open_context(at.context.run, config, Silent()) as context:
            state = await Room(context, at.server).learn()
        assert at.names(state["current"]) == {"HELPS"} and at.server.count > 60
        assert set(at.server.completed.values()) == {1}  # nothing was paid twice


def test_a_search_without_its_proof_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"search=pareto compares many strategies.*gate\.rule=confirm, not with strict"
    ):
        build_config({"domain": "scheduling", "search": "pareto"}, ["gate.rule=strict"])
    assert build_config({"domain": "scheduling"}, ["gate.rule=strict"]).searching == "greedy"
    assert build_config({"domain": "scheduling"}, []).searching == "pareto"
