"""The gate against no-op edits, real improvements, missing grades and early stops."""

import itertools
import math
import random

import pytest

from evaluation.gate import (
    ONCE,
    ConfirmGate,
    GateRule,
    OpenGate,
    Round,
    SequentialGate,
    StrictGate,
    gate_rule,
    mean_scores,
    promise,
)
from evaluation.power import STEADY, items_needed
from graphs.settings import SettingsError, build_config
from records.nouns import GateResult


def reroll(difficulty: list[float], rng: random.Random) -> list[bool | None]:
    """One noisy evaluation: each item is solved with its own probability."""
    return [rng.random() < chance for chance in difficulty]


@pytest.mark.parametrize("items", [3, 12, 24, 60])
@pytest.mark.parametrize("chance", [0.1, 0.5, 0.8])
def test_a_no_op_paraphrase_is_accepted_in_at_most_five_percent_of_trials(items: int, chance: float) -> None:
    """A run of two rounds, with a paraphrase as the edit of one of them."""
    rng, gate, accepted = random.Random(items), SequentialGate(), 0
    for trial in range(200):
        current, candidate = reroll([chance] * items, rng), reroll([chance] * items, rng)
        accepted += gate.decide(current, candidate, Round(trial % 2, 2, trial % 2 * 0.025)).accepted
    assert accepted <= 10


@pytest.mark.parametrize("asked_once", [True, False])  # a run asks the current strategy once
def test_over_all_rounds_together_no_op_edits_stay_within_alpha(asked_once: bool) -> None:
    rng, gate, accepted = random.Random(0), SequentialGate(), 0
    places = [Round(i, 3, i * 0.05 / 3) for i in range(3)]
    for _ in range(2000):
        known = reroll([0.5] * 60, rng)
        rounds = [
            gate.decide(known if asked_once else reroll([0.5] * 60, rng), reroll([0.5] * 60, rng), place)
            for place in places
        ]
        accepted += any(result.accepted for result in rounds)
    assert accepted / 2000 < 0.05


def test_strictly_more_on_three_items_accepts_a_third_of_no_op_edits() -> None:
    rng, gate = random.Random(7), StrictGate()
    pairs = [(reroll([0.5] * 3, rng), reroll([0.5] * 3, rng)) for _ in range(2000)]
    accepted = sum(gate.decide(current, candidate, Round(0, 1)).accepted for current, candidate in pairs)
    assert 0.30 < accepted / 2000 < 0.38


def test_a_large_improvement_is_accepted() -> None:
    result = SequentialGate().decide([False] * 24, [True] * 8 + [False] * 16, Round(0, 2))
    assert result.accepted
    assert (result.n, result.wins, result.losses, result.alpha) == (24, 8, 0, 0.025)
    assert result.p_value == pytest.approx(0.5**8)
    assert (result.policy, result.planned, result.alpha_spent, result.stopped) == ("sequential", 24, 0.025, "")
    assert result.difference == pytest.approx(1 / 3) and result.detectable == pytest.approx(0.445, abs=0.01)


def test_alpha_is_spent_over_the_rounds() -> None:
    current: list[bool | None] = [False] * 5
    better: list[bool | None] = [True] * 5
    assert SequentialGate().decide(current, better, Round(0, 1)).accepted
    assert not SequentialGate().decide(current, better, Round(0, 2)).accepted
    with pytest.raises(ValueError, match="planned rounds"):
        SequentialGate().decide(current, better, Round(2, 2))


def test_a_round_without_a_test_leaves_its_alpha_to_the_next() -> None:
    gate = SequentialGate()
    assert gate.level(Round(1, 4, 0.0125)) == pytest.approx(0.0125)
    assert gate.level(Round(2, 4, 0.0125)) == pytest.approx(0.025)
    assert gate.level(Round(3, 4, 0.05)) == 0.0


def test_ungraded_items_decide_nothing() -> None:
    result = SequentialGate().decide([False, None, True, None], [None, True, True, None], Round(0, 1))
    assert (result.n, result.wins, result.losses, result.ungraded) == (1, 0, 0, 3)
    assert not result.accepted and result.p_value == 1.0


def test_items_must_match() -> None:
    with pytest.raises(ValueError, match="unpaired"):
        OpenGate().decide([True], [True, False], Round(0, 1))


