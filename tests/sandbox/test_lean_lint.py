"""The lint refuses what would run or stand in for a proof, and reads no comments."""

import time

import pytest

from domains.proofs_statements import STATEMENTS
from sandbox.lean_lint import COMMANDS, DENY, refusal, without_comments


@pytest.mark.parametrize(
    "proof",
    [
        *("by sorry", "by\n  admit", "sorryAx _ false", "by native_decide", "by bv_decide", "axiom a : False\nby simp"),
        *(
            '#eval IO.println "x"',
            "by run_tac pure ()",
            "run_cmd pure ()",
            "initialize x : Nat ← pure 1",
            "by by_elab x",
        ),
        *("set_option debug.skipKernelTC true", "@[implemented_by f] def g := 1", "/- fine -/ by sorry"),
        *("-- fine\nby sorry", "by simp -- /-\n sorry -- -/", '"--" ▸ sorry', "macro_rules | `(x) => `(y)"),
    ],
)
def test_plain_cheats_are_refused_without_lean(proof: str) -> None:
    assert refusal(proof) is not None


@pytest.mark.parametrize(
    "proof",
    [
        *(
            "by simp -- no sorry here",
            "/- sorry /- admit -/ sorry -/ by rfl",
            'by exact foo "sorry"',
            "by exact h.sorry",
        ),
        *("by exact not_sorry", "by exact sorry'", "by\n  have axioms := h\n  exact axioms", "/-! sorry"),
    ],
)
def test_words_that_stand_elsewhere_are_not(proof: str) -> None:
    assert refusal(proof) is None


def test_no_reference_proof_is_refused() -> None:
    assert not [statement.name for statement in STATEMENTS if refusal(statement.proof)]


def test_hostile_texts_take_linear_time() -> None:
    started = time.process_time()
    for piece in ("/-", "-/", '"', '\\"', "--", "/-/-", "sorr", "\n"):
        without_comments(piece * 20_000)
        refusal(piece * 20_000)
    assert time.process_time() - started < 5  # quadratic time would be minutes


def test_the_lists_name_what_the_judge_in_lean_looks_for() -> None:
    assert "Lean.Parser.Command.declaration" in COMMANDS and "Lean.Parser.Command.eval" not in COMMANDS
    assert {"sorry", "native_decide", "Lean.Parser.Command.axiom"} <= set(DENY)
    assert not set(COMMANDS) & set(DENY)
