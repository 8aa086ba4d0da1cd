"""The student's failures go back to the teacher: which items are asked, which problems come, what may never leak."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.runtime import Runtime

from evaluation.leakage import check_splits
from graphs.context import RunContext, Silent, StageError
from graphs.feedback import (
    next_round,
    picked,
    relearn_builder,
    route_feedback,
    route_next_round,
    spread,
    student_feedback,
    try_again,
)
from graphs.preflight import preflight
from graphs.preparation import prepare_splits
from graphs.runner import create_run, open_context
from graphs.settings import build_config
from graphs.strategies import save_strategy
from graphs.teaching import curate
from records.config import RunConfig
from records.nouns import Attempt, Decision, EvaluationRow, Problem, Reflection, TrainingRow
from records.rundir import RunDirectory
from records.splits import ProblemSet, SplitViolation, added_in, later_id
from tests.graphs.runs import run as run_program
from tests.graphs.runs import settings
from tests.loopback import Loopback, Request

SIZES = ("sizes.train=40", "sizes.gate=6", "sizes.transfer=6", "sizes.test=8", "sizes.ood=4", "sizes.feedback=12")
FEEDBACK = ("rounds=3", "feedback.examples=10", "feedback.batch=4", "feedback.attempts=2")
LOOP = ("loop.rounds=1", "loop.batch=4", "examples=20", "student_arms=[base, lora_plain]")


class Student:
    """A trained student that fails on one family, wherever it meets it."""

    def __init__(self, runs: Path) -> None:
        self.file = RunDirectory(runs / "r")
        self.problems: dict[str, Problem] = {}
        self.hard = ""

    def problem(self, prompt: str) -> Problem:
        """The run's problem with that prompt; rounds add to them."""
        if prompt not in self.problems:
            self.problems |= {p.prompt: p for p in self.file.read("problems.jsonl", Problem)}
        return self.problems[prompt]

    def reply(self, request: Request) -> str:
        problem = self.problem(request.prompt)
        wrong = {"YES": "NO", "NO": "YES"}[str(problem.answer)]
        return f"ANSWER: {wrong if problem.family == self.hard else problem.answer}"


class Room:
    """A run whose student was just evaluated for the first time."""

    def __init__(self, context: RunContext, server: Loopback, student: Student, state: dict[str, Any]) -> None:
        self.context, self.server, self.student, self.state = context, server, student, state
        self.runtime: Any = Runtime(context=context)

    async def do(self, node: Any) -> dict[str, Any]:
        """Run a node; what it returns becomes part of the state."""
        found: dict[str, Any] = await node(self.state, self.runtime)
        self.state |= found
        return found

    def problems(self) -> list[Problem]:
        return self.context.run.read("problems.jsonl", Problem)

    def asked(self) -> set[str]:
        """Ids of the problems that the student was asked."""
        return {self.student.problem(request.prompt).id for request in self.server.requests}


@asynccontextmanager
async def room(tmp_path: Path, *overrides: str) -> AsyncIterator[Room]:
    student = Student(tmp_path)
    with Loopback(student.reply) as server:
        spec = f"vllm:student@{server.openai_url}"
        flags = {"domain": "scheduling", "student": spec, "validators": [spec]}
        run = create_run(build_config(flags, ["student_arms=[base]"]), tmp_path, "r")  # nothing is trained here
        config = build_config(flags, [*SIZES, *LOOP, *FEEDBACK, *overrides])
        async with open_context(run, config, Silent()) as context:
            run.append("problems.jsonl", context.domain.load(config.problems, config.problem_sizes, 0))
            draft = await context.teacher.draft()
            save_strategy(run, draft, "draft")
            state = {"draft": draft.hash, "current": draft.hash, "round": 1, "loop_ended": 1, "approved": None}
            at = Room(context, server, student, state)
            items = context.problems.open("validation", "feedback")
            student.hard = items[0].family if items else ""
            await at.do(curate)
            yield at


async def test_only_the_items_of_the_feedback_are_asked_and_the_failing_family_is_named(tmp_path: Path) -> None:
    async with room(tmp_path) as at:
        found = await at.do(student_feedback)
        assert found["failing"] == [at.student.hard]
        problems = at.context.problems
        items = {p.id for p in problems.open("validation", "feedback")}
        assert at.asked() == items and len(items) == 12
        others = [*problems.open("validation", "gate"), *problems.open("validation", "validator")]
        assert len(others) == 12 and not items & {p.id for p in others}
        rows = at.context.run.read("evaluation/rows.jsonl", EvaluationRow)
        assert {(r.suite, r.arm, r.split, r.round) for r in rows} == {("feedback", "lora_plain", "validation", 1)}
        assert route_feedback(at.state, at.runtime) == "relearn"  # type: ignore[arg-type]


