"""A complete run is done again from its ledger, without a model, to the same bytes."""

import hashlib
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from graphs.context import StageError
from graphs.replay import DECIDED, recorded_answer, reuse_adapter
from records.nouns import Attempt, Decision
from records.rundir import RunDirectory
from tests.agents.test_over_http import EDITS
from tests.agents.writing import teacher_writes
from tests.graphs.runs import run, settings
from tests.loopback import Loopback, Request

KEY = "sk-ant-planted-0123456789abcdef"


def model(request: Request) -> str:
    """A teacher and validator that always says YES."""
    edits = json.dumps(EDITS).replace("A2", "A1")
    written = teacher_writes(request.prompt, "It did not count the rooms.", edits, "Check the rooms last.")
    return "ANSWER: YES" if written is None else written


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, Loopback]:
    """A run with an API teacher, a refused edit, an edit and an approval; it trains nothing."""
    runs = tmp_path_factory.mktemp("runs")
    kept = dict(os.environ)
    with Loopback(model) as server:
        os.environ |= {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url}
        models = ("--teacher", "anthropic:claude-haiku-4-5", "--validator", f"vllm:m@{server.openai_url}")
        arms = ("--set", "student_arms=[base, base+strategy]")
        short = settings(sizes__test=4, sizes__ood=0, decoding__max_tokens=4)  # for the student; the server ignores it
        begun = run(runs, "--domain", "scheduling", *models, "--run", "done", *short, *arms, timeout=900)
        assert begun.returncode == 0, begun.stdout + begun.stderr
        assert "Before the first paid call" in begun.stdout and "Budget: none" in begun.stdout
        directory = RunDirectory(runs / "done")
        waiting = [row for row in directory.rows("evaluation/rows.jsonl") if row["suite"] == "strategy"]
        text = (directory.path / "strategies" / f"{waiting[-1]['strategy_hash']}.md").read_text()
        (runs / "same.md").write_text(text)
        (runs / "edit.md").write_text(text + "- Count the rooms before the meetings.\n")
        for answer in (
            ("edit", "--file", str(runs / "same.md")),
            ("edit", "--file", str(runs / "edit.md"), "--reason", "one more line"),
            ("approve", "--reason", "fine"),
        ):
            result = run(runs, "approve", "done", "--decision", *answer)
            assert result.returncode == 0, result.stdout + result.stderr
    os.environ.clear()
    os.environ.update(kept)
    assert directory.complete
    assert [decision.id for decision in directory.read("decisions.jsonl", Decision)] == ["decision-2", "decision-3"]
    return directory, server


def test_replay_has_the_same_bytes_and_makes_no_call(source: tuple[RunDirectory, Loopback]) -> None:
    directory, server = source
    asked = server.count
    result = run(directory.path.parent, "--replay", "done")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "report.md and evaluation/summary.json are the source's, byte for byte" in result.stdout
    replay = RunDirectory(directory.path.parent / "done-replay")
    for name in ("report.md", "report.html", "evaluation/summary.json", "usage.json", "decisions.jsonl"):
        assert (replay.path / name).read_bytes() == (directory.path / name).read_bytes(), name
    old, new = ({a.id: a for a in run_.read("attempts.jsonl", Attempt)} for run_ in (directory, replay))
    assert old == new and len(old) > 40
    assert server.count == asked


def test_call_that_is_not_in_the_ledger_is_an_error(source: tuple[RunDirectory, Loopback], tmp_path: Path) -> None:
    directory, _ = source
    shutil.copytree(directory.path, tmp_path / "holed")
    with closing(sqlite3.connect(tmp_path / "holed" / "ledger.sqlite")) as connection:
        connection.execute("DELETE FROM calls WHERE stage = 'reflect'")
        connection.commit()
    result = run(tmp_path, "--replay", "holed")
    assert result.returncode == 1
    assert "the ledger has no call of 'anthropic:claude-haiku-4-5' with this prompt (reflect, teacher)" in result.stderr
    assert not (tmp_path / "holed-replay" / "manifest.json").exists()


def test_key_is_nowhere_in_the_run(source: tuple[RunDirectory, Loopback]) -> None:
    files = [file for file in source[0].path.rglob("*") if file.is_file()]
    assert len(files) > 10 and not [file for file in files if KEY.encode() in file.read_bytes()]


def test_what_cannot_be_replayed_is_said(source: tuple[RunDirectory, Loopback], tmp_path: Path) -> None:
    directory, _ = source
    shutil.copytree(directory.path, tmp_path / "open")
    (tmp_path / "open" / "manifest.json").unlink()
    shutil.copytree(directory.path, tmp_path / "other")
    record = json.loads((tmp_path / "other" / "run.json").read_text())
    (tmp_path / "other" / "run.json").write_text(json.dumps({**record, "fingerprint": "0" * 16}))
    for arguments, words in (
        (("--replay", "open"), "only a complete run can be replayed"),
        (("--replay", "other"), "made by another graph"),
        (("--replay", "nothing"), "there is no run"),
        (("--replay", "other", "--seed", "3"), "leave out --seed"),
    ):
        result = run(tmp_path, *arguments)
        assert result.returncode == 2 and words in result.stderr, result.stderr


def test_adapter_is_used_again_only_for_the_rows_it_was_trained_on(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    dataset = directory.file("dataset", "lora_plain.jsonl")
    dataset.write_text('{"id": "a"}\n')
    with pytest.raises(StageError, match="no finished adapter lora_plain-seed0"):
        reuse_adapter(directory, "lora_plain", 0)
    digest = hashlib.sha256(dataset.read_bytes()).hexdigest()
    directory.write_json("adapters/lora_plain-seed0/done.json", {"settings": {"dataset_sha256": digest}})
    assert reuse_adapter(directory, "lora_plain", 0) == tmp_path / "adapters" / "lora_plain-seed0"
    dataset.write_text('{"id": "b"}\n')
    with pytest.raises(StageError, match="is not what the source's adapter"):
        reuse_adapter(directory, "lora_plain", 0)


def test_reviews_are_answered_as_they_were(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    decision = Decision(
        id="decision-2", action="edit", strategy_hash="s", approved_hash=None, who="Ada", reason="clearer",
        time="2026-01-01T00:00:00+00:00", text="- Count first.",
    )  # fmt: skip
    directory.append(DECIDED, [decision])
    refused, edit = (recorded_answer(directory, {"review": number}) for number in (1, 2))
    assert refused.strategy_hash == ""  # fits no strategy, so that it is refused as the real one was
    assert (edit.action, edit.who, edit.reason, edit.text) == ("edit", "Ada", "clearer", "- Count first.")
