"""Each fault at each provider in each stage: the run ends complete or stops resumable, and no reply is a wrong one.

One run per provider meets all of it: in every stage each fault hits some call at its first try. The server's
replies depend on the whole question, so that one which reached another question would show.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import threading
import traceback
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.teacher import TeacherError
from graphs.context import Silent, StageError
from graphs.runner import Finished, create_run, work
from graphs.settings import build_config
from models.gateway import RetryPolicy
from models.ledger import read_rows
from models.spec import parse_spec
from records.config import RunConfig
from records.nouns import Attempt
from records.rundir import RunDirectory
from tests.graphs.runs import TINY, run, settings
from tests.graphs.test_replay import model as writer
from tests.loopback import Loopback, Request, Step, failing, malformed, rate_limited, web_page

KEYS = {
    "ANTHROPIC_API_KEY": "planted-anthropic-0123456789",
    "OPENAI_API_KEY": "planted-openai-0123456789",
    "VLLM_API_KEY": "planted-vllm-0123456789",
}
WRITING = ("Write a first strategy", "Write a journal entry", "Propose at most", "Tidy it for small models")
STAGES = {"baseline", "draft", "lrl", "reflect", "propose", "gate", "distill", "validation", "curation"}


def right(request: Request) -> Step:
    """A reply that depends on the question alone."""
    if any(words in request.prompt for words in WRITING):
        return Step(writer(request))
    digest = hashlib.sha256(request.content.encode()).digest()
    return Step(f"Reply {digest.hex()[:12]}.\nANSWER: {'YES' if digest[0] % 2 else 'NO'}")


def echoing(request: Request, status: int) -> Step:
    """An error that quotes the key."""
    return failing(
        status, message=f"not with {request.headers.get('authorization')} {request.headers.get('x-api-key')}"
    )


PASSING = ("429 with Retry-After", "500", "hang", "cut", "twice")
STAYING = ("malformed JSON", "wrong content type", "web page", "400")


def fault(name: str, request: Request) -> Step:
    answer = right(request)
    return {
        "429 with Retry-After": rate_limited(0.05),
        "500": echoing(request, 500),
        "hang": Step(hang=True),
        "cut": Step(answer.text, cut=True),
        "twice": Step(answer.text, again=True),
        "malformed JSON": malformed(),
        "wrong content type": Step(headers={"content-type": "application/pdf"}, body=b"%PDF-1.7"),
        "web page": web_page(),
        "400": echoing(request, 400),
    }[name]


class Weather:
    """Lets each kind of call meet each fault: a question of a fan-out one of them, a single call all that pass."""

    def __init__(self) -> None:
        self.met: defaultdict[str, set[str]] = defaultdict(set)
        self._lock = threading.Lock()
        self._left: dict[str, list[str]] = {}
        self._cycles: defaultdict[str, Any] = defaultdict(lambda: itertools.cycle((*PASSING, *STAYING)))

    def __call__(self, request: Request) -> Step:
        kind = self._kind(request)
        with self._lock:
            single = kind in WRITING
            if request.content not in self._left:
                self._left[request.content] = list(PASSING) if single else [next(self._cycles[kind])]
            left = self._left[request.content]
            name = left.pop(0) if left else None
            self.met[kind] |= {name} if name else set()
        return fault(name, request) if name else right(request)

    def _kind(self, request: Request) -> str:
        body = request.body
        if single := [words for words in WRITING if words in request.prompt]:
            return single[0]
        context = bool(body.get("system")) or body["messages"][0]["role"] == "system"
        return f"{body['model']}, {'with' if context else 'without'} strategy"


class Heard(Silent):
    """All that is shown."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, count: int = 1, note: str = "") -> None:
        self.lines.append(note)


@pytest.fixture(params=["anthropic", "openai", "vllm"])
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    monkeypatch.setattr(RetryPolicy, "wait", lambda self, attempt, error: error.retry_after or 0.01)
    return str(request.param)


