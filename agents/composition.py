"""Two strategies made into one, bullet by bullet.

Guaranteed: the same strategies in the same order give the same result; every bullet names the runs and
the bullets that it comes from, and the attempts behind them; advice that both give is there once, with
both origins; the result has at most 2,000 tokens, and what found no room or was refused is named.
Not guaranteed: that two bullets do not contradict each other. No rule can see that; the measurement does.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from itertools import zip_longest

from agents.playbook import MAX_TOKENS, EditError, check_size
from records.nouns import Bullet, Record, Strategy

SAME_ADVICE = 0.85  # similarity from which two bullets say the same
NO_ROOM = f"over the limit of {MAX_TOKENS:,} tokens"

Placed = tuple[int, int]  # which strategy, which of its bullets


class LeftOut(Record):
    """A bullet that is not in the result, and why."""

    source: str
    bullet_id: str
    text: str
    reason: str


class Composition(Record):
    """The merged strategy and what it lacks."""

    strategy: Strategy
    left_out: tuple[LeftOut, ...]


def compose(
    parts: Sequence[tuple[str, Strategy]],
    count_tokens: Callable[[str], int],
    refused: Callable[[str], str] = lambda text: "",
) -> Composition:
    """Merge strategies, given with the names of their runs. `refused` says why a text may not be used, or "".

    The strategies take turns and bullets with attempts behind them go first, so that where there is no room for
    all, each gives its best; the result has them in their old order. Raises EditError if too little is left.
    """
    kept: dict[Placed, Bullet] = {}
    left_out = []
    for place in _in_turn([strategy for _, strategy in parts]):
        name, strategy = parts[place[0]]
        bullet = _with_source(name, strategy.bullets[place[1]])
        same = next((known for known, other in kept.items() if _alike(other.text, bullet.text)), None)
        if reason := refused(bullet.text):
            left_out.append(_left_out(name, strategy.bullets[place[1]], reason))
        elif same is not None:
            kept[same] = _joined(kept[same], bullet)
        elif count_tokens(_strategy(parts, {**kept, place: bullet}).text) > MAX_TOKENS:
            left_out.append(_left_out(name, strategy.bullets[place[1]], NO_ROOM))
        else:
            kept[place] = bullet
    merged = _strategy(parts, kept)
    if fault := check_size(merged.text, count_tokens):
        raise EditError(f"the strategies cannot be merged: {fault}")
    return Composition(strategy=merged, left_out=tuple(left_out))


def _in_turn(strategies: Sequence[Strategy]) -> list[Placed]:
    """Places of all bullets: those with an origin first, one of each strategy in turn."""
    rows = [
        sorted(((which, at) for at in range(len(one.bullets))), key=lambda place: not one.bullets[place[1]].origin)
        for which, one in enumerate(strategies)
    ]
    return [place for row in zip_longest(*rows) for place in row if place is not None]


def _with_source(name: str, bullet: Bullet) -> Bullet:
    """The bullet with its run before its own id and the ids of its attempts."""
    return bullet.model_copy(update={"origin": tuple(f"{name}:{one}" for one in (bullet.id, *bullet.origin))})


def _alike(one: str, other: str) -> bool:
    return difflib.SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= SAME_ADVICE


def _joined(kept: Bullet, other: Bullet) -> Bullet:
    return kept.model_copy(update={"origin": tuple(dict.fromkeys((*kept.origin, *other.origin)))})


def _left_out(name: str, bullet: Bullet, reason: str) -> LeftOut:
    return LeftOut(source=name, bullet_id=bullet.id, text=bullet.text, reason=reason)


def _strategy(parts: Sequence[tuple[str, Strategy]], kept: dict[Placed, Bullet]) -> Strategy:
    """The bullets in their old order, sections together, numbered anew."""
    ordered = [kept[place] for place in sorted(kept)]
    sections = {name: rank for rank, name in reversed(list(enumerate(bullet.section for bullet in ordered)))}
    ordered.sort(key=lambda bullet: sections[bullet.section])
    bullets = tuple(bullet.model_copy(update={"id": f"b{n}"}) for n, bullet in enumerate(ordered, 1))
    return Strategy(name=" + ".join(dict.fromkeys(strategy.name for _, strategy in parts)), bullets=bullets)
