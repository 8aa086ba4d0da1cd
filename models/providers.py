"""Anthropic, OpenAI and OpenAI-compatible servers, through their LangChain clients.

Guaranteed: no retries here (the gateway retries); `max_tokens` and a time-out for the whole call are
always set; keys come from the environment only and are in no error, its cause included;
ANTHROPIC_BASE_URL and OPENAI_BASE_URL are honoured; reasoning is kept apart from the answer; a reply
held to a JSON schema is JSON text; a reply cut at a limit has finish_reason "length"; a refusal, a
filtered reply and anything that is not a whole reply is a CallError, never a text. A system message of
Anthropic's that is long enough to be cached is marked for the cache. The packages are the extra `api`,
imported at the first call. Not guaranteed: sampling at temperature 0 being deterministic on their side.
Reasoning models that refuse a temperature are called without one.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import math
import os
import re
import time
from collections.abc import Awaitable
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from models.calls import MOST_TOKENS, CallError, CallRequest, Reply
from models.redaction import without_secrets
from models.spec import KEY_VARIABLES, URL_VARIABLES, ModelSpec, base_url, key_owner
from records.nouns import FinishReason

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage
    from langchain_core.messages.ai import UsageMetadata

    from models.clients import AnthropicClient, OpenAIClient, Turns

T = TypeVar("T")

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "stop": "stop",
    "max_tokens": "length",
    "length": "length",
    "model_context_window_exceeded": "length",
}
_REFUSALS = ("refusal", "content_filter")
FIXED_TEMPERATURE = re.compile(r"(o\d|gpt-[5-9]|claude-opus-4-[7-9]|claude-\w+-[5-9])")
RETRIED = (408, 409, 429)
_PUSHED_BACK = (429, 503, 529)
_CACHED_FROM = 3_000  # characters; no model caches fewer than 1,024 tokens, and a mark too many costs nothing
_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
_TOOL = "reply"
_SHOWN = 500  # characters of a provider's own words


class ProviderCaller:
    """Calls of one provider; keeps one client per model."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._clients: dict[ModelSpec, AnthropicClient | OpenAIClient] = {}

    async def call(self, spec: ModelSpec, request: CallRequest) -> Reply:
        """One call. Raises CallError, marked for a retry where one may help."""
        return await translated(spec, self._call(spec, request))

    async def _call(self, spec: ModelSpec, request: CallRequest) -> Reply:
        client = self._client(spec)
        async with asyncio.timeout(self._timeout):
            message = await client.ask(turns_of(spec, request), **settings_of(spec, request))
        return reply_of(spec, message, structured=bool(request.reply_schema))

    async def close(self) -> None:
        """Close the clients' connections."""
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            await client.aclose()

    def _client(self, spec: ModelSpec) -> AnthropicClient | OpenAIClient:
        if spec not in self._clients:
            from models.clients import open_client

            self._clients[spec] = open_client(spec, self._timeout)
        return self._clients[spec]


async def translated(spec: ModelSpec, work: Awaitable[T]) -> T:
    """What the work returns. Its failures are raised as CallErrors."""
    try:
        return await work
    except failures() as error:
        failure = call_error(spec, error)
    raise failure  # here, so that the original, which may hold a key, is not its context


def settings_of(spec: ModelSpec, request: CallRequest) -> dict[str, Any]:
    """What a call sets besides its messages."""
    settings: dict[str, Any] = {"max_tokens": request.max_tokens}
    if not FIXED_TEMPERATURE.match(spec.name):
        settings["temperature"] = request.temperature
    if spec.provider != "anthropic" and request.temperature > 0:
        settings["seed"] = request.dice
    return settings | structure_of(spec, request.reply_schema)


def structure_of(spec: ModelSpec, reply_schema: str) -> dict[str, Any]:
    """What holds a reply to a JSON schema: OpenAI's response format, with Anthropic a tool that must be used."""
    if not reply_schema or not spec.structured:
        return {}
    schema = json.loads(reply_schema)
    if spec.provider == "anthropic":
        tool = {"name": _TOOL, "description": "Hand in the reply.", "input_schema": schema}
        return {"tools": [tool], "tool_choice": {"type": "tool", "name": _TOOL}}
    form = {"name": _TOOL, "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def turns_of(spec: ModelSpec, request: CallRequest) -> Turns:
    """The messages for the client, a long system message marked for Anthropic's cache."""
    turns: Turns = [(message.role, _sendable(message.content)) for message in request.messages]
    role, text = turns[0]
    if spec.provider == "anthropic" and role == "system" and len(text) >= _CACHED_FROM:
        turns[0] = (role, [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}])
    return turns


def _sendable(text: str) -> str:
    """Lone surrogates, which a model's quoted reply may contain, cannot be sent."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def reply_of(spec: ModelSpec, message: AIMessage, structured: bool = False) -> Reply:
    """The message in our terms; `structured`: it was held to a schema, and what the tool got is its text.

    Raises CallError for a refusal and for an unknown reason to end.
    """
    facts, extra = message.response_metadata, message.additional_kwargs
    finish = facts.get("stop_reason") or facts.get("finish_reason")
    handed_in = message.tool_calls[0]["args"] if structured and message.tool_calls else None
    if handed_in is not None and finish == "tool_use":
        finish = "end_turn"
    if finish in _REFUSALS or extra.get("refusal"):
        raise CallError(_refusal_line(spec, finish, extra.get("refusal")), charged=True)
    if finish not in _FINISH:
        raise CallError(f"'{spec}' ended its reply for the reason '{_shown(finish)}', which is no answer", charged=True)
    reasoning = extra.get("reasoning_content") or extra.get("reasoning") or _reasoning_blocks(message.content)
    return Reply(
        text=str(message.text) if handed_in is None else json.dumps(handed_in),
        reasoning=str(reasoning),
        finish_reason=_FINISH[finish],
        **_tokens(message.usage_metadata),
    )


def _refusal_line(spec: ModelSpec, finish: object, words: object) -> str:
    said = f", in its words: {_shown(words)}" if words else ""
    advice = "the same prompt will be refused again: change it, or take another model"
    return f"'{spec}' refused to answer (reason '{_shown(finish)}'{said}); {advice}"


def _shown(text: object) -> str:
    """A provider's own words as they may be shown; keys are taken out before they are cut."""
    return without_secrets(str(text))[:_SHOWN]


