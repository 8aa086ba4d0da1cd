"""The debugging domain through the whole program, on the real embedded model, beside the python domain."""

from collections import Counter
from pathlib import Path

import pytest

from graphs.preflight import preflight
from models.ledger import read_rows
from records.config import RunConfig
from records.nouns import EvaluationRow, Problem, TrainingRow
from records.rundir import RunDirectory
from tests.graphs.runs import run, settings


@pytest.mark.slow
def test_runs_of_both_domains_are_tested_on_each_other_and_merged(tmp_path: Path) -> None:
    for name, other in (("debugging", "python"), ("python", "debugging")):
        arms = (
            "--set",
            "student_arms=[base, base+strategy, lora_plain]" if name == "debugging" else "student_arms=[base]",
        )
        flags = ("--domain", name, "--transfer-to", other, "--approve", "always", "--run", name)
        result = run(tmp_path, *flags, *settings(examples=8), *arms)
        assert result.returncode == 0, result.stdout + result.stderr
        assert f"The strategy on {other}: embedded: " in result.stdout
    directory = RunDirectory(tmp_path / "debugging")
    problems = {problem.id: problem for problem in directory.read("problems.jsonl", Problem)}
    rows = directory.read("dataset/lora_plain.jsonl", TrainingRow)
    assert rows and all(problems[row.problem_id].domain == "debugging" for row in rows)
    assert all("```python" in row.prompt[-1].content for row in rows)
    there = RunDirectory(directory.path / "transfers" / "python").read("rows.jsonl", EvaluationRow)
    assert len(there) == 6 * 4 and {row.split for row in there} == {"validation"}
    check_estimate(directory)
    merged = run(tmp_path, "--compose", "debugging", "python", "--run", "both")
    assert merged.returncode == 0, merged.stdout + merged.stderr
    assert "against its own strategy" in merged.stdout and (tmp_path / "both" / "composition.md").exists()


def check_estimate(directory: RunDirectory) -> None:
    """What `--dry-run` says of a local student that is trained: every reply of every arm is in the ledger."""
    config = RunConfig.model_validate(directory.read_json("run.json")["config"])
    estimated = {(part.stage, part.agent): part.calls for part in preflight(config, free=True)}
    made = Counter((row["stage"], row["agent"]) for row in read_rows(directory.path / "ledger.sqlite"))
    for key in (("baseline", "student"), ("evaluation", "student")):
        assert estimated[key] == (made[key], made[key])
    assert all(made[key] <= high for key, (_, high) in estimated.items())
