"""Calls that can wait go through the providers' batches, and none is submitted twice, whatever is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from models.gateway import Gateway, RetryPolicy
from models.ledger import Ledger, read_rows
from records.config import RunConfig
from records.nouns import Completion
from tests.loopback import Loopback, Request, Step, failing
from tests.models.conftest import ask

ROOT = Path(__file__).resolve().parents[2]
MODELS = {"anthropic": "anthropic:claude-haiku-4-5", "openai": "openai:gpt-5.4-mini"}
QUICK = RetryPolicy(attempts=3, first=0.01, longest=0.02, patience=5.0)
BATCHES = {"use": True, "window": 0.05, "poll": 0.02, "settles": 0.3}
WORDS = [f"question {number}" for number in range(5)]


@pytest.fixture(params=sorted(MODELS))
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "sk-planted-0123456789")
    return str(request.param)


def echo(request: Request) -> Step:
    return Step(f"reply {request.prompt}")


def point_to(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)


async def asked(
    folder: Path, model: str, words: Sequence[str] = WORDS, stage: str = "validation", **changes: object
) -> tuple[list[Completion], Gateway]:
    """All questions at once through a gateway of its own; the gateway is closed."""
    settings = {"domain": "python", "batches": BATCHES, "call_timeout": 10.0, **changes}
    config = RunConfig.model_validate(settings)
    async with Gateway.open(folder / "ledger.sqlite", config, QUICK) as gateway:
        requests = [ask(word, model, stage=stage, max_tokens=64) for word in words]
        return list(await asyncio.gather(*map(gateway.complete, requests))), gateway


def texts(done: Sequence[Completion]) -> list[str]:
    return [completion.error or completion.text for completion in done]


def creations(server: Loopback) -> int:
    return len(server.batches)


async def open_batches(folder: Path) -> int:
    ledger = Ledger(folder / "ledger.sqlite")
    found = await ledger.open_batches()
    ledger.close()
    return len(found)


async def test_calls_that_wait_together_are_one_batch_at_half_the_price(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Gateway, "_inform", lambda self, text: told.append(text))
    monkeypatch.setattr(Gateway, "_say_waiting", lambda self, text: told.append(text))
    with Loopback(echo, polls=2) as server:
        point_to(server, monkeypatch)
        done, gateway = await asked(tmp_path, MODELS[provider])
        (single,), _ = await asked(tmp_path / "single", MODELS[provider], ["alone"], batches={"use": False})
        again, _ = await asked(tmp_path, MODELS[provider])
    assert texts(done) == texts(again) == [f"reply {word}" for word in WORDS]
    assert creations(server) == 1 and server.repeated == [] and server.count == len(WORDS) + 1
    assert all(completion.replayed for completion in again)
    assert single.cost and [completion.cost for completion in done] == [pytest.approx(single.cost / 2)] * len(WORDS)
    assert gateway.spent.calls == len(WORDS) and gateway.spent.usd == pytest.approx(single.cost / 2 * len(WORDS))
    assert told[0].startswith(f"5 calls of '{MODELS[provider]}' are in batch batch_1")
    assert any(text == f"waiting for batch batch_1 of {MODELS[provider]}: 0 of 5 done" for text in told[1:])
    assert {row["batch"] is not None for row in read_rows(tmp_path / "ledger.sqlite")} == {True}
    assert await open_batches(tmp_path) == 0


async def test_what_cannot_wait_and_who_has_no_batches_is_called_alone(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(echo) as server:
        point_to(server, monkeypatch)
        for number, (stage, model) in enumerate(
            [("reflect", MODELS[provider]), ("lrl", MODELS[provider]), ("validation", f"vllm:m@{server.openai_url}")]
        ):
            done, _ = await asked(tmp_path / str(number), model, ["x"], stage)
            assert texts(done) == ["reply x"]
    assert creations(server) == 0 and server.count == 3


async def test_entries_without_a_result_are_called_alone_and_refused_ones_are_errors(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, int] = {}

    def script(request: Request) -> Step:
        seen[request.prompt] = seen.get(request.prompt, 0) + 1
        if request.prompt == "wrong":
            return failing(400)
        fates = {"expired": Step("late", line="expired"), "busy": failing(429), "missing": Step("lost", line="missing")}
        return fates.get(request.prompt, echo(request)) if seen[request.prompt] == 1 else echo(request)

    words = ["expired", "busy", "missing", "wrong", "fine"]
    with Loopback(script) as server:
        point_to(server, monkeypatch)
        done, _ = await asked(tmp_path, MODELS[provider], words)
    assert [completion.text for completion in done] == [
        "reply expired",
        "reply busy",
        "reply missing",
        "",
        "reply fine",
    ]
    assert done[3].error and "in a batch" in done[3].error
    assert seen == {"expired": 2, "busy": 2, "missing": 2, "wrong": 1, "fine": 1}
    rows = {row["messages"][0]["content"]: row for row in read_rows(tmp_path / "ledger.sqlite")}
    assert [rows[word]["batch"] is None for word in words] == [True, True, True, False, False]
    assert rows["busy"]["cost"] == pytest.approx(2 * rows["fine"]["cost"])  # alone at the full price


async def test_a_batch_has_a_largest_size(provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(echo) as server:
        point_to(server, monkeypatch)
        done, _ = await asked(tmp_path, MODELS[provider], batches={**BATCHES, "most": 2})
    assert texts(done) == [f"reply {word}" for word in WORDS]
    assert sorted(batch.total for batch in server.batches.values()) == [1, 2, 2] and server.repeated == []


async def test_a_batch_that_is_not_taken_is_an_error_with_the_way_on(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def control(request: Request) -> Step | None:
        return failing(400, message="no batches for you") if request.method == "POST" else None

    with Loopback(echo, control) as server:
        point_to(server, monkeypatch)
        done, gateway = await asked(tmp_path, MODELS[provider])
        assert gateway.spent.calls == 0
        for text in texts(done):
            assert "could not be submitted" in text and "no batches for you" in text and "batches.use=false" in text
        later, _ = await asked(tmp_path, MODELS[provider], batches={"use": False})
    assert texts(later) == [f"reply {word}" for word in WORDS] and server.repeated == []


async def test_a_batch_that_cannot_be_asked_for_stays_open_for_the_next_process(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is paid twice, the wrong key does not lose the batch, and the money is counted once."""
    with Loopback(echo, lambda request: failing(401) if request.path.endswith("batch_1") else None) as server:
        point_to(server, monkeypatch)
        done, gateway = await asked(tmp_path, MODELS[provider])
        assert all("check the key" in text and "a resumed run waits for it" in text for text in texts(done))
        assert gateway.spent.calls == len(WORDS) and await open_batches(tmp_path) == 1
        server.control = lambda request: None
        budget = {"usd": gateway.spent.usd}  # all of it is promised to the batch
        later, resumed = await asked(tmp_path, MODELS[provider], batches={"use": False}, budget=budget)
    assert texts(later) == [f"reply {word}" for word in WORDS]
    assert creations(server) == 1 and server.repeated == [] and server.count == len(WORDS)
    assert resumed.spent.calls == len(WORDS) and resumed.spent.usd == pytest.approx(sum(c.cost or 0 for c in later))


