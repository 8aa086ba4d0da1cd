"""A language model as judge (LLM-as-a-judge), for domains that have no verifier.

Each judgement asks twice about the reply and the problem's reference, in both orders, and averages the
scores, so that a liking for one place cancels out. The scores count only after the same judge (model,
prompts, rubric) was measured against a verifier on a domain that has one: `JudgeVerifier` refuses any other.

Guaranteed: a failed call, a verdict that cannot be read, and a judge that refuses the reference itself are
`ungraded`, never "wrong"; a reply cannot write the verdict: one is read only with a mark that is a hash of
the very texts to be judged, and two different ones are none.
Not guaranteed: that a reply cannot talk the judge round. The measured agreement says how well it judges
honest replies, not how it stands up to attacks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from pydantic import Field, ValidationError

import prompts
from agents.material import quote
from agents.playbook import without_thoughts
from agents.solver import Completer
from models.calls import CallRequest
from records.nouns import Judgement, Message, Problem, Record, content_hash

PASS_SCORE = 6.0  # of 10, the mean of both orders
TEXT_CHARS = 8_000  # of a task or a reply; more is cut in the middle
VERDICT_TOKENS, VERDICT_CHARS = 400, 20_000
EVIDENCE_CHARS = 600
LEAST_KAPPA = 0.6  # lower bound; "substantial" in the words of Landis and Koch (1977)
LEAST_ITEMS, LEAST_OF_A_KIND = 40, 10
MOST_UNGRADED = 0.1


class JudgeRefused(Exception):
    """The judge's scores may not be used; the message says why and what to do."""


class Unreadable(Exception):
    """A judge's reply that is no verdict."""


class CallFailed(Exception):
    """A call of the judge failed."""


class Scored(Record):
    """Scores of two texts, each the mean over both orders; None with a `fault` if there is no verdict.

    `place` is how much more the place of the first text gives, on the mean over both texts.
    """

    one: float | None = None
    other: float | None = None
    place: float | None = None
    reason: str = ""
    fault: str = ""
    kind: str = ""


class Agreement(Record):
    """How a judge agrees with a verifier on the same replies; made by `evaluation.agreement`."""

    judge: str
    identity: str  # of the model with its prompts and the rubric
    domain: str
    both_pass: int
    both_fail: int
    judge_only: int  # passed by the judge, failed by the verifier
    verifier_only: int
    ungraded: int  # by the judge
    accuracy: float | None
    accuracy_ci95: tuple[float, float] | None
    kappa: float | None
    kappa_ci95: tuple[float, float] | None

    @property
    def n(self) -> int:
        """Replies that both have graded."""
        return self.both_pass + self.both_fail + self.judge_only + self.verifier_only


class _Score(Record):
    score: int = Field(ge=0, le=10, strict=True)
    reason: str = ""


class _Verdict(Record):
    mark: str
    first: _Score
    second: _Score


class LLMJudge:
    """One model as judge. Safe to use from many tasks at once."""

    def __init__(self, gateway: Completer, spec: str, seed: int = 0) -> None:
        self.gateway, self.spec, self.seed = gateway, spec, seed
        self._prompt, self._system = prompts.load("judge"), prompts.load("judge_system")
        self._rubric = prompts.load("rubric")

    @property
    def identity(self) -> str:
        """Hash of the model's name, the prompts and the rubric: what an agreement was measured for."""
        return content_hash([self.spec, self._prompt.hash, self._system.hash, self._rubric.hash])

    async def score(self, task: str, one: str, other: str) -> Scored:
        """Both texts' scores, asked in both orders."""
        try:
            ahead, behind = await asyncio.gather(self._ask(task, one, other), self._ask(task, other, one))
        except Unreadable as error:
            return Scored(fault=str(error), kind="judge_unreadable")
        except CallFailed as error:
            return Scored(fault=str(error), kind="judge_call_error")
        firsts, seconds = ahead.first.score + behind.first.score, ahead.second.score + behind.second.score
        return Scored(
            one=(ahead.first.score + behind.second.score) / 2,
            other=(ahead.second.score + behind.first.score) / 2,
            place=(firsts - seconds) / 2,
            reason=" / ".join(filter(None, (ahead.first.reason, behind.second.reason))),
        )

    async def judge(self, problem: Problem, reply: str) -> Judgement:
        """The reply beside the problem's reference. `ungraded` whenever there is no sound verdict."""
        if not problem.reference.strip():
            return _ungraded("no_reference", "the problem has no reference to set the scale")
        scored = await self.score(problem.prompt, reply, problem.reference)
        if scored.one is None or scored.other is None:
            return _ungraded(scored.kind, scored.fault)
        if scored.other < PASS_SCORE:
            return _ungraded("reference_refused", f"the judge gives the reference {scored.other:g} of 10")
        passed = scored.one >= PASS_SCORE
        said = f"The judge gives {scored.one:g} of 10: {quote(scored.reason, EVIDENCE_CHARS)}"
        return Judgement(outcome="pass" if passed else "fail", kind="pass" if passed else "low_score", evidence=said)

    async def _ask(self, task: str, first: str, second: str) -> _Verdict:
        mark = content_hash(["judge", self.seed, task, first, second])
        fields = {"task": task, "first": first, "second": second}
        asked = self._prompt.render(
            mark=mark, rubric=self._rubric.text.strip(), **{k: quote(text, TEXT_CHARS) for k, text in fields.items()}
        )
        completion = await self.gateway.complete(
            CallRequest(
                model=self.spec,
                messages=(
                    Message(role="system", content=self._system.render(mark=mark)),
                    Message(role="user", content=asked),
                ),
                max_tokens=VERDICT_TOKENS,
                stage="judge",
                agent="judge",
                prompt_hash=self._prompt.hash,
            )
        )
        if completion.error is not None:
            raise CallFailed(f"the judge was not reached: {completion.error[:300]}")
        return read_verdict(completion.text, mark)


