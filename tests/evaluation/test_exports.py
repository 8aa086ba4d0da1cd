"""Exports are read back with the tools that they are for: the same figures, texts and verdicts."""

import math
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.run_directory import generate
from console.app import app
from evaluation.inspect_export import write_inspect
from evaluation.mlflow_export import write_mlflow
from evaluation.summary import summarise
from models.export import ExportError
from records.nouns import Attempt, EvaluationRow, Judgement, Problem, Verdict
from records.rundir import RunDirectory

HOSTILE = "<script>\x1b[2J\u202e \ud800 " + "x" * 100_000


def ungraded(run: RunDirectory) -> None:
    """One more reply, hostile and not to be judged."""
    problem = next(p for p in run.read("problems.jsonl", Problem) if p.split == "test")
    facts = {"problem_id": problem.id, "arm": "base", "model": "embedded"}
    attempt = Attempt.model_validate(
        {**facts, "id": "baseline/base/hostile", "stage": "baseline", "agent": "student", "sample": 1, "reply": HOSTILE}
    )
    judgement = Judgement(outcome="ungraded", kind="infra_error", evidence=HOSTILE)
    row = EvaluationRow.model_validate(
        {
            **facts, "id": f"student/{attempt.id}", "suite": "student", "split": "test", "family": problem.family,
            "sample": 1, "seed": 0, "outcome": "ungraded", "kind": "infra_error", "expected": problem.answer,
            "predicted": None, "truncated": True, "tier": None, "completion_tokens": None,
        }
    )  # fmt: skip
    run.append("attempts.jsonl", [attempt])
    run.append("verdicts.jsonl", [Verdict(id=attempt.id, problem_id=problem.id, judgement=judgement)])
    run.append("evaluation/rows.jsonl", [row])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    made = generate(tmp_path_factory.mktemp("runs") / "made", 300, 400, report=False)
    ungraded(made)
    made.write_json("evaluation/summary.json", summarise(made))
    return RunDirectory(made.path)


@pytest.mark.exports
def test_inspect_reads_the_figures_the_texts_and_what_was_not_judged(run: RunDirectory, tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log

    files = write_inspect(run, tmp_path)
    rows = run.read("evaluation/rows.jsonl", EvaluationRow)
    logs = {file.name: read_eval_log(str(file)) for file in files}
    assert sum(len(log.samples or []) for log in logs.values()) == len(rows)
    base = logs["made-student-base-embedded-test-seed0.eval"]
    figures = run.read_json("evaluation/summary.json")["splits"]["test"]["arms"]["base"]
    assert base.status == "success" and base.results is not None and base.samples is not None
    (score,) = base.results.scores
    assert score.metrics["accuracy"].value == pytest.approx(figures["accuracy"], abs=1e-5)
    assert (score.scored_samples, score.unscored_samples) == (figures["n"], 1)
    (odd,) = [sample for sample in base.samples if sample.epoch == 2]
    assert odd.scores is not None and math.isnan(odd.scores["verifier"].as_float())
    assert odd.output.completion.startswith("<script>\x1b[2J\u202e \\ud800") and odd.output.stop_reason == "max_tokens"
    attempts = {attempt.id: attempt for attempt in run.read("attempts.jsonl", Attempt)}
    problems = {problem.id: problem for problem in run.read("problems.jsonl", Problem)}
    for sample in base.samples:
        reply = attempts[sample.metadata["attempt"]].reply
        assert sample.output.completion == reply.encode("utf-8", "backslashreplace").decode("utf-8")
        assert sample.messages[0].text == problems[str(sample.id)].prompt


@pytest.mark.exports
def test_inspect_log_of_a_strategy_arm_has_the_system_prompt_as_it_was_sent(run: RunDirectory, tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log

    (learned,) = [file for file in write_inspect(run, tmp_path) if "strategy-learned-embedded" in file.name]
    log = read_eval_log(str(learned))
    assert log.samples and all(sample.messages[0].role == "system" for sample in log.samples)
    assert log.eval.metadata is not None and log.eval.metadata["strategy_hash"] in learned.name
    assert not list(tmp_path.glob("*.tmp*"))


@pytest.mark.exports
def test_mlflow_reads_figures_settings_losses_and_artifacts(run: RunDirectory, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    identity = write_mlflow(run, tmp_path)
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    found = client.get_run(identity)
    figures = run.read_json("evaluation/summary.json")["splits"]["test"]["arms"]["lora_plain"]
    assert found.info.status == "FINISHED" and found.info.run_name == "made"
    assert found.data.metrics["test/lora_plain/accuracy"] == pytest.approx(figures["accuracy"])
    assert found.data.metrics["test/base_with_strategy/n"] == 6
    assert found.data.params["sizes.test"] == "6" and found.data.params["domain"] == "scheduling"
    losses = client.get_metric_history(identity, "training/lora_plain-seed0/loss")
    assert [loss.step for loss in losses] == list(range(1, len(losses) + 1)) and len(losses) >= 1
    assert {"decisions.jsonl", "evaluation", "strategies"} <= {item.path for item in client.list_artifacts(identity)}
    with pytest.raises(ExportError, match="already"):
        write_mlflow(run, tmp_path)


@pytest.mark.exports
def test_interrupted_mlflow_export_is_done_again(run: RunDirectory, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    first = write_mlflow(run, tmp_path)
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    client.update_run(first, status="RUNNING")  # as if it had been killed
    second = write_mlflow(run, tmp_path)
    (left,) = client.search_runs([client.get_run(second).info.experiment_id])
    assert left.info.run_id == second != first


@pytest.mark.exports
def test_command_writes_both(run: RunDirectory, tmp_path: Path) -> None:
    for form, words in (("inspect", "Inspect logs"), ("mlflow", "mlflow ui")):
        arguments = ["export", "made", "--to", str(tmp_path), "--format", form, "--runs", str(run.path.parent)]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0 and words in result.output, result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say what to write"),
        (["--to", "x"], "--format inspect or mlflow"),
        (["--to", "x", "--format", "openai"], "--format inspect or mlflow"),
        (["--to", "x", "--batch-file", "y", "--format", "mlflow"], "different formats"),
        (["--calls", "c", "--format", "inspect"], "belong together"),
    ],
)
def test_export_that_does_not_fit_together_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    RunDirectory(tmp_path / "r").write_json("run.json", {"id": "r", "config": {"domain": "scheduling"}})
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["export", "r", *arguments, "--runs", str(tmp_path)])
    assert result.exit_code == 2 and words in " ".join(result.output.split())
    assert os.listdir(tmp_path) == ["r"]
