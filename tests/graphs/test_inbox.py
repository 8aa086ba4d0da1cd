"""Decisions from several people and processes: the first one stands, the others are told so."""

import json
import multiprocessing
from pathlib import Path

import pytest

from graphs.inbox import (
    INBOX,
    Accepted,
    AlreadyDecided,
    DecisionRefused,
    DecisionRow,
    announce,
    decisions,
    pending_decision,
    submit_decision,
    submitted_decision,
    withdraw,
)
from records.rundir import RunDirectory, RunError

PAYLOAD = {"review": 1, "strategy_hash": "aaaa", "draft_hash": "bbbb", "verdicts": {"embedded": "helps"}, "notice": ""}


def row(who: str = "ada", **changes: str) -> DecisionRow:
    values = {"interrupt_id": "i1", "strategy_hash": "aaaa", "action": "approve", "text": "it helps", **changes}
    return DecisionRow.model_validate({"who": who, **values})


@pytest.fixture
def waiting(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "r")
    run.write_json("run.json", {"id": "r"})
    announce(run, "i1", PAYLOAD)
    return run


def test_decision_is_a_row_and_what_waited_waits_no_more(waiting: RunDirectory) -> None:
    pending = pending_decision(waiting.path)
    assert pending is not None and pending.payload == PAYLOAD and pending.strategy_hash == "aaaa"
    assert submit_decision(waiting.path, row()) == Accepted(row=decisions(waiting.path)[0])
    assert pending_decision(waiting.path) is None and submitted_decision(waiting.path) == decisions(waiting.path)[0]
    (line,) = (waiting.path / INBOX).read_text().splitlines()
    assert json.loads(line)["who"] == "ada" and json.loads(line)["time"].endswith("+00:00")


def test_second_decision_gets_the_first(waiting: RunDirectory) -> None:
    submit_decision(waiting.path, row())
    withdraw(waiting)  # even after the runner has taken it
    second = submit_decision(waiting.path, row("bob", action="reject", text="no"))
    assert isinstance(second, AlreadyDecided) and second.row.who == "ada" and second.row.action == "approve"
    assert len(decisions(waiting.path)) == 1


def _submit_many(arguments: tuple[Path, int]) -> list[str]:
    path, number = arguments
    answers = [submit_decision(path, row(f"person {number}", interrupt_id="i1")) for _ in range(20)]
    return [f"{type(answer).__name__} {answer.row.who}" for answer in answers]


def test_of_several_processes_one_decides(waiting: RunDirectory) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        told = [answer for found in pool.map(_submit_many, [(waiting.path, n) for n in range(4)]) for answer in found]
    (first,) = decisions(waiting.path)
    assert sorted(set(told)) == [f"Accepted {first.who}", f"AlreadyDecided {first.who}"]
    assert told.count(f"Accepted {first.who}") == 1 and len(told) == 80


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strategy_hash": "cccc"}, "the strategy cccc"),
        ({"interrupt_id": "i0"}, "another decision"),
        ({"action": "reject", "text": " "}, "needs a reason"),
        ({"action": "edit", "text": ""}, "is empty"),
        ({"who": " "}, "names nobody"),
        ({"time": "yesterday"}, "ISO 8601"),
        ({"text": "x" * 200_001}, "at most"),
    ],
)
def test_decision_that_cannot_be_taken_says_why_and_leaves_no_row(
    waiting: RunDirectory, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(DecisionRefused, match=words):
        submit_decision(waiting.path, row(**changes))
    assert decisions(waiting.path) == [] and pending_decision(waiting.path) is not None


def test_nothing_is_decided_where_nothing_waits(waiting: RunDirectory, tmp_path: Path) -> None:
    withdraw(waiting)
    with pytest.raises(DecisionRefused, match="does not wait"):
        submit_decision(waiting.path, row())
    with pytest.raises(RunError, match="no run"):
        submit_decision(tmp_path / "none", row())
    assert not (tmp_path / "none").exists() and pending_decision(tmp_path / "none") is None
    announce(waiting, "i1", PAYLOAD)
    waiting.write_json("manifest.json", {})
    assert pending_decision(waiting.path) is None


def test_cut_line_of_a_killed_writer_is_no_decision(waiting: RunDirectory) -> None:
    (waiting.path / INBOX).write_text('{"interrupt_id": "i1", "who": "half')
    assert pending_decision(waiting.path) is not None
    assert isinstance(submit_decision(waiting.path, row()), Accepted) and len(decisions(waiting.path)) == 1


def test_hostile_text_comes_back_as_it_was(waiting: RunDirectory) -> None:
    text = "<script>\x1b[2J\u202e\ud800\n" * 3
    submit_decision(waiting.path, row(text=text))
    assert decisions(waiting.path)[0].text == text


@pytest.mark.parametrize("line", ['{"who": 3}\n', "not json\n"])
def test_broken_inbox_or_announcement_is_named(waiting: RunDirectory, line: str) -> None:
    (waiting.path / INBOX).write_text(line)
    with pytest.raises(RunError, match="inbox"):
        pending_decision(waiting.path)
    (waiting.path / "pending.json").write_text("{}")
    with pytest.raises(RunError, match="pending"):
        pending_decision(waiting.path)
