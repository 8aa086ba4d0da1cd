"""Cohen's kappa and its interval, against worked examples and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.agreement import cohens_kappa, measure_agreement


def test_a_worked_example() -> None:
    """20 and 15 agreed, 5 and 10 not: observed 0.7, chance 0.5, kappa 0.4."""
    kappa, interval = cohens_kappa(20, 15, judge_only=10, verifier_only=5)
    assert kappa == pytest.approx(0.4)
    assert interval is not None and interval[0] < 0.16 and interval[1] > 0.64  # asymptotic: 0.148 to 0.652


def test_perfect_agreement_on_few_replies_is_no_certainty() -> None:
    few, many = cohens_kappa(4, 4, 0, 0), cohens_kappa(100, 100, 0, 0)
    assert few[0] == many[0] == 1.0
    assert few[1] is not None and few[1][0] < 0.4 and few[1][1] == 1.0
    assert many[1] is not None and many[1][0] > 0.95


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (30, 0, 0, 0), (0, 12, 0, 0)])
def test_undefined_where_there_is_one_class_only(counts: tuple[int, int, int, int]) -> None:
    assert cohens_kappa(*counts) == (None, None)


def test_a_judge_that_always_passes_agrees_no_better_than_chance() -> None:
    kappa, interval = cohens_kappa(25, 0, judge_only=25, verifier_only=0)
    assert kappa == 0.0 and interval is not None and interval[0] < 0 < interval[1]


def test_the_interval_holds_the_truth_often_enough() -> None:
    """Right half of the time; the judge errs in 15%: kappa is 0.7."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        truth, errs = rng.random(60) < 0.5, rng.random(60) < 0.15
        said = truth ^ errs
        _, interval = cohens_kappa(
            int((truth & said).sum()),
            int((~truth & ~said).sum()),
            int((~truth & said).sum()),
            int((truth & ~said).sum()),
        )
        held += interval is not None and interval[0] <= 0.7 <= interval[1]
    assert held >= 0.95 * 300


def test_ungraded_replies_are_counted_apart() -> None:
    pairs = [(True, True)] * 3 + [(False, True)] * 2 + [(True, False)] + [(False, False)] * 4 + [(True, None)] * 5
    found = measure_agreement(pairs, "vllm:j@http://h/v1", "x", "python")
    assert (found.both_pass, found.both_fail, found.judge_only, found.verifier_only) == (3, 4, 2, 1)
    assert (found.n, found.ungraded, found.accuracy) == (10, 5, 0.7)
    empty = measure_agreement([(True, None)], "j", "x", "python")
    assert (empty.n, empty.accuracy, empty.kappa, empty.kappa_ci95) == (0, None, None, None)