def _reasoning_blocks(content: str | list[Any]) -> str:
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return "".join(str(block.get("thinking") or block.get("reasoning") or "") for block in blocks)


def _tokens(usage: UsageMetadata | None) -> dict[str, int | None]:
    """Token counts; the prompt's include those read from and written to the cache.

    Raises ValueError for what cannot be a count.
    """
    if usage is None or usage["input_tokens"] == 0:  # the clients' word for a usage that was not told
        return {}
    details: dict[str, Any] = dict(usage.get("input_token_details") or {})
    # Names carry the service tier or the time to live where there is one.
    read = [count for name, count in details.items() if name.endswith("cache_read")]
    written = [count for name, count in details.items() if name.endswith("cache_creation") or "ephemeral" in name]
    counts: dict[str, int | None] = {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "cached_tokens": sum(read) if read else None,
        "cache_write_tokens": sum(written) if written else None,
    }
    for name, count in counts.items():
        if count is not None and not 0 <= count <= MOST_TOKENS:
            raise ValueError(f"its {name} are {count}")
    return counts


@lru_cache(maxsize=1)
def failures() -> tuple[type[Exception], ...]:
    """What a call may raise: the clients' own exceptions, of those packages that are installed, and
    what reading a reply of an unexpected shape raises."""
    bases = (
        ("anthropic", "AnthropicError"),
        ("openai", "OpenAIError"),
        *((name, base) for name in ("httpx", "httpx2") for base in ("HTTPError", "InvalidURL")),
    )
    present = [(name, base) for name, base in bases if importlib.util.find_spec(name)]
    own = tuple(getattr(importlib.import_module(name), base) for name, base in present)
    return (*own, CallError, TimeoutError, *_UNREADABLE)


def call_error(spec: ModelSpec, error: Exception) -> CallError:
    """The failure in one line: what, where, and where it helps what to do. Never a key."""
    if isinstance(error, CallError):
        return error
    status = getattr(error, "status_code", None)
    text = _shown(str(error) or type(error).__name__)
    if _is_web_page(error):
        failed = isinstance(status, int) and status >= 500
        busy = failed and status in _PUSHED_BACK
        return CallError(_web_page_line(spec, status), failed, _retry_after(error), pushed_back=busy)
    if isinstance(status, int) and status >= 400:
        return _status_error(spec, status, error, text)
    name = type(error).__name__
    if re.search("Timeout|Connect|Transport|Protocol|Read|Write|Network", name):
        return CallError(
            f"no answer from '{spec}' at {base_url(spec)} ({name}): {text}", True, charged=_was_sent(error)
        )
    if isinstance(error, _UNREADABLE):
        return CallError(f"'{spec}' sent a reply that cannot be read: {name}: {text}", charged=True)
    return CallError(f"call of '{spec}' failed ({name}): {text}")


def _was_sent(error: BaseException) -> bool:
    """The connection was made, so that the provider may have worked on the call."""
    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__:
        causes.append(cause)
    return not any(type(cause).__name__ in ("ConnectError", "ConnectTimeout") for cause in causes)


def _status_error(spec: ModelSpec, status: int, error: Exception, text: str) -> CallError:
    spent = getattr(error, "code", None) == "insufficient_quota"  # a 429 that waiting does not heal
    retry = (status in RETRIED or status >= 500) and not spent
    line = f"'{spec}' answered HTTP {status}: {text}{_advice(spec, status, spent)}"
    return CallError(line, retry, _retry_after(error), pushed_back=retry and status in _PUSHED_BACK)


def _advice(spec: ModelSpec, status: int, spent: bool) -> str:
    variable = KEY_VARIABLES[spec.provider]
    if spent:
        return f"; the account of the key in {variable} has no credit left: fill it up and resume the run"
    if status in (401, 403):
        owner = key_owner(os.environ.get(variable, ""))
        begins = f", which begins like one of {owner}" if owner else ""
        return f"; check the key in {variable}{begins}"
    if status == 404:
        return f"; is the model's name right, and the address {base_url(spec)}?"
    return ""


def _is_web_page(error: Exception) -> bool:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    start = str(error).lstrip()[:15].lower()
    return "text/html" in headers.get("content-type", "") or start.startswith(("<!doctype html", "<html"))


def _web_page_line(spec: ModelSpec, status: int | None) -> str:
    where = URL_VARIABLES.get(spec.provider, "the spec")
    end = "without /v1" if spec.provider == "anthropic" else "with /v1 at its end"
    said = f"HTTP {status} and a web page" if status else "a web page"
    return (
        f"'{spec}': {base_url(spec)} answered with {said} instead of JSON; "
        f"give the address of the API, {end}, in {where}"
    )


def _retry_after(error: Exception) -> float | None:
    """Seconds to wait by the headers retry-after-ms and Retry-After (seconds or a date), if they say."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    said, unit = headers.get("retry-after-ms", ""), 1000.0
    if not said:
        said, unit = headers.get("retry-after", ""), 1.0
    try:
        seconds = float(said) / unit
    except ValueError:
        seconds = _seconds_until(said)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError):
        return math.nan
