"""Why a strategy cannot be tested at all, found out before a call is made.

Guaranteed: a strategy of the wrong length, one that quotes a held-out problem, one whose advice is aimed
at the judging, and one whose text was tried in an earlier round are refused, always with a reason that stands in
the trace. Not guaranteed: that leaks and such advice in other words are found.
"""

from __future__ import annotations

from collections.abc import Iterable

from agents.contrast import LEAKED
from agents.manipulation import manipulation
from agents.playbook import check_size
from graphs.context import RunContext
from models.tokens import count_tokens
from records.nouns import Bullet, Reflection, Strategy


def refusal(context: RunContext, strategy: Strategy) -> str:
    """What is wrong with a strategy's text; "" if nothing is."""
    return check_size(strategy.text, count_tokens) or content_fault(context, strategy)


def content_fault(context: RunContext, strategy: Strategy) -> str:
    """What is wrong with it apart from its length."""
    if aimed := next((fault for bullet in strategy.bullets if (fault := _aimed(bullet))), None):
        return aimed
    leaks = context.leak_check.leaks(strategy.text)
    return f"{LEAKED}: " + "; ".join(str(leak) for leak in leaks[:3]) if leaks else ""


def _aimed(bullet: Bullet) -> str | None:
    fault = manipulation(f"{bullet.section}: {bullet.text}")
    return f"bullet {bullet.id}: {fault}" if fault else None


def _leaking(context: RunContext, bullet: Bullet) -> str | None:
    leak = next(iter(context.leak_check.leaks(f"{bullet.section}\n{bullet.text}")), None)
    return f"bullet {bullet.id}: {LEAKED}: {leak}" if leak else None


def without_faults(context: RunContext, strategy: Strategy) -> tuple[Strategy, list[str]]:
    """The strategy without the bullets that cannot stand, and why each was taken out."""
    faults = {bullet.id: fault for bullet in strategy.bullets if (fault := _aimed(bullet) or _leaking(context, bullet))}
    kept = tuple(bullet for bullet in strategy.bullets if bullet.id not in faults)
    return strategy.model_copy(update={"bullets": kept}), list(faults.values())


def tried_before(draft: str, reflections: Iterable[Reflection], number: int) -> set[str]:
    """Hashes of the strategies that earlier rounds proposed, and of the draft."""
    return {draft} | {r.candidate_hash for r in reflections if r.round < number and r.candidate_hash}
