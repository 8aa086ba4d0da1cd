"""What Lean is asked: the statement is ours, whatever the proof says."""

import pytest

from sandbox.lean_claims import (
    MAX_PROOF,
    BadProof,
    BadStatement,
    Header,
    LeanClaim,
    candidate,
    read_header,
    read_statement,
)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("theorem t : 1 = 1", ("t", "theorem t : 1 = 1", False)),
        ("theorem t : 1 = 1 := by\n", ("t", "theorem t : 1 = 1", True)),
        ("theorem t : 1 = 1 :=", ("t", "theorem t : 1 = 1", False)),
        ("theorem t : 1 = 1 := by sorry", ("t", "theorem t : 1 = 1", False)),
        ("theorem t : 1 = 1 := sorry\n\n", ("t", "theorem t : 1 = 1", False)),
        (
            "/-- says -/\ntheorem t_2' (n : Nat) :\n  n = n := by",
            ("t_2'", "/-- says -/\ntheorem t_2' (n : Nat) :\n  n = n", True),
        ),
        ("lemma t: 1 = 1 := by", ("t", "theorem t: 1 = 1", True)),
    ],
)
def test_a_statement_is_read_with_any_end(statement: str, expected: tuple[str, str, bool]) -> None:
    assert read_statement(statement) == expected


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "1 = 1",
        "example : 1 = 1",
        "theorem a : 1 = 1\ntheorem b : 2 = 2",
        "theorem t\x00 : 1 = 1",
        "theorem t : " + "1" * 30_000,
    ],
)
def test_a_statement_that_cannot_be_asked_about_is_no_fault_of_the_proof(statement: str) -> None:
    with pytest.raises(BadStatement):
        candidate(LeanClaim(statement=statement, proof="by rfl"))


def _text(statement: str, proof: str) -> str:
    return candidate(LeanClaim(statement=statement, proof=proof))


def test_proofs_come_as_terms_tactics_or_commands() -> None:
    statement = "theorem t : 1 = 1"
    assert _text(statement, "rfl") == "theorem t : 1 = 1 := rfl\n"
    assert _text(statement, ":= by\n  rfl") == "theorem t : 1 = 1 := by\n  rfl\n"
    assert _text(f"{statement} := by\n", "rfl") == "theorem t : 1 = 1 := by\n  rfl\n"
    assert (
        _text(f"{statement} := by", "  constructor\n  · rfl\n") == "theorem t : 1 = 1 := by\n  constructor\n  · rfl\n"
    )
    assert _text(f"{statement} := by", "by rfl") == "theorem t : 1 = 1 := by rfl\n"
    whole = "import Mathlib\nlemma help : 2 = 2 := rfl\nlemma t : 1 = 1 := rfl"
    assert _text(statement, whole) == "\nlemma help : 2 = 2 := rfl\ntheorem t : 1 = 1 := rfl"


def test_a_theorem_with_a_longer_name_is_not_the_one_that_is_asked_for() -> None:
    assert _text("theorem t : 1 = 1", "rfl\ntheorem t' : True := trivial").startswith("theorem t : 1 = 1 := rfl")


@pytest.mark.parametrize("proof", ["", "  \n ", "by\x00 rfl", "by \x1b[2J rfl", "by \ud800", "x" * (MAX_PROOF + 1)])
def test_texts_that_cannot_be_proofs(proof: str) -> None:
    with pytest.raises(BadProof):
        _text("theorem t : 1 = 1", proof)


def test_a_header_gives_modules_and_commands_without_a_way_around_the_heartbeats() -> None:
    minif2f = "import Mathlib\nimport Aesop\n\nset_option maxHeartbeats 0\n\nopen Nat Real\n"
    assert read_header(minif2f) == Header(("Mathlib", "Aesop"), "open Nat Real")
    assert read_header("") == Header(("Init",), "")
    with pytest.raises(BadStatement):
        read_header("open Nat\x00")


def test_the_cache_tells_toolchain_header_statement_and_proof_apart() -> None:
    claim = LeanClaim(statement="theorem t : 1 = 1", proof="rfl")
    others = [claim.model_copy(update={field: "x"}) for field in ("statement", "proof", "header")]
    assert len({claim.key("a"), claim.key("b"), *(other.key("a") for other in others)}) == 5