async def test_a_round_works_on_new_training_problems_of_the_failing_family(tmp_path: Path) -> None:
    async with room(tmp_path) as at:
        await at.do(student_feedback)
        before = at.asked()
        await at.do(try_again)
        new = [p for p in at.problems() if added_in(p.id) == 2]
        assert len(new) == 10 and {(p.split, p.family) for p in new} == {("train", at.student.hard)}
        assert abs(sum(p.answer == "YES" for p in new) - 5) <= 1 or len({p.answer for p in new}) == 1
        assert check_splits(at.problems()).ok  # nothing held out came back as training
        tried = at.asked() - before
        assert len(tried) == 4 and tried <= {p.id for p in new}
        attempts = {a.id: a for a in at.context.run.read("attempts.jsonl", Attempt)}
        assert len(at.state["attempt_ids"]) == 8 and {attempts[i].sample for i in at.state["attempt_ids"]} == {0, 1}
        count = at.server.count
        await at.do(try_again)  # as after a crash
        assert at.server.count == count and [p for p in at.problems() if added_in(p.id) == 2] == new


async def test_the_teacher_reflects_on_the_students_attempts_and_the_edit_meets_the_same_gate(tmp_path: Path) -> None:
    async with room(tmp_path) as at:
        await at.do(student_feedback)
        graph = relearn_builder().compile()
        kept = ("draft", "current", "round", "loop_ended", "approved", "arms", "failing")
        state: Any = {key: at.state[key] for key in kept}
        at.state |= await graph.ainvoke(state, context=at.context)
        (entry,) = at.context.run.read("reflections.jsonl", Reflection)
        assert entry.round == 2 == at.state["round"] and entry.attempt_ids
        attempts = {a.id: a for a in at.context.run.read("attempts.jsonl", Attempt)}
        assert {attempts[i].agent for i in entry.attempt_ids} == {"student"}
        train = {p.id for p in at.problems() if p.split == "train"}
        assert {attempts[i].problem_id for i in entry.attempt_ids} <= train
        held_out = {p.id for p in at.problems() if p.split in ("test", "ood")}
        assert not held_out & at.asked() and not any(identity in entry.journal for identity in held_out)


async def test_the_next_dataset_is_the_last_one_and_verified_examples_of_the_failing_family(tmp_path: Path) -> None:
    async with room(tmp_path) as at:
        await at.do(student_feedback)
        await at.do(try_again)
        await at.do(next_round)
        assert at.state["student_round"] == 2
        await at.do(curate)
        run = at.context.run
        old, new = (run.read(f"dataset/{name}.jsonl", TrainingRow) for name in ("lora_plain", "lora_plain.round2"))
        assert len(old) == 20 and [row.problem_id for row in new[: len(old)]] == [row.problem_id for row in old]
        added = {p.id: p for p in at.problems() if added_in(p.id) == 2}
        assert 5 <= len(new) - len(old) <= 10 and {row.problem_id for row in new[len(old) :]} <= set(added)
        assert new[0].completion == old[0].completion  # the earlier solutions are not made anew
        assert run.read_json("dataset/curation.round2.json")["kept"] == len(new)
        assert (run.path / "dataset" / "README.round2.md").exists() and run.read_json("dataset/curation.json")[
            "kept"
        ] == 20


async def test_a_strategy_that_nobody_decided_on_is_validated_before_it_is_used(tmp_path: Path) -> None:
    async with room(tmp_path) as at:
        state: Any = at.state
        assert route_next_round(state, at.runtime) == "prepare_validation"
        fields = {"action": "reject", "approved_hash": None, "who": "w", "reason": "r", "time": "t"}
        made = Decision.model_validate({"id": "decision-1", "strategy_hash": state["current"], **fields})
        at.context.run.append("decisions.jsonl", [made])
        assert route_next_round(state, at.runtime) == "curate"


@pytest.mark.parametrize(("number", "failing", "way"), [(1, ["x"], "relearn"), (3, ["x"], "report"), (1, [], "report")])
async def test_rounds_end_by_their_number_or_when_nothing_fails(
    tmp_path: Path, number: int, failing: list[str], way: str
) -> None:
    async with room(tmp_path) as at:
        at.state |= {"student_round": number, "failing": failing}
        assert route_feedback(at.state, at.runtime) == way  # type: ignore[arg-type]


async def test_one_round_asks_nothing(tmp_path: Path) -> None:
    async with room(tmp_path, "rounds=1") as at:
        assert (await at.do(student_feedback)) == {"failing": []} and at.server.count == 0
        assert route_feedback(at.state, at.runtime) == "report"  # type: ignore[arg-type]


async def test_without_new_problems_solved_ones_that_were_left_out_come_in(tmp_path: Path) -> None:
    async with room(tmp_path) as at:
        used = {row.problem_id for row in at.context.run.read("dataset/lora_plain.jsonl", TrainingRow)}
        families = sorted({p.family for p in at.problems() if p.split == "train"})
        found = picked(at.context, families, 2)
        assert found and not {p.id for p in found} & used and len(found) <= 10


