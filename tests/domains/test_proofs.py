"""The proofs domain: its statements, its prompts, how replies are read. What Lean says: tests/sandbox/test_lean.py."""

import json
import random
from pathlib import Path

import pytest

import prompts
from domains import get_domain
from domains.base import DomainError
from domains.proofs import DOMAIN, GAP, judgement, make_problem, ours, reply, reply_proof, scaffold, split_of
from domains.proofs_statements import OOD, STATEMENTS
from evaluation.dataset import is_example
from evaluation.leakage import check_splits
from records.config import RunConfig, Sizes
from sandbox.lean_verdict import UNCHECKED, LeanVerdict
from tests.needs import data_need

SIZES = Sizes(train=100, gate=14, transfer=14, test=50, ood=24)
MINIF2F = Path(__file__).parents[3] / "shared" / "data" / "lean" / "minif2f.jsonl"


def test_there_are_enough_different_statements() -> None:
    assert len({statement.name for statement in STATEMENTS}) == len(STATEMENTS) >= 80
    assert len({statement.text.partition(" ")[2] for statement in STATEMENTS}) == len(STATEMENTS)
    assert {statement.difficulty for statement in STATEMENTS} == {"easy", "medium", "hard"}
    assert not [s.name for s in STATEMENTS if "KK" in s.text + s.proof or "LL" in s.text + s.proof]


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_the_profiles_fit_what_there_is(profile: str) -> None:
    config = RunConfig.model_validate({"domain": "proofs", **DOMAIN.profile(profile)})
    problems = get_domain("proofs").load(None, config.sizes, seed=3)
    report = check_splits(problems)
    assert report.ok, report.errors
    assert {problem.family for problem in problems if problem.split == "ood"} <= OOD
    assert not {problem.family for problem in problems if problem.split != "ood"} & OOD


def test_a_statement_keeps_its_split_whatever_the_seed() -> None:
    first, second = ({p.id: p.split for p in DOMAIN.load(None, SIZES, seed)} for seed in (0, 1))
    assert all(first[identity] == second[identity] for identity in first.keys() & second.keys())
    assert first.keys() != second.keys()
    with pytest.raises(DomainError, match=r"lower sizes\.ood"):
        ours("ood", 1_000, 0)


def test_steps_are_left_out() -> None:
    statement = next(s for s in STATEMENTS if len(s.steps) >= 4)
    shown = scaffold(statement, 2)
    assert shown.count(GAP) == 2 and shown == scaffold(statement, 2)
    assert len(shown.split("\n")) == len(statement.proof.split("\n"))
    assert scaffold(statement, 99).count(GAP) == len(statement.steps)
    problems = DOMAIN.load("omit_steps=2", SIZES, 0)
    assert all(GAP in problem.prompt and problem.reference not in problem.prompt for problem in problems)
    assert {p.content_hash for p in problems} == {p.content_hash for p in DOMAIN.load(None, SIZES, 0)}


@pytest.mark.parametrize(
    ("text", "proof"),
    [
        ("```lean\nby\n  omega\n```", "by\n  omega"),
        ("First:\n```lean4\nby rfl\n```\nthen\n```\nby\n  simp\n```\nDone.", "by\n  simp"),
        ("```lean\nby\n  omega", "by\n  omega"),
        ("by\n  omega", "by\n  omega"),
        ("The proof:\n:= by simp", "by simp"),
        ("I cannot do it.", ""),
        ("", ""),
        ("```lean\n```", ""),
    ],
)
def test_replies_are_read(text: str, proof: str) -> None:
    assert reply_proof(text) == proof


def test_references_are_read_back_and_spoiled_ones_differ() -> None:
    for statement in STATEMENTS:
        problem = make_problem(statement, split_of(statement))
        assert reply_proof(problem.reference) == statement.proof
        spoiled = {DOMAIN.spoil(problem, random.Random(seed)) for seed in range(4)}
        assert problem.reference not in spoiled and all(reply_proof(text) for text in spoiled)


def test_verdicts_become_judgements() -> None:
    outcomes = [
        judgement(LeanVerdict(verdict=v, reason="r"), "lean:x").outcome for v in ("proved", "rejected", "ungraded")
    ]  # type: ignore[arg-type]
    assert outcomes == ["pass", "fail", "ungraded"]
    assert (
        judgement(LeanVerdict(verdict="rejected", reason="'sorry' is not allowed in a proof"), None).kind
        == "not_allowed"
    )


def test_a_proof_whose_axioms_nobody_checked_is_not_trained_on() -> None:
    found = judgement(LeanVerdict(verdict="ungraded", reason=UNCHECKED, grade="kernel"), "lean:wasm")
    assert (found.outcome, found.kind) == ("ungraded", "axioms_unchecked")
    assert not is_example(found, require_sound_steps=False)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    rows = [
        {"name": "a", "formal_statement": "theorem a : 1 = 1 := by\n", "split": "test"},
        {"name": "b", "formal_statement": "theorem b : 2 = 2", "proof": "by rfl", "split": "train"},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    problems = DOMAIN.load(str(file), SIZES, 0)
    given = {problem.split: problem for problem in problems if problem.family == "given"}
    assert set(given) == {"test", "train"} and given["train"].reference == reply("by rfl")
    assert given["test"].payload["statement"] == "theorem a : 1 = 1" and not given["test"].reference
    assert "sorry" in DOMAIN.spoil(given["test"], random.Random(0))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("nonsense", "line 1: not JSON"),
        ({"formal_statement": 1}, "formal_statement"),
        ({"formal_statement": "1 = 1"}, "theorem NAME"),
        ({"formal_statement": "theorem a : 1 = 1", "split": "exam"}, "split"),
        ({"formal_statement": "theorem a : 1 = 1", "split": "train"}, "proof"),
        ({"formal_statement": "theorem a : 1 = 1", "header": "import Mathlib"}, "LRL_LEAN_PROJECT"),
        ({"formal_statement": "theorem a\x00 : 1 = 1"}, "control characters"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: object, words: str) -> None:
    monkeypatch.delenv("LRL_LEAN_PROJECT", raising=False)
    file = tmp_path / "bad.jsonl"
    file.write_text(row if isinstance(row, str) else json.dumps(row))
    with pytest.raises(DomainError, match=words):
        DOMAIN.load(str(file), SIZES, 0)


@pytest.mark.skipif(not MINIF2F.exists(), reason=str(data_need("lean", "minif2f.jsonl")))
def test_minif2f_is_read_where_mathlib_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRL_LEAN_PROJECT", "/somewhere")
    problems = DOMAIN.load(str(MINIF2F), Sizes(train=20, gate=100, transfer=144, test=244, ood=10), 0)
    given = [problem for problem in problems if problem.family == "given"]
    assert len(given) == 488 and {problem.split for problem in given} == {"validation", "test"}
    assert not any("maxHeartbeats 0" in str(problem.payload["statement"]) for problem in given)


def test_the_strategy_files_are_there() -> None:
    assert prompts.load_strategy_file("proofs") and prompts.load_oracle_rules("proofs").lesson
