"""Why a strategy cannot be tested at all, found out before a call is made.

Guaranteed: a strategy of the wrong length, one that quotes a held-out problem, one whose advice is aimed
at the judging, and one whose text was tried in an earlier round, or whose change a test has refused in nearly the
same words, are refused, always with a reason that stands in
the trace. Not guaranteed: that leaks and such advice in other words are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


REWORDED = 0.6  # share of common words from which two changes of one strategy count as the same one
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class Change:
    """The words that an edited strategy adds to its parent's bullets, and those that it takes away."""

    added: frozenset[str]
    removed: frozenset[str]

    def is_like(self, other: Change) -> bool:
        """Both halves share most of their words."""
        return _alike(self.added, other.added) and _alike(self.removed, other.removed)


def change_of(strategy: Strategy, parent: Strategy) -> Change:
    """What the strategy changes in the bullets of another one."""
    before = {bullet.text for bullet in parent.bullets}
    after = {bullet.text for bullet in strategy.bullets}
    return Change(_words(after - before), _words(before - after))


def _words(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word for text in texts for word in _WORDS.findall(text.casefold()))


def _alike(first: frozenset[str], second: frozenset[str]) -> bool:
    together = first | second
    return not together or len(first & second) / len(together) >= REWORDED


def reworded(change: Change, refused: Mapping[int, Change]) -> str:
    """The reason why a change is not tested a second time in other words; "" if it is a new one.

    `refused`: the changes that a test has refused, by their round. Rewordings share one test: the level of each
    round would otherwise buy another look at the same change.
    """
    earlier = next((number for number, other in refused.items() if change.is_like(other)), None)
    return "" if earlier is None else f"round {earlier} tested and refused this change in other words"


def tried_before(draft: str, reflections: Iterable[Reflection], number: int) -> set[str]:
    """Hashes of the strategies that earlier rounds proposed, and of the draft."""
    return {draft} | {r.candidate_hash for r in reflections if r.round < number and r.candidate_hash}
