"""Facts to verdicts: `proved` needs every single fact."""

from typing import Any

import pytest

from sandbox.lean_verdict import UNCHECKED, decide

PROVED: dict[str, Any] = {
    "stage": "done",
    "theorem": True,
    "same_statement": True,
    "kernel": None,
    "axioms": ["propext"],
    "bodiless": 0,
    "errors": False,
    "messages": [],
}


def _error(text: str) -> dict[str, Any]:
    return {"stage": "elaborate", "messages": [{"severity": "error", "line": 2, "text": text}], "errors": True}


def test_all_facts_together_prove() -> None:
    verdict = decide(PROVED)
    assert (verdict.verdict, verdict.axioms) == ("proved", ("propext",))
    assert "not followed" not in verdict.reason


def test_bodies_that_are_not_there_are_named() -> None:
    assert "12 library theorems" in decide({**PROVED, "bodiless": 12}).reason


@pytest.mark.parametrize("fact", [name for name in PROVED if name != "messages"])
def test_no_fact_may_be_missing(fact: str) -> None:
    assert decide({name: value for name, value in PROVED.items() if name != fact}).verdict != "proved"


@pytest.mark.parametrize(
    "changed",
    [
        *({"theorem": value} for value in (False, None, 1, "true")),
        *({"same_statement": value} for value in (False, None, 1)),
        *({"axioms": value} for value in (None, "propext", [None], ["Lean.ofReduceBool"], ["propext", "lie"], {})),
        *({"kernel": value} for value in ("wrong type", 1, False, [])),
        *({"bodiless": None}, {"errors": True}, {"errors": None}, {"stage": "Done"}, {"stage": None}),
    ],
)
def test_odd_facts_never_prove(changed: dict[str, Any]) -> None:
    assert decide({**PROVED, **changed}).verdict != "proved"


@pytest.mark.parametrize(
    ("facts", "verdict", "words"),
    [
        (_error("unsolved goals\n⊢ False"), "rejected", "line 2: unsolved goals"),
        (_error("(deterministic) timeout at `whnf`, maximum number of heartbeats"), "ungraded", "timeout"),
        (_error("maximum recursion depth has been reached"), "ungraded", "recursion"),
        ({"stage": "statement", "messages": [{"severity": "error", "text": "unknown"}]}, "ungraded", "statement"),
        ({"stage": "lint", "denied": ["sorry"]}, "rejected", "sorry"),
        ({"stage": "absent"}, "rejected", "does not prove"),
        ({"stage": "shadowed", "shadowed": ["Nat.gcd"]}, "rejected", "Nat.gcd"),
        ({"stage": "crash", "problem": "no"}, "ungraded", "crash"),
        ({**PROVED, "axioms": ["sorryAx"]}, "rejected", "sorry"),
        ({**PROVED, "axioms": ["X.lie"]}, "rejected", "X.lie"),
        ({**PROVED, "kernel": "(kernel) deep recursion detected"}, "ungraded", "deep recursion"),
        ({**PROVED, "kernel": "(kernel) declaration type mismatch"}, "rejected", "type mismatch"),
        ({}, "ungraded", "no stage"),
        ({"stage": "elaborate", "messages": "x"}, "rejected", "no reason"),
    ],
)
def test_what_each_end_means(facts: dict[str, Any], verdict: str, words: str) -> None:
    found = decide(facts)
    assert found.verdict == verdict and words in found.reason


PLAIN: dict[str, Any] = {"stage": "plain", "errors": False, "sorry": False, "foreign": [], "unseen": []}


def test_plain_elaboration_gives_a_grade_and_proves_nothing() -> None:
    found = decide(PLAIN)
    assert (found.verdict, found.grade, found.reason) == ("ungraded", "kernel", UNCHECKED)
    assert decide(PROVED).grade is None


@pytest.mark.parametrize("fact", PLAIN)
def test_without_one_of_its_facts_there_is_no_grade(fact: str) -> None:
    found = decide({name: value for name, value in PLAIN.items() if name != fact})
    assert (found.verdict, found.grade) == ("ungraded", None)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"sorry": True}, "rejected"),
        ({"foreign": ["Lean.trustCompiler"]}, "rejected"),
        ({"unseen": ["t._proof_9"]}, "ungraded"),
        ({"errors": None}, "ungraded"),
        ({"foreign": "none"}, "ungraded"),
    ],
)
def test_what_plain_elaboration_finds_takes_the_grade_away(changed: dict[str, Any], verdict: str) -> None:
    found = decide({**PLAIN, **changed})
    assert (found.verdict, found.grade) == (verdict, None)


def test_reasons_can_be_printed() -> None:
    assert "\x1b" not in decide(_error("\x1b[2J\x00gone")).reason
