"""The mathematics domain through the whole program, on the real embedded model."""

from pathlib import Path

import pytest

from records.config import RunConfig
from records.nouns import Problem, TrainingRow, Verdict
from records.rundir import RunDirectory
from tests.graphs.runs import run, settings


@pytest.mark.slow
def test_a_run_from_problems_to_report(tmp_path: Path) -> None:
    flags = ("--domain", "mathematics", "--approve", "always", "--require-sound-steps", "--run", "maths")
    result = run(tmp_path, *flags, *settings(examples=8))
    assert result.returncode == 0, result.stdout + result.stderr
    directory = RunDirectory(tmp_path / "maths")
    assert RunConfig.model_validate(directory.read_json("run.json")["config"]).require_sound_steps
    problems = {problem.id: problem for problem in directory.read("problems.jsonl", Problem)}
    sound = {
        v.id for v in directory.read("verdicts.jsonl", Verdict) if v.judgement.outcome == "pass" and v.judgement.sound
    }
    rows = directory.read("dataset/lora_plain.jsonl", TrainingRow)
    assert rows and all(row.attempt_id in sound for row in rows)
    assert all(problems[row.problem_id].split == "train" for row in rows)
    assert directory.complete and (directory.path / "report.md").exists()
