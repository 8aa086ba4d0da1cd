"""A person decides: the run waits, an edit is checked and measured again, a rejection is lived with."""

import json
import subprocess
from pathlib import Path

import pytest

from graphs.build import builder
from graphs.exclusions import ExclusionRefused, exclude_row
from graphs.inbox import Accepted, AlreadyDecided, DecisionRow, pending_decision, submit_decision
from graphs.times import spans
from records.nouns import Attempt, Decision, EditGate, EvaluationRow, Problem, TrainingRow
from records.rundir import RunDirectory
from tests.graphs.runs import ROOT, command, run, settings


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


def submit(waiting: RunDirectory, who: str, **row: str) -> Accepted | AlreadyDecided:
    """What a web page does."""
    pending = pending_decision(waiting.path)
    assert pending is not None and pending.payload["strategy_hash"] == pending.strategy_hash
    about = {"interrupt_id": pending.interrupt_id, "strategy_hash": pending.strategy_hash, "who": who}
    return submit_decision(waiting.path, DecisionRow.model_validate({**about, **row}))


def test_edit_from_elsewhere_is_measured_again_before_it_counts(waiting: RunDirectory) -> None:
    before = last_hash(waiting)
    text = next((waiting.path / "strategies").glob("*.md")).read_text()
    edited = text + "- Prefer the plainest construct that does the work.\n"
    told = submit(waiting, "ada", action="edit", text=edited, reason="one more line")
    assert isinstance(told, Accepted) and pending_decision(waiting.path) is None
    resumed = run(waiting.path.parent, "resume", "asked")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "waits for a decision" in resumed.stdout and last_hash(waiting) != before
    (decision,) = waiting.read("decisions.jsonl", Decision)
    assert (decision.action, decision.who, decision.reason) == ("edit", "ada", "one more line")
    assert decision.time == told.row.time
    (tested,) = waiting.read("edit_gates.jsonl", EditGate)
    gate = tested.gate
    assert (tested.before_hash, tested.edited_hash) == (before, last_hash(waiting))
    assert (gate.policy, gate.alpha, gate.n + gate.ungraded, gate.planned) == (
        "sequential",
        pytest.approx(0.005),
        3,
        3,
    )  # half of the edits' part; one item is the search's
    asked = {a.arm for a in waiting.read("attempts.jsonl", Attempt) if a.stage == "gate"}
    assert asked == {f"strategy-{before}", f"strategy-{tested.edited_hash}"}
    pending = pending_decision(waiting.path)
    assert pending is not None and f"at the gate {gate.reason}" in pending.payload["notice"]
    assert "edited by a person, is not shown to be better" in resumed.stdout


def test_stages_have_their_times_over_all_processes(waiting: RunDirectory) -> None:
    ended = list(spans(list(waiting.rows("stage_times.jsonl"))))
    assert {stage for stage, _, _ in ended} == {"splits", "baseline", "lrl", "validation", "approval", "gate"}
    assert all(begun <= end for _, begun, end in ended)
    validations = [row for row in waiting.rows("stage_times.jsonl") if row["node"] == "validate" and row["ended"]]
    assert len(validations) == 2  # before and after the edit


def test_rejected_strategy_leaves_the_arms_that_need_none(waiting: RunDirectory) -> None:
    """The run waits for the decision from elsewhere and then stops once more, before the training."""
    refused = run(waiting.path.parent, "approve", "asked", "--decision", "reject")
    assert refused.returncode == 2 and "--reason" in refused.stderr
    line = command(waiting.path.parent, "resume", "asked", "--wait", "--review-data")
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(line, cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout is not None
        said = ""
        for part in process.stdout:
            said += part
            if "waiting for a decision" in part:
                told = submit(waiting, "ada", action="reject", text="not convincing")
                second = DecisionRow.model_validate({**told.row.model_dump(), "who": "bob", "action": "approve"})
                assert isinstance(submit_decision(waiting.path, second), AlreadyDecided)
    assert process.returncode == 0 and "ada: reject (not convincing)" in said, said
    assert "approve asked" in said and "exclude asked" in said
    assert not (waiting.path / "adapters").exists()


def test_training_row_is_left_out_before_the_training(waiting: RunDirectory) -> None:
    rows = waiting.read("dataset/lora_plain.jsonl", TrainingRow)
    exclude_row(waiting.path, rows[0].id, "the solution is odd", "ada")
    resumed = run(waiting.path.parent, "resume", "asked")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert waiting.read_json("adapters/lora_plain-seed0/done.json")["rows"] == len(rows) - 1
    summary = waiting.read_json("evaluation/summary.json")
    assert set(summary["splits"]["test"]["arms"]) == {"base", "lora_plain", "teacher"}
    assert summary["strategy"]["approved"] is False
    assert "the solution is odd" in (waiting.path / "report.md").read_text()
    with pytest.raises(ExclusionRefused, match="has begun"):
        exclude_row(waiting.path, rows[1].id, "too late", "ada")
    late = run(waiting.path.parent, "approve", "asked", "--decision", "approve")
    assert late.returncode == 2 and "does not wait" in late.stderr


def test_graph_is_exported_for_other_tools() -> None:
    path, name = json.loads((ROOT / "langgraph.json").read_text())["graphs"]["transfer"].split(":")
    assert (ROOT / path).exists() and name == "builder"
    assert {"review", "learn", "validate", "train_arm", "report"} <= set(builder.compile().get_graph().nodes)
