"""Stages 1 and 2: splits with their leak check, and the baselines."""

from __future__ import annotations

import functools
import random
from typing import Any

from langgraph.runtime import Runtime

from agents.solver import Solver
from domains.spoiling import spoiled_reply
from evaluation.gate import promise
from evaluation.item_parts import edits_promise
from evaluation.leakage import LeakReport, check_splits
from graphs.attempts import Job, attempt_all, evaluation_row, share_passed, teacher_jobs
from graphs.context import RunContext, StageError
from graphs.state import TransferState
from records.nouns import Problem

SPOILED_TRIES = 3


async def prepare_splits(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Generate or load the problems, check the splits for leaks, write problems.jsonl."""
    context = runtime.context
    context.events.stage("Splits and leak check")
    problems = context.domain.load(context.config.problems, context.config.problem_sizes, context.config.seed)
    report = check_splits(problems)
    context.run.write_json("leaks.json", report.model_dump(mode="json"))
    if not report.ok:
        raise StageError("the splits are not disjoint: " + "; ".join(str(leak) for leak in report.errors[:3]))
    context.run.append("problems.jsonl", problems)
    _check_parts(context)
    sizes = context.problems.sizes()
    context.events.info(", ".join(f"{name} {count}" for name, count in sizes.items()))
    context.events.info(_likeness(report))
    await _self_check(context, problems)
    context.events.info(promise(context.config))
    if said := edits_promise(context.config):
        context.events.info(said)
    return {"sizes": sizes}


def _check_parts(context: RunContext) -> None:
    """A problems file may hold too few validation problems for all that are to use them."""
    parts = {role: context.problems.open("validation", role) for role in ("validator", "feedback")}
    if context.config.rounds > 1 and not all(parts.values()):
        sizes = context.config.sizes
        raise StageError(
            f"{context.config.rounds} rounds of the student need more than {sizes.gate + sizes.feedback} validation "
            f"problems: {sizes.gate} for the gate, {sizes.feedback} for the feedback and some for the validators, and "
            f"there are {context.problems.sizes().get('validation', 0)}. Lower sizes.gate or sizes.feedback"
        )


def _likeness(report: LeakReport) -> str:
    """How much test and ood prompts are like training prompts (families share their wording)."""
    parts = [
        f"{overlap.near} of {overlap.items} {overlap.b} prompts"
        for overlap in report.overlaps
        if overlap.text == "prompt" and overlap.a == "train" and overlap.b in ("test", "ood")
    ]
    return f"no problem is in two splits; alike to a training prompt in all but parameters: {', '.join(parts)}"


async def _self_check(context: RunContext, problems: list[Problem]) -> None:
    """Before any model is called: each family's reference must pass and a spoiled one must not."""
    families = {problem.family: problem for problem in problems if problem.reference}
    for problem in families.values():
        judgement = await context.verifier.judge(problem, problem.reference)
        if judgement.outcome != "pass":
            raise StageError(
                f"the verifier does not accept the reference of {problem.id} ({judgement.kind}: {judgement.evidence}). "
                "No model was called; mend the problem or the sandbox first."
            )
        if problem.split != "test" and await _accepts_spoiled(context, problem):
            raise StageError(f"the verifier accepts a spoiled solution of {problem.id}: its tests are too weak")


async def _accepts_spoiled(context: RunContext, problem: Problem) -> bool:
    """All of a few spoiled solutions pass (a single one may happen to be right)."""
    for number in range(SPOILED_TRIES):
        rng = random.Random(f"self-check/{number}")
        spoiled = await spoiled_reply(context.domain, problem, rng, context.verifier)
        if (await context.verifier.judge(problem, spoiled)).outcome != "pass":
            return False
    return True


async def student_baseline(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The untrained student on test and ood, with the problem alone."""
    context = runtime.context
    student = Solver(context.gateway, context.config.student, "student", context.config.decoding)
    jobs: list[Job] = [
        (
            problem,
            functools.partial(student.solve, problem, stage="baseline", arm="base", max_tokens=context.reply_tokens),
        )
        for problem in evaluation_problems(context)
    ]
    graded = await attempt_all(context, "Baseline of the student", jobs)
    model = context.config.student
    context.run.append("evaluation/rows.jsonl", [evaluation_row(g, "student", "base", model) for g in graded])
    context.events.info(share_passed(graded))
    return {}


async def teacher_baseline(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The teacher on test and ood, with the problem alone."""
    context = runtime.context
    jobs = teacher_jobs(context, evaluation_problems(context), None, stage="baseline", arm="teacher")
    graded = await attempt_all(context, "Baseline of the teacher", jobs)
    rows = [evaluation_row(g, "student", "teacher", g.attempt.model) for g in graded]
    context.run.append("evaluation/rows.jsonl", rows)
    context.events.info(share_passed(graded))
    return {}


def evaluation_problems(context: RunContext) -> list[Problem]:
    """Test and ood problems: only evaluation may open them."""
    return [*context.problems.open("test", "evaluator"), *context.problems.open("ood", "evaluator")]
