"""Verdicts on pairs, judged in this process: the lists, the public sets, bad input."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.maths_contracts import Contract, ContractError, parse_contract
from sandbox.maths_judge import judge_pair
from tests.needs import data_file
from tests.sandbox.maths_pairs import DIFFERENT, EQUAL, pairs

AUTO = Contract()


def rows(name: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in data_file("maths", name).open(encoding="utf-8"))


@pytest.mark.parametrize(("gold", "answer"), pairs(EQUAL))
def test_equal(gold: str, answer: str) -> None:
    verdict, reason = judge_pair(gold, answer, AUTO)
    assert verdict == "equal", reason


@pytest.mark.parametrize(("gold", "answer"), pairs(DIFFERENT))
def test_different(gold: str, answer: str) -> None:
    verdict, reason = judge_pair(gold, answer, AUTO)
    assert verdict == "different", reason


def test_nothing_was_executed() -> None:
    for gold, answer in pairs(DIFFERENT):
        if "import" in answer:
            judge_pair(answer, answer, AUTO)
            judge_pair(gold, rf"\boxed{{{answer}}}", AUTO)
    assert not Path("/tmp/executed-by-the-checker").exists()


@pytest.mark.parametrize(
    ("gold", "answer", "contract", "verdict"),
    [
        ("1/3", "0.333333333333333", "exact", "different"),
        ("3.14", r"\pi", "decimal(2)", "equal"),
        ("3.14", "3.146", "decimal(2)", "different"),
        (r"\pi", "3.14", "decimal(2)", "equal"),
        ("5 cm", "5", "unit", "different"),
        ("5 cm", "0.05 m", "unit", "equal"),
        ("1,2", "(2,1)", "tuple", "different"),
        ("1,2", "(1,2)", "tuple", "equal"),
        ("1,2", r"\{2,1\}", "set", "equal"),
        ("(1,2)", "1<x<2", "interval", "equal"),
        ("(1,2)", "[1,2]", "interval", "different"),
        ("y=2x", "2x", "equation", "different"),
        ("y=2x", "2x-y=0", "equation", "equal"),
        ("B", "(B) 12", "choice", "equal"),
        ("B", "(b)", "choice", "equal"),
        ("B", "12", "choice", "different"),
        ("east", r"\text{East.}", "text", "equal"),
        ("east", "west", "text", "different"),
    ],
)
def test_contracts(gold: str, answer: str, contract: str, verdict: str) -> None:
    assert judge_pair(gold, answer, parse_contract(contract))[0] == verdict


@pytest.mark.parametrize("text", ["decimal", "exact(3)", "number", "decimal(99)", "decimal(-1)", "()", "unit "[:3]])
def test_unknown_contracts_are_refused(text: str) -> None:
    with pytest.raises(ContractError, match="there are: auto, exact"):
        parse_contract(text)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ("", "empty"),
        ("   \n ", "empty"),
        (r"\frac{1}{2", "is missing"),
        ("{" * 5000, "characters"),
        ("(" * 100, "deep"),
        (r"\boxed{3} or else \boxed{4}", "two different"),
        (r"\write18{ls}", r"not read: the command"),
        ("1\x00", "no part"),
        ("\ud800", "no part"),
        (r"\binom{10^9}{5\cdot10^8}", "large"),
        (r"\sin(10^{1000})", "large"),
        (r"e^{e^{e^{e^{e}}}}", "power"),
        (r"\sum_{i=1}^{10^9} i", "sum"),
    ],
)
def test_what_cannot_be_read_is_unknown(answer: str, part: str) -> None:
    verdict, reason = judge_pair("3", answer, AUTO)
    assert verdict == "unknown"
    assert part in reason and reason.isprintable()


def test_a_million_digits_are_not_the_answer() -> None:
    assert judge_pair("3", "9" * 10**6, AUTO)[0] == "different"
    assert judge_pair("9" * 10**6, "3", AUTO)[0] == "unknown"


def test_math_verify_is_asked_under_our_veto() -> None:
    assert judge_pair(r"\int_0^1 x\,dx", r"\frac12", AUTO)[0] == "equal"
    assert judge_pair(r"\int_0^1 x\,dx", r"\frac13", AUTO)[0] == "different"


class TestPublicSets:
    def test_answer_equivalence_pairs(self) -> None:
        """Every disagreement with a label is listed, with its reason, in maths_deviations.jsonl."""
        listed = [json.loads(line) for line in Path(__file__).with_name("maths_deviations.jsonl").open()]
        deviations, found, right = {}, 0, 0
        for number, row in enumerate(rows("answer_equivalence_pairs.jsonl"), 1):
            verdict, _ = judge_pair(row["gold"], row["pred"], AUTO)
            right += row["equivalent"]
            found += row["equivalent"] and verdict == "equal"
            if (verdict == "equal") != row["equivalent"]:
                deviations[number] = verdict
        assert found >= 0.97 * right and right > 100
        assert deviations == {row["line"]: row["verdict"] for row in listed}
        assert all(len(row["reason"]) > 20 for row in listed)

    def test_gsm8k_model_solutions(self) -> None:
        graded = [(judge_pair(r["gold"], r["solution"], AUTO)[0], r) for r in rows("gsm8k_model_solutions.jsonl")]
        wrong = [row["test_idx"] for verdict, row in graded if (verdict == "equal") != row["is_correct"]]
        assert wrong == []
        assert all(verdict in ("equal", "different") for verdict, _ in graded)
