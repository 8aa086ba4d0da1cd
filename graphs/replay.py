"""Replay: a complete run done again from its ledger, without any model.

Guaranteed: no call is made and nothing is trained; what the ledger, the adapters or the decisions of
the source do not have is an error. Problems, verdicts, edits, gates, figures and the report are made
anew, and `differing` says which result files are not the source's byte for byte. The replay keeps the
source's name and the times of its decisions, because its report names them. Not guaranteed: equality
after a change of the program, or where a call failed at first and succeeded when a later stage repeated it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graphs.approval import Answer
from graphs.context import StageError
from graphs.trainer_job import adapter_directory
from records.config import RunConfig
from records.exclusions import EXCLUSIONS
from records.nouns import Decision
from records.rundir import RunDirectory, RunError

COMPARED = ("report.md", "evaluation/summary.json")
DECIDED = "replay_decisions.jsonl"  # the source's decisions


def is_replay(run: RunDirectory) -> bool:
    """The run was begun as a replay of another."""
    return "replay_of" in run.read_json("run.json")


def start_replay(source: RunDirectory, run: RunDirectory, fingerprint: str) -> RunConfig:
    """Lay out `run` as a replay of `source`; returns its configuration.

    Raises RunError if the source is not complete, lacks its ledger, or was made by another graph.
    """
    record = source.read_json("run.json")
    _check_source(source, record, fingerprint)
    config = RunConfig.model_validate({**record["config"], "budget": {}, "prices": None})
    run.path.mkdir(parents=True)
    copy_finished(source, run)
    if (source.path / "decisions.jsonl").exists():
        shutil.copy2(source.path / "decisions.jsonl", run.path / DECIDED)
    if (source.path / EXCLUSIONS).exists():
        shutil.copy2(source.path / EXCLUSIONS, run.path / EXCLUSIONS)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"config": config.model_dump(mode="json"), "replay_of": source.id, "created": created}
    run.write_json("run.json", {**record, **about})
    return config


def _check_source(source: RunDirectory, record: Mapping[str, Any], fingerprint: str) -> None:
    if not source.complete:
        raise RunError(f"run '{source.id}' is not complete; only a complete run can be replayed. Resume it first")
    if not (source.path / "ledger.sqlite").exists():
        raise RunError(f"run '{source.id}' has no ledger.sqlite, so there is nothing to replay it from")
    if record["fingerprint"] != fingerprint:
        raise RunError(
            f"run '{source.id}' was made by another graph or with other prompts, so that its calls would not be found; "
            "replay it with the program that made it" + (f" (commit {record['git']})" if record.get("git") else "")
        )


def copy_finished(old: RunDirectory, new: RunDirectory) -> None:
    """Copy the ledger and the finished adapters of a run."""
    for file in old.path.glob("ledger.sqlite*"):
        shutil.copy2(file, new.path / file.name)
    for done in old.path.glob("adapters/*/done.json"):
        unneeded = shutil.ignore_patterns("job.json", "lock", "checkpoints")
        shutil.copytree(done.parent, new.path / "adapters" / done.parent.name, ignore=unneeded)


def decided(run: RunDirectory) -> dict[str, Decision]:
    """The source's decisions by id; empty for a run that is no replay."""
    return {decision.id: decision for decision in run.read(DECIDED, Decision)}


def recorded_answer(run: RunDirectory, payload: Mapping[str, Any]) -> Answer:
    """What the person answered at this review of the source (a `Reviewer`).

    An answer that was refused left no decision: the replay gives one that is refused too.
    """
    decision = decided(run).get(f"decision-{payload['review']}")
    if decision is None:
        return Answer(action="reject", strategy_hash="", who="replay", reason="an answer that was refused")
    facts = decision.model_dump(include={"action", "strategy_hash", "who", "reason", "text"})
    return Answer.model_validate(facts)


def reuse_adapter(run: RunDirectory, arm: str, seed: int) -> Path:
    """The source's adapter, if the replay has come to the same training rows. Raises StageError."""
    folder = RunDirectory(adapter_directory(run, arm, seed))
    dataset = run.path / "dataset" / f"{arm}.jsonl"
    if not (folder.path / "done.json").exists():
        raise StageError(f"the source of this replay has no finished adapter {folder.id}, and a replay trains none")
    trained_on = folder.read_json("done.json")["settings"]["dataset_sha256"]
    if hashlib.sha256(dataset.read_bytes()).hexdigest() != trained_on:
        raise StageError(f"the replay's {dataset} is not what the source's adapter {folder.id} was trained on")
    return folder.path


def differing(run: RunDirectory) -> list[str]:
    """Names of the result files that are not the source's byte for byte. Raises RunError if it is gone."""
    source = RunDirectory(run.path.parent / run.read_json("run.json")["replay_of"])
    if not source.complete:
        raise RunError(f"the source of the replay, {source.path}, is no complete run any more")
    return [name for name in COMPARED if (run.path / name).read_bytes() != (source.path / name).read_bytes()]
