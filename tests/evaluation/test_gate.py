"""The gate against no-op edits, real improvements and missing grades."""

import random

import pytest

from evaluation.gate import ExactPairedGate, OpenGate, StrictGate, minimum_detectable_effect, power
from evaluation.intervals import exact_mcnemar_greater


def reroll(difficulty: list[float], rng: random.Random) -> list[bool | None]:
    """One noisy evaluation: each item is solved with its own probability."""
    return [rng.random() < chance for chance in difficulty]


@pytest.mark.parametrize("items", [3, 12, 24, 60])
@pytest.mark.parametrize("chance", [0.1, 0.5, 0.8])
def test_a_no_op_paraphrase_is_accepted_in_at_most_five_percent_of_trials(items: int, chance: float) -> None:
    """A run of two rounds, with a paraphrase as the edit of one of them."""
    rng, gate, accepted = random.Random(items), ExactPairedGate(), 0
    for trial in range(200):
        current, candidate = reroll([chance] * items, rng), reroll([chance] * items, rng)
        accepted += gate.decide(current, candidate, trial % 2, 2).accepted
    assert accepted <= 10


def test_over_all_rounds_together_no_op_edits_stay_within_alpha() -> None:
    rng, gate, accepted = random.Random(0), ExactPairedGate(), 0
    for _ in range(2000):
        rounds = [gate.decide(reroll([0.5] * 60, rng), reroll([0.5] * 60, rng), i, 3) for i in range(3)]
        accepted += any(result.accepted for result in rounds)
    assert accepted / 2000 < 0.05


def test_strictly_more_on_three_items_accepts_a_third_of_no_op_edits() -> None:
    rng, gate = random.Random(7), StrictGate()
    pairs = [(reroll([0.5] * 3, rng), reroll([0.5] * 3, rng)) for _ in range(2000)]
    accepted = sum(gate.decide(current, candidate, 0, 1).accepted for current, candidate in pairs)
    assert 0.30 < accepted / 2000 < 0.38


def test_a_large_improvement_is_accepted() -> None:
    result = ExactPairedGate().decide([False] * 24, [True] * 8 + [False] * 16, 0, 2)
    assert result.accepted
    assert (result.n, result.wins, result.losses, result.alpha) == (24, 8, 0, 0.025)
    assert result.p_value == pytest.approx(0.5**8)


def test_alpha_is_spent_over_the_rounds() -> None:
    current: list[bool | None] = [False] * 5
    better: list[bool | None] = [True] * 5
    assert ExactPairedGate().decide(current, better, 0, 1).accepted
    assert not ExactPairedGate().decide(current, better, 0, 2).accepted
    with pytest.raises(ValueError, match="planned rounds"):
        ExactPairedGate().decide(current, better, 2, 2)


def test_ungraded_items_decide_nothing() -> None:
    result = ExactPairedGate().decide([False, None, True, None], [None, True, True, None], 0, 1)
    assert (result.n, result.wins, result.losses, result.ungraded) == (1, 0, 0, 3)
    assert not result.accepted and result.p_value == 1.0


def test_items_must_match() -> None:
    with pytest.raises(ValueError, match="unpaired"):
        OpenGate().decide([True], [True, False], 0, 1)


def test_the_open_gate_accepts_a_loss_and_keeps_its_figures() -> None:
    result = OpenGate().decide([True, True], [False, True], 0, 1)
    assert result.accepted and result.losses == 1


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
