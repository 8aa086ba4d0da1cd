"""After the evaluation: what the student still fails on goes back to the teacher, and the student is trained again.

One round: the trained student answers validation items that nothing else uses; the families that it fails
choose training problems; its own attempts at those (train only, so their evidence may be read) are what the
teacher reflects on; an edit passes the same gate, validation and approval as any other; new verified examples
of the failing families join the old ones; the student is trained anew on all of them. Guaranteed: no
validation, test or ood item is shown to the teacher, and no test or ood outcome decides anything.
Not guaranteed: that a round helps; each one's accuracy stands in the report.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.solver import Solver
from evaluation.look_alikes import normalise
from evaluation.student_rounds import failing_families
from evaluation.verdicts import HEADLINE_ORDER
from graphs.attempts import Job, attempt_all, evaluation_row, share_passed
from graphs.context import RunContext, StageError
from graphs.further import gate_again
from graphs.learning import reflect
from graphs.state import TransferState
from graphs.strategies import load_strategy
from graphs.trainer_job import adapter_directory, round_name
from records.config import Sizes
from records.nouns import Attempt, Decision, Problem, Strategy, Verdict
from records.splits import added_in, later_id

SEED_STEP = 1_000_003  # between the seeds of the problems of two rounds


def fed_back(state: TransferState) -> str | None:
    """The trained arm whose failures count, chosen by a fixed order and never by its score."""
    return next((arm for arm in HEADLINE_ORDER if arm.startswith("lora_") and arm in state["arms"]), None)


async def student_feedback(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The trained student on its own validation items: which families does it fail?"""
    context, arm, number = runtime.context, fed_back(state), state.get("student_round", 1)
    if context.config.rounds == 1 or arm is None:
        return {"failing": []}
    items = context.problems.open("validation", "feedback")
    if not items:
        raise StageError("--rounds needs validation problems for the student's feedback, and the file has too few")
    solver, strategy = _student(context, state, arm)
    jobs = [_job(context, solver, problem, arm, strategy) for problem in items]
    graded = await attempt_all(context, f"Round {number}: what the student still fails on", jobs)
    rows = [evaluation_row(item, "feedback", arm, _model(context, arm, number), round=number) for item in graded]
    context.run.append("evaluation/rows.jsonl", rows)
    failing = failing_families(rows)
    context.events.info(f"{share_passed(graded)}; failing families: {', '.join(failing) or 'none'}")
    return {"failing": failing}


def _student(context: RunContext, state: TransferState, arm: str) -> tuple[Solver, Strategy | None]:
    """The last round's student (of several seeds the first), with the strategy where its arm's prompt has one."""
    number = state.get("student_round", 1)
    folder = adapter_directory(context.run, round_name(arm, number), 0).resolve()
    solver = Solver(
        context.gateway,
        f"{context.config.student}+{folder}",
        "student",
        context.config.decoding,
        label=f"{round_name(arm, number)}-seed0",
    )
    strategy = load_strategy(context.run, str(state["approved"])) if arm == "lora_strategy" else None
    return solver, strategy


def _model(context: RunContext, arm: str, number: int) -> str:
    return f"{context.config.student}+{round_name(arm, number)}-seed0"


def _job(
    context: RunContext,
    solver: Solver,
    problem: Problem,
    arm: str,
    strategy: Strategy | None,
    sample: int = 0,
    round: int | None = None,
) -> Job:
    solve = functools.partial(
        solver.solve,
        problem,
        stage="feedback",
        arm=arm,
        context=strategy.text if strategy else None,
        strategy_hash=strategy.hash if strategy else None,
        sample=sample,
        round=round,
        temperature=context.config.decoding.teacher_temperature if sample else None,
        max_tokens=context.reply_tokens,
    )
    return problem, solve


def route_feedback(state: TransferState, runtime: Runtime[RunContext]) -> Literal["relearn", "report"]:
    """Another round, or the report."""
    again = state.get("student_round", 1) < runtime.context.config.rounds
    return "relearn" if again and state["failing"] else "report"


