"""Strategies on models: every strategy on every model and item, recorded as evaluation rows of one suite."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from agents.solver import Solver
from graphs.attempts import Job, attempt_all, evaluation_row
from graphs.context import RunContext
from records.nouns import EvaluationRow, Problem, Strategy, Suite


@dataclass(frozen=True)
class Shown:
    """What a model is shown: a strategy, or the problem alone; `version` is the strategy that the row is about."""

    arm: str
    strategy: Strategy | None
    version: str | None = None


async def measure(
    context: RunContext,
    title: str,
    suite: Suite,
    shown: Sequence[Shown],
    models: Sequence[str],
    items: Sequence[Problem],
) -> list[EvaluationRow]:
    """All models at once. What was measured before is neither asked nor recorded again."""
    cells = [(model, one, problem) for model in models for one in shown for problem in items]
    solvers = {model: Solver(context.gateway, model, "validator", context.config.decoding) for model in models}
    jobs = [_job(context, suite, solvers[model], one, problem) for model, one, problem in cells]
    graded = await attempt_all(context, title, jobs)
    rows = [
        evaluation_row(item, suite, one.arm, model, version=one.version)
        for item, (model, one, _) in zip(graded, cells, strict=True)
    ]
    context.run.append("evaluation/rows.jsonl", rows)
    return rows


def _job(context: RunContext, suite: Suite, solver: Solver, shown: Shown, problem: Problem) -> Job:
    strategy = shown.strategy
    solve = functools.partial(
        solver.solve,
        problem,
        stage=suite,
        arm=f"strategy-{strategy.hash}" if strategy else "none",
        context=strategy.text if strategy else None,
        strategy_hash=strategy.hash if strategy else None,
        max_tokens=context.reply_tokens,
    )
    return problem, solve
