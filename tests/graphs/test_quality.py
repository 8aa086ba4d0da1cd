"""What the README promises of the quick profile, measured anew (`make test-slow`; about half an hour)."""

from pathlib import Path

import pytest

from records.rundir import RunDirectory
from tests.graphs.runs import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_scheduling_student_is_balanced_on_the_origins_problems(tmp_path: Path) -> None:
    arguments = ["--domain", "scheduling", "--problems", "origin", "--approve", "gate", "--run", "origin"]
    result = run(tmp_path, *arguments, timeout=3500)
    assert result.returncode == 0, result.stdout + result.stderr
    summary = RunDirectory(tmp_path / "origin").read_json("evaluation/summary.json")
    test = summary["splits"]["test"]
    assert test["constant_baseline"]["accuracy"] == pytest.approx(132 / 150)
    assert test["arms"]["lora_plain"]["balanced_accuracy"] >= 0.80
    assert summary["verdict"] == "improved"


def test_python_student_gains_on_test_and_on_unseen_families(tmp_path: Path) -> None:
    result = run(tmp_path, "--domain", "python", "--approve", "gate", "--run", "python", timeout=3500)
    assert result.returncode == 0, result.stdout + result.stderr
    splits = RunDirectory(tmp_path / "python").read_json("evaluation/summary.json")["splits"]
    gains = {s: next(c for c in splits[s]["comparisons"] if (c["a"], c["b"]) == ("lora_plain", "base")) for s in splits}
    assert splits["test"]["arms"]["lora_plain"]["accuracy"] >= 0.80
    assert gains["test"]["ci95"][0] > 0.40
    assert gains["ood"]["ci95"][0] > 0
