"""The judge over a Lean that is played (lean_replay.py), behind real walls."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.json_rows import MAX_LINE
from sandbox.lean import BATCH, LeanJudge
from sandbox.lean_cache import VerdictCache
from sandbox.lean_claims import LeanClaim
from sandbox.lean_lint import refusal
from sandbox.lean_rows import judge_rows
from sandbox.lean_verdict import LeanVerdict
from sandbox.nouns import SandboxError
from tests.sandbox.lean_cheats import CHEATS
from tests.sandbox.lean_standin import standin

CLAIM = LeanClaim(statement="theorem t (a b : Nat) : a + b = b + a", proof="Nat.add_comm a b")


@pytest.fixture(scope="module")
def judge() -> Iterator[LeanJudge]:
    with LeanJudge(standin("refuse"), deadline=20) as judge:
        yield judge


def test_what_lean_says_is_the_verdict(judge: LeanJudge) -> None:
    (verdict,) = judge.check([CLAIM])
    assert (verdict.verdict, verdict.reason) == ("rejected", "line 1: unsolved goals")
    with LeanJudge(standin("believe"), deadline=20) as believer:
        assert believer.check([CLAIM])[0].verdict == "proved"


def test_a_vacuous_statement_is_ungraded() -> None:
    with LeanJudge(standin("vacuous"), deadline=20) as judge:
        (verdict,) = judge.check([CLAIM])
    assert verdict.verdict == "ungraded" and "vacuous" in verdict.reason


def test_more_claims_than_a_batch_come_back_in_order(judge: LeanJudge) -> None:
    claims = [
        CLAIM.model_copy(update={"proof": f"by exact h{n}" if n % 3 else "by sorry"}) for n in range(2 * BATCH + 3)
    ]
    verdicts = judge.check(claims)
    assert ["sorry" in verdict.reason for verdict in verdicts] == [n % 3 == 0 for n in range(len(claims))]


async def test_many_tasks_share_a_judge(judge: LeanJudge) -> None:
    verdicts = await asyncio.gather(*(judge.judge(CLAIM) for _ in range(8)))
    assert {verdict.verdict for verdict in verdicts} == {"rejected"}


def test_cheats_that_the_text_shows_need_no_lean(judge: LeanJudge) -> None:
    plain = [cheat for cheat in CHEATS if refusal(cheat.proof)]
    verdicts = judge.check([LeanClaim(statement=cheat.statement, proof=cheat.proof) for cheat in plain])
    assert len(plain) >= 25 and {verdict.verdict for verdict in verdicts} == {"rejected"}


@pytest.mark.parametrize(
    ("proof", "verdict"),
    [
        ("", "rejected"),
        ("by\x00rfl", "rejected"),
        ("by \ud800", "rejected"),
        ("x" * (1 << 20), "rejected"),
        ("by sorry", "rejected"),
    ],
)
def test_texts_that_are_no_proofs_need_no_lean(judge: LeanJudge, proof: str, verdict: str) -> None:
    assert judge.check([LeanClaim(statement="theorem t : 1 = 1", proof=proof)])[0].verdict == verdict


def test_a_lean_that_accepts_a_canary_judges_nothing() -> None:
    claim = LeanClaim(statement="theorem t : 1 = 2", proof="by decide")
    with LeanJudge(standin("accept"), deadline=20) as judge:
        with pytest.raises(SandboxError, match="cannot be trusted"):
            judge.check([claim])
        with pytest.raises(SandboxError, match="cannot be trusted"):
            judge.check([claim])


@pytest.mark.parametrize("mode", ["die", "hang", "broken", "no header"])
def test_what_goes_wrong_with_lean_is_never_the_proofs_fault(mode: str) -> None:
    claim = LeanClaim(statement="theorem t : 1 = 1", proof="rfl")
    with LeanJudge(standin(mode), deadline=0.3) as judge:
        assert judge.check([claim])[0].verdict == "ungraded"


def test_forged_answers_do_not_count() -> None:
    with LeanJudge(standin("forge"), deadline=20) as judge:
        assert judge.check([LeanClaim(statement="theorem t : 1 = 2", proof="rfl")])[0].verdict == "ungraded"


def test_the_cache_keeps_what_is_known_and_survives_a_broken_file(tmp_path: Path) -> None:
    cache = VerdictCache(tmp_path / "lean.sqlite")
    known = LeanVerdict(verdict="rejected", reason="known already")
    claim = LeanClaim(statement="theorem t : 1 = 1", proof="rfl")
    cache.put(claim.key("made"), known)
    cache.put("other", LeanVerdict(verdict="ungraded", reason="too slow"))
    again = VerdictCache(tmp_path / "lean.sqlite")
    assert again.get("other") is None
    with LeanJudge(standin("hang"), deadline=0.3, cache=again) as judge:
        assert judge.check([claim]) == [known]
    (tmp_path / "broken").write_bytes(b"no database" * 500)
    broken = VerdictCache(tmp_path / "broken")
    broken.put("x", known)
    assert broken.get("x") is None


def test_rows_come_back_in_order_with_a_verdict_each(judge: LeanJudge) -> None:
    cheat = next(cheat for cheat in CHEATS if refusal(cheat.proof))
    lines = [
        json.dumps({"id": "a", "statement": cheat.statement, "proof": cheat.proof}).encode(),
        b"not json",
        b"",
        b"[1]",
        json.dumps({"id": 7, "statement": "theorem t : 1 = 1"}).encode(),
        json.dumps({"id": [1], "statement": 3, "proof": "rfl"}).encode(),
        b"x" * (MAX_LINE + 1),
        json.dumps({"id": "nul", "statement": "theorem t : 1 = 1", "proof": "by\x00 rfl"}).encode(),
        json.dumps({"id": "bad", "statement": "no theorem", "proof": "rfl"}).encode(),
        b"\xff\xfe\x00",
    ]
    found = list(judge_rows(lines, judge))
    assert [(row["id"], row["verdict"]) for row in found] == [
        ("a", "rejected"),
        (None, "ungraded"),
        (None, "ungraded"),
        (7, "ungraded"),
        (None, "ungraded"),
        (None, "ungraded"),
        ("nul", "rejected"),
        ("bad", "ungraded"),
        (None, "ungraded"),
    ]
    assert all(set(row) == {"id", "verdict", "reason", "axioms", "grade"} for row in found)
    assert "row 5" in found[3]["reason"] and "proof" in found[3]["reason"]


def test_rows_after_a_distrusted_batch_are_not_judged() -> None:
    line = json.dumps({"id": 1, "statement": "theorem t : 1 = 2", "proof": "by decide"}).encode()
    with LeanJudge(standin("accept"), deadline=20) as judge:
        results = judge_rows([line] * 30, judge)
        assert next(results)["verdict"] == "ungraded"
        with pytest.raises(SandboxError):
            list(results)
