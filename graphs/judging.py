"""A judge measured against the verdicts of a run, and put in a verifier's place.

Guaranteed: the replies that it is measured on are recorded ones with a verdict of the run's verifier, one
per problem, drawn by the seed, right and wrong ones as evenly as the run has them, and none is the reference
itself; what was asked stands in RUN/judges/JUDGE with its own ledger, so that a second time costs nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agents.llm_judge import Agreement, JudgeRefused, JudgeVerifier, LLMJudge
from agents.solver import Completer, model_slug
from domains.base import NoVerifier, Verifier
from evaluation.agreement import measure_agreement
from graphs.context import Events
from models.gateway import Gateway
from models.spec import check_available, parse_spec
from records.config import RunConfig
from records.nouns import Attempt, Judgement, Problem, Record, Verdict
from records.rundir import RunDirectory, RunError

AGREEMENT = "agreement.json"


class Sampled(Record):
    """A recorded reply with the verifier's verdict and, later, the judge's."""

    id: str  # of the attempt
    problem: Problem
    reply: str
    passed: bool


class JudgedRow(Record):
    """What both said of one reply."""

    id: str
    passed: bool
    judgement: Judgement


def sample(run: RunDirectory, items: int, seed: int) -> list[Sampled]:
    """Up to `items` recorded replies to different problems. Raises RunError if there are none."""
    problems = {problem.id: problem for problem in run.read("problems.jsonl", Problem)}
    outcome = {verdict.id: verdict.judgement.outcome for verdict in run.read("verdicts.jsonl", Verdict)}
    usable = [
        Sampled(id=a.id, problem=problems[a.problem_id], reply=a.reply, passed=outcome[a.id] == "pass")
        for a in run.read("attempts.jsonl", Attempt)
        if outcome.get(a.id) in ("pass", "fail") and _is_own_work(a, problems.get(a.problem_id))
    ]
    if not usable:
        raise RunError(f"run '{run.id}' has no replies with a verdict, other than the references themselves")
    random.Random(f"{seed}/judge").shuffle(usable)
    return _even(usable, items)


def _is_own_work(attempt: Attempt, problem: Problem | None) -> bool:
    """Not the reference itself, which the scripted teacher gives; the judge would see the same text twice."""
    return (
        problem is not None and bool(problem.reference.strip()) and attempt.reply.strip() != problem.reference.strip()
    )


def _even(usable: Sequence[Sampled], items: int) -> list[Sampled]:
    """Right and wrong ones in turn, each problem once, until one kind is used up; then the other."""
    queues = {passed: [one for one in usable if one.passed is passed] for passed in (True, False)}
    chosen: dict[str, Sampled] = {}
    while len(chosen) < items and any(queues.values()):
        counts = {passed: sum(one.passed is passed for one in chosen.values()) for passed in queues if queues[passed]}
        one = queues[min(counts, key=lambda passed: counts[passed])].pop()
        chosen.setdefault(one.problem.id, one)
    return list(chosen.values())


def check_judge(spec: str) -> None:
    """Raise RunError if the model cannot judge now, SpecError if there is no such model."""
    if (parsed := parse_spec(spec)).provider == "oracle":
        raise RunError("the oracle is no language model and cannot judge; choose another model")
    if problem := check_available(parsed):
        raise RunError(f"judge '{spec}': {problem}")


async def measure_judge(
    run: RunDirectory, config: RunConfig, spec: str, chosen: Sequence[Sampled], events: Events
) -> Agreement:
    """Ask the judge about the sample; writes and returns the agreement."""
    folder = RunDirectory(run.path / "judges" / model_slug(spec))
    with folder.lock():
        async with Gateway.open(folder.file("ledger.sqlite"), config) as gateway:
            judge = LLMJudge(gateway, spec, config.seed)
            rows = await _ask(judge, chosen, events)
        folder.write_json("rows.json", [row.model_dump(mode="json") for row in rows])
        pairs = [(row.passed, _said(row.judgement)) for row in rows]
        agreement = measure_agreement(pairs, spec, judge.identity, config.domain)
        folder.write_json(AGREEMENT, agreement.model_dump(mode="json"))
    return agreement


async def _ask(judge: LLMJudge, chosen: Sequence[Sampled], events: Events) -> list[JudgedRow]:
    events.stage(f"Judge {judge.spec} beside the verifier", len(chosen))

    async def one(item: Sampled) -> JudgedRow:
        judgement = await judge.judge(item.problem, item.reply)
        events.advance()
        return JudgedRow(id=item.id, passed=item.passed, judgement=judgement)

    return list(await asyncio.gather(*map(one, chosen)))


def _said(judgement: Judgement) -> bool | None:
    return None if judgement.outcome == "ungraded" else judgement.outcome == "pass"


def verifier_for(config: RunConfig, verifier: Verifier, gateway: Completer) -> Verifier:
    """The domain's verifier; for a domain without one the judge of the configuration.

    Raises RunError if none is given, JudgeRefused if its agreement is not good enough.
    """
    if config.judge is not None and not isinstance(verifier, NoVerifier):
        raise RunError(f"the domain '{config.domain}' has a verifier, which judges better; leave out the setting judge")
    return judged(config, verifier, gateway)


def judged(config: RunConfig, verifier: Verifier, gateway: Completer) -> Verifier:
    """The same where the configuration's judge may be for another domain: a domain with a verifier keeps it."""
    if not isinstance(verifier, NoVerifier):
        return verifier
    if config.judge is None or config.judge_agreement is None:
        raise RunError(
            f"the domain '{config.domain}' has no verifier: give --set judge=SPEC and --set judge_agreement=FILE, "
            "made by the command `judge` on a run of a domain that has one"
        )
    return JudgeVerifier(LLMJudge(gateway, config.judge, config.seed), read_agreement(Path(config.judge_agreement)))


def read_agreement(path: Path) -> Agreement:
    """An agreement file. Raises RunError."""
    value: Any = RunDirectory(path.parent).read_json(path.name) if path.is_file() else None
    if value is None:
        raise RunError(f"judge_agreement={path}: there is no such file")
    try:
        return Agreement.model_validate(value)
    except ValidationError as error:
        raise RunError(f"judge_agreement={path}: {error.errors()[0]['msg']}; the command `judge` writes it") from error


__all__ = ["AGREEMENT", "JudgeRefused", "check_judge", "measure_judge", "read_agreement", "sample", "verifier_for"]
