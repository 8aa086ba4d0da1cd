"""Fan-out of attempts: solve, judge, record each as it comes.

Guaranteed: an attempt that is recorded is never judged or recorded again; a failed call is never
recorded as an attempt unless the stage tolerates it, so a resumed stage tries it again.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

from agents.judge import judge_attempt
from agents.teacher import Graded
from graphs.context import RunContext, StageError
from models.gateway import CallRefused
from records.nouns import Attempt, EvaluationRow, Problem, Strategy, Suite, Verdict

Pair = tuple[Attempt, Verdict]
Job = tuple[Problem, Callable[[], Awaitable[Attempt]]]

BEGUN_TOGETHER, PAUSE_S = 32, 0.005
TOLERATED_FAILURES = 0.02  # share of calls that may fail for good without stopping the stage


async def attempt_all(context: RunContext, stage: str, jobs: Sequence[Job], note: str = "") -> list[Graded]:
    """Run all jobs at once (the gateway limits the calls in flight) and judge their replies.

    Returns one Graded per job, in order. Raises StageError if more than 2% of the calls failed, and
    what the gateway raises if it refuses a call.
    """
    context.events.stage(stage, len(jobs))
    known = context.judged.verdicts
    records = Records(context)
    graded = await _all_of(_attempt_one(context, job, known, records, note) for job in jobs)
    failed = [item for item in graded if item.attempt.error]
    if len(failed) > TOLERATED_FAILURES * len(jobs):
        raise StageError(
            f"{stage}: {len(failed)} of {len(jobs)} model calls failed; the first one: {failed[0].attempt.error}. "
            "Finished calls are kept and will not be paid again."
        )
    for item in failed:
        verdict = Verdict(id=item.attempt.id, problem_id=item.problem.id, judgement=item.judgement)
        await records.keep(item.attempt, verdict)
    return graded


async def _all_of(work: Iterable[Coroutine[Any, Any, Graded]]) -> list[Graded]:
    """All at once, begun a few at a time, so that the first calls are made before the last are prepared."""
    tasks: list[asyncio.Task[Graded]] = []
    try:
        for number, one in enumerate(work, 1):
            tasks.append(asyncio.create_task(one))
            if number % BEGUN_TOGETHER == 0:
                await asyncio.sleep(PAUSE_S)
        return await asyncio.gather(*tasks)
    except CallRefused:  # what is in flight is paid: its replies are judged and kept
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    finally:
        for task in tasks:
            task.cancel()


async def _attempt_one(context: RunContext, job: Job, known: dict[str, Verdict], records: Records, note: str) -> Graded:
    problem, solve = job
    attempt = await solve()
    verdict = known.get(attempt.id)
    if verdict is None:
        verdict = await judge_attempt(context.verifier, problem, attempt)
        if not attempt.error:
            await records.keep(attempt, verdict)
    context.events.advance(1, note)
    return Graded(problem=problem, attempt=attempt, judgement=verdict.judgement)


class Records:
    """Writes attempts with their verdicts. What comes while a write is on its way to the disk goes with the next one.

    A disk takes longer for one write than a judge for many replies, so that a write for each would hold up the calls.
    """

    def __init__(self, context: RunContext) -> None:
        self._run, self._judged = context.run, context.judged
        self._waiting: deque[tuple[Pair, asyncio.Future[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, attempt: Attempt, verdict: Verdict) -> None:
        """Returns when both are on disk. Raises OSError if they cannot be written."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(((attempt, verdict), done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await asyncio.shield(done)

    async def _write(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
            try:
                await asyncio.to_thread(self._append, [judged for judged, _ in taken])
            except OSError as error:
                _settle([done for _, done in taken], error)
            else:
                for judged, _ in taken:
                    self._judged.add(*judged)
                _settle([done for _, done in taken], None)

    def _append(self, judged: Sequence[Pair]) -> None:
        self._run.append("attempts.jsonl", [attempt for attempt, _ in judged])
        self._run.append("verdicts.jsonl", [verdict for _, verdict in judged])


def _settle(waiting: Sequence[asyncio.Future[None]], error: OSError | None) -> None:
    for done in waiting:
        if done.cancelled():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


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
