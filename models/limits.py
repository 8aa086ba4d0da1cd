"""How many calls a provider gets: at once, per minute, and after it has pushed back.

Guaranteed: never more than `concurrency` calls at once; in any minute at most the given requests and
tokens, and one call's more, spread evenly; no call starts while a Retry-After runs. Concurrency
follows AIMD: a push-back halves it, once for the calls that were in flight together; each full round
of successes after it raises it by one. Not guaranteed: the provider's own count of tokens; ours is an estimate
until `succeeded` corrects it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from pydantic import Field

from records.nouns import Record


class Limits(Record):
    """Limits of one provider. None: none known."""

    concurrency: int = Field(ge=1, description="calls in flight at most")
    requests_per_minute: float | None = Field(None, gt=0)
    tokens_per_minute: float | None = Field(None, gt=0, description="prompt and reply")


class Limiter:
    """The limits at work; one per provider, used in one event loop.

        async with limiter.place(tokens):
            reply = await call()
        limiter.succeeded(unused_tokens)

    and `limiter.pushed_back(retry_after)` where the provider said 429 or that it is overloaded.
    """

    def __init__(
        self,
        limits: Limits,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._most = limits.concurrency
        self._allowed = float(limits.concurrency)  # its whole part is in force
        self._places = CapacityLimiter(limits.concurrency)
        self._requests = _Pace(limits.requests_per_minute)
        self._tokens = _Pace(limits.tokens_per_minute)
        self._opens = 0.0
        self._round = 0  # calls to end before another push-back counts
        self._now, self._sleep = now, sleep

    @property
    def concurrency(self) -> int:
        """Calls that may be in flight now."""
        return int(self._allowed)

    @property
    def in_flight(self) -> int:
        """Calls that have a place, or wait in it for their turn."""
        return self._places.borrowed_tokens

    @asynccontextmanager
    async def place(self, tokens: int = 0) -> AsyncIterator[None]:
        """A place for one call of about `tokens` tokens, entered when the call may start."""
        call = object()
        await self._places.acquire_on_behalf_of(call)
        try:
            await self._opened()
            wait = max(self._requests.take(1, self._now()), self._tokens.take(tokens, self._now()))
            if wait > 0:
                await self._sleep(wait)
            await self._opened()  # a push-back may have come meanwhile
            yield
        finally:
            self._places.release_on_behalf_of(call)
            self._round = max(0, self._round - 1)

    def pushed_back(self, retry_after: float | None = None) -> None:
        """The provider has too much to do: fewer calls at once, and none for `retry_after` seconds."""
        self._opens = max(self._opens, self._now() + (retry_after or 0.0))
        if self._round == 0:
            self._allow(max(1.0, self._allowed / 2))
            self._round = self.in_flight

    def succeeded(self, unused_tokens: int = 0) -> None:
        """A call succeeded, and used so many tokens fewer than its place was taken for."""
        self._tokens.give_back(unused_tokens)
        if self._round == 0:  # those that flew along with a push-back prove nothing
            self._allow(min(self._most, self._allowed + 1 / self._allowed))

    def _allow(self, concurrency: float) -> None:
        self._allowed = concurrency
        if int(concurrency) != self._places.total_tokens:
            self._places.total_tokens = int(concurrency)

    async def _opened(self) -> None:
        while (wait := self._opens - self._now()) > 0:
            await self._sleep(wait)


class _Pace:
    """A rate without bursts: who takes much lets the next one wait."""

    def __init__(self, per_minute: float | None) -> None:
        self._seconds = 60.0 / per_minute if per_minute else 0.0  # for each unit
        self._free = 0.0  # when the next one may start

    def take(self, amount: float, now: float) -> float:
        """Seconds until it is one's turn."""
        start = max(now, self._free)
        self._free = start + amount * self._seconds
        return start - now

    def give_back(self, amount: float) -> None:
        """Some of what was taken was not used; more was used, if it is negative."""
        self._free -= amount * self._seconds
