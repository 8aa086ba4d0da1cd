"""The main job end to end, on the real embedded model: one run, read from every side."""

import json
import subprocess
import sys

import pytest

from records.nouns import Attempt, Decision, EvaluationRow, Problem, Reflection, TrainingRow, Verdict
from records.rundir import RunDirectory
from tests.graphs.runs import ROOT, run, settings


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, str]:
    runs = tmp_path_factory.mktemp("runs")
    result = run(runs, "--domain", "python", "--approve", "gate", "--run", "tiny", *settings())
    assert result.returncode == 0, result.stdout + result.stderr
    return RunDirectory(runs / "tiny"), result.stdout


def test_every_stage_is_named_and_the_teacher_is_said_to_be_a_script(finished: tuple[RunDirectory, str]) -> None:
    _, printed = finished
    for words in (
        "Splits and leak check",
        "Baseline of the student",
        "Baseline of the teacher",
        "Round 1: reflection",
        "Validation on embedded",
        "Curation",
        "Training lora_plain",
        "Evaluation of lora_strategy",
        "Report",
        "Verdict:",
        "not a language model",
    ):
        assert words in printed


def test_summary_has_the_arms_with_intervals_and_comparisons(finished: tuple[RunDirectory, str]) -> None:
    summary = finished[0].read_json("evaluation/summary.json")
    assert summary["domain"] == "python" and summary["tier"] in ("docker", "jail")
    assert summary["models"]["teacher"]["is_language_model"] is False
    for split, size in (("test", 6), ("ood", 4)):
        arms = summary["splits"][split]["arms"]
        assert set(arms) == {"base", "base+strategy", "lora_plain", "lora_strategy", "teacher"}
        for arm in arms.values():
            assert arm["n"] + arm["ungraded"] == size
            low, high = arm["ci95"]
            assert low <= arm["accuracy"] <= high
    pairs = {(c["a"], c["b"]) for c in summary["splits"]["test"]["comparisons"]}
    assert {("lora_strategy", "base"), ("lora_plain", "base"), ("lora_strategy", "lora_plain")} <= pairs
    assert summary["strategy"]["verdict_by_validator"]["embedded"] in ("supported", "not shown", "harmful")


def test_records_belong_together(finished: tuple[RunDirectory, str]) -> None:
    directory, _ = finished
    problems = {p.id: p for p in directory.read("problems.jsonl", Problem)}
    attempts = {a.id: a for a in directory.read("attempts.jsonl", Attempt)}
    assert set(attempts) == {v.id for v in directory.read("verdicts.jsonl", Verdict)}
    reflections = directory.read("reflections.jsonl", Reflection)
    assert [r.round for r in reflections] == [1]
    for identity in reflections[0].attempt_ids:
        assert problems[attempts[identity].problem_id].split == "train"
    for row in directory.read("evaluation/rows.jsonl", EvaluationRow):
        assert problems[row.problem_id].split == row.split
        assert row.split in (("test", "ood") if row.suite == "student" else ("validation",))


def test_only_verified_training_problems_are_trained_on(finished: tuple[RunDirectory, str]) -> None:
    directory, _ = finished
    problems = {p.id: p for p in directory.read("problems.jsonl", Problem)}
    outcome = {v.id: v.judgement.outcome for v in directory.read("verdicts.jsonl", Verdict)}
    decision = directory.read("decisions.jsonl", Decision)[-1]
    plain = directory.read("dataset/lora_plain.jsonl", TrainingRow)
    strategy = directory.read("dataset/lora_strategy.jsonl", TrainingRow)
    assert len(plain) == len(strategy) == 8
    assert [row.problem_id for row in plain] == [row.problem_id for row in strategy]
    for row in [*plain, *strategy]:
        assert problems[row.problem_id].split == "train" and outcome[row.attempt_id] == "pass"
    assert {row.strategy_hash for row in strategy} == {decision.approved_hash}
    assert [m.role for m in plain[0].prompt] == ["user"]
    assert [m.role for m in strategy[0].prompt] == ["system", "user"]


def test_every_figure_is_recomputed_by_one_command(finished: tuple[RunDirectory, str]) -> None:
    directory, _ = finished
    check = [sys.executable, "-m", "evaluation", str(directory.path), "--check"]
    same = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert same.returncode == 0, same.stdout + same.stderr
    stored = directory.read_json("evaluation/summary.json")
    forged = json.loads(json.dumps(stored))
    forged["splits"]["test"]["arms"]["base"]["correct"] += 1
    directory.write_json("evaluation/summary.json", forged)
    caught = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    directory.write_json("evaluation/summary.json", stored)
    assert caught.returncode == 1 and "correct" in caught.stdout + caught.stderr


def test_report_says_what_it_must(finished: tuple[RunDirectory, str]) -> None:
    directory, _ = finished
    text = (directory.path / "report.md").read_text()
    page = (directory.path / "report.html").read_text()
    for words in ("not a language model", "truncated", "unparsed", "lora_strategy", "python -m evaluation"):
        assert words in text.lower() and words in page.lower()
    assert 'src="http' not in page and "<script src" not in page
    assert str(ROOT) not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "last"], ["Verdict", "lora_plain"]),
        (["show", "tiny", "--stage", "reflections"], ["Round 1", "Journal"]),
        (["show", "tiny", "--stage", "strategy"], ["first draft"]),
        (["show", "tiny", "--stage", "attempts"], ["attempts (--limit"]),
        (["show", "tiny", "--stage", "calls"], ["reply"]),
        (["cost", "tiny"], ["validation", "total", "0.0000"]),
        (["runs"], ["tiny", "complete"]),
        (["resume", "tiny"], ["Verdict"]),
    ],
)
def test_run_can_be_read(finished: tuple[RunDirectory, str], arguments: list[str], words: list[str]) -> None:
    result = run(finished[0].path.parent, *arguments)
    assert result.returncode == 0, result.stderr
    for word in words:
        assert word in result.stdout


def test_other_settings_are_refused_with_the_difference_and_a_fork_reuses_the_calls(
    finished: tuple[RunDirectory, str],
) -> None:
    runs = finished[0].path.parent
    refused = run(runs, "--domain", "python", "--approve", "gate", "--run", "tiny", *settings(examples=9))
    assert refused.returncode == 2 and "examples: 8 -> 9" in refused.stderr
    forked = run(runs, "resume", "tiny", "--fork", "forked", "--set", "examples=6")
    assert forked.returncode == 0, forked.stdout + forked.stderr
    old, new = (RunDirectory(runs / name).read_json("evaluation/summary.json") for name in ("tiny", "forked"))
    assert new["splits"]["test"]["arms"]["base"] == old["splits"]["test"]["arms"]["base"]
    assert new["dataset"]["rows"]["lora_plain"] == 6


def test_replay_reuses_the_calls_and_the_adapters_to_the_same_bytes(finished: tuple[RunDirectory, str]) -> None:
    result = run(finished[0].path.parent, "--replay", "tiny", "--run", "again")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "the source's, byte for byte" in result.stdout
    again = RunDirectory(finished[0].path.parent / "again")
    assert not list(again.path.glob("adapters/*/job.json"))  # no trainer was started
