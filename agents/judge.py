"""From an attempt to a verdict.

Guaranteed: a call that failed and a verifier that broke are `ungraded`, never "wrong"; an empty
reply is `unparsed`. A reply cut at the token limit is judged like any other: the cut is on the
attempt, for the report to count.
"""

from __future__ import annotations

from domains.base import DomainError, Verifier
from records.nouns import Attempt, Judgement, Problem, Verdict
from sandbox.nouns import SandboxError

EVIDENCE_CHARS = 2_000


async def judge_attempt(verifier: Verifier, problem: Problem, attempt: Attempt) -> Verdict:
    """Judge a recorded attempt. Raises ValueError only if the attempt belongs to another problem."""
    if attempt.problem_id != problem.id:
        raise ValueError(f"attempt {attempt.id} is of problem {attempt.problem_id}, not {problem.id}")
    return Verdict(id=attempt.id, problem_id=problem.id, judgement=await _judgement(verifier, problem, attempt))


async def _judgement(verifier: Verifier, problem: Problem, attempt: Attempt) -> Judgement:
    if attempt.error is not None:
        return Judgement(outcome="ungraded", kind="call_error", evidence=attempt.error[:EVIDENCE_CHARS])
    if not attempt.reply.strip():
        return Judgement(outcome="unparsed", kind="empty_reply")
    try:
        return await verifier.judge(problem, attempt.reply)
    except TimeoutError as error:
        return _ungraded("verifier_timeout", error)
    except RecursionError as error:
        return _ungraded("verifier_recursion", error)
    except (SandboxError, DomainError, OSError) as error:
        return _ungraded("infra_error", error)


def _ungraded(kind: str, error: Exception) -> Judgement:
    evidence = f"the verifier could not judge: {type(error).__name__}: {error}"
    return Judgement(outcome="ungraded", kind=kind, evidence=evidence[:EVIDENCE_CHARS])