async def test_a_budget_that_holds_one_batch_sends_the_rest_after_it(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room is reserved at the batch's price, and given back when the first batch has ended."""
    with Loopback(echo) as server:
        point_to(server, monkeypatch)
        done, gateway = await asked(tmp_path, MODELS[provider], budget={"calls": 5, "tokens": 700})
    assert texts(done) == [f"reply {word}" for word in WORDS]
    assert creations(server) > 1 and server.repeated == [] and gateway.spent.calls == 5


async def test_an_interrupted_run_leaves_its_batch_to_the_next_one(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = asyncio.Event()
    monkeypatch.setattr(Gateway, "_inform", lambda self, text: submitted.set())
    with Loopback(echo, polls=100) as server:
        point_to(server, monkeypatch)
        interrupted = asyncio.create_task(asked(tmp_path, MODELS[provider]))
        await submitted.wait()
        interrupted.cancel()
        with pytest.raises(asyncio.CancelledError):
            await interrupted
        assert await open_batches(tmp_path) == 1
        for batch in server.batches.values():
            batch.polls = 0
        done, gateway = await asked(tmp_path, MODELS[provider])
    assert texts(done) == [f"reply {word}" for word in WORDS] and gateway.spent.calls == len(WORDS)
    assert creations(server) == 1 and server.repeated == [] and await open_batches(tmp_path) == 0


# Killed processes

CHILD = """
import asyncio, json, sys
from pathlib import Path
from tests.models.test_batching import MODELS, asked, texts
folder, provider, settings = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
done, _ = asyncio.run(asked(folder, MODELS[provider], batches=settings))
print(json.dumps(texts(done)))
"""


def child(folder: Path, provider: str, **settings: object) -> subprocess.Popen[str]:
    arguments = [str(folder), provider, json.dumps({**BATCHES, **settings})]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def submission(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/batches")


def question(request: Request) -> bool:
    return request.method == "GET" and request.path.endswith("batch_1")


def download(request: Request) -> bool:
    return request.path.endswith(("/results", "/content"))


MOMENTS: dict[str, tuple[Callable[[Request], bool], bool, int]] = {
    # which request is the last one, whether it is still carried out, batches when the process dies
    "before the batch exists": (submission, False, 0),
    "after the batch exists, before its id is known": (submission, True, 1),
    "at the first question": (question, True, 1),
    "at the results": (download, True, 1),
}


@pytest.mark.parametrize(
    ("moment", "provider"),
    [(moment, "anthropic") for moment in MOMENTS] + [(moment, "openai") for moment in list(MOMENTS)[1:2]],
    indirect=["provider"],
)
async def test_no_entry_is_submitted_twice_by_a_killed_process_and_its_successor(
    moment: str, provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits, carried_out, existing = MOMENTS[moment]
    with Loopback(echo) as server:
        point_to(server, monkeypatch)
        process = child(tmp_path, provider)

        def control(request: Request) -> Step | None:
            if not fits(request):
                return None
            made = server.natural_step(request) if carried_out else None
            os.kill(process.pid, signal.SIGKILL)
            return made or Step(drop=True)

        server.control = control
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL and creations(server) == existing
        assert await open_batches(tmp_path) == 1
        server.control = lambda request: None
        done, gateway = await asked(tmp_path, MODELS[provider])
    assert texts(done) == [f"reply {word}" for word in WORDS]
    assert creations(server) == 1 and server.count == len(WORDS) and server.repeated == []
    assert gateway.spent.calls == len(WORDS) and await open_batches(tmp_path) == 0
    assert gateway.spent.usd == pytest.approx(sum(completion.cost or 0 for completion in done))


@pytest.mark.parametrize("provider", ["anthropic"], indirect=True)
async def test_several_batches_of_one_size_whose_ids_were_lost_are_told_apart(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anthropic's list says sizes only: here all are alike, and at least one is without its id in the ledger."""
    with Loopback(echo, polls=2) as server:
        point_to(server, monkeypatch)
        process = child(tmp_path, provider, most=1)

        begun: list[Request] = []

        def control(request: Request) -> Step | None:
            if not submission(request):
                return None
            begun.append(request)
            if len(begun) == 4:
                server.natural_step(request)
                os.kill(process.pid, signal.SIGKILL)
            return Step(drop=True) if len(begun) >= 4 else None

        server.control = control
        process.communicate(timeout=60)
        assert creations(server) == 4
        server.control = lambda request: None
        done, _ = await asked(tmp_path, MODELS[provider], batches={**BATCHES, "most": 1})
    assert texts(done) == [f"reply {word}" for word in WORDS]
    assert creations(server) == len(WORDS) and server.repeated == [] and server.count == len(WORDS)