def test_the_open_gate_accepts_a_loss_and_keeps_its_figures() -> None:
    result = OpenGate().decide([True, True], [False, True], Round(0, 1))
    assert result.accepted and result.losses == 1
    assert result.alpha_spent is None and OpenGate().batches(24, 0, 0) == []


def test_several_replies_to_one_item_count_as_one_item() -> None:
    """Forty equal replies to one item are no evidence; a difference in six items is."""
    assert mean_scores([(True, False, None), (None,), (True, True)]) == [0.5, None, 1.0]
    gate = SequentialGate(repeats=40)
    once = gate.decide(mean_scores([[False] * 40]), mean_scores([[True] * 40]), Round(0, 1))
    assert once.p_value == 0.5 and not once.accepted and once.repeats == 40
    assert gate.decide([0.5] * 6, [0.75] * 6, Round(0, 1)).accepted


def all_of(rule: GateRule, current: list[bool | None], candidate: list[bool | None], place: Round) -> GateResult:
    """What the graph does: batch after batch until the rule stops."""
    batches, old, new = rule.batches(len(current), place.index, 0), [], []
    planned = sum(map(len, batches))
    for batch in batches:
        old += [current[i] for i in batch]
        new += [candidate[i] for i in batch]
        if result := rule.stop(old, new, planned, place):
            return result
    return rule.decide(old, new, place)


@pytest.mark.parametrize("gain", [0.0, 0.15, 0.3])
def test_without_futility_a_stop_never_changes_the_decision_and_saves_items(gain: float) -> None:
    rng, gate, place, used = random.Random(1), SequentialGate(looks=6, futility=0.0), Round(0, 2), 0
    for _ in range(150):
        current, candidate = reroll([0.4] * 72, rng), reroll([0.4 + gain] * 72, rng)
        result = all_of(gate, current, candidate, place)
        in_order = [i for batch in gate.batches(72, 0, 0) for i in batch]
        whole = gate.decide([current[i] for i in in_order], [candidate[i] for i in in_order], place)
        assert result.accepted == whole.accepted
        assert bool(result.stopped) == (result.n < 72)
        used += result.n
    assert used < 150 * 72


def test_futility_only_takes_acceptances_away_and_few() -> None:
    rng, place = random.Random(2), Round(0, 2)
    bold, patient = SequentialGate(looks=6), SequentialGate(looks=6, futility=0.0)
    lost, shown, saved = 0, 0, 0
    for gain, _ in itertools.product((0.0, 0.25), range(200)):
        current, candidate = reroll([0.4] * 72, rng), reroll([0.4 + gain] * 72, rng)
        first, second = (all_of(gate, current, candidate, place) for gate in (bold, patient))
        assert second.accepted or not first.accepted
        lost, shown, saved = (
            lost + (second.accepted and not first.accepted),
            shown + second.accepted,
            saved + second.n - first.n,
        )
    assert shown > 100 and lost <= 0.05 * shown
    assert saved > 0.1 * 200 * 72  # beyond what certainty saves, a tenth of what the no-op edits may ask


def test_each_rule_says_which_items_it_wants() -> None:
    sequential, strict = SequentialGate(), StrictGate()
    for items, sizes in ((4, [4]), (24, [12, 12]), (25, [12, 12, 1]), (200, [50] * 4)):
        batches = sequential.batches(items, 0, seed=3)
        assert [len(batch) for batch in batches] == sizes
        assert sorted(i for batch in batches for i in batch) == list(range(items))
        assert batches == sequential.batches(items, 1, seed=3)  # known outcomes serve again
    (first,), (second,) = strict.batches(200, 0, 3), strict.batches(200, 1, 3)
    assert len(first) == len(second) == 3 and first != second
    assert strict.batches(2, 0, 3)[0] in ([0, 1], [1, 0])


