"""Intervals and tests against independent calculations and simulations."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from evaluation.intervals import (
    balanced_accuracy,
    class_recalls,
    clustered_wilson,
    constant_baseline,
    exact_mcnemar,
    exact_mcnemar_greater,
    holm,
    holm_levels,
    paired_difference,
    sign_flip_greater,
    wilson,
)


@given(st.integers(1, 300), st.data())
def test_wilson_agrees_with_statsmodels(n: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, n))
    assert wilson(correct, n) == pytest.approx(proportion_confint(correct, n, method="wilson"), abs=1e-9)


def test_wilson_without_observations_is_none() -> None:
    assert wilson(0, 0) is None


def test_more_samples_of_one_problem_narrow_nothing() -> None:
    assert clustered_wilson(30, 60, 20) == pytest.approx(wilson(10, 20))


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_agrees_with_statsmodels(wins: int, losses: int) -> None:
    expected = mcnemar([[5, wins], [losses, 5]], exact=True).pvalue
    assert exact_mcnemar(wins, losses) == pytest.approx(min(1.0, expected))
    assert exact_mcnemar_greater(wins, losses) == pytest.approx(stats.binom.sf(wins - 1, wins + losses, 0.5))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm_levels([0.01, 0.04, 0.03]) == pytest.approx([1 - 0.05 / 3, 0.95, 0.975])


def test_always_yes_has_balanced_accuracy_one_half() -> None:
    rows = [("YES", str(i), True) for i in range(132)] + [("NO", f"n{i}", False) for i in range(18)]
    recalls = class_recalls(rows)
    assert recalls["YES"]["recall"] == 1 and recalls["NO"]["recall"] == 0
    found = balanced_accuracy(recalls)
    assert found is not None
    value, (low, high) = found
    assert value == 0.5 and low < 0.5 < high, "the interval does not collapse to a point"
    assert balanced_accuracy({}) is None


def test_the_interval_of_balanced_accuracy_covers() -> None:
    rng, covered = random.Random(0), 0
    for _ in range(400):
        rows = [("YES", f"y{i}", rng.random() < 0.9) for i in range(40)]
        rows += [("NO", f"n{i}", rng.random() < 0.6) for i in range(15)]
        found = balanced_accuracy(class_recalls(rows))
        assert found is not None
        covered += found[1][0] <= 0.75 <= found[1][1]
    assert covered / 400 > 0.92


def test_constant_baseline_of_the_origin() -> None:
    assert constant_baseline(["YES"] * 132 + ["NO"] * 18) == ("YES", 132)
    assert constant_baseline(["B", "A"]) == ("A", 1), "ties go by name"
    assert constant_baseline([]) is None


def test_paired_difference_counts_and_repeats() -> None:
    pairs = {f"p{i}": [(i % 3 > 0, i % 5 == 0)] for i in range(60)}
    first, second = paired_difference(pairs), paired_difference(dict(reversed(pairs.items())))
    assert first.difference == pytest.approx(40 / 60 - 12 / 60)
    assert first.wins - first.losses == 28
    assert first.ci95 == second.ci95, "neither the order nor the run changes the interval"
    assert first.ci95 is not None and first.ci95[0] < first.difference < first.ci95[1]
    wide = first.interval(0.99)
    assert wide is not None and wide[0] <= first.ci95[0] and wide[1] >= first.ci95[1]


def test_paired_bootstrap_covers_the_true_difference() -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(150):
        base, after = rng.random(60) < 0.3, rng.random(60) < 0.5
        result = paired_difference(
            {str(i): [(bool(a), bool(b))] for i, (a, b) in enumerate(zip(after, base, strict=True))}
        )
        covered += result.ci95 is not None and result.ci95[0] <= 0.2 <= result.ci95[1]
    assert covered / 150 > 0.88


def test_samples_of_one_problem_are_one_observation() -> None:
    one = paired_difference({str(i): [(i < 12, i >= 16)] for i in range(20)})
    ten = paired_difference({str(i): [(i < 12, i >= 16)] * 10 for i in range(20)})
    assert (one.wins, one.losses, one.p) == (ten.wins, ten.losses, ten.p)
    assert one.ci95 == pytest.approx(ten.ci95, abs=0.06)
    assert ten.n == 200 and ten.problems == 20


def test_no_pairs_and_one_pair() -> None:
    empty = paired_difference({})
    assert empty.difference is None and empty.ci95 is None and empty.interval(0.9) is None and empty.p == 1
    assert paired_difference({"a": [(True, False)]}).ci95 == (1.0, 1.0)


def test_the_permutation_test_is_mcnemar_for_pass_and_fail_and_exact_on_a_grid() -> None:
    passes = [1.0] * 7 + [-1.0] * 2 + [0.0] * 9
    assert sign_flip_greater(passes) == pytest.approx(exact_mcnemar_greater(7, 2))
    assert sign_flip_greater([step / 3 for step in passes]) == pytest.approx(exact_mcnemar_greater(7, 2))
    steps = [1.0, 2 / 3, -1 / 3, 1 / 3, 0.5, -0.25]
    sums = [sum(s * x for s, x in zip(signs, steps, strict=True)) for signs in itertools.product((1, -1), repeat=6)]
    exact = sum(total >= sum(steps) - 1e-9 for total in sums) / len(sums)
    assert sign_flip_greater(steps) == pytest.approx(exact)
    assert sign_flip_greater([step * 1.0001234 for step in steps]) == pytest.approx(exact)  # off every grid: by scipy
    assert sign_flip_greater([]) == sign_flip_greater([0.0] * 5) == 1.0


def test_the_permutation_test_of_many_scores_off_the_grid_is_near_the_exact_one() -> None:
    rng = random.Random(4)
    steps = [round(rng.uniform(-0.6, 1.0) * 59) / 59 for _ in range(40)]
    moved = [step * 0.99991 for step in steps]
    assert sign_flip_greater(moved) == pytest.approx(sign_flip_greater(steps), abs=0.01)
