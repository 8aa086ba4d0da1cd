"""Lifts between models: fractions with Fieller's interval, none where there is nothing to divide by, maximin."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.crossmodel import CANDIDATE, fieller, gains_nothing, lift, selection, transfer_fraction, transfer_matrix
from records.nouns import EvaluationRow
from tests.evaluation.rows import row


def arm(name: str, right: int, n: int = 24, start: int = 0, **fields: object) -> list[EvaluationRow]:
    """`right` of `n` problems solved, those from `start` on."""
    chosen = range(start, start + right)
    found = [row(name, i, "pass" if i in chosen else "fail", split="validation", **fields) for i in range(n)]
    return found


def suite(model: str, none: int, learned: int, kind: str = "strategy") -> list[EvaluationRow]:
    fields = {"suite": kind, "model": model}
    return [*arm("none", none, **fields), *arm("learned", learned, **fields)]


def test_fieller_is_the_ratio_test_turned_around() -> None:
    """The ratios at which the paired t test of a - ratio * b does not reject are exactly those within."""
    rng = np.random.default_rng(1)
    b = rng.normal(1.0, 1.0, 40)
    a = 0.6 * b + rng.normal(0, 0.5, 40)
    found = fieller(a, b)
    assert found is not None
    from scipy import stats

    for edge in found:
        assert stats.ttest_1samp(a - edge * b, 0).pvalue == pytest.approx(0.05, abs=1e-6)
    assert found[0] < a.mean() / b.mean() < found[1]


def test_fieller_covers_the_true_ratio() -> None:
    rng, hits, bounded = np.random.default_rng(7), 0, 0
    for _ in range(400):
        b = (rng.random(60) < 0.5).astype(float)
        a = b * (rng.random(60) < 0.6)  # 60% of what the source gains arrives
        found = fieller(a, b)
        bounded += found is not None
        hits += found is not None and found[0] <= 0.6 <= found[1]
    assert bounded == 400 and 0.92 <= hits / 400 <= 0.98


def test_fieller_has_no_interval_where_the_denominator_may_be_nothing() -> None:
    assert fieller(np.ones(1), np.ones(1)) is None
    assert fieller(np.array([1.0, 0, 1, 0]), np.array([1.0, -1, 1, -1])) is None
    assert fieller(np.array([1.0, 0, 1, 1]), np.zeros(4)) is None
    assert fieller(np.full(5, 0.5), np.ones(5)) == (0.5, 0.5)


def test_a_lift_is_paired_and_ungraded_replies_are_left_out() -> None:
    rows = [*arm("learned", 10, 20, suite="strategy"), row("learned", 20, "ungraded", split="validation")]
    base = [*arm("none", 4, 20, suite="strategy"), row("none", 20, "pass", split="validation")]
    found = lift(rows, base)
    assert found is not None
    assert (found["lift"], found["n"], found["ungraded"]) == (pytest.approx(0.3), 20, 1)
    assert found["ci95"][0] < 0.3 < found["ci95"][1]
    assert lift(rows, []) is None and lift([row("a", 0, "ungraded")], [row("b", 0, "pass")]) is None


def test_the_fraction_is_the_share_of_the_sources_gain_that_arrives() -> None:
    found = transfer_matrix(suite("source", 2, 18) + suite("half", 2, 10) + suite("none", 2, 2), "source")
    assert found is not None and found["source_lift"]["lift"] == pytest.approx(16 / 24)
    assert set(found["fractions"]) == {"half", "none"}  # a model's share of itself says nothing
    half, none = found["fractions"]["half"], found["fractions"]["none"]
    assert half["value"] == pytest.approx(0.5) and half["ci95"][0] < 0.5 < half["ci95"][1]
    assert none["value"] == 0 and none["ci95"] == (0.0, 0.0)
    assert found["worst"]["model"] == "none" and found["worst"]["lift"] == 0


@pytest.mark.parametrize(("learned", "word"), [(4, "is not shown"), (2, "is not shown"), (0, "negative")])
def test_the_fraction_is_undefined_where_the_source_gains_nothing(learned: int, word: str) -> None:
    none = 12 if learned == 0 else 2
    found = transfer_matrix(suite("source", none, learned) + suite("other", 2, 20), "source")
    assert found is not None
    fraction = found["fractions"]["other"]
    assert fraction["value"] is None and fraction["ci95"] is None and word in fraction["undefined"]


def test_a_source_that_is_no_validator_is_measured_apart_and_judged_by_nobody() -> None:
    rows = suite("validator", 2, 10) + suite("teacher", 2, 18, "source")
    found = transfer_matrix(rows, "teacher")
    assert found is not None and list(found["lifts"]) == ["validator"] and found["worst"]["model"] == "validator"
    assert found["fractions"]["validator"]["value"] == pytest.approx(0.5)
    missing = transfer_matrix(suite("validator", 2, 10), "teacher")
    assert missing is not None and missing["source_lift"] is None
    assert "no graded replies" in missing["fractions"]["validator"]["undefined"]
    assert transfer_matrix([], "teacher") is None


def test_problems_that_one_of_them_was_not_asked_are_left_out() -> None:
    source = {"learned": arm("learned", 20), "none": arm("none", 2)}
    validator = {"learned": arm("learned", 6, 12), "none": arm("none", 2, 12)}
    found = transfer_fraction(validator, source)
    assert found["problems"] == 12 and found["value"] == pytest.approx(4 / 10)


def candidates(*lifts: tuple[int, int]) -> list[EvaluationRow]:
    """Candidates with so many of 24 solved by validators a and b, where 6 are solved without a strategy."""
    rows = [r for model in "ab" for r in arm("none", 6, suite="selection", model=model)]
    for place, right in enumerate(lifts):
        for model, count in zip("ab", right, strict=True):
            found = arm(f"{CANDIDATE}{place}", count, suite="selection", model=model)
            rows += [r.model_copy(update={"strategy_hash": f"hash-{place}"}) for r in found]
    return rows


@pytest.mark.parametrize(
    ("lifts", "chosen"),
    [
        (((8, 8), (20, 4), (9, 10)), "hash-2"),  # much for one and harm for the other loses
        (((12, 12), (8, 8)), "hash-0"),  # an earlier one can be the best
        (((6, 6), (6, 6), (6, 6)), "hash-2"),  # nothing gained by any: the loop's last one
        (((8, 6), (6, 8)), "hash-1"),
    ],
)
def test_the_best_worst_validator_chooses(lifts: tuple[tuple[int, int], ...], chosen: str) -> None:
    found = selection(candidates(*lifts))
    assert found is not None and found["chosen"] == chosen and found["validators"] == ["a", "b"]
    assert [entry["hash"] for entry in found["candidates"]] == [f"hash-{i}" for i in range(len(lifts))]
    for entry, right in zip(found["candidates"], lifts, strict=True):
        assert entry["worst"]["lift"] == pytest.approx((min(right) - 6) / 24)


def test_a_candidate_that_one_validator_could_not_be_judged_on_is_not_chosen() -> None:
    rows = [
        r.model_copy(update={"outcome": "ungraded"}) if (r.arm, r.model) == (f"{CANDIDATE}0", "b") else r
        for r in candidates((24, 24), (8, 8))
    ]
    found = selection(rows)
    assert found is not None and found["chosen"] == "hash-1" and found["candidates"][0]["worst"] is None
    assert selection([]) is None


def test_ten_candidates_keep_their_order() -> None:
    found = selection(candidates(*[(6, 6)] * 11))
    assert found is not None and found["candidates"][-1]["hash"] == found["chosen"] == "hash-10"


def test_gaining_nothing_is_not_to_be_shown_to_gain() -> None:
    assert gains_nothing(None) and gains_nothing({"ci95": (-0.1, 0.2)}) and gains_nothing({"ci95": (0.0, 0.2)})
    assert not gains_nothing({"ci95": (0.01, 0.2)})
