"""One provider's way through the gateway: who calls it, and how many calls at a time.

Guaranteed: no more calls than the limits allow are in flight. From MANY calls at once on, AHEAD times as
many more may note their intent before they have a place, so that none stands empty while an intent goes to
the disk. Not guaranteed: that each noted intent was sent; a SIGKILL leaves at most as many that were not as
calls may be in the line.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext

from models.calls import Caller, CallError, Reply
from models.limits import Limiter, Limits

MANY, AHEAD = 32, 2


class Lane:
    """One provider: who calls it and, for one that is not local, its limits."""

    def __init__(self, caller: Caller, limits: Limits | None) -> None:
        self.caller = caller
        self._limiter = Limiter(limits) if limits else None
        ahead = AHEAD * limits.concurrency if limits and limits.concurrency >= MANY else 0
        self._line = asyncio.Semaphore(limits.concurrency + ahead) if limits else None

    def line(self) -> AbstractAsyncContextManager[None]:
        """The calls that have a place or come next: these note their intent while others are in flight."""
        return self._line or nullcontext()

    def place(self, tokens: int) -> AbstractAsyncContextManager[None]:
        """One of the places for calls in flight, once it is its turn."""
        return self._limiter.place(tokens) if self._limiter else nullcontext()

    def failed(self, error: CallError) -> None:
        """Fewer calls, or none for a while, where the provider asked for that."""
        if self._limiter and (error.pushed_back or error.retry_after):
            self._limiter.pushed_back(error.retry_after)

    def succeeded(self, reply: Reply, tokens: int) -> None:
        """A call of which `tokens` were expected went well."""
        used = (reply.prompt_tokens, reply.completion_tokens)
        if self._limiter:
            self._limiter.succeeded(0 if None in used else tokens - sum(count or 0 for count in used))
