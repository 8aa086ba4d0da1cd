"""The run directory keeps what it was given, once, also after a crash."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from records.nouns import Message, Record
from records.rundir import RunDirectory, RunError


class Row(Record):
    id: str
    text: str = ""


def test_append_and_read_back_in_order(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "r")
    assert run.append("rows.jsonl", [Row(id="b", text="é\n\ud800"), Row(id="a")]) == 2
    assert [row.id for row in run.read("rows.jsonl", Row)] == ["b", "a"]


def test_repeated_step_writes_no_duplicates_even_from_another_process(tmp_path: Path) -> None:
    RunDirectory(tmp_path).append("rows.jsonl", [Row(id="a", text="first")])
    again = RunDirectory(tmp_path)
    assert again.append("rows.jsonl", [Row(id="a", text="second"), Row(id="b")]) == 1
    assert [row.text for row in again.read("rows.jsonl", Row)] == ["first", ""]


def test_line_cut_by_a_crash_is_dropped_and_written_again(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"id":"a","text":""}\n{"id":"b","te')
    run = RunDirectory(tmp_path)
    assert [row.id for row in run.read("rows.jsonl", Row)] == ["a"]
    assert run.append("rows.jsonl", [Row(id="b")]) == 1
    assert [row.id for row in run.read("rows.jsonl", Row)] == ["a", "b"]


def test_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id":"a"}\nnot json\n')
    with pytest.raises(RunError, match=r"line 2: not JSON"):
        RunDirectory(tmp_path).read("rows.jsonl", Row)


def test_unreadable_json_says_which_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no run\.json"):
        RunDirectory(tmp_path / "nothing").read_json("run.json")


def test_second_process_is_refused_and_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys
        from records.rundir import RunDirectory
        with RunDirectory(sys.argv[1]).lock():
            print("locked", flush=True)
            sys.stdin.read()
        """
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout and holder.stdout.readline() == "locked\n"
    with pytest.raises(RunError, match="another process"), RunDirectory(tmp_path).lock():
        pass
    assert RunDirectory(tmp_path).in_use
    holder.kill()
    holder.wait()
    assert not RunDirectory(tmp_path).in_use
    with RunDirectory(tmp_path).lock():
        assert (tmp_path / "lock").exists()


def test_records_are_frozen_and_refuse_unknown_fields() -> None:
    message = Message(role="user", content="x")
    with pytest.raises(ValueError, match="frozen"):
        message.content = "y"  # type: ignore[misc]
    with pytest.raises(ValueError, match="Extra inputs"):
        Message(role="user", content="x", extra=1)  # type: ignore[call-arg]
