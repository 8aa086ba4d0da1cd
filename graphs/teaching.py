"""Stages 6 to 9: curation of verified solutions, LoRA training, evaluation of the arms, report."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import replace
from typing import Any, Literal

from langgraph.runtime import Runtime

from agents.solver import Solver
from agents.teacher import Graded
from evaluation.dataset import CurationError, dataset_card, is_example, write_curation
from evaluation.dataset import curate as curate_rows
from evaluation.report import write_report
from graphs.attempts import Job, attempt_all, evaluation_row, share_passed, teacher_jobs
from graphs.context import RunContext, StageError
from graphs.exclusions import freeze_datasets, without_excluded
from graphs.feedback import examples_of
from graphs.preparation import evaluation_problems
from graphs.replay import is_replay, reuse_adapter
from graphs.state import TransferState
from graphs.strategies import load_strategy
from graphs.trainer_job import adapter_directory, round_name, train
from graphs.usage import usage_rows
from models.spec import parse_spec
from records.nouns import Problem, Strategy, Verdict

NEEDS_STRATEGY = ("base+strategy", "lora_strategy", "lora_distilled")
MAX_SAMPLES = 3  # attempts at one training problem before it is left out


async def curate(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Collect verified solutions and write one dataset per LoRA arm with the same examples."""
    context = runtime.context
    strategy = load_strategy(context.run, str(state["approved"])) if state.get("approved") else None
    arms = [arm for arm in context.config.student_arms if strategy or arm not in NEEDS_STRATEGY]
    number, problems = state.get("student_round", 1), examples_of(state, context)
    if number > 1:
        problems = without_excluded(context.run, problems)
    graded = await _solve_train(context, None, problems, number)
    if strategy and "lora_distilled" in arms:
        graded += await _solve_train(context, strategy, problems, number)
    _write_datasets(context, graded, strategy, [arm for arm in arms if arm.startswith("lora_")], problems, number)
    return {"arms": arms, "trained": [], "evaluated": []}


def _write_datasets(
    context: RunContext,
    graded: list[Graded],
    strategy: Strategy | None,
    arms: list[str],
    problems: list[Problem],
    number: int,
) -> None:
    """One file per arm and the dataset card. Raises StageError if nothing verified is left."""
    text = strategy.text if strategy else None
    try:
        curation = curate_rows(
            problems,
            [item.attempt for item in graded],
            [Verdict(id=g.attempt.id, problem_id=g.problem.id, judgement=g.judgement) for g in graded],
            arms=arms,
            strategy_text=text,
            held_out=_held_out(context),
            limit=_wanted(context, problems, number),
        )
    except CurationError as error:
        raise StageError(f"curation: {error}") from error
    card = dataset_card(
        curation,
        run_id=context.run.id,
        domain=context.domain.name,
        teacher=context.teacher.description,
        strategy_text=text,
    )
    named = {round_name(arm, number): rows for arm, rows in curation.rows.items()}
    write_curation(context.run, replace(curation, rows=named), card, number)
    context.events.info(f"{curation.size} verified examples for each of {', '.join(arms)}")


def _wanted(context: RunContext, problems: list[Problem], number: int) -> int:
    """How many examples are trained on; a later round takes all that it has chosen."""
    return context.config.examples if number == 1 else len(problems)


async def _solve_train(
    context: RunContext, strategy: Strategy | None, problems: list[Problem], number: int
) -> list[Graded]:
    """Verified solutions by rejection sampling: a problem that failed is tried again."""
    pending = problems
    passing: list[Graded] = []
    solved: set[str] = set()
    label = "with the strategy" if strategy else "plain"
    for sample in range(MAX_SAMPLES):
        missing = _wanted(context, problems, number) - len(solved)
        if missing <= 0 or not pending:
            break
        arm = label.split(" ", maxsplit=1)[0]
        if strategy and number > 1:  # another strategy than an earlier round's: other attempts
            arm = f"{arm}-{strategy.hash}"
        jobs = teacher_jobs(context, pending, strategy, stage="curation", arm=arm, sample=sample)
        graded = await attempt_all(context, f"Curation, {label} (try {sample + 1})", jobs)
        passing += [item for item in graded if is_example(item.judgement, context.config.require_sound_steps)]
        solved |= {item.problem.id for item in passing}
        context.events.info(share_passed(graded))
        pending = [problem for problem in pending if problem.id not in solved]
    return passing


def _held_out(context: RunContext) -> list[Problem]:
    """Prompts that training data must not contain; only their hashes and n-grams are compared."""
    return [p for p in context.run.read("problems.jsonl", Problem) if p.split != "train"]


