"""The same questions to a real Lean: `make test-lean`.

The tests of the judge have not yet run: no native Lean was at hand, and without one they are not selected. Those of
the backend `wasm` need LRL_LEAN_WASM, which the make target sees to; `LRL_NIGHTLY=1 .ci/run` runs them after the rest.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.lean import LeanJudge
from sandbox.lean_backends import JUDGE, PROOF, find_backend
from sandbox.lean_claims import Header, LeanClaim
from sandbox.lean_lint import refusal
from sandbox.lean_plain import facts_of, read_messages, unfit
from sandbox.lean_process import LeanProcess, output_of
from sandbox.lean_verdict import decide
from sandbox.lean_walls import walled
from sandbox.nouns import WorkerLost
from tests.sandbox.lean_cheats import CHEATS, FALSE
from tests.sandbox.lean_recording import RISKY, safest_first
from tests.sandbox.lean_wasm_pages import GRADED_WITHOUT_LINT, UNLINTED, references, whole_page

pytestmark = [pytest.mark.lean, pytest.mark.timeout(4_000)]
DEADLINE_S = 300.0
NO_CODE = ("Unknown constant `", "no executable code")  # what the code generator says of a library without bodies


@pytest.fixture(scope="module")
def judge() -> Iterator[LeanJudge]:
    with LeanJudge(find_backend(), DEADLINE_S) as judge:
        yield judge


def test_references_are_proved_and_nothing_else_is() -> None:
    honest = {f"{cheat.name}/no lint" for cheat in CHEATS if cheat.true}
    process = LeanProcess(find_backend(), Header(("Init",), ""))
    wrong, asked = [], 0
    for file, identity, question in safest_first():
        if identity in RISKY or "heavy" in identity or identity.endswith("/question"):
            continue
        verdict = decide(process.ask(question, DEADLINE_S)).verdict
        asked += 1
        should = file == "references" or identity == "canary_true" or identity.startswith("vacuous")
        if (verdict == "proved") != should and identity not in honest:
            wrong.append((identity, verdict))
    process.close()
    assert not wrong and asked > 400


def test_the_judge_gives_verdicts(judge: LeanJudge) -> None:
    true = LeanClaim(statement="theorem t (a b : Nat) : a + b = b + a", proof="by omega")
    cheats = [
        LeanClaim(statement=FALSE, proof=proof) for proof in ("by decide", "by sorry", "axiom a : False\nby simp")
    ]
    vacuous = LeanClaim(statement="theorem v (n : Nat) (h : n < n) : n = 7", proof="by omega")
    verdicts = judge.check([true, *cheats, vacuous])
    assert [verdict.verdict for verdict in verdicts] == ["proved", "rejected", "rejected", "rejected", "ungraded"]


def test_what_runs_while_it_is_elaborated_reaches_nothing() -> None:
    process = LeanProcess(find_backend(), Header(("Init",), ""))
    for _, identity, question in safest_first():
        if identity in RISKY:
            try:
                facts = process.ask(question, DEADLINE_S)
            except (WorkerLost, TimeoutError):  # it ended the process: nothing is known
                process = LeanProcess(find_backend(), Header(("Init",), ""))
                continue
            assert decide(facts).verdict != "proved", identity
    process.close()


wasm = pytest.mark.skipif(not os.environ.get("LRL_LEAN_WASM"), reason="LRL_LEAN_WASM is not set (`make lean-wasm`)")


@wasm
def test_wasm_grades_references_and_says_which_cheats_only_the_text_keeps_out() -> None:
    """One page: the references, then each cheat that does no harm by running, with nothing that reads its text."""
    sheet = whole_page(f"lrl_{secrets.token_hex(8)}")
    verdicts = [decide(facts) for facts in facts_of(find_backend("wasm"), sheet, 3_000)]
    count = len(references())
    assert {verdict.verdict for verdict in verdicts} <= {"rejected", "ungraded"}
    assert not [place.name for place, v in zip(sheet.places[:count], verdicts, strict=False) if v.grade != "kernel"]
    graded = {cheat.name for cheat, v in zip(UNLINTED, verdicts[count:], strict=True) if v.grade}
    assert graded == set(GRADED_WITHOUT_LINT)


@wasm
def test_wasm_finds_no_fault_in_the_judge_but_that_it_cannot_make_code_of_it(tmp_path: Path) -> None:
    """Every definition of lean_judge.lean is elaborated, against the real API; behind it stands one with a fault."""
    backend, text = find_backend("wasm"), JUDGE.read_text("utf-8")
    file = tmp_path / "judge.lean"
    file.write_text(text + '\ndef lrl_control : Nat := "no number"\n', "utf-8")
    inside = replace(backend, binds={**backend.binds, PROOF: str(file)})
    messages = read_messages(output_of(walled(inside, backend.plain or ()), 3_000)) or []
    errors = [message for message in messages if message["severity"] == "error"]
    faults = [message for message in errors if not any(words in message["text"] for words in NO_CODE)]
    assert len(errors) > len(faults)
    assert [(message["line"], message["text"][:13]) for message in faults] == [(text.count("\n") + 2, "Type mismatch")]


@wasm
def test_wasm_proves_no_cheat_and_grades_none() -> None:
    claims = [LeanClaim(statement=cheat.statement, proof=cheat.proof) for cheat in CHEATS]
    with LeanJudge(find_backend("wasm"), DEADLINE_S) as judge:
        verdicts = judge.check(claims)
    assert {verdict.verdict for verdict in verdicts} == {"rejected", "ungraded"}
    assert not [cheat.name for cheat, verdict in zip(CHEATS, verdicts, strict=True) if verdict.grade]
    asked = [v for c, v in zip(claims, verdicts, strict=True) if not refusal(c.proof) and not unfit(c.proof)]
    assert len(asked) == 6 and {verdict.verdict for verdict in asked} == {"rejected"}
