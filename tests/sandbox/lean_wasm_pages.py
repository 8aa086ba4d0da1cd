"""Pages for a real Lean in which much stands at once, and what is expected of the cheats.

Proofs on one page see each other; here they are all ours. The references stand first, so that no cheat is before them.
`python -m tests.sandbox.lean_wasm_pages` puts the cheats to the Lean in LRL_LEAN_WASM and writes what it says of them
to lean_wasm_cheats.jsonl (two to four minutes).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path

from domains.proofs_statements import STATEMENTS
from sandbox.lean_backends import PROOF, find_backend
from sandbox.lean_claims import Header, LeanClaim, candidate
from sandbox.lean_lint import blanked
from sandbox.lean_plain import Page, Piece, Place, alone, page, piece
from sandbox.lean_process import output_of
from sandbox.lean_walls import walled
from tests.sandbox.lean_cheats import CHEATS
from tests.sandbox.lean_recording import RISKY

CORE = Header(("Init",), "")
CHEATS_RECORDED = Path(__file__).with_name("lean_wasm_cheats.jsonl")
_KEPT = ("severity", "kind", "pos", "data")  # of a message
# lean_wasm_output.txt is what Lean said of this page (its chatter cut, the file's name changed). It is older than the
# layout of `page`: `false` and the line behind it are theorems of its own, and only three are printed.
RECORDED = Page(
    text="""theorem t1 (a b : Nat) : a + b = b + a := by omega
theorem t2 : (2 : Nat) + 2 = 4 := by decide
theorem t3 (xs : List Nat) : (xs ++ []).length = xs.length := by simp
#print axioms t1
set_option pp.all true
#print t1
#print t2
#print t3
set_option pp.all false
axiom lie : False
theorem t4 : (2 : Nat) + 2 = 5 := lie.elim
#print axioms t4
theorem t6 : (2 : Nat) + 2 = 5 := by sorry
theorem t8 (n : Nat) : n < n := by omega
/-/- x -/ theorem t9 : 1 = 1 := rfl
theorem t10 : 5 = 5 := (fun _ => rfl) 5theorem t11 : 1 = 1 := rfl
macro "trust" : tactic => `(tactic| sorry)
theorem t12 : (2 : Nat) + 2 = 5 := by trust
#print prefix t1
#check_failure 1
#synth Add Nat
""",
    places=(
        Place("t1", 1, 1, 1),
        Place("t2", 2, 2, 2),
        Place("t3", 3, 3, 3),
        Place("t4", 10, 11, 11),
        Place("t6", 13, 13, 13),
        Place("behind an error", 12, 13, 13),
        Place("t8", 14, 14, 14),
        Place("t12", 18, 18, 18),
    ),
    false=14,
    prints={6: "t1", 7: "t2", 8: "t3"},
    done="t3",
)
# Without those that harm by running, and two whose global instances spoil the page's own controls.
_LEFT_OUT = {"local_add", "local_literal", *(identity.partition("/")[0] for identity in RISKY)}
UNLINTED = tuple(cheat for cheat in CHEATS if cheat.name not in _LEFT_OUT)

# Cheats that get the grade `kernel` when nothing reads their text, and what keeps them out otherwise.
_AGAIN = "states another theorem; a proof that states the theorem again is not put to Lean"
_OPTION = "a true statement whose second check by the kernel is switched off; `set_option` is not put to Lean"
GRADED_WITHOUT_LINT = {
    "skip_kernel_true": _OPTION,
    "skip_kernel_in": _OPTION,
    "weakened": _AGAIN,
    "another_number": _AGAIN,
    "extra_hypothesis": _AGAIN,
    "extra_variable": _AGAIN,
    "implicit_instance": _AGAIN,
    "auto_implicit": _AGAIN,
}


def references() -> list[Piece]:
    """The reference proofs."""
    found = [piece(LeanClaim(statement=statement.text, proof=statement.proof)) for statement in STATEMENTS]
    return [one for one in found if one is not None]


def cheats_without_lint(nonce: str) -> list[Piece]:
    """Every cheat as it is, but for comments, in a namespace and a section of its own."""
    pieces = []
    for number, cheat in enumerate(UNLINTED):
        claim = LeanClaim(statement=cheat.statement, proof=blanked(cheat.proof))
        space = f"{nonce}_{number}"
        text = f"{candidate(claim).rstrip()}\nend\nend {space}"
        pieces.append(Piece(f"{space}.cheat", f"namespace {space}\nsection\n{alone(claim)}", text))
    return pieces


def whole_page(nonce: str) -> Page:
    """References, then cheats without the lint."""
    return page(CORE, [*references(), *cheats_without_lint(nonce)], nonce)


def cheats_page() -> Page:
    """The cheats by themselves, always the same text."""
    return page(CORE, cheats_without_lint("lrl_recorded"), "lrl_recorded")


def identity(sheet: Page) -> str:
    """Which page a recording is of."""
    return hashlib.sha256(sheet.text.encode()).hexdigest()


def record() -> None:
    """Write what the real Lean says of the cheats: the page's identity, then its messages without empty fields."""
    sheet, backend = cheats_page(), find_backend("wasm")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".lean") as file:
        file.write(sheet.text)
        file.flush()
        inside = replace(backend, binds={**backend.binds, PROOF: file.name})
        output = output_of(walled(inside, backend.plain or ()), 3_000)
    messages = [json.loads(line) for line in output.split("\n") if '"severity"' in line]
    rows = [{"page": identity(sheet)}, *({name: message[name] for name in _KEPT} for message in messages)]
    CHEATS_RECORDED.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    record()
