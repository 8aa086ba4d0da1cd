"""A model call as the rooms above see it, and how it can fail."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field

from models.spec import ModelSpec
from records.nouns import FinishReason, Message, Record, content_hash


class CallRequest(Record):
    """One question to one model. `stage` and `agent` are for the accounts and not part of its identity."""

    model: str  # a spec string
    messages: tuple[Message, ...] = Field(min_length=1)
    max_tokens: int = Field(ge=1)
    temperature: float = Field(default=0.0, ge=0)
    sample: int = 0
    seed: int = 0
    stage: str
    agent: str
    prompt_hash: str = ""
    reply_schema: str = ""  # JSON schema of the reply, for providers that can be held to one; "" for free text

    @property
    def dice(self) -> int:
        """Seed of this very call, below 2**31: other samples and prompts get other numbers."""
        turns = [message.model_dump() for message in self.messages]
        return int(content_hash([self.seed, self.sample, turns]), 16) % 2**31


MOST_TOKENS = 10**9  # that a provider may say of one call; more, like fewer than none, is no count


class Reply(Record):
    """What a provider answered. None: it did not say.

    `opened`: the prompt ended within a thought, which the text goes on with. The gateway parts thoughts and answer.
    """

    text: str
    finish_reason: FinishReason
    reasoning: str = ""
    opened: bool = False
    prompt_tokens: int | None = Field(None, ge=0, le=MOST_TOKENS)
    completion_tokens: int | None = Field(None, ge=0, le=MOST_TOKENS)
    cached_tokens: int | None = Field(None, ge=0, le=MOST_TOKENS)  # of the prompt's, read from the provider's cache
    cache_write_tokens: int | None = Field(None, ge=0, le=MOST_TOKENS)  # of the prompt's, written to it


class CallError(Exception):
    """A call failed.

    `retry`: the same call may succeed later. `retry_after` in seconds. `charged`: the provider may
    have charged for it although no reply came (a time-out, a connection lost after sending).
    `pushed_back`: the provider has too much to do, so fewer calls at a time should be made.
    """

    def __init__(
        self,
        message: str,
        retry: bool = False,
        retry_after: float | None = None,
        *,
        charged: bool = False,
        pushed_back: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry = retry
        self.retry_after = retry_after
        self.charged = charged
        self.pushed_back = pushed_back


class CallRefused(Exception):
    """The gateway does not make this call, nor any later one; the run stops and can be resumed.

    Raised and not returned: a call that was not made is no failed attempt and must never be judged.
    """


class Caller(Protocol):
    """Makes single calls to one provider, without retries."""

    async def call(self, spec: ModelSpec, request: CallRequest) -> Reply:
        """The reply. Raises CallError."""
        ...

    async def close(self) -> None:
        """Give back connections and memory."""
        ...
