"""A run that is killed in each stage ends with the report of an undisturbed one."""

import re
from pathlib import Path

import pytest

from records.rundir import RunDirectory
from tests.graphs.runs import kill_at, run, settings

STAGES = [
    "Splits and leak check",
    "Baseline of the student",
    "Baseline of the teacher",
    "First strategy",
    "Round 1: the teacher solves a batch",
    "Round 1: reflection",
    "Round 1: gate",
    "Validation on embedded",
    "Curation",
    "Training lora_plain",
    "Training lora_strategy",
    "Evaluation of base+strategy",
    "Evaluation of lora_strategy",
    "Report",
]


def report(runs: Path, name: str) -> tuple[object, str]:
    """Summary and report without the run's name and without what the clock says."""
    directory = RunDirectory(runs / name)
    summary = directory.read_json("evaluation/summary.json")
    text = (directory.path / "report.md").read_text().replace(name, "RUN")
    clock = r"\d{4}-\d\d-\d\dT[\d:+]+|\d+(\.\d+)? (s|min|tokens/s)\b"
    assert "| dtype | seconds |\n" in text  # the last column of the training table is a clock
    seconds = r"(?m)^(\| \w+-seed\d+ \|.*\| \w+ \|) \d+ \|$"
    return {**summary, "id": "RUN"}, re.sub(seconds, r"\1 CLOCK |", re.sub(clock, "CLOCK", text))


@pytest.mark.timeout(2400)
def test_run_killed_in_each_stage_resumes_to_the_same_report(tmp_path: Path) -> None:
    arguments = ["--domain", "python", "--approve", "gate", *settings()]
    whole = run(tmp_path, *arguments, "--run", "whole")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    kill_at(tmp_path, STAGES[0], *arguments, "--run", "killed")
    for stage in STAGES[1:]:
        printed = kill_at(tmp_path, stage, "resume", "killed")
        assert stage in printed, f"the run did not come to {stage}:\n{printed}"
        assert "error" not in printed
        assert not RunDirectory(tmp_path / "killed").complete
    last = run(tmp_path, "resume", "killed")
    assert last.returncode == 0, last.stdout + last.stderr
    assert report(tmp_path, "killed")[0] == report(tmp_path, "whole")[0]
    assert report(tmp_path, "killed")[1] == report(tmp_path, "whole")[1]
