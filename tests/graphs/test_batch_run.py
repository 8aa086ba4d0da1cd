"""A run with --batch that is killed while its batches are worked on submits nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.ledger import read_rows
from records.rundir import RunDirectory
from tests.graphs.runs import kill_at, run, settings
from tests.graphs.test_replay import model
from tests.loopback import Loopback


def test_killed_run_finds_its_batches_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "planted-0123456789")
    with Loopback(model, polls=3) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        models = ["--teacher", "anthropic:claude-haiku-4-5", "--validator", "openai:gpt-5.4-mini"]
        models += ["--student", f"vllm:student@{server.openai_url}", "--approve", "gate", "--run", "x"]
        changes = {"student_arms": "[base]", "batches.poll": 0.2, "batches.window": 0.3, "batches.settles": 1}
        printed = kill_at(tmp_path, "are in batch", "--domain", "scheduling", "--batch", *models, *settings(**changes))
        assert "10 calls of 'anthropic:claude-haiku-4-5' are in batch batch_1" in printed
        assert len(server.batches) == 1
        printed = kill_at(tmp_path, "calls of 'openai:", "resume", "x")
        ended = run(tmp_path, "resume", "x")
        assert ended.returncode == 0, ended.stdout + ended.stderr
    directory = RunDirectory(tmp_path / "x")
    rows = list(read_rows(directory.path / "ledger.sqlite"))
    waited = {"baseline": "anthropic", "validation": "openai", "curation": "anthropic"}
    assert {(row["stage"], row["provider"]) for row in rows if row["batch"]} == set(waited.items())
    assert len(server.batches) == len({row["batch"] for row in rows if row["batch"]})
    assert directory.complete and {row["status"] for row in rows} == {"ok"}
    assert all(row["starts"] == 1 for row in rows if row["batch"])
    assert sum(batch.total for batch in server.batches.values()) == sum(row["batch"] is not None for row in rows)
