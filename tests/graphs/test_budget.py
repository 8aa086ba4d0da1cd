"""A run whose budget is used up stops in good order, and goes on without paying twice."""

from pathlib import Path

import pytest

from records.nouns import Attempt, Verdict
from records.rundir import RunDirectory
from tests.graphs.runs import run, settings
from tests.loopback import Loopback


def test_run_stops_with_a_partial_report_and_goes_on_with_a_larger_budget(tmp_path: Path) -> None:
    """Ten calls are the teacher's baseline; the eleventh is its first strategy."""
    with Loopback(lambda request: "I do not know.") as server:
        teacher = ("--teacher", f"vllm:m@{server.openai_url}", "--approve", "gate")
        arguments = ("--domain", "scheduling", *teacher, "--run", "small", *settings(), "--set", "budget.calls=4")
        stopped = run(tmp_path, *arguments)
        assert stopped.returncode == 3, stopped.stdout + stopped.stderr
        assert "4 calls of 4 are spent" in stopped.stderr and "resume small --budget" in stopped.stderr
        assert "4 calls of unknown cost of 4 calls so far" in stopped.stdout
        assert server.count == 4
        directory = RunDirectory(tmp_path / "small")
        assert "**Incomplete: the run has stopped.** the budget does not allow" in (
            directory.path / "report.md"
        ).read_text().replace("\\", "")
        assert directory.read_json("evaluation/summary.json")["verdict"] == "not shown"
        attempts = [a for a in directory.read("attempts.jsonl", Attempt) if a.agent == "teacher"]
        assert len(attempts) == 4 and not any(attempt.error for attempt in attempts)
        assert {a.id for a in attempts} <= {v.id for v in directory.read("verdicts.jsonl", Verdict)}
        assert "stopped by its budget" in " ".join(run(tmp_path, "runs").stdout.split())
        again = run(tmp_path, "resume", "small", "--set", "budget.calls=10")
        assert again.returncode == 3 and "First strategy" in again.stdout
        assert server.count == 10 and len({request.prompt for request in server.requests}) == 10
        assert directory.read_json("run.json")["config"]["budget"]["calls"] == 10


@pytest.mark.parametrize("command", [["--domain", "scheduling", "--teacher", "vllm:m@http://127.0.0.1:9/v1"]])
def test_unknown_price_under_a_budget_is_refused_before_the_run(tmp_path: Path, command: list[str]) -> None:
    refused = run(tmp_path, *command, "--budget", "5.00")
    assert refused.returncode == 2 and not list(tmp_path.iterdir())
    for words in ("no price is known for teacher 'vllm:m@", "--prices FILE", "budget.tokens", "prices.toml"):
        assert words in refused.stderr
