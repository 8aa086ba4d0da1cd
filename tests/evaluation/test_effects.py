"""What each bullet is worth, estimated from strategies that bundle them."""

import itertools

import numpy as np
import pytest

from evaluation.effects import PRIOR, Measured, bullet_effects


def reply(bullets: frozenset[str], item: int, lifts: dict[str, float], rng: np.random.Generator | None) -> float:
    chance = 0.2 + 0.1 * (item % 5) + sum(lifts[one] for one in bullets)
    return chance if rng is None else float(rng.random() < chance)


def measured(lifts: dict[str, float], items: int, seed: int | None) -> list[Measured]:
    """Every set of the bullets; half of the sets were dropped after a quarter of the items."""
    rng = None if seed is None else np.random.default_rng(seed)
    sets = [frozenset(chosen) for n in range(len(lifts) + 1) for chosen in itertools.combinations(sorted(lifts), n)]
    counts = [items if number % 2 else items // 4 for number in range(len(sets))]
    return [
        Measured(bullets, {str(item): reply(bullets, item, lifts, rng) for item in range(count)})
        for bullets, count in zip(sets, counts, strict=True)
    ]


LIFTS = {"good": 0.15, "idle": 0.0, "bad": -0.1, "small": 0.05}


def test_without_noise_the_true_lifts_come_out() -> None:
    effects = bullet_effects(measured(LIFTS, 80, None))
    assert {name: effect.lift for name, effect in effects.items()} == pytest.approx(LIFTS, abs=0.02)


def test_noisy_replies_give_the_signs_and_errors_that_cover() -> None:
    errors = []
    for seed in range(20):
        effects = bullet_effects(measured(LIFTS, 200, seed))
        assert effects["good"].lift > 0 > effects["bad"].lift
        errors += [(effects[name].lift - lift) / effects[name].error for name, lift in LIFTS.items()]
    assert np.mean(np.abs(errors) < 1.96) > 0.85 and 0.5 < np.std(errors) < 1.4


def test_a_bullet_that_never_varied_is_worth_nothing_known() -> None:
    scores = {"1": 1.0, "2": 0.0}
    effects = bullet_effects([Measured(frozenset({"a", "b"}), scores), Measured(frozenset({"a"}), scores)])
    assert effects["a"].lift == 0.0 and effects["a"].error == pytest.approx(PRIOR)
    assert bullet_effects([]) == {} and bullet_effects([Measured(frozenset({"a"}), {})])["a"].lift == 0.0


def test_items_of_another_difficulty_do_not_pass_for_a_lift() -> None:
    """One strategy was asked easy items only: its bullet is not worth their ease."""
    hard, easy = {str(i): 0.0 for i in range(50)}, {str(i): 1.0 for i in range(50, 60)}
    effects = bullet_effects([Measured(frozenset(), {**hard, **easy}), Measured(frozenset({"a"}), easy)])
    assert effects["a"].lift == pytest.approx(0.0, abs=1e-9)
