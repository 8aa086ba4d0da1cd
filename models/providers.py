"""Anthropic, OpenAI and OpenAI-compatible servers, through their LangChain clients.

Guaranteed: no retries here (the gateway retries); `max_tokens` and a time-out are always set; keys
come from the environment only and are taken out of every error text; ANTHROPIC_BASE_URL and
OPENAI_BASE_URL are honoured. The packages are the extra `api`, imported at the first call. Not
guaranteed: sampling at temperature 0 being deterministic on their side. Reasoning models that
refuse a temperature are called without one.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
from typing import TYPE_CHECKING, Any

from models.calls import CallError, CallRequest, Reply
from models.spec import KEY_VARIABLES, ModelSpec
from records.nouns import FinishReason

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "stop": "stop",
    "max_tokens": "length",
    "length": "length",
    "model_context_window_exceeded": "length",
}
_FIXED_TEMPERATURE = re.compile(r"(o\d|gpt-[5-9]|claude-opus-4-[7-9]|claude-\w+-[5-9])")
_RETRIED = (408, 409, 429)
_VLLM_KEY = "VLLM_API_KEY"


class ProviderCaller:
    """Calls of one provider; keeps one client per model and temperature."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._clients: dict[tuple[str, int, float, int | None], BaseChatModel] = {}

    async def call(self, spec: ModelSpec, request: CallRequest) -> Reply:
        """One call. Raises CallError, marked for a retry where one may help."""
        turns = [(message.role, message.content) for message in request.messages]
        try:
            client = self._client(spec, request)
            message = await client.ainvoke(turns)
            return _reply(spec, message)
        except _failures() as error:
            raise _as_call_error(spec, error) from error
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            text = _without_keys(f"{type(error).__name__}: {error}")[:500]
            raise CallError(f"'{spec}' sent a reply that cannot be read: {text}") from error

    async def close(self) -> None:
        """Forget the clients; their connections end with them."""
        self._clients.clear()

    def _client(self, spec: ModelSpec, request: CallRequest) -> BaseChatModel:
        seed = request.dice if request.temperature > 0 and spec.provider != "anthropic" else None
        key = (str(spec), request.max_tokens, request.temperature, seed)
        if seed is not None:
            return self._make(spec, request, seed)
        if key not in self._clients:
            self._clients[key] = self._make(spec, request, None)
        return self._clients[key]

    def _make(self, spec: ModelSpec, request: CallRequest, seed: int | None) -> BaseChatModel:
        settings: dict[str, Any] = {
            "model": spec.name,
            "max_tokens": request.max_tokens,
            "max_retries": 0,
            "timeout": self._timeout,
        }
        if not _FIXED_TEMPERATURE.match(spec.name):
            settings["temperature"] = request.temperature
        if spec.provider == "anthropic":
            return _anthropic(settings)
        if seed is not None:
            settings["seed"] = seed
        return _openai(settings, spec)


def _anthropic(settings: dict[str, Any]) -> BaseChatModel:
    from langchain_anthropic import ChatAnthropic

    url = os.environ.get("ANTHROPIC_BASE_URL")
    return ChatAnthropic(**settings, **({"base_url": url} if url else {}))


def _openai(settings: dict[str, Any], spec: ModelSpec) -> BaseChatModel:
    from langchain_openai import ChatOpenAI

    if spec.url:
        key = os.environ.get(_VLLM_KEY) or "none"
        return ChatOpenAI(**settings, base_url=spec.url, api_key=key, use_responses_api=False)
    url = os.environ.get("OPENAI_BASE_URL")
    return ChatOpenAI(**settings, use_responses_api=False, **({"base_url": url} if url else {}))


def _reply(spec: ModelSpec, message: AIMessage) -> Reply:
    """The message in our terms; reasoning and refusals are kept apart from the text."""
    facts = message.response_metadata
    finish = facts.get("stop_reason") or facts.get("finish_reason")
    if finish not in _FINISH:
        raise CallError(f"'{spec}' ended its reply for the reason '{finish}', which is no answer")
    usage = message.usage_metadata
    reasoning = str(message.additional_kwargs.get("reasoning_content") or "")
    return Reply(
        text=str(message.text),
        reasoning=reasoning + _reasoning_blocks(message.content),
        finish_reason=_FINISH[finish],
        prompt_tokens=usage["input_tokens"] if usage else None,
        completion_tokens=usage["output_tokens"] if usage else None,
        cached_tokens=usage.get("input_token_details", {}).get("cache_read") if usage else None,
    )


def _reasoning_blocks(content: str | list[Any]) -> str:
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return "".join(str(block.get("thinking") or block.get("reasoning") or "") for block in blocks)


def _failures() -> tuple[type[Exception], ...]:
    """The clients' own exceptions, of those packages that are installed."""
    bases = (("anthropic", "AnthropicError"), ("openai", "OpenAIError"), ("httpx", "HTTPError"))
    present = [(name, base) for name, base in bases if importlib.util.find_spec(name)]
    return tuple(getattr(importlib.import_module(name), base) for name, base in present)


def _as_call_error(spec: ModelSpec, error: Exception) -> CallError:
    status = getattr(error, "status_code", None)
    text = _without_keys(str(error) or type(error).__name__)[:500]
    if isinstance(status, int) and status >= 400:
        retry = status in _RETRIED or status >= 500
        return CallError(f"'{spec}' answered HTTP {status}: {text}", retry, _retry_after(error))
    name = type(error).__name__
    if "Timeout" in name or "Connection" in name or "Transport" in name or "Protocol" in name:
        return CallError(f"no answer from '{spec}' ({name}): {text}", retry=True)
    return CallError(f"call of '{spec}' failed ({name}): {text}")


def _retry_after(error: Exception) -> float | None:
    """The Retry-After header in seconds, if it is there and a number."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None


def _without_keys(text: str) -> str:
    """The text without the keys in the environment, and without what looks like one."""
    for variable in (*KEY_VARIABLES.values(), _VLLM_KEY):
        key = os.environ.get(variable)
        if key and len(key) > 3:
            text = text.replace(key, f"[{variable}]")
    return re.sub(r"\bsk-[\w*.-]{4,}", "[key]", text)
