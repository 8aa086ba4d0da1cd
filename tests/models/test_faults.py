"""Every fault of a server, at every provider, through the gateway: a right reply or an error, never a wrong text."""

from __future__ import annotations

import asyncio
import itertools
import threading
from pathlib import Path

import pytest

from models.gateway import Gateway, RetryPolicy
from models.ledger import read_rows
from records.config import RunConfig
from records.nouns import Completion
from tests.loopback import Loopback, Request, Step, failing, malformed, rate_limited, web_page
from tests.models.conftest import OpenGateway, ask

PROVIDERS = ("anthropic", "openai", "vllm")
QUICK = RetryPolicy(attempts=3, first=0.01, longest=0.02, patience=5.0)
RIGHT = "the right answer"

# Faults that pass: the call is made again.
PASSING = {
    "429": failing(429),
    "429 with Retry-After": rate_limited(0.05),
    "500": failing(500),
    "502 with a web page": web_page(502),
    "503": failing(503),
    "529": failing(529),
    "408": failing(408),
    "500 without a body": Step(status=500, body=b""),
    "hang": Step(hang=True),
    "late": Step("too late", delay=1.5),
    "drip": Step("too slow", drip=0.02),
    "dropped": Step(drop=True),
    "cut": Step("half", cut=True),
}
SLOW = ("hang", "late", "drip")
# Faults that stay: the call fails at once.
STAYING = {
    "400": failing(400),
    "401": failing(401),
    "403": failing(403),
    "404": failing(404),
    "404 with a web page": web_page(404),
    "web page": web_page(),
    "malformed JSON": malformed(),
    "cut without a length": Step("half", cut=True, undelimited=True),
    "empty body": Step(body=b""),
    "null": Step(body=b"null"),
    "list": Step(body=b"[]"),
    "empty object": Step(body=b"{}"),
    "bytes": Step(body=b"\xff\xfe\x00"),
    "error with status 200": Step(body=b'{"type": "error", "error": {"message": "overloaded"}}'),
    "nested without end": Step(body=b"[" * 200_000),
    "fewer tokens than none": Step("paid back", usage=(-1_000_000, 3)),
    "more tokens than there are": Step("huge", usage=(10**30, 3)),
    "wrong content type": Step(headers={"content-type": "application/pdf"}, body=b"%PDF-1.7"),
    "unknown end": Step("half", finish="banana"),
    "no end": Step("half", finish=""),
    "refusal": Step("I'd rather", finish="refusal"),
    "content filter": Step("I'd rath", finish="content_filter"),
    "tool call": Step("calling", finish="tool_use"),
}


def other_api(request: Request) -> Step:
    """A reply in the form of the other provider's API."""
    if request.path.endswith("/messages"):
        return Step(body=b'{"object": "chat.completion", "choices": [{"message": {"content": "wrong"}}]}')
    return Step(body=b'{"type": "message", "content": [{"type": "text", "text": "wrong"}], "stop_reason": "end_turn"}')


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-planted-0123456789")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-planted-0123456789")
    return str(request.param)


def model(server: Loopback, provider: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
    return f"vllm:m@{server.openai_url}" if provider == "vllm" else f"{provider}:some-model"


def check_failed(completion: Completion) -> None:
    assert completion.finish_reason == "error" and completion.error
    assert (completion.text, completion.reasoning) == ("", "")
    assert "planted" not in completion.model_dump_json() and len(completion.error) < 1_000


@pytest.mark.parametrize("fault", PASSING)
async def test_fault_that_passes_ends_in_the_right_reply(
    fault: str, provider: str, open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([PASSING[fault]])
    with Loopback(lambda request: next(faults, RIGHT)) as server:
        async with open_gateway(QUICK, call_timeout=0.9 if fault in SLOW else 30.0) as gateway:
            completion = await gateway.complete(ask("hi", model(server, provider, monkeypatch)))
        assert server.count == 2 or (fault in SLOW and server.count <= QUICK.attempts)
        assert server.repeated == [] or fault in SLOW  # what came too late counts as sent
    assert (completion.text, completion.finish_reason, completion.error) == (RIGHT, "stop", None)


@pytest.mark.parametrize("fault", PASSING)
async def test_the_same_fault_again_and_again_ends_in_an_error(
    fault: str, provider: str, open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 2
    with Loopback(lambda request: PASSING[fault]) as server:
        policy = QUICK.model_copy(update={"attempts": attempts})
        async with open_gateway(policy, call_timeout=0.4 if fault in SLOW else 30.0) as gateway:
            check_failed(await gateway.complete(ask("hi", model(server, provider, monkeypatch))))
    # On a busy machine a short time-out may end before the request is even sent.
    assert server.count == attempts or (fault in SLOW and server.count < attempts)


@pytest.mark.parametrize("fault", STAYING)
async def test_fault_that_stays_is_an_error_and_is_asked_again_by_the_next_run(
    fault: str, provider: str, open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback([STAYING[fault], RIGHT]) as server:
        request = ask("hi", model(server, provider, monkeypatch))
        async with open_gateway(QUICK) as gateway:
            check_failed(await gateway.complete(request))
        assert server.count == 1
        async with open_gateway(QUICK) as gateway:
            later = await gateway.complete(request)
    assert (later.text, later.replayed) == (RIGHT, False)


async def test_the_other_providers_form_is_an_error(
    provider: str, open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(other_api) as server:
        async with open_gateway(QUICK) as gateway:
            check_failed(await gateway.complete(ask("hi", model(server, provider, monkeypatch))))


async def test_a_cut_reply_says_so(provider: str, open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback([Step("the right", finish="length")]) as server:
        async with open_gateway(QUICK) as gateway:
            completion = await gateway.complete(ask("hi", model(server, provider, monkeypatch)))
    assert (completion.text, completion.finish_reason) == ("the right", "length")


async def test_a_reply_that_is_delivered_twice_answers_no_other_question(
    provider: str, open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(lambda request: Step(f"reply {request.prompt}", again=True)) as server:
        asks = [ask(f"{n}", model(server, provider, monkeypatch)) for n in range(40)]
        async with open_gateway(QUICK, concurrency=4) as gateway:
            done = await asyncio.gather(*map(gateway.complete, asks))
        assert server.repeated == []
    assert [completion.text for completion in done] == [f"reply {n}" for n in range(40)]


class Weather:
    """A server that fails every third request in turn with each of the faults that pass at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        quick = [fault for name, fault in PASSING.items() if name not in SLOW]
        self._faults = itertools.cycle(quick)

    def __call__(self, request: Request) -> Step:
        with self._lock:
            return next(self._faults) if next(self._numbers) % 3 == 0 else Step(f"reply {request.prompt}")


async def test_a_fan_out_in_bad_weather_pays_each_call_once(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 40
    patient = QUICK.model_copy(update={"attempts": 20})
    with Loopback(Weather()) as server:
        asks = [ask(f"{n}", model(server, provider, monkeypatch)) for n in range(calls)]
        for _ in range(2):  # the second time all come from the ledger
            async with Gateway.open(tmp_path / "ledger.sqlite", RunConfig(domain="python"), patient) as gateway:
                done = await asyncio.gather(*(gateway.complete(request) for request in asks))
    assert [completion.text for completion in done] == [f"reply {n}" for n in range(calls)]
    assert server.repeated == [] and len(server.completed) == calls
    assert server.count > calls
    assert {row["status"] for row in read_rows(tmp_path / "ledger.sqlite")} == {"ok"}
