"""SafeVerify's opinion, with a Lean and a SafeVerify that are played by shell scripts behind the real walls."""

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.lean import LeanJudge
from sandbox.lean_backends import LeanBackend
from sandbox.lean_claims import LeanClaim
from sandbox.lean_safeverify import SAFE_VERIFY, doubt
from tests.sandbox.lean_standin import standin

CLAIM = LeanClaim(statement="theorem t (a b : Nat) : a + b = b + a", proof="by omega", header="import Std\nopen Nat")
# "Compiles" by copying; what the file says, it does: a proof may try to reach what is not its own.
LEAN = """
case "$(cat "$3")" in
  *no_file*) echo "error: unsolved goals"; exit 1 ;;
  *hang*) sleep 60 ;;
  *a_link*) ln -s /judge/safe_verify "$2"; exit 0 ;;
  *reach*) ls /out /judge; echo x > /judge/source.lean; echo x > /tmp/target.olean ;;
esac
cat "$3" > "$2"
"""
SAFE = """
grep -q ":= sorry" "$1" && grep -q "import Std" "$1" && grep -q "maxHeartbeats" "$2" || { echo "wrong files"; exit 2; }
grep -q "by cheat" "$2" && { echo "t does not match"; exit 1; }
echo x > /out/target.olean && { echo "could write"; exit 3; }
exit 0
"""


@pytest.fixture
def backend(tmp_path: Path) -> LeanBackend:
    binds = {}
    for inside, text in (("/judge/lean", LEAN), (SAFE_VERIFY, SAFE)):
        place = tmp_path / Path(inside).name
        place.write_text(f"#!/bin/sh\n{text}")
        place.chmod(0o755)
        binds[inside] = str(place)
    made = standin("believe")
    return replace(made, binds={**made.binds, **binds}, safeverify="/judge/lean")


def test_a_proof_that_it_confirms_has_no_doubt(backend: LeanBackend) -> None:
    assert doubt(backend, CLAIM, 20) is None


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        ("by cheat", "SafeVerify does not confirm it: t does not match"),
        ("by no_file", "Lean made no file of the proof (exit code 1): error: unsolved goals"),
        ("by a_link", "Lean made no file of the proof (exit code 0)"),
        ("by hang", "SafeVerify did not come to an end: no "),
    ],
)
def test_everything_else_is_a_doubt(backend: LeanBackend, proof: str, reason: str) -> None:
    assert reason in (doubt(backend, CLAIM.model_copy(update={"proof": proof}), 3) or "")


def test_a_proof_that_runs_reaches_neither_the_trusted_file_nor_the_judge(backend: LeanBackend) -> None:
    assert doubt(backend, CLAIM.model_copy(update={"proof": "by reach"}), 20) is None


def test_without_its_word_nothing_is_proved_and_nothing_rejected(backend: LeanBackend) -> None:
    with LeanJudge(backend, deadline=20) as judge:
        good, bad = judge.check([CLAIM, CLAIM.model_copy(update={"proof": "by cheat"})])
    assert good.verdict == "proved"
    assert bad.verdict == "ungraded" and "SafeVerify does not confirm" in bad.reason
