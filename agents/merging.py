"""One strategy out of several: the bullets that seem to help, wherever they were tried.

Guaranteed: every bullet of the result stands in one of the strategies, word for word, with its origin; ids are
unique; of two wordings of the same bullet one is taken; no text stands twice. Not guaranteed: that the
result helps: it is measured like any other edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from agents.playbook import next_number
from records.nouns import Bullet, Strategy


def merge_by_effects(
    base: Strategy,
    others: Sequence[Strategy],
    lifts: Mapping[str, float],
    round: int,
    fits: Callable[[str], bool],
) -> Strategy | None:
    """`base` without the bullets whose estimated lift (by text) is below 0, with those of `others` above 0.

    The largest lifts come first, as long as the text `fits`. None if nothing would change.
    """
    kept = [bullet for bullet in base.bullets if lifts.get(bullet.text, 0.0) >= 0] or list(base.bullets)
    for bullet in _helpful(base, others, lifts):
        grown = _with(kept, bullet, lifts, base)
        if fits(_rendered(base, grown, round).text):
            kept = grown
    merged = _rendered(base, kept, round)
    return None if merged.hash == base.hash or not fits(merged.text) else merged


def _helpful(base: Strategy, others: Sequence[Strategy], lifts: Mapping[str, float]) -> Iterator[Bullet]:
    """Bullets of the others that `base` has not, each text once, the largest lift first."""
    found = {bullet.text: bullet for other in others for bullet in other.bullets}
    for bullet in base.bullets:
        found.pop(bullet.text, None)
    ranked = sorted(found.values(), key=lambda bullet: (-lifts.get(bullet.text, 0.0), bullet.text))
    return (bullet for bullet in ranked if lifts.get(bullet.text, 0.0) > 0)


def _with(kept: Sequence[Bullet], bullet: Bullet, lifts: Mapping[str, float], base: Strategy) -> list[Bullet]:
    """With one bullet more, or in place of another wording of the same one if it seems better."""
    for place, old in enumerate(kept):
        if (old.id, old.created) == (bullet.id, bullet.created):
            better = lifts.get(bullet.text, 0.0) > lifts.get(old.text, 0.0)
            return [*kept[:place], bullet if better else old, *kept[place + 1 :]]
    taken = {one.id for one in (*kept, *base.bullets)}
    if bullet.id in taken:
        number = next_number(base.model_copy(update={"bullets": (*base.bullets, *kept)}))
        bullet = bullet.model_copy(update={"id": f"b{number}"})
    return [*kept, bullet]


def _rendered(base: Strategy, bullets: Sequence[Bullet], round: int) -> Strategy:
    return Strategy(name=base.name, bullets=tuple(bullets), parent=base.hash, round=round)