def test_the_configuration_names_the_rule() -> None:
    def rule(*overrides: str) -> GateRule:
        return gate_rule(build_config({"domain": "scheduling", "approve": "gate"}, overrides))

    assert rule() == ConfirmGate()
    assert rule("gate.proof_share=0.5", "gate.looks=2") == ConfirmGate(share=0.5, looks=2)
    assert rule("gate.rule=sequential") == SequentialGate()
    assert rule("gate.rule=strict", "gate.minibatch=5") == StrictGate(5)
    assert rule("gate.rule=none") == OpenGate()
    fields = ("gate.repeats=3", "decoding.temperature=0.7", "gate.looks=2", "gate.futility=0", "loop.alpha=0.1")
    assert rule("gate.rule=sequential", *fields) == SequentialGate(alpha=0.1, looks=2, futility=0.0, repeats=3)
    with pytest.raises(SettingsError, match=r"gate\.repeats=3 with decoding\.temperature=0 pays for the same reply"):
        rule("gate.repeats=3")
    with pytest.raises(SettingsError, match=r"gate\.rule.*'confirm', 'sequential', 'strict' or 'none'"):
        rule("gate.rule=greedy")


def test_the_promise_names_what_can_be_shown_and_what_ten_points_would_cost() -> None:
    def said(*overrides: str) -> str:
        return promise(build_config({"domain": "scheduling", "approve": "gate"}, ("gate.rule=sequential", *overrides)))

    gate = SequentialGate()
    assert said("sizes.gate=24").startswith("gate 'sequential': 24 items, alpha 0.0250 per round (0.05 over all)")
    for noise in (STEADY, None):
        gain = gate.detectable(24, 0.025, noise)
        assert gain is not None and f"{gain:.0%}" in said("sizes.gate=24")
    assert "too few to show any gain" in said("sizes.gate=4")
    assert "no test" in said("gate.rule=strict") and "no test" in said("gate.rule=none")


def test_what_is_searched_on_and_what_proves_the_end_have_no_item_in_common() -> None:
    gate = ConfirmGate()
    for items, searched, kept in ((2, 1, 1), (4, 1, 3), (24, 8, 16), (300, 100, 200)):
        search = [i for batch in gate.batches(items, 0, seed=3) for i in batch]
        proof = [i for batch in gate.proof_batches(items, seed=3) for i in batch]
        assert (len(search), len(proof)) == gate.sizes(items) == (searched, kept)
        assert sorted(search + proof) == list(range(items))
        assert gate.batches(items, 0, 3) == gate.batches(items, 5, 3)  # known outcomes serve again
    assert [len(batch) for batch in gate.batches(300, 0, 3)] == [25, 75]
    assert [len(batch) for batch in gate.proof_batches(300, 3)] == [50] * 4
    with pytest.raises(ValueError, match="two items"):
        gate.sizes(1)


def test_a_search_drops_who_is_behind_and_keeps_who_solves_more() -> None:
    gate = ConfirmGate()
    behind = gate.stop([True, True], [True, False], 8, ONCE)
    assert behind is not None and not behind.accepted and behind.stopped == "it is behind"
    assert gate.stop([True, False], [False, True], 8, ONCE) is None  # level is not behind
    assert gate.stop([True], [False], 1, ONCE) is None  # all items were used: `decide` says it
    assert gate.decide([True, False], [True, True], ONCE).accepted
    tie = gate.decide([True, False], [False, True], ONCE)
    assert not tie.accepted and (tie.policy, tie.alpha, tie.alpha_spent) == ("confirm", 1.0, None)
    assert not gate.decide([None], [True], ONCE).accepted


def test_the_proof_is_one_test_at_the_whole_alpha() -> None:
    gate = ConfirmGate(alpha=0.05)
    assert gate.proof.level(ONCE) == 0.05
    assert gate.proof.decide([False] * 5, [True] * 5, ONCE).accepted
    assert not gate.proof.decide([False] * 4, [True] * 4, ONCE).accepted


def test_the_promise_of_a_proof_counts_the_items_of_the_search_too() -> None:
    said = promise(build_config({"domain": "scheduling", "approve": "gate"}, ("sizes.gate=24",)))
    assert said.startswith("gate 'confirm': 8 items for the search, 16 others prove its end once, alpha 0.05")
    proof = SequentialGate()
    for noise in (STEADY, None):
        gain = proof.detectable(16, 0.05, noise)
        assert gain is not None and f"{gain:.0%}" in said
        needed = items_needed(0.1, 0.05, proof.goal, noise)
        assert needed is not None and ConfirmGate().sizes(math.ceil(needed * 3 / 2))[1] >= needed
        assert str(math.ceil(needed * 3 / 2)) in said
