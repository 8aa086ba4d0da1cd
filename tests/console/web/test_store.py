"""The index follows a file that grows, is cut, or is replaced, and reads only what is new."""

import json
import os
from pathlib import Path

import pytest

from console.web.flow import is_worked_on, progress
from console.web.store import Library, Lines, NotThere, Store
from records.rundir import RunDirectory
from tests.console.web.made import Made
from tests.needs import LOCKS, require


def lines_of(path: Path) -> Lines[int]:
    return Lines(path, lambda row: row["n"])


def write(path: Path, *rows: object, end: str = "\n") -> None:
    with path.open("a") as file:
        file.write("\n".join(json.dumps(row) for row in rows) + end)


def test_a_growing_file_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    lines = lines_of(path)
    assert not lines.refresh() and lines.entries == []
    write(path, {"n": 1}, {"n": 2})
    assert lines.refresh() and lines.entries == [1, 2]
    write(path, {"n": 3, "text": "é\ud800"})
    assert lines.refresh() and lines.entries == [1, 2, 3] and not lines.refresh()
    assert lines.row(2) == {"n": 3, "text": "é\ud800"} and [row["n"] for row in lines.rows(1)] == [2, 3]


def test_a_cut_line_is_read_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write(path, {"n": 1}, {"n": 2}, end="")
    lines = lines_of(path)
    lines.refresh()
    assert lines.entries == [1] and lines.cut
    write(path, {"n": 3}, end="\n")  # the writer goes on in the same line: that line is broken
    lines.refresh()
    assert lines.entries == [1] and lines.broken == 1 and not lines.cut


def test_a_replaced_or_shortened_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write(path, {"n": 1}, {"n": 2})
    lines = lines_of(path)
    lines.refresh()
    path.write_text('{"n": 7}\n')
    lines.refresh()
    assert lines.entries == [7] and lines.row(0) == {"n": 7}
    path.unlink()
    lines.refresh()
    assert lines.entries == []


def test_stages_follow_the_run(tmp_path: Path) -> None:
    run = Made(tmp_path, "asks").waiting()
    now = progress(Store(run.path), waits=True)
    states = {stage.key: stage.state for stage in now.stages}
    assert states["validation"] == "done" and states["approval"] == "waiting" and states["training"] == "open"
    assert now.state == "waits for a decision" and 0.4 < now.share < 0.7
    assert {s.key: (s.done, s.total) for s in now.stages}["lrl"] == (1, 1)


def stage_of(run: RunDirectory) -> str:
    return progress(Store(run.path), waits=False).stage


def test_the_stage_at_work_is_found_from_what_there_is(tmp_path: Path) -> None:
    run = Made(tmp_path, "grows").waiting()
    assert stage_of(run) == "Approval"
    decided = {"id": "decision-1", "action": "edit", "strategy_hash": "x", "time": ""}
    write(run.path / "decisions.jsonl", decided)
    assert stage_of(run) == "Validation"
    write(run.path / "decisions.jsonl", {**decided, "id": "decision-2", "action": "approve"})
    assert stage_of(run) == "Curation"
    for name in ("decisions.jsonl", "evaluation/rows.jsonl"):
        (run.path / name).unlink()
    assert stage_of(run) == "Validation"
    (run.path / "reflections.jsonl").rename(run.path / "proposals.jsonl")
    assert stage_of(run) == "Gate"
    (run.path / "proposals.jsonl").unlink()
    assert stage_of(run) == "Solve, reflect, edit"
    (run.path / "attempts.jsonl").unlink()
    assert stage_of(run) == "Baselines"
    (run.path / "problems.jsonl").unlink()
    assert stage_of(run) == "Problems"


def test_who_works_on_a_run_is_seen_without_taking_its_lock(tmp_path: Path) -> None:
    require(os.access("/proc/locks", os.R_OK), LOCKS)
    run = RunDirectory(tmp_path / "busy")
    run.write_json("run.json", {})
    assert not is_worked_on(run.path)
    with run.lock():
        assert is_worked_on(run.path)
    assert not is_worked_on(run.path)


def test_nothing_outside_a_run_is_opened(tmp_path: Path) -> None:
    Made(tmp_path, "one").waiting()
    store = Library(tmp_path).store("one")
    for name in ("../other", "/etc/passwd", "strategies/../../x"):
        with pytest.raises(NotThere):
            store.inside(name)
