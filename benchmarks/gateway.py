"""What the gateway adds to a call, and how fast it replays: `python -m benchmarks.gateway`.

    python -m benchmarks.gateway [--calls 4000] [--concurrency 64] [--replayed 10000] [--rounds 3]

The caller is in this process and answers at once (or after --latency seconds), so that nothing but the
gateway and its durable ledger is measured. Beside it, the same caller in a plain asyncio loop with a
semaphore: no record, no retry, no budget. CPU is that of the whole process, the ledger's thread
included. The median round counts. Replay: a new gateway on the filled ledger is asked every call again.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.machine import machine
from models.calls import CallRequest, Reply
from models.gateway import Gateway
from models.spec import ModelSpec, parse_spec
from records.config import RunConfig
from records.nouns import Message

MODEL = "vllm:benchmark@http://127.0.0.1:9/v1"  # never connected to: the caller below answers
PROMPT = "Solve the task step by step and check the result. " * 40  # about 2,000 characters
REPLY = "The steps are these. " * 60  # about 1,250 characters


class InstantCaller:
    """Answers after `latency` seconds; counts."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.calls = 0

    async def call(self, spec: ModelSpec, request: CallRequest) -> Reply:
        self.calls += 1
        await asyncio.sleep(self.latency)
        return Reply(text=REPLY, finish_reason="stop", prompt_tokens=500, completion_tokens=300)

    async def close(self) -> None:
        """Nothing is held."""


def requests(count: int) -> list[CallRequest]:
    """Different questions of one stage."""
    return [
        CallRequest(
            model=MODEL, messages=(Message(role="user", content=f"{number} {PROMPT}"),), max_tokens=512,
            stage="benchmark", agent="teacher",
        )
        for number in range(count)
    ]  # fmt: skip


async def plain_loop(asks: list[CallRequest], caller: InstantCaller, concurrency: int) -> None:
    """The usual way: a semaphore and the client."""
    places, spec = asyncio.Semaphore(concurrency), parse_spec(MODEL)

    async def one(ask: CallRequest) -> Reply:
        async with places:
            return await caller.call(spec, ask)

    await asyncio.gather(*map(one, asks))


async def through_gateway(
    asks: list[CallRequest], caller: InstantCaller, concurrency: int, ledger: Path, replay: bool = False
) -> None:
    """The same calls through the gateway."""
    config = RunConfig(domain="python", concurrency=concurrency)
    async with Gateway.open(ledger, config, replay=replay, callers=lambda spec: caller) as gateway:
        done = await asyncio.gather(*map(gateway.complete, asks))
    assert all(completion.error is None and completion.replayed == replay for completion in done)


def timed(work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """(wall seconds, CPU seconds of this process)."""
    started, cpu = time.perf_counter(), time.process_time()
    asyncio.run(work())  # type: ignore[arg-type]
    return time.perf_counter() - started, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description="Overhead of the gateway per call, and the speed of a replay.")
    parser.add_argument("--calls", type=int, default=4_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--replayed", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that the caller takes")
    parser.add_argument("--folder", type=Path, help="where the ledgers lie; a disk, not a memory file system")
    args = parser.parse_args()
    asks = requests(max(args.calls, args.replayed))
    some = asks[: args.calls]
    results: dict[str, list[tuple[float, float]]] = {"plain asyncio loop": [], "gateway, durable ledger": []}
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for number in range(args.rounds):
            ledger = Path(folder) / f"{number}.sqlite"
            caller = InstantCaller(args.latency)
            plain = timed(lambda caller=caller: plain_loop(some, caller, args.concurrency))
            through = timed(
                lambda caller=caller, ledger=ledger: through_gateway(some, caller, args.concurrency, ledger)
            )
            assert caller.calls == 2 * len(some)
            for name, measured in zip(results, (plain, through), strict=True):
                results[name].append(measured)
        replayed = asks[: args.replayed]
        filled, caller = Path(folder) / "replayed.sqlite", InstantCaller(0.0)
        asyncio.run(through_gateway(replayed, caller, args.concurrency, filled))
        replays = [
            timed(lambda: through_gateway(replayed, caller, args.concurrency, filled, replay=True))
            for _ in range(args.rounds)
        ]
        assert caller.calls == len(replayed)
    print(machine())
    print(f"{args.calls} calls, {args.concurrency} at once, caller takes {args.latency} s, median of {args.rounds}")
    for name, values in results.items():
        wall, cpu = (statistics.median(column) for column in zip(*values, strict=True))
        print(f"{name:26} {cpu / args.calls * 1e3:7.3f} ms CPU per call   {args.calls / wall:8.0f} calls/s")
    wall, cpu = (statistics.median(column) for column in zip(*replays, strict=True))
    print(f"replay of {args.replayed} calls: {wall:.2f} s ({cpu:.2f} s CPU), no call made")


if __name__ == "__main__":
    main()
