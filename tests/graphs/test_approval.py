"""A person decides: the run waits, an edit is checked and measured again, a rejection is lived with."""

import json
from pathlib import Path

import pytest

from graphs.build import builder
from records.nouns import Decision, EvaluationRow, Problem
from records.rundir import RunDirectory
from tests.graphs.runs import ROOT, run, settings


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    runs = tmp_path_factory.mktemp("runs")
    result = run(runs, "--domain", "python", "--approve", "ask", "--run", "asked", *settings(loop__rounds=0))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "approve asked" in result.stdout and "Zero-shot validation" in result.stdout
    return RunDirectory(runs / "asked")


def decide(waiting: RunDirectory, *arguments: str) -> str:
    result = run(waiting.path.parent, "approve", "asked", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return " ".join(result.stdout.split())


def last_hash(waiting: RunDirectory) -> str | None:
    rows = RunDirectory(waiting.path).read("evaluation/rows.jsonl", EvaluationRow)
    return [row.strategy_hash for row in rows if row.suite == "strategy"][-1]


def test_edit_that_leaks_a_test_problem_is_refused(waiting: RunDirectory, tmp_path: Path) -> None:
    leak = next(p for p in waiting.read("problems.jsonl", Problem) if p.split == "test")
    text = next((waiting.path / "strategies").glob("*.md")).read_text()
    (tmp_path / "edit.md").write_text(f"{text}\n- {leak.prompt.splitlines()[0]} {leak.id}\n")
    printed = decide(waiting, "--decision", "edit", "--file", str(tmp_path / "edit.md"))
    assert "the edit cannot be used" in printed and "waits for a decision" in printed
    assert not (waiting.path / "dataset").exists()


def test_edit_is_measured_again_before_it_counts(waiting: RunDirectory, tmp_path: Path) -> None:
    before = last_hash(waiting)
    text = next((waiting.path / "strategies").glob("*.md")).read_text()
    (tmp_path / "edit.md").write_text(text + "- Prefer the plainest construct that does the work.\n")
    printed = decide(waiting, "--decision", "edit", "--file", str(tmp_path / "edit.md"), "--reason", "one more line")
    assert "waits for a decision" in printed and last_hash(waiting) != before
    assert [d.action for d in waiting.read("decisions.jsonl", Decision)] == ["edit"]


def test_rejected_strategy_leaves_the_arms_that_need_none(waiting: RunDirectory) -> None:
    refused = run(waiting.path.parent, "approve", "asked", "--decision", "reject")
    assert refused.returncode == 2 and "--reason" in refused.stderr
    printed = decide(waiting, "--decision", "reject", "--reason", "not convincing")
    assert "arms that need no strategy" in printed
    summary = waiting.read_json("evaluation/summary.json")
    assert set(summary["splits"]["test"]["arms"]) == {"base", "lora_plain", "teacher"}
    assert summary["strategy"]["approved"] is False
    late = run(waiting.path.parent, "approve", "asked", "--decision", "approve")
    assert late.returncode == 2 and "does not wait" in late.stderr


def test_graph_is_exported_for_other_tools() -> None:
    path, name = json.loads((ROOT / "langgraph.json").read_text())["graphs"]["transfer"].split(":")
    assert (ROOT / path).exists() and name == "builder"
    assert {"review", "learn", "validate", "train_arm", "report"} <= set(builder.compile().get_graph().nodes)
