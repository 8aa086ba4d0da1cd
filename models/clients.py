"""The LangChain clients of the API providers, with what they lack.

Guaranteed: no retries (the gateway retries); a client has an HTTP client of its own, closed by
`aclose`, so that event loops do not share connections, and a connection of its own for each call, so
that a reply which a broken proxy delivers twice answers no other call; reasoning and refusals of OpenAI-compatible
servers are kept apart from the answer; a reply that is no JSON is a NotJsonError; `body` is what a
call sends and `read` what it returns, alone or in a batch. A call is LangChain's body, sent by the SDK
and read by LangChain: without the types and traces between them it takes about half the CPU.
Importing this module needs the extra `api`.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

import anthropic
import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage
from langchain_core.messages.utils import convert_to_messages
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI

from models.spec import KEY_VARIABLES, ModelSpec, base_url

Turns = list[tuple[str, Any]]  # (role, text or content blocks)


class NotJsonError(ValueError):
    """The address answered with something else than JSON, which is the message."""


class AnthropicClient(ChatAnthropic):
    """Messages of Anthropic."""

    @cached_property
    def _async_client(self) -> anthropic.AsyncAnthropic:
        # LangChain's own is shared by all event loops of the process.
        own = anthropic.DefaultAsyncHttpxClient(limits=_one_call_each(anthropic))
        return anthropic.AsyncAnthropic(**self._client_params, http_client=own)

    @property
    def sdk(self) -> anthropic.AsyncAnthropic:
        """The SDK's client behind it."""
        return self._async_client

    async def ask(self, turns: Turns, **settings: Any) -> AIMessage:
        """One call. Raises the SDK's exceptions, and what `read` raises."""
        raw: Any = await self.sdk.post("/v1/messages", cast_to=object, body=self.body(turns, **settings))
        return self.read(raw)

    def body(self, turns: Turns, **settings: Any) -> dict[str, Any]:
        """The JSON body of a call."""
        made = self._get_request_payload(convert_to_messages(turns), **settings)
        return made | made.pop("extra_body", {})  # the SDK would merge it so

    def read(self, raw: dict[str, Any]) -> AIMessage:
        """A reply's JSON as the call would return it. Raises ValueError, KeyError, TypeError or the like."""
        if isinstance(raw, str):
            raise NotJsonError(raw)
        return _message(self._format_output(anthropic.types.Message.construct(**raw)))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._async_client.close()


class OpenAIClient(ChatOpenAI):
    """Chat Completions of OpenAI and of the servers that imitate it."""

    @property
    def sdk(self) -> openai.AsyncOpenAI:
        """The SDK's client behind it."""
        return self.root_async_client

    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        if isinstance(response, str):
            raise NotJsonError(response)
        result = super()._create_chat_result(response, generation_info)
        choices = response["choices"] if isinstance(response, dict) else response.choices
        for generation, choice in zip(result.generations, choices, strict=True):
            message = choice["message"] if isinstance(choice, dict) else dict(choice.message)
            # vLLM calls it `reasoning` now, it and most others called it `reasoning_content`.
            said = {name: message[name] for name in ("reasoning_content", "reasoning", "refusal") if message.get(name)}
            generation.message.additional_kwargs |= said
        return result

    async def ask(self, turns: Turns, **settings: Any) -> AIMessage:
        """One call. Raises the SDK's exceptions, and what `read` raises."""
        raw: Any = await self.sdk.post("/chat/completions", cast_to=object, body=self.body(turns, **settings))
        return self.read(raw)

    def body(self, turns: Turns, **settings: Any) -> dict[str, Any]:
        """The JSON body of a call."""
        made = self._get_request_payload(convert_to_messages(turns), **settings)
        return {name: value for name, value in made.items() if name != "stream"}

    def read(self, raw: dict[str, Any]) -> AIMessage:
        """A reply's JSON as the call would return it. Raises ValueError, KeyError, TypeError or the like."""
        return _message(self._create_chat_result(raw))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.root_async_client.close()


def open_client(spec: ModelSpec, timeout: float) -> AnthropicClient | OpenAIClient:
    """A client for the model, with the key from the environment. `timeout` in seconds."""
    key = os.environ.get(KEY_VARIABLES[spec.provider]) or "none"
    settings: dict[str, Any] = {"model": spec.name, "max_retries": 0, "timeout": timeout, "base_url": base_url(spec)}
    if spec.provider == "anthropic":
        return AnthropicClient(**settings, api_key=key)
    own = openai.DefaultAsyncHttpxClient(limits=_one_call_each(openai))
    return OpenAIClient(**settings, api_key=key, use_responses_api=False, http_async_client=own)


def _one_call_each(sdk: Any) -> Any:
    """On a connection that is used again, a reply that a broken proxy delivers twice is taken for the next call's."""
    return type(sdk.DEFAULT_CONNECTION_LIMITS)(max_connections=1_000, max_keepalive_connections=0)


def _message(result: ChatResult) -> AIMessage:
    """The message of a result with its facts, as LangChain puts them together after a call."""
    generation = result.generations[0]
    message = generation.message
    assert isinstance(message, AIMessage)
    message.response_metadata |= {**(result.llm_output or {}), **(generation.generation_info or {})}
    return message