def test_families_and_classes_take_turns() -> None:
    def problem(number: int, family: str, answer: str) -> Problem:
        fields = {"domain": "d", "split": "train", "difficulty": "easy", "prompt": "p", "reference": "r"}
        about = {"id": f"{family}{number}", "family": family, "answer": answer, "content_hash": str(number)}
        return Problem.model_validate({**fields, **about})

    made = [problem(i, "a", "YES") for i in range(3)] + [problem(i, "a", "NO") for i in range(3, 5)]
    made += [problem(i, "b", "NO") for i in range(5, 7)] + [problem(9, "c", "NO")]
    order = [(p.family, p.answer) for p in spread(made, ["b", "a"])]
    assert order[:4] == [("b", "NO"), ("a", "NO"), ("b", "NO"), ("a", "YES")] and len(order) == 7


def test_feedback_items_are_a_part_of_their_own() -> None:
    config = build_config({"domain": "scheduling"}, [*SIZES, *LOOP, *FEEDBACK])
    assert config.problem_sizes.transfer == 18 and config.feedback_items == 12
    assert config.further_rounds == 2  # one before each later training
    problems = [p for p in _loaded(config) if p.split == "validation"]
    parts = ProblemSet(problems, config.sizes.gate, config.feedback_items)
    opened = [parts.open("validation", role) for role in ("gate", "validator", "feedback")]
    assert [len(part) for part in opened] == [6, 6, 12] and [p for part in opened for p in part] == problems
    with pytest.raises(SplitViolation, match="the feedback may open validation, not 'test'"):
        parts.open("test", "feedback")
    with pytest.raises(SplitViolation):
        parts.open("validation", "reflector")
    assert added_in(later_id("x", 12)) == 12 and added_in("x") == 1


def _loaded(config: RunConfig) -> list[Problem]:
    from domains import get_domain

    return get_domain(config.domain).load(None, config.problem_sizes, 0)


def test_the_estimate_counts_the_rounds() -> None:
    flags = {"domain": "scheduling", "teacher": "vllm:t@http://h/v1", "validators": ["vllm:v@http://h/v1"]}
    once, thrice = (
        {p.stage: p.calls for p in preflight(build_config(flags, [*SIZES, *LOOP, *FEEDBACK, f"rounds={n}"]))}
        for n in (1, 3)
    )
    assert once["validation"] == (36, 36) and thrice["validation"] == (36, 108)
    assert once["reflect"] == (1, 2) and thrice["reflect"] == (1, 6)
    assert thrice["curation"][1] == once["curation"][1] + 2 * 3 * 10  # three tries at ten new problems in two rounds


async def test_a_file_with_too_few_validation_problems_is_refused_before_any_call(tmp_path: Path) -> None:
    file = tmp_path / "few.jsonl"
    rows = [
        {"meetings": [[9, 10 + n % 8], [9, 11 + n // 8]], "rooms": 1 + n % 2, "split": "validation"} for n in range(18)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    async with room(tmp_path, f"problems={file}") as at:
        with pytest.raises(
            StageError, match=r"need more than 18 validation problems: 6 for the gate, 12 .* there are 18"
        ):
            await prepare_splits(at.state, at.runtime)  # type: ignore[arg-type]
        assert at.server.count == 0


@pytest.mark.slow
def test_two_rounds_of_a_real_student_from_end_to_end(tmp_path: Path) -> None:
    """The oracle teaches the embedded model twice; figures per round, and a replay to the same bytes."""
    rounds = ("--rounds", "2", "--set", "sizes.feedback=4", "--set", "feedback.examples=4", "--set", "feedback.batch=2")
    arms = ("--set", "student_arms=[base, lora_plain]")
    line = ("--domain", "scheduling", "--approve", "gate", "--run", "two", *rounds, *arms, *settings())
    result = run_program(tmp_path, *line, timeout=1500)
    assert result.returncode == 0, result.stdout + result.stderr
    run = RunDirectory(tmp_path / "two")
    summary = run.read_json("evaluation/summary.json")
    found = summary["student_rounds"]
    assert [entry["round"] for entry in found["rounds"]] == [1, 2]
    for entry in found["rounds"]:
        assert entry["test"]["lora_plain"]["n"] == 6 and entry["feedback"]["lora_plain"]["n"] == 4
    assert {"lora_plain-seed0", "lora_plain.round2-seed0"} <= set(summary["training"])
    rows = run.read("evaluation/rows.jsonl", EvaluationRow)
    asked = [r for r in rows if r.split in ("test", "ood") and r.arm == "lora_plain"]
    assert len(asked) == 2 * 10 and len({(r.problem_id, r.round) for r in asked}) == 20  # once per round
    assert (run.path / "figures" / "student_rounds.svg").exists() and "Round by round" in (
        run.path / "report.md"
    ).read_text()
    again = run_program(tmp_path, "--replay", "two")
    assert again.returncode == 0 and "byte for byte" in again.stdout, again.stdout + again.stderr
