"""What could not be judged is ungraded, never wrong."""

import pytest

from agents.judge import judge_attempt
from domains.base import DomainError
from records.nouns import Attempt, Judgement, Problem
from sandbox.nouns import SandboxError
from tests.agents.addition import SumVerifier, problems

PROBLEM = problems("train", 1)[0]


def attempt(reply: str = "", **fields: str) -> Attempt:
    return Attempt.model_validate(
        {"id": "a/1", "problem_id": PROBLEM.id, "stage": "s", "arm": "a", "agent": "x", "model": "m", "reply": reply}
        | fields
    )


class Broken:
    """A verifier whose machinery fails."""

    tier: str | None = None

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def judge(self, problem: Problem, reply: str) -> Judgement:
        raise self.error


async def test_replies_are_judged() -> None:
    passed = await judge_attempt(SumVerifier(), PROBLEM, attempt(PROBLEM.reference))
    failed = await judge_attempt(SumVerifier(), PROBLEM, attempt("It is 1"))
    assert (passed.id, passed.judgement.outcome, failed.judgement.outcome) == ("a/1", "pass", "fail")


async def test_a_failed_call_is_ungraded_even_with_a_partial_reply() -> None:
    verdict = await judge_attempt(SumVerifier(), PROBLEM, attempt(PROBLEM.reference, error="timeout"))
    assert (verdict.judgement.outcome, verdict.judgement.kind) == ("ungraded", "call_error")
    assert verdict.judgement.evidence == "timeout"


async def test_an_empty_reply_is_unparsed() -> None:
    verdict = await judge_attempt(SumVerifier(), PROBLEM, attempt(" \n "))
    assert (verdict.judgement.outcome, verdict.judgement.kind) == ("unparsed", "empty_reply")


async def test_a_cut_reply_is_judged_and_stays_marked() -> None:
    cut = attempt(PROBLEM.reference, finish_reason="length")
    verdict = await judge_attempt(SumVerifier(), PROBLEM, cut)
    assert verdict.judgement.outcome == "pass"
    assert cut.truncated


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SandboxError("no tier"), "infra_error"),
        (DomainError("bad payload"), "infra_error"),
        (OSError("disk full"), "infra_error"),
        (TimeoutError("too slow"), "verifier_timeout"),
        (RecursionError("deep"), "verifier_recursion"),
    ],
)
async def test_our_own_failures_are_ungraded(error: Exception, kind: str) -> None:
    verdict = await judge_attempt(Broken(error), PROBLEM, attempt("7"))
    assert (verdict.judgement.outcome, verdict.judgement.kind) == ("ungraded", kind)
    assert str(error) in verdict.judgement.evidence


async def test_a_bug_in_a_verifier_is_not_hidden() -> None:
    with pytest.raises(KeyError):
        await judge_attempt(Broken(KeyError("sum")), PROBLEM, attempt("7"))


async def test_an_attempt_of_another_problem_is_refused() -> None:
    other = problems("train", 2)[1]
    with pytest.raises(ValueError, match="not sum-train-1"):
        await judge_attempt(SumVerifier(), other, attempt("7"))
