"""Rounds of the student: the last one is the verdict's, each change is tested, failures are counted per family."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.student_rounds import failing_families, last_round, student_rounds
from evaluation.summary import student_split
from records.nouns import EvaluationRow
from tests.evaluation.rows import row


def trained(
    arm: str, number: int, right: int, n: int = 30, suite: Any = "student", split: Any = "test"
) -> list[EvaluationRow]:
    made = [row(arm, i, "pass" if i < right else "fail", suite=suite, split=split) for i in range(n)]
    return [r.model_copy(update={"round": number, "id": f"{r.id}/{number}"}) for r in made]


def two_rounds(first: int, second: int) -> list[EvaluationRow]:
    rows = [row("base", i, "fail") for i in range(30)]
    for number, right in ((1, first), (2, second)):
        rows += trained("lora_plain", number, right)
        rows += trained("lora_plain", number, right // 2, 12, "feedback", "validation")
    return rows


def test_the_last_round_is_the_reports_whatever_it_scored() -> None:
    rows = last_round([r for r in two_rounds(28, 6) if r.suite == "student"])
    split = student_split(rows)
    assert {arm: figures["correct"] for arm, figures in split["arms"].items()} == {"base": 0, "lora_plain": 6}
    assert all(r.round == 2 or r.arm == "base" for r in rows)


@pytest.mark.parametrize(("first", "second", "word"), [(4, 24, "improved"), (10, 11, "not shown"), (24, 4, "worse")])
def test_accuracy_per_round_and_what_a_round_changed(first: int, second: int, word: str) -> None:
    found = student_rounds(two_rounds(first, second))
    assert found is not None
    assert [entry["round"] for entry in found["rounds"]] == [1, 2]
    assert [entry["test"]["lora_plain"]["correct"] for entry in found["rounds"]] == [first, second]
    assert found["rounds"][0]["feedback"]["lora_plain"]["n"] == 12 and found["rounds"][0]["ood"] == {}
    (change,) = [c for c in found["changes"] if c["split"] == "test"]
    assert (change["b"], change["a"], change["arm"], change["verdict"]) == (1, 2, "lora_plain", word)
    assert change["difference"] == pytest.approx((second - first) / 30)


def test_a_single_round_has_no_section() -> None:
    assert student_rounds([row("base", 0, "fail"), row("lora_plain", 0, "pass")]) is None


def test_families_with_most_failures_come_first_and_ungraded_ones_are_no_failures() -> None:
    rows = [
        row("lora_plain", 0, "fail", family="b"),
        row("lora_plain", 1, "unparsed", family="b"),
        row("lora_plain", 2, "fail", family="a"),
        row("lora_plain", 3, "ungraded", family="c"),
        row("lora_plain", 4, "pass", family="d"),
    ]
    assert failing_families(rows) == ["b", "a"]
