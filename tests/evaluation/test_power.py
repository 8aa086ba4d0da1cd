"""What the printed figures promise, against simulations and against each other."""

import random

import numpy as np
import pytest

from evaluation.intervals import exact_mcnemar_greater, sign_flip_greater
from evaluation.power import (
    conditional_power,
    items_needed,
    minimum_detectable_effect,
    power,
    worst_noise,
)


def test_power_agrees_with_a_simulation() -> None:
    rng, n, effect, noise, alpha = random.Random(3), 24, 0.4, 0.05, 0.025
    shown = 0
    for _ in range(4000):
        draws = [rng.random() for _ in range(n)]
        wins, losses = (
            sum(d < effect + noise for d in draws),
            sum(effect + noise <= d < effect + 2 * noise for d in draws),
        )
        shown += exact_mcnemar_greater(wins, losses) <= alpha
    assert power(n, alpha, effect, noise) == pytest.approx(shown / 4000, abs=0.03)


def test_the_detectable_effect_shrinks_with_the_items_and_can_be_none() -> None:
    effects = [minimum_detectable_effect(n, 0.025) for n in (12, 24, 48, 96)]
    assert effects == sorted((e for e in effects if e is not None), reverse=True) and len(effects) == 4
    assert minimum_detectable_effect(3, 0.025) is None


def test_the_worst_noise_is_the_largest_that_any_mixture_of_items_can_have() -> None:
    for effect in (0.0, 0.1, 0.4):
        chances = np.linspace(0, 1 - effect, 1001)
        assert worst_noise(effect) == pytest.approx((chances * (1 - chances - effect)).max(), abs=1e-6)


@pytest.mark.parametrize("noise", [0.05, None])
def test_the_items_needed_show_the_effect_and_a_tenth_fewer_do_not(noise: float | None) -> None:
    alpha, effect = 0.025, 0.1
    n = items_needed(effect, alpha, noise=noise)
    chance = worst_noise(effect) if noise is None else noise
    assert n is not None and power(n, alpha, effect, chance) >= 0.8 > power(round(0.9 * n), alpha, effect, chance)
    shown = minimum_detectable_effect(n, alpha, noise=noise)
    assert shown is not None and shown <= effect + 0.001
    assert items_needed(0.0, alpha) is None


def test_power_with_repeats_agrees_with_a_simulation() -> None:
    """A gain in a tenth of the items, the others at a coin's toss; three replies to each."""
    rng, n, alpha, repeats, shown = np.random.default_rng(1), 100, 0.025, 3, 0
    for _ in range(600):
        gained = rng.random(n) < 0.1
        old = np.where(gained, 0.0, rng.binomial(repeats, 0.5, n) / repeats)
        new = np.where(gained, 1.0, rng.binomial(repeats, 0.5, n) / repeats)
        shown += sign_flip_greater((new - old).tolist()) <= alpha
    assert power(n, alpha, 0.1, 0.9 * 0.25, repeats) == pytest.approx(shown / 600, abs=0.06)


def test_conditional_power_starts_at_the_plan_and_moves_with_the_evidence() -> None:
    assert conditional_power(0, 0, 0, 100, 0.025) == pytest.approx(0.8)
    before, after = conditional_power(-5, 20, 50, 100, 0.025), conditional_power(12, 20, 50, 100, 0.025)
    assert before < 0.05 and after > 0.95
    assert conditional_power(1, 1, 10, 10, 0.025) == 1.0
