"""Fan-out of attempts: solve, judge, record each as it comes.

Guaranteed: an attempt that is recorded is never judged or recorded again; a failed call is never
recorded as an attempt unless the stage tolerates it, so a resumed stage tries it again.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence

from agents.judge import judge_attempt
from agents.teacher import Graded
from graphs.context import RunContext, StageError
from models.gateway import CallRefused
from records.nouns import Attempt, EvaluationRow, Problem, Strategy, Suite, Verdict

Job = tuple[Problem, Callable[[], Awaitable[Attempt]]]

TOLERATED_FAILURES = 0.02  # share of calls that may fail for good without stopping the stage


async def attempt_all(context: RunContext, stage: str, jobs: Sequence[Job], note: str = "") -> list[Graded]:
    """Run all jobs at once (the gateway limits the calls in flight) and judge their replies.

    Returns one Graded per job, in order. Raises StageError if more than 2% of the calls failed, and
    what the gateway raises if it refuses a call.
    """
    context.events.stage(stage, len(jobs))
    known = {verdict.id: verdict for verdict in context.run.read("verdicts.jsonl", Verdict)}
    graded = await _all_of([asyncio.create_task(_attempt_one(context, job, known, note)) for job in jobs])
    failed = [item for item in graded if item.attempt.error]
    if len(failed) > TOLERATED_FAILURES * len(jobs):
        raise StageError(
            f"{stage}: {len(failed)} of {len(jobs)} model calls failed; the first one: {failed[0].attempt.error}. "
            "Finished calls are kept and will not be paid again."
        )
    for item in failed:
        _record(
            context, item.attempt, Verdict(id=item.attempt.id, problem_id=item.problem.id, judgement=item.judgement)
        )
    return graded


async def _all_of(tasks: Sequence[asyncio.Task[Graded]]) -> list[Graded]:
    try:
        return await asyncio.gather(*tasks)
    except CallRefused:  # what is in flight is paid: its replies are judged and kept
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    finally:
        for task in tasks:
            task.cancel()


async def _attempt_one(context: RunContext, job: Job, known: dict[str, Verdict], note: str) -> Graded:
    problem, solve = job
    attempt = await solve()
    verdict = known.get(attempt.id)
    if verdict is None:
        verdict = await judge_attempt(context.verifier, problem, attempt)
        if not attempt.error:
            _record(context, attempt, verdict)
    context.events.advance(1, note)
    return Graded(problem=problem, attempt=attempt, judgement=verdict.judgement)


def teacher_jobs(
    context: RunContext,
    problems: Sequence[Problem],
    strategy: Strategy | None,
    *,
    stage: str,
    arm: str,
    sample: int = 0,
    round: int | None = None,
) -> list[Job]:
    """The teacher's attempts at the problems; several per problem where several teachers vote."""
    return [
        (
            problem,
            functools.partial(voice.solve, problem, strategy, stage=stage, arm=arm, sample=sample, round=round),
        )
        for problem in problems
        for voice in context.teacher.asked(problem, sample)
    ]


def _record(context: RunContext, attempt: Attempt, verdict: Verdict) -> None:
    context.run.append("attempts.jsonl", [attempt])
    context.run.append("verdicts.jsonl", [verdict])


def evaluation_row(
    item: Graded,
    suite: Suite,
    arm: str,
    model: str,
    *,
    seed: int = 0,
    version: str | None = None,
    round: int = 1,
) -> EvaluationRow:
    """The row that the report's figures are computed from; `version` is the strategy in question."""
    problem, attempt, judgement = item.problem, item.attempt, item.judgement
    return EvaluationRow(
        id="/".join(filter(None, (suite, version if suite not in ("student", "feedback") else None, attempt.id))),
        suite=suite,
        arm=arm,
        model=model,
        split=problem.split,
        problem_id=problem.id,
        family=problem.family,
        sample=attempt.sample,
        seed=seed,
        outcome=judgement.outcome,
        kind=judgement.kind,
        expected=problem.answer,
        predicted=judgement.predicted,
        truncated=attempt.truncated,
        tier=judgement.tier,
        completion_tokens=attempt.completion_tokens,
        strategy_hash=version,
        round=round,
    )


def passed(items: Sequence[Graded]) -> list[bool | None]:
    """Per item: True for pass, None for ungraded, False otherwise."""
    return [None if g.judgement.outcome == "ungraded" else g.judgement.outcome == "pass" for g in items]


def share_passed(items: Sequence[Graded]) -> str:
    """ "12 of 60 right" with the ungraded ones said apart."""
    results = passed(items)
    ungraded = results.count(None)
    tail = f", {ungraded} ungraded" if ungraded else ""
    return f"{results.count(True)} of {len(results) - ungraded} right{tail}"
