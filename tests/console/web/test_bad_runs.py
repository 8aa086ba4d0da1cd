"""A run that is old, half-written, broken, being deleted or elsewhere gives a clear page and never a traceback."""

import json
import shutil
import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from console.web.store import Library, NotThere
from tests.console.web.made import Made, client

PATHS = [
    "", "/reflections", "/reflections/1", "/strategy", "/approval", "/data", "/student", "/attempts", "/calls",
    "/call?key=c1",
    "/attempt?id=lrl/learning/oracle/p-train-0/0/r1", "/search?q=answer", "/report",
]  # fmt: skip


def check(browser: TestClient, run: str) -> list[int]:
    """Status of every page; none is a traceback, and the table of runs still stands."""
    found = []
    for path in PATHS:
        answer = browser.get(f"/runs/{run}{path}")
        assert "Traceback" not in answer.text and "could not be made" not in answer.text, (path, answer.text[-400:])
        assert answer.status_code in (200, 404, 422), (path, answer.status_code)
        found.append(answer.status_code)
    assert browser.get("/runs").status_code == 200
    return found


@pytest.mark.parametrize(
    "name",
    [
        "%2e%2e",
        "..%2f..%2fetc",
        "%2Fetc%2Fpasswd",
        ".hidden",
        "a%00b",
        "a%0ab",
        "\u202e",
        "x" * 300,
        "gone",
    ],
)
def test_a_name_that_is_no_run_is_a_clear_page(browser: TestClient, name: str) -> None:
    for path in ("", "/strategy", "/report", "/events"):
        answer = browser.get(f"/runs/{name}{path}")
        assert answer.status_code == 404 and "root:" not in answer.text and "Traceback" not in answer.text


@pytest.mark.parametrize("name", ["..", ".", "", "../runs", "a/b", "/etc", "a\n", "done\x00"])
def test_the_folder_of_runs_cannot_be_left(runs: Path, name: str) -> None:
    with pytest.raises(NotThere):
        Library(runs).store(name)


def test_a_run_beside_the_folder_is_not_shown(tmp_path: Path) -> None:
    runs, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    Made(runs, "inside").waiting()
    Made(elsewhere, "secret").waiting()
    (runs / "linked").symlink_to(elsewhere / "secret")
    browser = client(runs)
    assert "linked" not in browser.get("/runs").text
    assert browser.get("/runs/linked").status_code == 404
    assert browser.get("/compare?run=inside&run=../elsewhere/secret").status_code == 404


def test_a_file_that_is_a_link_out_of_the_run_is_not_shown(tmp_path: Path) -> None:
    run = Made(tmp_path / "runs", "tricky").waiting()
    secret = tmp_path / "secret.html"
    secret.write_text("TOP SECRET")
    for name in ("report.html", "problems.jsonl", "strategies/0123456789abcdef.json"):
        (run.path / name).unlink(missing_ok=True)
        (run.path / name).symlink_to(secret)
    browser = client(tmp_path / "runs")
    for path in PATHS:
        assert "TOP SECRET" not in browser.get(f"/runs/tricky{path}").text


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        '{"config": null}',
        '{"id": "x"}',
        '{"config": []}',
        '{"config": {"domain": 3}}',
        "\x00",
    ],
)
def test_a_run_json_of_another_kind(tmp_path: Path, content: str) -> None:
    run = Made(tmp_path, "odd").waiting()
    (run.path / "run.json").write_text(content)
    check(client(tmp_path), "odd")


def test_an_older_schema_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    run = tmp_path / "old"
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"config": {"domain": "python", "teacher": "oracle", "student": "x"}}))
    rows = {
        "attempts.jsonl": {"id": "a1", "problem": "p1", "text": "old field"},
        "verdicts.jsonl": {"id": "a1", "outcome": "pass"},
        "reflections.jsonl": {"id": "r", "round": 1, "journal": "old words", "edits": ["not an object"], "gate": "yes"},
        "problems.jsonl": {"id": "p1", "question": "old"},
        "decisions.jsonl": {"id": "d", "action": "approve"},
        "evaluation/rows.jsonl": {"id": "e"},
        "strategies/00000000.json": {"bullets": [{"id": "b1", "text": "old bullet"}, "x", None]},
    }
    for name, row in rows.items():
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text(json.dumps(row) + "\n")
    browser = client(tmp_path)
    check(browser, "old")
    assert "old words" in browser.get("/runs/old/reflections/1").text
    assert "old bullet" in browser.get("/runs/old/strategy").text


@pytest.mark.parametrize("kept", [0, 1, 40, 400])
def test_a_process_killed_while_it_wrote(tmp_path: Path, kept: int) -> None:
    run = Made(tmp_path, "cut").waiting()
    for path in run.path.rglob("*.jsonl"):
        path.write_bytes(path.read_bytes()[: kept or None])
    for path in run.path.glob("strategies/*.json"):
        path.write_bytes(path.read_bytes()[:kept])
    browser = client(tmp_path)
    check(browser, "cut")
    if kept in (1, 40):
        assert "the last line is cut" in browser.get("/runs/cut").text


@pytest.mark.parametrize("broken", [b"not a database", b"", b"SQLite format 3\x00" + b"\x01" * 4096])
def test_a_broken_ledger_is_named(tmp_path: Path, broken: bytes) -> None:
    run = Made(tmp_path, "ledger").waiting()
    for path in run.path.glob("ledger.sqlite*"):
        path.unlink()
    (run.path / "ledger.sqlite").write_bytes(broken)
    browser = client(tmp_path)
    check(browser, "ledger")
    answer = browser.get("/runs/ledger/calls")
    assert answer.status_code == 422 and "ledger.sqlite" in answer.text
    assert browser.get("/runs/ledger/reflections/1").status_code == 200


@pytest.mark.parametrize(
    "junk", ["[[[[" * 50_000, "[]", "null", "1e999", '{"id": {"a": [1]}, "round": "x", "edits": {}}', "{}"]
)
def test_junk_in_every_file_is_left_out(tmp_path: Path, junk: str) -> None:
    run = Made(tmp_path, "junk").complete()
    for path in [*run.path.rglob("*.jsonl"), *run.path.rglob("*.json")]:
        if path.name != "run.json":
            path.write_text(junk + "\n")
    check(client(tmp_path), "junk")


def test_a_run_that_is_deleted_while_it_is_read(tmp_path: Path) -> None:
    run = Made(tmp_path, "going").waiting()
    browser = client(tmp_path)
    check(browser, "going")
    remover = threading.Thread(target=shutil.rmtree, args=(run.path,))
    remover.start()
    check(browser, "going")
    remover.join()
    answer = browser.get("/runs/going")
    assert answer.status_code == 404 and "deleted" in answer.text
    assert "going" not in browser.get("/runs").text


def test_nothing_is_written_by_reading(tmp_path: Path) -> None:
    run = Made(tmp_path, "still").complete()
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    check(client(tmp_path), "still")
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_an_empty_or_missing_folder_says_how_to_begin(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert "--domain python" in client(folder).get("/runs").text