async def try_again(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """New training problems of the failing families, and the student's own attempts at some of them."""
    context, number = runtime.context, state.get("student_round", 1)
    arm = str(fed_back(state))
    context.add_problems(_fresh(context, state["failing"], number + 1))
    solver, strategy = _student(context, state, arm)
    settings = context.config.feedback
    problems = picked(context, state["failing"], number + 1)[: settings.batch]
    jobs = [
        _job(context, solver, problem, arm, strategy, sample, state["round"] + 1)
        for problem in problems
        for sample in range(settings.attempts)
    ]
    graded = await attempt_all(context, f"Round {number}: the student tries its failing families", jobs)
    context.events.info(share_passed(graded))
    attempts = [item.attempt.id for item in graded]
    return {"attempt_ids": attempts, "parent": state["current"], "focus": None}


def _fresh(context: RunContext, families: Sequence[str], number: int) -> list[Problem]:
    """Training problems of the failing families that no split of the run has, from another seed."""
    config = context.config
    sizes = Sizes(train=max(config.sizes.train, 4 * config.feedback.examples), gate=4, transfer=4, test=4, ood=0)
    drawn = context.domain.load(config.problems, sizes, config.seed + (number - 1) * SEED_STEP)
    known = [p for p in context.run.read("problems.jsonl", Problem) if added_in(p.id) != number]
    taken = {problem.content_hash for problem in known} | {normalise(problem.prompt) for problem in known}
    fresh = {}
    for problem in drawn:
        marks = {problem.content_hash, normalise(problem.prompt)}
        if problem.split == "train" and problem.family in families and not marks & taken:
            fresh[problem.content_hash] = problem.model_copy(update={"id": later_id(problem.id, number)})
            taken |= marks
    return spread(list(fresh.values()), families)[: config.feedback.examples]


def spread(problems: Sequence[Problem], families: Sequence[str]) -> list[Problem]:
    """The families in turn, and within a family the classes in turn, so that no answer prevails."""
    groups = []
    for family in families:
        found = [problem for problem in problems if problem.family == family]
        labels = sorted({str(problem.answer) for problem in found})
        groups.append(_in_turn([[p for p in found if str(p.answer) == label] for label in labels]))
    return _in_turn(groups)


def _in_turn(groups: Sequence[Sequence[Problem]]) -> list[Problem]:
    return [problem for row in zip_longest(*groups) for problem in row if problem is not None]


def picked(context: RunContext, families: Sequence[str], number: int) -> list[Problem]:
    """The training problems that round `number` adds: new ones, else unused ones of the failing families.

    Where the training problems come from a file there are no new ones; then those count that the teacher
    solved and the limit of an earlier round left out.
    """
    train = context.problems.open("train", "curator")
    fresh = [problem for problem in train if added_in(problem.id) == number]
    if fresh:
        return spread(fresh, families)
    used = set(kept_ids(context, number - 1))
    passed = {v.id for v in context.run.read("verdicts.jsonl", Verdict) if v.judgement.outcome == "pass"}
    solved = {
        a.problem_id for a in context.run.read("attempts.jsonl", Attempt) if a.stage == "curation" and a.id in passed
    }
    unused = [p for p in train if p.id in solved - used and p.family in families]
    return spread(unused, families)[: context.config.feedback.examples]


def kept_ids(context: RunContext, number: int) -> list[str]:
    """Ids of the problems that the students of that round were trained on, in the order of the rows."""
    for arm in HEADLINE_ORDER:
        if rows := [row["problem_id"] for row in context.run.rows(f"dataset/{round_name(arm, number)}.jsonl")]:
            return rows
    return []


def examples_of(state: TransferState, context: RunContext) -> list[Problem]:
    """What the teacher is to solve for this round's dataset: the earlier rounds' problems, then the new ones."""
    number, train = state.get("student_round", 1), context.problems.open("train", "curator")
    if number == 1:
        return train
    known = {problem.id: problem for problem in train}
    kept = dict.fromkeys(kept_ids(context, number - 1))
    new = [problem for problem in picked(context, state["failing"], number) if problem.id not in kept]
    return [*(known[identity] for identity in kept), *new]


async def next_round(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The student's next training begins."""
    number = state.get("student_round", 1) + 1
    runtime.context.events.info(f"student round {number} of {runtime.context.config.rounds} begins")
    return {"student_round": number}


def route_next_round(state: TransferState, runtime: Runtime[RunContext]) -> Literal["prepare_validation", "curate"]:
    """A strategy that nobody has decided on is validated first."""
    decisions = runtime.context.run.read("decisions.jsonl", Decision)
    decided = {decision.strategy_hash for decision in decisions if decision.action != "edit"}
    return "curate" if state["current"] in decided else "prepare_validation"


def relearn_builder() -> StateGraph[TransferState, RunContext, TransferState, TransferState]:
    """One round of the loop on the student's own attempts."""
    builder = StateGraph(TransferState, context_schema=RunContext)
    nodes: list[Any] = [try_again, reflect, gate_again]
    for node in nodes:
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "try_again")
    builder.add_edge("try_again", "reflect")
    builder.add_edge("reflect", "gate_again")
    builder.add_edge("gate_again", END)
    return builder