def read_verdict(text: str, mark: str) -> _Verdict:
    """The one verdict with this mark. Raises Unreadable if there is none, or two that differ."""
    if len(text) > VERDICT_CHARS:
        raise Unreadable(f"the judge's reply has {len(text)} characters; at most {VERDICT_CHARS} are read")
    found = {verdict.model_dump_json(): verdict for verdict in _verdicts(without_thoughts(text), mark)}
    scores = {(verdict.first.score, verdict.second.score) for verdict in found.values()}
    if len(scores) != 1:
        raise Unreadable("the judge's reply has no verdict" if not scores else "the judge's reply has two verdicts")
    return next(iter(found.values()))


def _verdicts(text: str, mark: str) -> Iterator[_Verdict]:
    """Outermost JSON objects with the mark. Raises Unreadable for one with the mark that is not in the form."""
    decoder = json.JSONDecoder(object_pairs_hook=_once)
    position = 0
    while (start := text.find("{", position)) >= 0:
        try:
            value, position = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            position = start + 1
            continue
        if value.get("mark") == mark:
            try:
                yield _Verdict.model_validate(value)
            except ValidationError as error:
                first = error.errors()[0]
                raise Unreadable(f"the verdict's {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without repeated names."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name is given twice")
    return dict(pairs)


class JudgeVerifier:
    """A judge in a verifier's place (`domains.base.Verifier`), once its agreement was measured."""

    tier: str | None = None

    def __init__(self, judge: LLMJudge, agreement: Agreement, least_kappa: float = LEAST_KAPPA) -> None:
        """Raises JudgeRefused unless this very judge was measured and agrees well enough."""
        if agreement.identity != judge.identity:
            raise JudgeRefused(
                f"the agreement was measured for another judge than '{judge.spec}' (model, prompts and rubric must be "
                "the same); measure this one"
            )
        if why := distrust(agreement, least_kappa):
            raise JudgeRefused(f"the scores of judge '{judge.spec}' are not used: {why}")
        self.agreement = agreement
        self._judge = judge

    async def judge(self, problem: Problem, reply: str) -> Judgement:
        """The judge's verdict."""
        return await self._judge.judge(problem, reply)


def distrust(agreement: Agreement, least_kappa: float = LEAST_KAPPA) -> str:
    """Why the judge's scores may not be used; "" if they may."""
    passed = agreement.both_pass + agreement.verifier_only
    if agreement.n < LEAST_ITEMS or min(passed, agreement.n - passed) < LEAST_OF_A_KIND:
        return (
            f"it was measured on {agreement.n} replies, {passed} of them right; at least {LEAST_ITEMS} are needed, "
            f"{LEAST_OF_A_KIND} right and {LEAST_OF_A_KIND} wrong"
        )
    if agreement.ungraded > MOST_UNGRADED * (agreement.n + agreement.ungraded):
        return f"it could not judge {agreement.ungraded} of {agreement.n + agreement.ungraded} replies"
    if agreement.kappa_ci95 is None or agreement.kappa_ci95[0] < least_kappa:
        low = "undefined" if agreement.kappa_ci95 is None else f"{agreement.kappa_ci95[0]:.2f}"
        return f"the lower bound of Cohen's kappa with the verifier is {low}, at least {least_kappa:.2f} is needed"
    return ""


def _ungraded(kind: str, why: str) -> Judgement:
    return Judgement(outcome="ungraded", kind=kind, evidence=quote(why, EVIDENCE_CHARS))
