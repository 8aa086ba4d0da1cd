"""The API providers' callers with the real clients: reasoning, refusals, caching, addresses, keys."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable

import pytest

from models.calls import CallError, CallRequest, Reply
from models.providers import ProviderCaller
from models.spec import ModelSpec, SpecError, check_available, parse_spec, url_problem
from records.nouns import Message
from tests.loopback import Loopback, Request, Script, Step, failing, web_page
from tests.models.conftest import ask

PROVIDERS = ("anthropic", "openai", "vllm")
KEYS = {
    "ANTHROPIC_API_KEY": "sk-ant-planted-0123456789",
    "OPENAI_API_KEY": "sk-proj-planted-0123456789",
    "VLLM_API_KEY": "planted+vllm/key=0123456789",
}


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return KEYS


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, keys: dict[str, str]) -> Callable[[Loopback, str], ModelSpec]:
    """A spec of the provider that leads to the server."""

    def spec(server: Loopback, provider: str, name: str = "some-model") -> ModelSpec:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        return parse_spec(f"vllm:{name}@{server.openai_url}" if provider == "vllm" else f"{provider}:{name}")

    return spec


At = Callable[..., ModelSpec]


async def call(spec: ModelSpec, request: CallRequest | None = None, seconds: float = 10.0) -> Reply:
    caller = ProviderCaller(seconds)
    try:
        return await caller.call(spec, request or ask("hi", str(spec)))
    finally:
        await caller.close()


async def failure(at: At, script: Script, provider: str) -> CallError:
    with Loopback(script) as server, pytest.raises(CallError) as caught:
        await call(at(server, provider), seconds=2.0)
    return caught.value


# Reasoning, cuts, refusals


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_reasoning_is_kept_apart(at: At, provider: str, name: str) -> None:
    with Loopback([Step("four", reasoning="2 and 2", reasoning_field=name)]) as server:
        reply = await call(at(server, provider))
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("four", "2 and 2", "stop")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_truncated_reply_is_marked(at: At, provider: str) -> None:
    with Loopback([Step("fo", finish="length", reasoning="long")]) as server:
        reply = await call(at(server, provider))
    assert (reply.text, reply.finish_reason) == ("fo", "length")


async def test_full_context_window_is_a_cut(at: At) -> None:
    with Loopback([Step("fo", finish="model_context_window_exceeded")]) as server:
        assert (await call(at(server, "anthropic"))).finish_reason == "length"


REFUSED = [
    ("anthropic", Step("", finish="refusal")),
    ("openai", Step("", finish="content_filter")),
    ("openai", Step(refusal="I cannot help with that.")),
    ("vllm", Step("", finish="content_filter")),
]


@pytest.mark.parametrize(("provider", "step"), REFUSED)
async def test_refusal_is_a_clear_error(at: At, provider: str, step: Step) -> None:
    error = await failure(at, [step], provider)
    assert not error.retry
    assert "refused to answer" in str(error) and "take another model" in str(error)
    assert step.refusal in str(error)


@pytest.mark.parametrize(("provider", "finish"), [("anthropic", "pause_turn"), ("openai", "tool_calls")])
async def test_other_ends_are_no_answers(at: At, provider: str, finish: str) -> None:
    error = await failure(at, [Step("half", finish=finish)], provider)
    assert f"'{finish}', which is no answer" in str(error)


# Usage and caching


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_usage_that_was_not_told_is_unknown_and_not_zero(at: At, provider: str) -> None:
    with Loopback([Step("x", usage=(0, 0))]) as server:
        reply = await call(at(server, provider))
    assert (reply.prompt_tokens, reply.completion_tokens) == (None, None)


def strategy(words: int) -> tuple[Message, ...]:
    return Message(role="system", content="Think. " * words), Message(role="user", content="2+2?")


async def test_long_system_message_is_cached(at: At) -> None:
    with Loopback(["a", "b"]) as server:
        spec = at(server, "anthropic")
        replies = [await call(spec, ask("x", str(spec), messages=strategy(1_000), sample=n)) for n in range(2)]
    (block,) = server.requests[0].body["system"]
    assert block["cache_control"] == {"type": "ephemeral"}
    tokens = len(block["text"]) // 4
    assert [(r.cached_tokens, r.cache_write_tokens) for r in replies] == [(0, tokens), (tokens, 0)]
    assert [r.prompt_tokens for r in replies] == [7 + tokens, 7 + tokens]


async def test_short_system_message_is_not(at: At) -> None:
    with Loopback(["a"]) as server:
        spec = at(server, "anthropic")
        reply = await call(spec, ask("x", str(spec), messages=strategy(10)))
    assert "cache_control" not in str(server.requests[0].body)
    assert (reply.cached_tokens, reply.cache_write_tokens) == (0, 0)


async def test_openai_caches_without_a_mark(at: At) -> None:
    with Loopback([Step("a", usage=(2_000, 1), cached=1_024)]) as server:
        spec = at(server, "openai")
        reply = await call(spec, ask("x", str(spec), messages=strategy(1_000)))
    assert "cache_control" not in str(server.requests[0].body)
    assert (reply.prompt_tokens, reply.cached_tokens) == (2_000, 1_024)


# What is sent


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_one_client_serves_all_settings(at: At, provider: str) -> None:
    with Loopback(lambda request: "x") as server:
        spec = at(server, provider)
        caller = ProviderCaller(5.0)
        for limit, temperature in ((5, 0.0), (6, 0.5)):
            await caller.call(spec, ask("hi", str(spec), max_tokens=limit, temperature=temperature))
        await caller.close()
    bodies = [request.body for request in server.requests]
    assert [body.get("max_tokens") or body.get("max_completion_tokens") for body in bodies] == [5, 6]
    assert [body["temperature"] for body in bodies] == [0.0, 0.5]
    assert ["seed" in body for body in bodies] == [False, provider != "anthropic"]


async def test_reasoning_models_get_no_temperature(at: At) -> None:
    with Loopback(["x"]) as server:
        await call(at(server, "openai", "gpt-5-mini"))
    assert "temperature" not in server.requests[0].body


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_lone_surrogates_can_be_sent(at: At, provider: str) -> None:
    with Loopback(["x"]) as server:
        spec = at(server, provider)
        await call(spec, ask("a \ud800 b é 😀", str(spec)))
    assert server.requests[0].prompt == "a \ufffd b é 😀"


@pytest.mark.parametrize("provider", ["anthropic", "vllm"])
def test_two_event_loops_in_one_process(at: At, provider: str) -> None:
    with Loopback(["a", "b"]) as server:
        spec = at(server, provider)
        assert [asyncio.run(call(spec)).text for _ in range(2)] == ["a", "b"]


# Failures


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("status", "retry"), [(200, False), (404, False), (502, True)])
async def test_web_page_is_named(at: At, provider: str, status: int, retry: bool) -> None:
    error = await failure(at, [web_page(status)], provider)
    where = {"anthropic": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL", "vllm": "the spec"}[provider]
    assert "a web page instead of JSON" in str(error) and str(error).endswith(where)
    assert "http://127.0.0.1" in str(error) and "html" not in str(error)
    assert error.retry == retry


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_text_that_is_no_json(at: At, provider: str) -> None:
    error = await failure(at, [Step(headers={"content-type": "text/plain"}, body=b"not today")], provider)
    assert "cannot be read" in str(error) and "not today" in str(error)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_whole_call_has_a_deadline(at: At, provider: str) -> None:
    with Loopback([Step("slow", drip=0.05)]) as server, pytest.raises(CallError, match="no answer") as caught:
        await call(at(server, provider), seconds=0.4)
    assert caught.value.retry


AFTER = [
    ({"retry-after": "7"}, 7.0),
    ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
    ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "inf"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), AFTER)
async def test_retry_after(at: At, headers: dict[str, str], seconds: float | None) -> None:
    error = await failure(at, [failing(429, headers)], "openai")
    assert (error.retry, error.pushed_back, error.retry_after) == (True, True, seconds)


@pytest.mark.parametrize(("status", "pushed_back"), [(429, True), (503, True), (529, True), (500, False), (408, False)])
async def test_who_is_too_busy_pushes_back(at: At, status: int, pushed_back: bool) -> None:
    error = await failure(at, [failing(status)], "anthropic")
    assert (error.retry, error.pushed_back) == (True, pushed_back)


async def test_spent_credit_is_not_retried(at: At) -> None:
    error = await failure(at, [failing(429, message="You exceeded your quota", code="insufficient_quota")], "openai")
    assert not error.retry and not error.pushed_back
    assert "no credit left" in str(error) and "OPENAI_API_KEY" in str(error)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_refused_key_names_the_variable(at: At, provider: str) -> None:
    error = await failure(at, [failing(401)], provider)
    assert f"check the key in {provider.upper()}_API_KEY" in str(error)


async def test_unknown_model_shows_the_address(at: At) -> None:
    error = await failure(at, [failing(404, message="no such model")], "openai")
    assert "is the model's name right, and the address http://127.0.0.1" in str(error)


CHARGED = [(Step(delay=3.0), True), (Step(drop=True), True), (Step(finish="refusal"), True), (Step(body=b"{}"), True)]


@pytest.mark.parametrize(("step", "charged"), [*CHARGED, (failing(500), False), (web_page(), False)])
async def test_what_may_have_been_charged(at: At, step: Step, charged: bool) -> None:
    assert (await failure(at, [step], "anthropic")).charged == charged


# Addresses and keys


BAD_URLS = [
    "http://",
    "http:///v1",
    "http://host:port/v1",
    "http://host:99999/v1",
    "http://[::1/v1",
    "http://ho st/v1",
    "ftp://host/v1",
    "localhost:8000/v1",
    "http://user:secret-word@host/v1",
    "http://secret-word@host/v1",
    "http://host/v1?api_key=secret-word",
    "http://host/v1#secret-word",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_bad_urls_are_refused_without_showing_them(
    url: str, monkeypatch: pytest.MonkeyPatch, keys: dict[str, str]
) -> None:
    assert url_problem(url)
    with pytest.raises(SpecError) as caught:
        parse_spec(f"vllm:m@{url}")
    texts = [str(caught.value)]
    for provider in ("anthropic", "openai"):
        monkeypatch.setenv(f"{provider.upper()}_BASE_URL", url)
        problem = check_available(parse_spec(f"{provider}:m"))
        assert problem and f"{provider.upper()}_BASE_URL" in problem
        texts.append(problem)
    assert all("secret-word" not in text or "#" in url for text in texts)


@pytest.mark.parametrize("url", ["http://localhost:8000/v1", "https://[::1]:8000/v1", "https://host.name/a/b/v1/"])
def test_good_urls(url: str) -> None:
    assert url_problem(url) is None
    assert parse_spec(f"vllm:me@corp/m@{url}").url == url


WRONG_KEYS = [
    ("openai", "sk-ant-planted-0123456789", "Anthropic"),
    ("anthropic", "sk-proj-planted-0123456789", "OpenAI"),
    ("anthropic", "hf_planted0123456789", "Hugging Face"),
    ("openai", "sk-or-v1-planted-0123456789", "OpenRouter"),
]


@pytest.mark.parametrize(("provider", "key", "owner"), WRONG_KEYS)
def test_key_of_another_provider(monkeypatch: pytest.MonkeyPatch, provider: str, key: str, owner: str) -> None:
    variable = f"{provider.upper()}_API_KEY"
    monkeypatch.setenv(variable, key)
    problem = check_available(parse_spec(f"{provider}:m")) or ""
    assert f"the key in {variable} is one of {owner}" in problem and "planted" not in problem
    monkeypatch.setenv(f"{provider.upper()}_BASE_URL", "https://our.proxy/v1")
    assert check_available(parse_spec(f"{provider}:m")) is None


async def test_refused_key_of_another_provider_at_a_proxy(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEYS["ANTHROPIC_API_KEY"])
    assert "begins like one of Anthropic" in str(await failure(at, [failing(401)], "openai"))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("key", ["sk-ant-planted-0123\n", "sk planted 0123456", "sk-plantéd-0123456"])
def test_key_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch, provider: str, key: str) -> None:
    monkeypatch.setenv(f"{provider.upper()}_API_KEY", key)
    problem = check_available(parse_spec("vllm:m@http://h/v1" if provider == "vllm" else f"{provider}:m")) or ""
    assert f"{provider.upper()}_API_KEY contains a space, a line break" in problem and "plant" not in problem


def echo(request: Request) -> Step:
    """A server that gives back in its refusal all that it was sent."""
    return failing(401, message=f"{request.path} {request.headers} {request.headers.get('x-api-key')}")


def echo_as_reason(request: Request) -> Step:
    return Step(finish=request.headers.get("authorization", "") + request.headers.get("x-api-key", ""))


def echo_as_page(request: Request) -> Step:
    return Step(headers={"content-type": "text/plain"}, body=str(request.headers).encode())


def echo_as_refusal(request: Request) -> Step:
    return Step(refusal=str(request.headers))


ECHOES = [(provider, script) for provider in PROVIDERS for script in (echo, echo_as_reason, echo_as_page)]


@pytest.mark.parametrize(("provider", "script"), [*ECHOES, ("openai", echo_as_refusal), ("vllm", echo_as_refusal)])
async def test_keys_are_in_no_error_and_no_log(
    at: At, provider: str, script: Callable[[Request], Step], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = await failure(at, script, provider)
    whole = "".join(traceback.format_exception(error)) + repr(error.__context__) + repr(error.__cause__) + caplog.text
    for key in KEYS.values():
        assert key not in whole and key[6:] not in whole


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_keys_are_in_no_error_of_the_network(at: At, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback([]) as server:
        spec = at(server, provider)
    with pytest.raises(CallError, match=r"no answer from .* at http://127\.0\.0\.1") as caught:
        await call(spec)
    assert caught.value.retry and not caught.value.charged
    assert "planted" not in "".join(traceback.format_exception(caught.value))