async def train_arm(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Train the next arm (and seed) in a process of its own."""
    context = runtime.context
    arm, seed = _untrained(state, context)[0]
    name = round_name(arm, state.get("student_round", 1))
    await asyncio.to_thread(context.gateway.release_local)
    freeze_datasets(context.run)
    context.events.stage(f"Training {name}" + (f", seed {seed}" if context.config.training_seeds > 1 else ""))
    if is_replay(context.run):
        reuse_adapter(context.run, name, seed)
    else:
        await train(context.run, name, seed, _progress(context))
    return {"trained": [*state["trained"], f"{arm}-seed{seed}"]}


def _progress(context: RunContext) -> Any:
    """Translate the trainer's steps into advances of the progress bar."""
    shown = 0

    def report(step: int, steps: int, note: str) -> None:
        nonlocal shown
        if shown == 0:
            context.events.stage_total(steps)
        context.events.advance(step - shown, note)
        shown = step

    return report


def _untrained(state: TransferState, context: RunContext) -> list[tuple[str, int]]:
    return [
        (arm, seed)
        for arm in state["arms"]
        if arm.startswith("lora_")
        for seed in range(context.config.training_seeds)
        if f"{arm}-seed{seed}" not in state["trained"]
    ]


def route_training(
    state: TransferState, runtime: Runtime[RunContext]
) -> Literal["train_arm", "evaluate_arm", "student_feedback"]:
    """Another arm to train, or on to the evaluation."""
    return "train_arm" if _untrained(state, runtime.context) else route_evaluation(state, runtime)


def _unevaluated(state: TransferState, context: RunContext) -> list[tuple[str, int]]:
    pending = [("base+strategy", 0)] if "base+strategy" in state["arms"] else []
    pending += [
        (arm, seed) for arm in state["arms"] if arm.startswith("lora_") for seed in range(context.config.training_seeds)
    ]
    return [(arm, seed) for arm, seed in pending if f"{arm}-seed{seed}" not in state["evaluated"]]


def route_evaluation(state: TransferState, runtime: Runtime[RunContext]) -> Literal["evaluate_arm", "student_feedback"]:
    """Another arm to evaluate, or on to what the student still fails on."""
    return "evaluate_arm" if _unevaluated(state, runtime.context) else "student_feedback"


async def evaluate_arm(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """One student arm on test and ood, with the same decoding as the baseline."""
    context = runtime.context
    arm, seed = _unevaluated(state, context)[0]
    number = state.get("student_round", 1)
    name = round_name(arm, number)
    strategy = load_strategy(context.run, str(state["approved"])) if arm in ("base+strategy", "lora_strategy") else None
    solver = Solver(
        context.gateway,
        _student_spec(context, name, seed),
        "student",
        context.config.decoding,
        label=f"{name}-seed{seed}",
    )
    jobs: list[Job] = [
        (
            problem,
            functools.partial(
                solver.solve,
                problem,
                stage="evaluation",
                arm=arm,
                context=strategy.text if strategy else None,
                strategy_hash=strategy.hash if strategy else None,
                max_tokens=context.reply_tokens,
            ),
        )
        for problem in evaluation_problems(context)
    ]
    graded = await attempt_all(context, f"Evaluation of {name}" + (f", seed {seed}" if seed else ""), jobs)
    model = context.config.student if arm == "base+strategy" else f"{context.config.student}+{name}-seed{seed}"
    version = strategy.hash if strategy else None
    rows = [evaluation_row(g, "student", arm, model, seed=seed, version=version, round=number) for g in graded]
    context.run.append("evaluation/rows.jsonl", rows)
    context.events.info(share_passed(graded))
    return {"evaluated": [*state["evaluated"], f"{arm}-seed{seed}"]}


def _student_spec(context: RunContext, arm: str, seed: int) -> str:
    """The student with the arm's adapter; `base+strategy` has none."""
    if not arm.startswith("lora_"):
        return context.config.student
    parse_spec(context.config.student)
    return f"{context.config.student}+{adapter_directory(context.run, arm, seed).resolve()}"


async def report(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Recompute every figure from the rows, write the report, and the manifest last."""
    context = runtime.context
    context.events.stage("Report")
    context.run.write_json("usage.json", usage_rows(context.run))
    summary = write_report(context.run)
    files = sorted(str(p.relative_to(context.run.path)) for p in context.run.path.rglob("*") if p.is_file())
    context.run.write_json("manifest.json", {"id": context.run.id, "verdict": summary["verdict"], "files": files})
    return {}
