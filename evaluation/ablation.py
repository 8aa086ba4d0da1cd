"""What each bullet of a strategy is worth: the strategy with all bullets against the one without it.

The lift of a bullet is the paired difference "with all" minus "without it", on the same items, per
validator and over all of them. Guaranteed: a bullet is proposed for deletion only if the upper bound of a
95% interval of its lift lies below 0. Not guaranteed: that a bullet with no lift is useless (another may
say the same; leaving out one of two twins changes nothing), nor that every proposal is right: there are as
many intervals as bullets times validators, and none is corrected, as a warning errs on the cautious side.
Lifts are measured on the gate's items, so a bullet that the gate accepted on them looks somewhat too good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.crossmodel import lift
from evaluation.intervals import paired_difference
from evaluation.pairs import align
from evaluation.tables import by_arm
from records.nouns import Bullet, EvaluationRow, Strategy

Json = dict[str, Any]
Rows = Sequence[EvaluationRow]
ALL, WITHOUT = "all", "without "  # arms of the ablation suite; the bullet's id follows


def without(strategy: Strategy, bullet: Bullet) -> Strategy:
    """The strategy with one bullet left out, and all others as they are."""
    rest = tuple(other for other in strategy.bullets if other != bullet)
    return strategy.model_copy(update={"bullets": rest, "parent": strategy.hash})


def newest(strategy: Strategy, most: int) -> list[Bullet]:
    """At most so many bullets, those of the latest rounds first, in the strategy's order."""
    ranked = sorted(strategy.bullets, key=lambda bullet: -bullet.round)[:most]
    return [bullet for bullet in strategy.bullets if bullet in ranked]


def ablation(rows: Rows, bullets: Sequence[Bullet]) -> Json | None:
    """Each bullet's lift per validator and over all; None if nothing was left out.

    `rows` are those of the suite "ablation" about one version, `bullets` the version's. `harmful` lists
    the ids of the bullets that are proposed for deletion.
    """
    found = [row for row in rows if row.suite == "ablation"]
    models = sorted({row.model for row in found})
    arms = {model: by_arm(row for row in found if row.model == model) for model in models}
    measured = [bullet for bullet in bullets if any(WITHOUT + bullet.id in arms[model] for model in models)]
    if not measured:
        return None
    entries = [_entry(bullet, arms) for bullet in measured]
    return {
        "models": models,
        "bullets": entries,
        "harmful": [entry["id"] for entry in entries if entry["harmful_to"]],
        "unmeasured": [bullet.id for bullet in bullets if bullet not in measured],
        "intervals": sum(found is not None for entry in entries for found in entry["lifts"].values()),
    }


def _entry(bullet: Bullet, arms: Mapping[str, Mapping[str, Rows]]) -> Json:
    name = WITHOUT + bullet.id
    lifts = {model: lift(found.get(ALL, ()), found.get(name, ())) for model, found in arms.items()}
    pooled = _pooled([(found.get(ALL, ()), found.get(name, ())) for found in arms.values()]) if len(arms) > 1 else None
    harmful = [model for model, found in lifts.items() if is_harmful(found)]
    if is_harmful(pooled) and not harmful:
        harmful = ["all together"]
    about = {"id": bullet.id, "section": bullet.section, "text": bullet.text, "round": bullet.round}
    return {**about, "lifts": lifts, "pooled": pooled, "harmful_to": harmful}


def _pooled(arms: Sequence[tuple[Rows, Rows]]) -> Json | None:
    """Over all validators: an item's replies by several models are one observation."""
    pairs: dict[str, list[tuple[bool, bool]]] = {}
    for full, reduced in arms:
        if full and reduced:
            for problem, units in align([full, reduced]).pairs(0, 1).items():
                pairs.setdefault(problem, []).extend(units)
    found = paired_difference(pairs)
    if not found.n:
        return None
    return {"lift": found.difference, "ci95": found.ci95, "p": found.p, "n": found.n, "problems": found.problems}


def is_harmful(found: Mapping[str, Any] | None) -> bool:
    """The whole interval of the lift lies below 0."""
    return found is not None and found["ci95"][1] < 0