def configured(server: Loopback, provider: str, monkeypatch: pytest.MonkeyPatch, *overrides: str) -> RunConfig:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
    end = f"@{server.openai_url}" if provider == "vllm" else ""
    teacher, student, validator = (f"{provider}:{role}{end}" for role in ("teacher", "student", "validator"))
    sizes = {
        **TINY,
        "sizes.train": 18,
        "sizes.gate": 9,
        "sizes.test": 9,
        "sizes.transfer": 9,
        "loop.batch": 9,
        "examples": 18,
        "loop.attempts": 1,
        "gate.rule": "sequential",  # which distils whatever was kept
    }
    values = [f"{name}={value}" for name, value in {**sizes, "student_arms": "[base]", "concurrency": 30}.items()]
    flags = {"domain": "scheduling", "teacher": teacher, "student": student, "validators": [validator]}
    return build_config({**flags, "approve": "gate"}, [*values, "call_timeout=1.0", *overrides])


async def to_its_end(directory: RunDirectory, config: RunConfig, heard: Heard) -> list[str]:
    """Resume as often as it stops; what it said at each stop."""
    stops: list[str] = []
    for _ in range(12):
        try:
            assert isinstance(await work(directory, config, heard), Finished)
            return stops
        except (StageError, TeacherError) as error:
            stops.append("".join(traceback.format_exception(error)))
    raise AssertionError(f"the run does not end: {stops[-1]}")


def question(model: str, turns: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What tells questions apart, as the server and the ledger know it."""
    return (model, *(str(turn["content"]) for turn in turns))


def right_replies(server: Loopback) -> dict[tuple[str, ...], set[str]]:
    """The right reply to each question that was ever asked."""
    found: dict[tuple[str, ...], set[str]] = {}
    for request in server.requests:
        system = request.body.get("system") or []
        blocks = [system] if isinstance(system, str) else [block["text"] for block in system]  # marked for the cache
        turns = [{"content": text} for text in blocks] + request.body["messages"]
        found.setdefault(question(request.body["model"], turns), set()).add(right(request).text)
    return found


async def test_every_fault_in_every_stage(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    heard, weather = Heard(), Weather()
    with Loopback(weather) as server:
        config = configured(server, provider, monkeypatch)
        directory = create_run(config, tmp_path, "struck")
        stops = await to_its_end(directory, config, heard)
        completed = sum(server.completed.values())
    assert stops and all("model calls failed" in stop or "wrote no first strategy" in stop for stop in stops)
    for kind, met in weather.met.items():
        assert met >= set(PASSING if kind in WRITING else (*PASSING, *STAYING)), kind
    rows = list(read_rows(directory.path / "ledger.sqlite"))
    assert {row["stage"] for row in rows if row["starts"] > 1} == STAGES
    assert {row["status"] for row in rows} == {"ok"} and completed == len(rows)
    expected = right_replies(server)
    for row in rows:
        assert row["text"] in expected[question(parse_spec(row["model"]).name, row["messages"])]
    texts = {row["key"]: row["text"] for row in rows}
    attempts = directory.read("attempts.jsonl", Attempt)
    assert attempts and all(a.reply == texts[a.call_key or ""] and a.error is None for a in attempts)
    check_no_key([tmp_path], [*heard.lines, *stops, caplog.text])


def check_no_key(folders: list[Path], texts: list[str]) -> None:
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 5
    for key in KEYS.values():
        assert not [text for text in texts if key in text]
        assert not [file for file in files if key.encode() in file.read_bytes()]


def test_key_that_every_error_quotes_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fails at the command line: its output, its files, its failed calls."""
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    with Loopback(lambda request: echoing(request, 401)) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        models = ["--teacher", "anthropic:teacher", "--student", f"vllm:student@{server.openai_url}", "--run", "x"]
        failed = run(tmp_path, "--domain", "scheduling", *models, *settings(student_arms="[base]"))
        shown = run(tmp_path, "show", "x", "--stage", "calls").stdout
        exported = run(tmp_path, "export", "x", "--calls", str(tmp_path / "calls.jsonl"))
        assert server.count > 0 and any(KEYS["VLLM_API_KEY"] in str(request.headers) for request in server.requests)
    assert failed.returncode == 1 and "check the key in VLLM_API_KEY" in failed.stderr, failed.stderr
    assert exported.returncode == 0 and "[VLLM_API_KEY]" in (tmp_path / "calls.jsonl").read_text()
    check_no_key([tmp_path], [failed.stdout, failed.stderr, shown, exported.stdout, exported.stderr])
    assert "planted" in os.environ["VLLM_API_KEY"]
