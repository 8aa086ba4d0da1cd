"""The adaptive limiter, on a clock that jumps to the next sleeper."""

from __future__ import annotations

import asyncio
import heapq
import itertools

import pytest

from models.limits import Limiter, Limits


class FakeClock:
    """Time stands still until all tasks sleep; then it is the first sleeper's time to wake."""

    def __init__(self) -> None:
        self.time = 100.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._numbers), future))
        await future

    async def run(self, *tasks: asyncio.Task[None]) -> None:
        """Until all tasks are done."""
        while not all(task.done() for task in tasks):
            for _ in range(10):  # let everything run that can
                await asyncio.sleep(0)
            if self._sleepers and not all(task.done() for task in tasks):
                self.time, _, future = heapq.heappop(self._sleepers)
                if not future.done():
                    future.set_result(None)
        for task in tasks:
            task.result()


class Calls:
    """Calls through a limiter that note when they started and how many ran at once."""

    def __init__(self, **limits: float) -> None:
        self.clock = FakeClock()
        self.limiter = Limiter(Limits.model_validate(limits), self.clock.now, self.clock.sleep)
        self.starts: list[float] = []
        self.running = self.most = 0

    async def one(self, seconds: float = 1.0, tokens: int = 0, unused: int = 0) -> None:
        async with self.limiter.place(tokens):
            self.starts.append(self.clock.time - 100.0)
            self.running += 1
            self.most = max(self.most, self.running)
            await self.clock.sleep(seconds)
            self.running -= 1
        self.limiter.succeeded(unused)

    async def refused(self, retry_after: float | None = None) -> None:
        async with self.limiter.place():
            await self.clock.sleep(1.0)
            self.limiter.pushed_back(retry_after)

    async def many(self, count: int, seconds: float = 1.0, tokens: int = 0, unused: int = 0) -> None:
        await self.clock.run(*(asyncio.create_task(self.one(seconds, tokens, unused)) for _ in range(count)))

    async def many_refused(self, count: int, retry_after: float | None = None) -> None:
        await self.clock.run(*(asyncio.create_task(self.refused(retry_after)) for _ in range(count)))


async def test_concurrency_is_kept() -> None:
    calls = Calls(concurrency=3)
    await calls.many(10)
    assert calls.most == 3
    assert sorted(calls.starts) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


async def test_requests_per_minute_are_spread() -> None:
    calls = Calls(concurrency=100, requests_per_minute=30)
    await calls.many(5)
    assert calls.starts == pytest.approx([0, 2, 4, 6, 8])


async def test_tokens_per_minute_let_the_next_wait() -> None:
    calls = Calls(concurrency=100, tokens_per_minute=6_000)
    await calls.many(3, tokens=1_000)
    assert calls.starts == pytest.approx([0, 10, 20])


async def test_unused_tokens_are_given_back() -> None:
    calls = Calls(concurrency=1, tokens_per_minute=6_000)
    await calls.many(3, tokens=1_000, unused=900)
    assert calls.starts == pytest.approx([0, 1, 2])


async def test_the_stricter_rate_decides() -> None:
    calls = Calls(concurrency=100, requests_per_minute=60, tokens_per_minute=600)
    await calls.many(3, tokens=50)
    assert calls.starts == pytest.approx([0, 5, 10])


async def test_an_idle_minute_is_not_saved_up() -> None:
    calls = Calls(concurrency=100, requests_per_minute=60)
    await calls.many(1)
    calls.clock.time += 3_600
    calls.starts.clear()
    await calls.many(3)
    assert [start - calls.starts[0] for start in calls.starts] == pytest.approx([0, 1, 2])


async def test_a_push_back_halves_once_for_calls_in_flight_together() -> None:
    calls = Calls(concurrency=8)
    await calls.many_refused(8)
    assert calls.limiter.concurrency == 4
    await calls.many_refused(4)
    assert calls.limiter.concurrency == 2
    for _ in range(5):
        await calls.many_refused(1)
    assert calls.limiter.concurrency == 1
    assert calls.limiter.in_flight == 0


async def test_halved_concurrency_is_kept_and_recovers_slowly() -> None:
    calls = Calls(concurrency=8)
    await calls.many_refused(8)
    calls.starts.clear()
    await calls.many(4)
    assert calls.most == 4
    assert calls.limiter.concurrency == 4  # 4 + 1/4 + 1/4.25 + 1/4.47 + 1/4.7: a round is not quite over
    await calls.many(1)
    assert calls.limiter.concurrency == 5
    await calls.many(1_000)
    assert calls.limiter.concurrency == 8 and calls.most == 8


async def test_retry_after_holds_the_whole_lane() -> None:
    calls = Calls(concurrency=4)
    tasks = [asyncio.create_task(calls.refused(30.0)), *(asyncio.create_task(calls.one(5.0)) for _ in range(5))]
    await calls.clock.run(*tasks)
    assert calls.starts == pytest.approx([0, 0, 0, 31, 31])
    assert calls.limiter.concurrency == 3


async def test_successes_beside_a_push_back_do_not_raise_the_limit() -> None:
    calls = Calls(concurrency=4)
    tasks = [asyncio.create_task(calls.refused()), *(asyncio.create_task(calls.one(2.0)) for _ in range(2))]
    await calls.clock.run(*tasks)
    assert calls.limiter.concurrency == 2


async def test_a_shorter_retry_after_does_not_open_earlier() -> None:
    calls = Calls(concurrency=1)
    calls.limiter.pushed_back(30.0)
    calls.limiter.pushed_back(1.0)
    await calls.many(1)
    assert calls.starts == pytest.approx([30])


async def test_a_retry_after_that_comes_while_waiting_counts() -> None:
    calls = Calls(concurrency=2, requests_per_minute=6)
    await calls.clock.run(asyncio.create_task(calls.refused(60.0)), asyncio.create_task(calls.one()))
    assert calls.starts == pytest.approx([61])


async def test_cancelled_calls_free_their_places() -> None:
    calls = Calls(concurrency=1)
    first, second = asyncio.create_task(calls.one(50.0)), asyncio.create_task(calls.one(50.0))
    await asyncio.sleep(0.01)
    for task in (second, first):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert calls.limiter.in_flight == 0
    await calls.many(2)
    assert len(calls.starts) == 3


async def test_failed_calls_free_their_places() -> None:
    calls = Calls(concurrency=1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            async with calls.limiter.place():
                raise RuntimeError
    assert calls.limiter.in_flight == 0 and calls.limiter.concurrency == 1


async def test_on_the_real_clock() -> None:
    limiter = Limiter(Limits(concurrency=2, requests_per_minute=6_000))
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one() -> None:
        async with limiter.place():
            pass

    await asyncio.gather(*(one() for _ in range(6)))
    assert 0.04 <= loop.time() - began < 2.0


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"concurrency": 1, "tokens_per_minute": 0}])
def test_wrong_limits_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="greater"):
        Limits.model_validate(wrong)
