"""The judge, over answers that a real Lean was recorded to give (lean_fixtures), behind real walls."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from domains.proofs_statements import STATEMENTS
from sandbox.lean import LeanJudge
from sandbox.lean_cache import VerdictCache
from sandbox.lean_canaries import FALSE, TRUE
from sandbox.lean_claims import LeanClaim
from sandbox.lean_lint import refusal
from sandbox.lean_rows import MAX_LINE, judge_rows
from sandbox.lean_verdict import LeanVerdict, decide
from sandbox.nouns import SandboxError
from tests.sandbox.lean_cheats import CHEATS, VACUOUS
from tests.sandbox.lean_standin import FIXTURES, standin


def rows(name: str) -> dict[str, dict]:
    lines = (FIXTURES / f"{name}.jsonl").read_text("utf-8").splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}


@pytest.fixture(scope="module")
def judge() -> Iterator[LeanJudge]:
    with LeanJudge(standin(), deadline=20) as judge:
        yield judge


def test_every_cheat_was_tried_for_real_and_none_is_proved() -> None:
    recorded = rows("cheats")
    honest = {f"{cheat.name}/no lint" for cheat in CHEATS if cheat.true}
    assert {f"{cheat.name}/{rules}" for cheat in CHEATS for rules in ("lint", "no lint")} == set(recorded)
    proved = {identity for identity, row in recorded.items() if decide(row["facts"]).verdict == "proved"}
    assert proved <= honest


def test_every_reference_proof_was_really_accepted_and_every_spoiled_one_refused() -> None:
    recorded = rows("references")
    for statement in STATEMENTS:
        row = recorded[statement.name]
        assert row["statement"] == statement.text and row["candidate"] == f"{statement.text} := {statement.proof}\n"
        assert decide(row["facts"]).verdict == "proved", (statement.name, decide(row["facts"]))
    assert {decide(row["facts"]).verdict for row in rows("spoiled").values()} == {"rejected"}


def test_canaries_came_out_right_and_vacuous_statements_are_found() -> None:
    recorded = rows("others")
    assert decide(recorded[TRUE.name]["facts"]).verdict == "proved"
    assert {decide(recorded[canary.name]["facts"]).verdict for canary in FALSE} == {"rejected"}
    questions = {identity: row["facts"] for identity, row in recorded.items() if identity.endswith("/question")}
    for identity, facts in questions.items():
        assert bool(facts["vacuous"]) == identity.startswith("vacuous"), identity
    assert len(questions) > len(VACUOUS)


def test_claims_are_judged(judge: LeanJudge) -> None:
    asked = next(s for s in STATEMENTS if f"{s.name}/question" in rows("others"))
    cheats = [cheat for cheat in CHEATS if not cheat.true]
    claims = [LeanClaim(statement=asked.text, proof=asked.proof)]
    claims += [LeanClaim(statement=cheat.statement, proof=cheat.proof) for cheat in cheats]
    first, *others = judge.check(claims)
    assert first.verdict == "proved"
    assert {verdict.verdict for verdict in others} <= {"rejected", "ungraded"}
    assert sum(verdict.verdict == "rejected" for verdict in others) >= len(others) - 3


def test_a_vacuous_statement_is_ungraded(judge: LeanJudge) -> None:
    text, proof = VACUOUS[0]
    (verdict,) = judge.check([LeanClaim(statement=text, proof=proof)])
    assert verdict.verdict == "ungraded" and "vacuous" in verdict.reason


async def test_many_tasks_share_a_judge(judge: LeanJudge) -> None:
    statement = next(s for s in STATEMENTS if f"{s.name}/question" in rows("others"))
    claim = LeanClaim(statement=statement.text, proof=statement.proof)
    verdicts = await asyncio.gather(*(judge.judge(claim) for _ in range(8)))
    assert {verdict.verdict for verdict in verdicts} == {"proved"}


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
    cache.put(claim.key("recorded"), known)
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
    assert all(set(row) == {"id", "verdict", "reason", "axioms"} for row in found)
    assert "row 5" in found[3]["reason"] and "proof" in found[3]["reason"]


def test_rows_after_a_distrusted_batch_are_not_judged() -> None:
    line = json.dumps({"id": 1, "statement": "theorem t : 1 = 2", "proof": "by decide"}).encode()
    with LeanJudge(standin("accept"), deadline=20) as judge:
        results = judge_rows([line] * 30, judge)
        assert next(results)["verdict"] == "ungraded"
        with pytest.raises(SandboxError):
            list(results)
