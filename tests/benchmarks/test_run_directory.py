"""The generated run directory is what the program's own readers take, with the numbers that were asked for."""

from pathlib import Path

import pytest

from benchmarks.run_directory import generate
from graphs.inbox import pending_decision
from graphs.strategies import all_versions
from models.ledger import read_rows
from records.nouns import Attempt, Decision, EvaluationRow, Reflection, TrainingRow, Verdict
from records.rundir import RunDirectory
from training.rows import check_approval


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return generate(tmp_path_factory.mktemp("runs") / "complete", 300, 450, report=False)


def test_numbers_are_exact_and_every_reference_can_be_followed(complete: RunDirectory) -> None:
    attempts = {attempt.id: attempt for attempt in complete.read("attempts.jsonl", Attempt)}
    keys = {row["key"] for row in read_rows(complete.path / "ledger.sqlite")}
    assert len(attempts) == 300 and len(keys) == 450
    assert {attempt.call_key for attempt in attempts.values()} < keys
    assert {verdict.id for verdict in complete.read("verdicts.jsonl", Verdict)} == set(attempts)
    origins = {
        one for version in all_versions(complete) for bullet in version.strategy.bullets for one in bullet.origin
    }
    assert origins and origins < set(attempts)
    assert all(set(r.attempt_ids) < set(attempts) and r.gate for r in complete.read("reflections.jsonl", Reflection))


def test_later_stages_can_be_read(complete: RunDirectory) -> None:
    rows = complete.read("dataset/lora_strategy.jsonl", TrainingRow)
    assert rows and check_approval(rows, complete.read("decisions.jsonl", Decision)) and complete.complete
    arms = {row.arm for row in complete.read("evaluation/rows.jsonl", EvaluationRow) if row.suite == "student"}
    assert arms == {"base", "teacher", "base+strategy", "lora_plain", "lora_strategy"}


def test_waiting_run_stands_at_the_approval_and_the_same_seed_gives_the_same_texts(
    complete: RunDirectory, tmp_path: Path
) -> None:
    run = generate(tmp_path / "r", 300, 400, waiting=True)
    pending = pending_decision(run.path)
    assert pending is not None and not run.complete and not (run.path / "dataset").exists()
    versions = {row.strategy_hash for row in run.read("evaluation/rows.jsonl", EvaluationRow) if row.strategy_hash}
    assert versions == {pending.strategy_hash}
    for name in ("problems.jsonl", "reflections.jsonl"):
        assert (run.path / name).read_bytes() == (complete.path / name).read_bytes()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="not empty"):
        generate(tmp_path, 300, 400)
    with pytest.raises(ValueError, match="at least 300"):
        generate(tmp_path / "r", 200, 400)
