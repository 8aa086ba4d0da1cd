"""What the REPL's answers mean: it rejects, or leaves the decision to the full check."""

from typing import Any

import pytest

from sandbox.lean_backends import LeanBackend
from sandbox.lean_claims import Header
from sandbox.lean_repl import LeanRepl, rejection
from sandbox.nouns import WorkerLost
from tests.needs import require_bubblewrap


def _says(severity: str, data: str, **more: Any) -> dict[str, Any]:
    return {"env": 1, "messages": [{"severity": severity, "data": data, "pos": {"line": 1, "column": 0}, **more}]}


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (_says("error", "unsolved goals\n⊢ False"), "unsolved goals"),
        (_says("warning", "declaration uses 'sorry'", kind="hasSorry"), "sorry"),
        ({"env": 1, "sorries": [{"goal": "⊢ False", "proofState": 0}]}, "sorry"),
        (_says("info", "'t' depends on axioms: [sorryAx]", kind="hasSorry"), "sorry"),
    ],
)
def test_errors_and_sorry_reject(answer: dict[str, Any], word: str) -> None:
    assert word in (rejection(answer) or "")


@pytest.mark.parametrize(
    "answer",
    [
        *({}, {"env": 0}, {"env": 0, "messages": None}, {"messages": ["x"]}, {"message": "Unknown environment."}),
        _says("info", "'t' does not depend on any axioms"),
        _says("warning", "unused variable"),
        _says("error", "(deterministic) timeout at `whnf`, maximum number of heartbeats (200000) has been reached"),
        _says("error", "maximum recursion depth has been reached"),
    ],
)
def test_everything_else_is_left_to_the_full_check(answer: dict[str, Any]) -> None:
    assert rejection(answer) is None


def _repl(script: str) -> LeanBackend:
    require_bubblewrap()
    return LeanBackend(
        name="repl",
        about="",
        toolchain="",
        command=("/bin/false",),
        repl=("/bin/sh", "-c", script),
        start_s=5.0,
        memory_mb=64,
    )


_ANSWERS = """
while read -r line; do
  read -r blank
  case "$line" in
    *import*) printf '{"env":\\n 0}\\n\\n' ;;
    *wrong*) printf '{"env": 1, "messages": [{"severity": "error", "data": "type mismatch"}]}\\n\\n' ;;
    *die*) exit 1 ;;
    *) printf '{"env": 1}\\n\\n' ;;
  esac
done
"""


def test_the_protocol_of_the_repl() -> None:
    repl = LeanRepl(_repl(_ANSWERS), Header(("Init",), "open Nat"))
    assert repl.refuses("theorem t : 1 = 1 := rfl", 5) is None
    assert repl.refuses("wrong", 5) == "type mismatch"
    with pytest.raises(WorkerLost):
        repl.refuses("die", 5)
    repl.close()


def test_a_repl_that_cannot_load_the_header() -> None:
    with pytest.raises(WorkerLost, match="cannot load the header"):
        LeanRepl(_repl('read -r a; printf \'{"message": "unknown module"}\\n\\n\''), Header(("Mathlib",), ""))
