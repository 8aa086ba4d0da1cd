"""Batches of both providers with the real SDKs: results, crashes, faults, duplicates."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from models.batches import BatchClient, BatchState, Item, batches_for, portions, run_batch, supports_batches
from models.calls import CallError, Reply
from models.local import LocalModel
from models.providers import ProviderCaller
from models.spec import parse_spec
from records.nouns import Message
from tests.loopback import Loopback, Request, Step, backed_by, failing, rate_limited, web_page
from tests.models.conftest import ask

Opened = Callable[..., AbstractAsyncContextManager[BatchClient]]
SPECS = {"anthropic": "anthropic:some-model", "openai": "openai:some-model"}
KEY = "sk-ant-planted-0123456789"


@pytest.fixture(params=["anthropic", "openai"])
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, KEY)
    return str(request.param)


@pytest.fixture
def opened(provider: str, monkeypatch: pytest.MonkeyPatch) -> Opened:
    @asynccontextmanager
    async def batches(server: Loopback, seconds: float = 10.0) -> AsyncIterator[BatchClient]:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        client = batches_for(parse_spec(SPECS[provider]), seconds)
        yield client
        await client.close()

    return batches


def key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def items(provider: str, texts: Sequence[str] = ("a", "b", "c")) -> list[Item]:
    return [(key(text), ask(text, SPECS[provider])) for text in texts]


def echo(request: Request) -> Step:
    return Step(f"reply {request.prompt}")


async def settle(client: BatchClient, wanted: Sequence[Item], **options: object) -> tuple[dict[str, object], list[str]]:
    """Outcomes by key, errors as texts, and the ids that were stored."""
    stored: list[str] = []

    async def store(batch_id: str) -> None:
        stored.append(batch_id)

    done = await run_batch(client, wanted, store, **{"every": 0.01, **options})  # type: ignore[arg-type]
    return {name: _text(outcome) for name, outcome in done.items()}, stored


def _text(outcome: Reply | CallError) -> str:
    return outcome.text if isinstance(outcome, Reply) else f"{'retry' if outcome.retry else 'final'}: {outcome}"


def creations(server: Loopback) -> int:
    return len(server.batches)


async def test_results_by_key_and_the_id_before_any_question(provider: str, opened: Opened) -> None:
    asked_when_stored: list[int] = []
    states: list[BatchState] = []
    with Loopback(echo, polls=3) as server:
        async with opened(server) as client:

            async def store(batch_id: str) -> None:
                asked_when_stored.append(sum(batch_id in request.path for request in server.controls))

            done = await run_batch(client, items(provider), store, every=0.01, on_state=states.append)
    assert {name: _text(reply) for name, reply in done.items()} == {key(t): f"reply {t}" for t in "abc"}
    assert asked_when_stored == [0]
    assert [state.status for state in states] == ["running", "running", "ended"]
    assert (states[0].done, states[-1].done, states[-1].total) == (0, 3, 3)
    assert server.repeated == []


async def test_an_entry_sends_what_the_single_call_sends(provider: str, opened: Opened) -> None:
    system = Message(role="system", content="Think. " * 1_000)
    request = ask("x", SPECS[provider], messages=(system, Message(role="user", content="2+2?")), temperature=0.5)
    with Loopback(lambda r: Step("4", reasoning="2 and 2", finish="length")) as server:
        async with opened(server) as client:
            caller = ProviderCaller(3.0)
            single = await caller.call(parse_spec(SPECS[provider]), request)
            await caller.close()
            done = await run_batch(client, [("k", request)], _ignore, every=0.01)
    first, second = (request.body for request in server.requests)
    assert first | {"stream": None} == second | {"stream": None}
    volatile = {"cached_tokens": None, "cache_write_tokens": None}
    assert isinstance(done["k"], Reply)
    assert done["k"].model_copy(update=volatile) == single.model_copy(update=volatile)
    assert (single.reasoning, single.finish_reason) == ("2 and 2", "length")


async def _ignore(batch_id: str) -> None:
    pass


FATES = {
    "expired": "retry",
    "canceled": "retry",
    "missing": "retry",
    "garbled": "retry",
    "strange": "final",
    "server": "retry",
    "busy": "retry",
    "wrong": "final",
    "refused": "final",
}


def fateful(request: Request) -> Step:
    """Each prompt names what becomes of it."""
    fate = request.prompt
    if fate in ("server", "busy", "wrong"):
        return failing({"server": 500, "busy": 429, "wrong": 400}[fate])
    if fate == "refused":
        return Step("", finish="refusal" if "messages" in request.path else "content_filter")
    line = fate if fate in ("expired", "canceled", "missing", "garbled", "strange", "twice") else "once"
    return Step(f"reply {fate}", line=line)  # type: ignore[arg-type]


async def test_every_fate_of_an_entry(provider: str, opened: Opened) -> None:
    texts = [*FATES, "twice", "fine"]
    with Loopback(fateful) as server:
        async with opened(server) as client:
            done, _ = await settle(client, items(provider, texts))
    for fate, kind in FATES.items():
        assert str(done[key(fate)]).startswith(f"{kind}: "), fate
        assert SPECS[provider] in str(done[key(fate)])
    assert (done[key("twice")], done[key("fine")]) == ("reply twice", "reply fine")
    assert server.count == len(texts) and creations(server) == 1


async def test_resumed_from_the_stored_id_nothing_is_submitted(provider: str, opened: Opened) -> None:
    with Loopback(echo) as server:
        async with opened(server) as client:
            batch_id = await client.submit(items(provider))
        async with opened(server) as client:  # another process
            done, stored = await settle(client, items(provider), batch_id=batch_id)
    assert stored == [batch_id] and creations(server) == 1
    assert done[key("b")] == "reply b" and server.repeated == []


@pytest.mark.parametrize("ended", [False, True])
async def test_id_lost_in_a_crash_is_found_again(provider: str, opened: Opened, ended: bool) -> None:
    began = datetime.now(UTC)

    async def crash(batch_id: str) -> None:
        raise KeyboardInterrupt

    with Loopback(echo, polls=0 if ended else 2) as server:
        async with opened(server) as client:
            await client.submit(items(provider, ["another", "run's", "batch"] if ended else ["another one"]))
            with pytest.raises(KeyboardInterrupt):
                await run_batch(client, items(provider), crash)
        async with opened(server) as client:
            done, stored = await settle(client, items(provider), since=began)
    assert done == {key(t): f"reply {t}" for t in "abc"}
    assert stored == ["batch_2"] and creations(server) == 2 and server.repeated == []


async def test_nothing_is_found_where_nothing_was_submitted(provider: str, opened: Opened) -> None:
    with Loopback(echo) as server:
        async with opened(server) as client:
            assert await client.find([key("a")], datetime.now(UTC)) is None
            await client.submit(items(provider, ["a"]))
            assert await client.find([key("a")], datetime.now(UTC)) == "batch_1"
            assert await client.find([key("a"), key("b")], datetime.now(UTC)) is None
            assert await client.find([key("a")], datetime.now(UTC) + timedelta(hours=1)) is None


async def test_a_batch_without_any_result_is_not_taken_up_again(provider: str, opened: Opened) -> None:
    began = datetime.now(UTC)
    fates = iter(["expired", "once"])
    with Loopback(lambda request: Step("late", line=next(fates)), polls=0) as server:  # type: ignore[arg-type]
        async with opened(server) as client:
            first, _ = await settle(client, items(provider, ["a"]))
            second, _ = await settle(client, items(provider, ["a"]), since=began)
    assert str(first[key("a")]).startswith("retry: ") and second == {key("a"): "late"}


# Failing requests about batches


def once(path_end: str, step: Step, method: str = "POST") -> Callable[[Request], Step | None]:
    """The first request that ends so fails."""
    left = [step]

    def control(request: Request) -> Step | None:
        fits = request.method == method and request.path.partition("?")[0].endswith(path_end)
        return left.pop() if fits and left else None

    return control


PASSING = {
    "busy": rate_limited(0.02),
    "down": failing(503),
    "hang": Step(hang=True),
    "dropped": Step(drop=True),
    "cut": Step(body=b'{"id": "batch', cut=True),
}


@pytest.mark.parametrize("fault", PASSING)
async def test_polling_goes_on_after_faults(provider: str, opened: Opened, fault: str) -> None:
    with Loopback(echo, once("batch_1", PASSING[fault], "GET")) as server:
        async with opened(server, 0.8) as client:
            done, _ = await settle(client, items(provider))
    assert done == {key(t): f"reply {t}" for t in "abc"}
    assert creations(server) == 1 and server.repeated == []


@pytest.mark.parametrize("fault", PASSING)
async def test_results_are_fetched_again_after_faults(provider: str, opened: Opened, fault: str) -> None:
    end = "/results" if provider == "anthropic" else "/content"
    with Loopback(echo, once(end, PASSING[fault], "GET")) as server:
        async with opened(server, 0.8) as client:
            done, _ = await settle(client, items(provider))
    assert done == {key(t): f"reply {t}" for t in "abc"} and server.repeated == []


async def test_results_that_end_too_early_are_fetched_again(provider: str, opened: Opened) -> None:
    """A body without a length shows no cut; only the missing lines do."""
    end = "/results" if provider == "anthropic" else "/content"
    with Loopback(echo, once(end, Step(body=b'{"custom_id": "a', undelimited=True), "GET")) as server:
        async with opened(server) as client:
            done, _ = await settle(client, items(provider))
    assert done == {key(t): f"reply {t}" for t in "abc"}


@pytest.mark.parametrize("fault", PASSING)
async def test_submitting_again_after_faults(provider: str, opened: Opened, fault: str) -> None:
    with Loopback(echo, once("/batches", PASSING[fault])) as server:
        async with opened(server, 0.8) as client:
            done, _ = await settle(client, items(provider))
    assert done == {key(t): f"reply {t}" for t in "abc"}
    assert creations(server) == 1 and server.repeated == []


async def test_a_batch_whose_creation_got_no_answer_is_not_made_twice(provider: str, opened: Opened) -> None:
    """The provider made the batch, its answer was lost."""
    with Loopback(echo) as server:
        lost = []

        def control(request: Request) -> Step | None:
            if request.path.endswith("/batches") and request.method == "POST" and not lost:
                lost.append(request)
                made = server.natural_step(request)
                return Step(body=made.body, cut=True)
            return None

        server.control = control
        async with opened(server) as client:
            done, stored = await settle(client, items(provider))
    assert done == {key(t): f"reply {t}" for t in "abc"}
    assert stored == ["batch_1"] and creations(server) == 1 and server.repeated == []


async def test_faults_that_stay_end_in_an_error_and_the_batch_goes_on(provider: str, opened: Opened) -> None:
    down = [True]

    def control(request: Request) -> Step | None:
        return failing(500) if down and request.path.endswith("batch_1") else None

    with Loopback(echo, control) as server:
        async with opened(server) as client:
            with pytest.raises(CallError, match="HTTP 500") as caught:
                await settle(client, items(provider), patience=3)
            down.clear()
            done, _ = await settle(client, items(provider), batch_id="batch_1")
    assert caught.value.retry
    assert done[key("a")] == "reply a" and creations(server) == 1 and server.repeated == []


async def test_a_web_page_and_a_refused_key_are_told_at_once(provider: str, opened: Opened) -> None:
    for step, words in ((web_page(), "a web page instead of JSON"), (failing(401), "check the key")):
        with Loopback(echo, lambda request, step=step: step) as server:  # type: ignore[misc]
            async with opened(server) as client:
                with pytest.raises(CallError, match=words) as caught:
                    await settle(client, items(provider))
        assert not caught.value.retry and server.count == 0


async def test_an_unknown_batch_is_an_error(provider: str, opened: Opened) -> None:
    with Loopback(echo) as server:
        async with opened(server) as client:
            with pytest.raises(CallError, match="HTTP 404"):
                await settle(client, items(provider), batch_id="batch_77")


async def test_cancelling(provider: str, opened: Opened) -> None:
    with Loopback(echo, polls=1_000) as server:
        async with opened(server) as client:
            batch_id = await client.submit(items(provider))
            assert (await client.poll(batch_id)).status == "running"
            await client.cancel(batch_id)
            assert (await client.poll(batch_id)).status == "ended"


async def test_refused_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Loopback(echo) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        server.file_problem = "the file has one line too many"
        client = batches_for(parse_spec(SPECS["openai"]))
        done, _ = await settle(client, items("openai"))
        await client.close()
    assert all("one line too many (line 1)" in str(text) for text in done.values()) and len(done) == 3


async def test_keys_are_in_no_error(provider: str, opened: Opened) -> None:
    with Loopback(echo, lambda request: failing(400, message=f"no: {request.headers}")) as server:
        async with opened(server) as client:
            with pytest.raises(CallError) as caught:
                await settle(client, items(provider))
    assert "planted" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__)


async def test_wrong_items(provider: str, opened: Opened) -> None:
    with Loopback(echo) as server:
        async with opened(server) as client:
            for wrong in ([], items(provider, ["a", "a"])):
                with pytest.raises(CallError, match="a key of its own"):
                    await client.submit(wrong)


async def test_keys_of_any_form(provider: str, opened: Opened) -> None:
    names = ["plain", "with blanks and é", "x" * 500]
    wanted = [(name, ask(name[:9], SPECS[provider])) for name in names]
    with Loopback(echo) as server:
        async with opened(server) as client:
            done, _ = await settle(client, wanted)
    assert done == {name: f"reply {name[:9]}" for name in names}


async def test_a_model_behind_the_batch(provider: str, opened: Opened, local: LocalModel) -> None:
    with Loopback(backed_by(local)) as server:
        async with opened(server) as client:
            done = await run_batch(client, items(provider, ["Say hello."]), _ignore, every=0.01)
    (reply,) = done.values()
    assert isinstance(reply, Reply) and reply.text
    made = local.submit((Message(role="user", content="Say hello."),), 16).result()
    assert (reply.text, reply.completion_tokens) == (made.text, made.completion_tokens)


def test_portions() -> None:
    wanted = items("openai", [f"{n}" * 1_000 for n in range(10)])
    assert [len(portion) for portion in portions(wanted, most=4)] == [4, 4, 2]
    assert [len(portion) for portion in portions(wanted, most_bytes=6_000)] == [3, 3, 3, 1]
    assert [len(portion) for portion in portions(wanted, most_bytes=1)] == [1] * 10
    assert [item for portion in portions(wanted, most=3) for item in portion] == wanted
    assert list(portions([])) == []


def test_who_has_batches() -> None:
    for text in ("vllm:m@http://h/v1", "embedded", "oracle"):
        assert not supports_batches(parse_spec(text))
        with pytest.raises(CallError, match="no batches"):
            batches_for(parse_spec(text))
    assert supports_batches(parse_spec("openai:m")) and supports_batches(parse_spec("anthropic:m"))
