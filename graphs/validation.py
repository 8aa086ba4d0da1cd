"""Stage 4: does the strategy help other models, zero-shot, against the control arms?"""

from __future__ import annotations

import functools
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import Send

from agents.arms import STRATEGY_ARMS, arm_contexts
from agents.solver import Solver
from domains import get_domain
from evaluation.summary import strategy_suites
from graphs.attempts import Job, attempt_all, evaluation_row
from graphs.context import RunContext
from graphs.item_ledger import record_use
from graphs.state import TransferState, ValidatorTask
from graphs.strategies import load_strategy
from models.tokens import count_tokens
from prompts import load_strategy_file
from records.nouns import Attempt, Problem, Verdict


def send_validators(state: TransferState, runtime: Runtime[RunContext]) -> list[Send]:
    """One branch per validator model."""
    return [
        Send("validate", ValidatorTask(validator=spec, current=state["current"], draft=state["draft"]))
        for spec in dict.fromkeys(runtime.context.config.validators)
    ]


async def validate(task: ValidatorTask, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """All strategy arms on one validator, on validation items that the gate never used."""
    context = runtime.context
    contexts = _contexts(context, task)
    validator = Solver(context.gateway, task["validator"], "validator", context.config.decoding)
    problems = context.problems.open("validation", "validator")
    name = f"validation of {task['current']} on {task['validator']}"
    record_use(context, "validation", name, problems, [task["current"]])
    jobs: list[Job] = [
        (
            problem,
            functools.partial(
                validator.solve,
                problem,
                stage="validation",
                arm=_arm_id(arm, task["current"]),
                context=contexts[arm],
                strategy_hash=task["current"] if arm == "learned" else None,
                max_tokens=context.reply_tokens,
            ),
        )
        for arm in STRATEGY_ARMS
        for problem in problems
    ]
    title = f"Validation on {', '.join(dict.fromkeys(context.config.validators))}"  # one bar for all branches
    graded = await attempt_all(context, title, jobs)
    arms = [arm for arm in STRATEGY_ARMS for _ in problems]
    rows = [
        evaluation_row(g, "strategy", arm, task["validator"], version=task["current"])
        for g, arm in zip(graded, arms, strict=True)
    ]
    context.run.append("evaluation/rows.jsonl", rows)
    suite = strategy_suites(rows)[task["validator"]]
    word = str(suite["verdict"])
    context.events.info(f"{task['validator']}: {word} ({suite['verdict_reason']})")
    return {"verdicts": {task["validator"]: word}}


def _arm_id(arm: str, strategy_hash: str) -> str:
    """The learned, placebo and few-shot arms depend on the strategy (text or length)."""
    return f"{arm}-{strategy_hash}" if arm in ("learned", "placebo", "few_shot") else arm


def _contexts(context: RunContext, task: ValidatorTask) -> dict[str, str | None]:
    placebo = get_domain(context.domain.placebo)
    return arm_contexts(
        learned=load_strategy(context.run, task["current"]).text,
        one_shot=load_strategy(context.run, task["draft"]).text,
        seed=load_strategy_file(context.domain.name),
        placebo=load_strategy_file(placebo.name),
        examples=verified_examples(context),
        count_tokens=count_tokens,
    )


def verified_examples(context: RunContext) -> list[tuple[str, str]]:
    """(problem, solution) pairs that the teacher solved and the verifier accepted, train only."""
    passed = {v.id for v in context.run.read("verdicts.jsonl", Verdict) if v.judgement.outcome == "pass"}
    examples: dict[str, tuple[str, str]] = {}
    for attempt in context.run.read("attempts.jsonl", Attempt):
        if attempt.stage == "lrl" and attempt.id in passed:
            problem: Problem = context.problems.get(attempt.problem_id, "reflector")
            examples.setdefault(problem.id, (problem.prompt, attempt.reply))
    return [examples[key] for key in sorted(examples)]
