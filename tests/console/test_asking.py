"""The question at a terminal ends when somebody else decides, and the decision is the same row everywhere."""

import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.run_directory import generate
from console import asking
from console.app import app
from graphs.inbox import DecisionRow, PendingDecision, decisions, pending_decision, submit_decision
from graphs.strategies import load_strategy
from records.rundir import RunDirectory


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return generate(tmp_path_factory.mktemp("runs") / "asked", 300, 400, waiting=True)


@pytest.fixture
def run(made: RunDirectory) -> RunDirectory:
    (made.path / "inbox.jsonl").unlink(missing_ok=True)
    return made


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal whose other end types; `sys.stdin` is this end."""
    typing, reading = os.openpty()
    with os.fdopen(reading, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield typing
    os.close(typing)


def waiting(run: RunDirectory) -> PendingDecision:
    pending = pending_decision(run.path)
    assert pending is not None
    return pending


def elsewhere(run: RunDirectory) -> DecisionRow:
    pending = waiting(run)
    return DecisionRow(
        interrupt_id=pending.interrupt_id, strategy_hash=pending.strategy_hash, action="reject", who="bob", text="no"
    )


def submit_once(mark: Path, run: RunDirectory, row: DecisionRow) -> None:
    while not mark.exists():
        time.sleep(0.01)
    submit_decision(run.path, row)


def shown(width: int = 100) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_typed_words_become_an_answer(run: RunDirectory, keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRL_REVIEWER", "ada")
    os.write(keyboard, b"maybe\nreject\n\nre\nit is too long\n")
    console = shown()
    answer = asking.question(console, run, waiting(run).strategy_hash)
    assert answer is not None and (answer.action, answer.reason, answer.who) == ("reject", "it is too long", "ada")
    assert "none of these" in text(console) and "needs a reason" in text(console)


@pytest.mark.parametrize("typed", [b"later\n", b"\n", b"\x04"])
def test_later_an_empty_line_and_a_closed_input_decide_nothing(run: RunDirectory, keyboard: int, typed: bytes) -> None:
    os.write(keyboard, typed)
    assert asking.question(shown(), run, waiting(run).strategy_hash) is None and decisions(run.path) == []


def test_decision_from_elsewhere_ends_the_question(run: RunDirectory, keyboard: int) -> None:
    row = elsewhere(run)
    threading.Timer(0.3, lambda: submit_decision(run.path, row)).start()
    console, begun = shown(), time.monotonic()
    assert asking.question(console, run, waiting(run).strategy_hash) is None
    assert time.monotonic() - begun < 20
    assert "bob has decided: reject (no)" in text(console)


def test_editor_without_a_change_is_no_edit(
    run: RunDirectory, keyboard: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nexit 0\n")
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    os.write(keyboard, b"edit\nlater\n")
    console = shown()
    assert asking.question(console, run, waiting(run).strategy_hash) is None and "Nothing was changed" in text(console)
    editor.write_text('#!/bin/sh\nprintf -- "- One more line.\\n" >> "$1"\n')
    os.write(keyboard, b"edit\nclearer\n")
    answer = asking.question(shown(), run, waiting(run).strategy_hash)
    assert answer is not None and answer.reason == "clearer"
    before = load_strategy(run, answer.strategy_hash).text
    assert answer.text is not None and answer.text.startswith(before) and answer.text.endswith("- One more line.\n")


def test_edit_that_was_overtaken_is_kept(
    run: RunDirectory, keyboard: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row, editor, edited = elsewhere(run), tmp_path / "editor", tmp_path / "edited"
    editor.write_text(f'#!/bin/sh\nprintf "\\n- mine\\n" >> "$1"\ntouch {edited}\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    overtaking = threading.Thread(target=submit_once, args=(edited, run, row))
    overtaking.start()
    os.write(keyboard, b"edit\n")  # and no reason is typed until somebody else has decided
    console = shown()
    assert asking.question(console, run, row.strategy_hash) is None
    overtaking.join()
    assert (run.path / "edit-not-used.md").read_text().endswith("- mine\n") and "not used" in text(console)


def test_evidence_shows_what_speaks_against_the_strategy_too(run: RunDirectory) -> None:
    console = shown(80)
    asking.show_evidence(console, run, waiting(run).payload)
    seen = text(console)
    for words in (
        "In short",
        "placebo",
        "one_shot",
        "problems can show no gain",
        "What happens next",
        "reject",
        "approve",
    ):
        assert words in seen
    assert "the gate kept" in seen and "from 4 attempts (" in seen and "is in it" in seen


def test_decision_is_left_to_the_process_that_works_on_the_run(run: RunDirectory) -> None:
    arguments = ["approve", "asked", "--decision", "approve", "--reason", "fine", "--runs", str(run.path.parent)]
    with run.lock():
        result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0 and "goes on with it" in " ".join(result.output.split())
    (row,) = decisions(run.path)
    assert (row.action, row.text) == ("approve", "fine")
    again = CliRunner().invoke(app, [*arguments[:3], "reject", "--reason", "no", *arguments[-2:]])
    assert again.exit_code == 2 and "has decided: approve (fine)" in " ".join(again.output.split())
    assert len(decisions(run.path)) == 1


def test_excluding_needs_rows(run: RunDirectory) -> None:
    result = CliRunner().invoke(app, ["exclude", "asked", "x", "--reason", "y", "--runs", str(run.path.parent)])
    assert result.exit_code == 2 and "no training rows yet" in " ".join(result.output.split())
