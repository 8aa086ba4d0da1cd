"""A run whose student is trained again waits for a decision again, although it has datasets already."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from console.app import app
from records.config import RunConfig
from records.nouns import Decision
from records.rundir import RunDirectory
from tests.evaluation.rows import row

DECISION = {"action": "approve", "who": "w", "reason": "r", "time": "t"}


def measured(run: RunDirectory, strategy: str) -> None:
    made = row("learned", 0, "pass", suite="strategy", split="validation")
    run.append("evaluation/rows.jsonl", [made.model_copy(update={"id": strategy, "strategy_hash": strategy})])


def rejected(runs: Path) -> str:
    """What the program says to a rejection without a reason, with the line breaks taken out."""
    result = CliRunner().invoke(app, ["approve", "r", "--decision", "reject", "--runs", str(runs)])
    assert result.exit_code == 2
    return " ".join(result.output.split())


def test_the_strategy_of_a_later_round_can_be_decided_on(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "r")
    run.write_json("run.json", {"config": RunConfig(domain="scheduling", rounds=2).model_dump(mode="json")})
    run.file("dataset", "lora_plain.jsonl").touch()
    measured(run, "first")
    assert "needs a --reason" in rejected(tmp_path)  # nobody has decided on it
    made = Decision.model_validate({"id": "d1", "strategy_hash": "first", "approved_hash": "first", **DECISION})
    run.append("decisions.jsonl", [made])
    assert "does not wait for a decision" in rejected(tmp_path)
    measured(RunDirectory(run.path), "second")
    assert "needs a --reason" in rejected(tmp_path)
