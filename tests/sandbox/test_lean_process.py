"""The line to Lean, behind real walls: only what carries the question's nonce counts."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.lean_claims import Header
from sandbox.lean_process import LeanProcess
from sandbox.nouns import SandboxError, WorkerLost
from tests.sandbox.lean_standin import standin

HEADER = Header(("Init",), "")
JOB = {"name": "t", "statement": "theorem t : 1 = 1", "candidate": "theorem t : 1 = 1 := rfl\n"}


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Iterator[LeanProcess]:
    process = LeanProcess(standin(request.param), HEADER)
    yield process
    process.close()


@pytest.mark.parametrize("opened", ["forge", "noise"], indirect=True)
def test_what_is_printed_without_the_nonce_is_dropped(opened: LeanProcess) -> None:
    assert [opened.ask(JOB, 20)["stage"] for _ in range(2)] == ["unheard of"] * 2


@pytest.mark.parametrize(
    ("opened", "words"), [("flood", "printed"), ("die", "out of memory"), ("broken", "not JSON")], indirect=["opened"]
)
def test_a_process_that_breaks_the_line_is_lost_and_gone(opened: LeanProcess, words: str) -> None:
    with pytest.raises(WorkerLost, match=words):
        opened.ask(JOB, 20)
    with pytest.raises((WorkerLost, ValueError)):
        opened.ask(JOB, 20)


@pytest.mark.parametrize("opened", ["hang"], indirect=True)
def test_the_deadline_holds(opened: LeanProcess) -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        opened.ask(JOB, 0.5)
    assert time.monotonic() - started < 10


def test_a_question_of_a_megabyte_arrives() -> None:
    process = LeanProcess(standin("plain"), HEADER)
    text = "x" * (1 << 20)
    assert process.ask({**JOB, "candidate": text}, 20)["problem"] == text
    process.close()


def test_walls_hide_the_host_and_the_network() -> None:
    backend = standin("look")
    process = LeanProcess(backend, HEADER)
    seen = process.ready["seen"]
    process.close()
    assert (seen["secrets"], seen["writable"], seen["network"], seen["memory"]) == ([], [], False, False)
    assert set(seen["environment"]) <= {"PATH", "HOME", "LANG", "PWD", "OLDPWD", "LC_CTYPE"}
    assert seen["processes"] < 5


def test_nothing_starts_without_walls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="bubblewrap"):
        LeanProcess(standin("plain", started=False), HEADER)


def test_a_header_that_does_not_load_is_a_lost_process() -> None:
    with pytest.raises(WorkerLost, match="header cannot be loaded"):
        LeanProcess(standin("no header"), HEADER)
