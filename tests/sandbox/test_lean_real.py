"""The same questions to a real Lean: `make test-lean`. Not yet run: no native Lean was at hand."""

from collections.abc import Iterator

import pytest

from sandbox.lean import LeanJudge
from sandbox.lean_backends import find_backend
from sandbox.lean_claims import Header, LeanClaim
from sandbox.lean_process import LeanProcess
from sandbox.lean_verdict import decide
from sandbox.nouns import WorkerLost
from tests.sandbox.lean_cheats import CHEATS, FALSE
from tests.sandbox.lean_recording import RISKY, safest_first

pytestmark = pytest.mark.lean
DEADLINE_S = 300.0


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
