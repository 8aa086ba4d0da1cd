"""What the gateway adds to a call, and how fast it replays: `python -m benchmarks.gateway`.

    python -m benchmarks.gateway [--calls 4000] [--concurrency 64] [--latency 0.05] [--replayed 10000] [--rounds 3]

Three measurements, each beside a plain asyncio loop with a semaphore that keeps no record, retries
nothing and knows no budget; the median round counts, and CPU is that of this whole process, the ledger's
thread included:

- **overhead**: a caller in this process answers at once, so that nothing but the gateway and its durable
  ledger is measured.
- **waiting**: the same caller takes `--latency` seconds; ideal are concurrency / latency calls a second.
- **over HTTP**: the real clients against a server in another process that takes as long; the plain loop is
  over the SDK (openai.AsyncOpenAI), the gateway goes through langchain-openai. Also here the SDK's own CPU
  decides, not the wire.

Then replay: a new gateway on the filled ledger is asked every call again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.machine import machine
from models.calls import CallRequest, Reply
from models.gateway import CallerFor, Gateway
from models.spec import ModelSpec, parse_spec
from records.config import RunConfig
from records.nouns import Message

NOWHERE = "vllm:benchmark@http://127.0.0.1:9/v1"  # never connected to: the caller below answers
PROMPT = "Solve the task step by step and check the result. " * 40  # about 2,000 characters
REPLY = "The steps are these. " * 60  # about 1,250 characters
USAGE = {"prompt_tokens": 500, "completion_tokens": 300, "total_tokens": 800}
ANSWER = {
    "id": "chatcmpl-benchmark", "object": "chat.completion", "created": 0, "model": "benchmark", "usage": USAGE,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": REPLY}, "finish_reason": "stop"}],
}  # fmt: skip

Plain = Callable[[CallRequest], Awaitable[object]]


@dataclass(frozen=True)
class Cost:
    """Of one round, per call."""

    calls_per_s: float
    cpu_ms: float


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


def requests(count: int, model: str = NOWHERE) -> list[CallRequest]:
    """Different questions of one stage."""
    return [
        CallRequest(
            model=model, messages=(Message(role="user", content=f"{number} {PROMPT}"),), max_tokens=512,
            stage="benchmark", agent="teacher",
        )
        for number in range(count)
    ]  # fmt: skip


async def plain_loop(asks: list[CallRequest], call: Plain, concurrency: int) -> None:
    """The usual way: a semaphore and the client."""
    places = asyncio.Semaphore(concurrency)

    async def one(ask: CallRequest) -> None:
        async with places:
            await call(ask)

    await asyncio.gather(*map(one, asks))


async def through_gateway(
    asks: list[CallRequest], callers: CallerFor | None, concurrency: int, ledger: Path, replay: bool = False
) -> None:
    """The same calls through the gateway; `callers` None are the real clients."""
    config = RunConfig(domain="python", concurrency=concurrency)
    async with Gateway.open(ledger, config, replay=replay, callers=callers) as gateway:
        done = await asyncio.gather(*map(gateway.complete, asks))
    assert all(completion.error is None and completion.replayed == replay for completion in done)


async def over_the_sdk(asks: list[CallRequest], url: str, concurrency: int) -> None:
    """A plain loop over the SDK."""
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

        async def call(ask: CallRequest) -> object:
            return await client.chat.completions.create(
                model="benchmark", max_tokens=ask.max_tokens, temperature=0.0,
                messages=[{"role": "user", "content": ask.messages[0].content}],
            )  # fmt: skip

        await plain_loop(asks, call, concurrency)


# The server of the third measurement


async def _answer(latency: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = json.dumps(ANSWER).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    try:
        while True:
            asked = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(asked.partition(b"content-length:")[2].partition(b"\r\n")[0]))
            await asyncio.sleep(latency)
            writer.write(head + body)
    except (asyncio.IncompleteReadError, ConnectionResetError):
        writer.close()


def _serve(latency: float, told: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(lambda *ends: _answer(latency, *ends), "127.0.0.1", 0, backlog=1024)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def server(latency: float) -> Iterator[str]:
    """Base URL of a server in another process that answers every call after `latency` seconds."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(latency, there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/v1"
    finally:
        process.terminate()
        process.join()


def timed(work: Awaitable[None], calls: int) -> Cost:
    """What the work costs per call."""

    async def run() -> None:
        await work

    started, cpu = time.perf_counter(), time.process_time()
    asyncio.run(run())
    wall, burnt = time.perf_counter() - started, time.process_time() - cpu
    return Cost(calls_per_s=calls / wall, cpu_ms=burnt / calls * 1e3)


def side_by_side(
    name: str, plain: Callable[[], Awaitable[None]], gateway: Callable[[Path], Awaitable[None]],
    calls: int, rounds: int, folder: Path, ideal: float | None = None,
) -> None:  # fmt: skip
    """Alternate the two, and print the medians."""
    costs: dict[str, list[Cost]] = {"plain asyncio loop": [], "gateway, durable ledger": []}
    for number in range(rounds):
        costs["plain asyncio loop"].append(timed(plain(), calls))
        costs["gateway, durable ledger"].append(timed(gateway(folder / f"{name}-{number}.sqlite"), calls))
    print(f"\n{name}: {calls} calls" + (f", ideal {ideal:,.0f} calls/s" if ideal else ""))
    for way, found in costs.items():
        speed = statistics.median(cost.calls_per_s for cost in found)
        share = f"   {speed / ideal:6.1%} of the ideal" if ideal else ""
        print(
            f"  {way:24} {statistics.median(c.cpu_ms for c in found):7.3f} ms CPU a call {speed:8,.0f} calls/s{share}"
        )
    pairs = list(zip(*costs.values(), strict=True))
    added = statistics.median(through.cpu_ms - alone.cpu_ms for alone, through in pairs)
    ratio = statistics.median(through.calls_per_s / alone.calls_per_s for alone, through in pairs)
    print(f"  the gateway adds {added:.3f} ms CPU a call; {ratio:.1%} of the plain loop's throughput")


def main() -> None:
    parser = argparse.ArgumentParser(description="Overhead of the gateway per call, and the speed of a replay.")
    parser.add_argument("--calls", type=int, default=4_000)
    parser.add_argument("--http-calls", type=int, default=1_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--replayed", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that the caller or the server takes")
    parser.add_argument("--folder", type=Path, help="where the ledgers lie; a disk, not a memory file system")
    args = parser.parse_args()
    print(machine())
    print(f"{args.concurrency} calls at once, median of {args.rounds} rounds, answers after {args.latency} s")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        in_this_process("overhead", args, Path(folder), 0.0)
        in_this_process("waiting", args, Path(folder), args.latency)
        over_http(args, Path(folder))
        replay(args, Path(folder))


def in_this_process(name: str, args: argparse.Namespace, folder: Path, latency: float) -> None:
    """The first two measurements."""
    asks, caller, spec = requests(args.calls), InstantCaller(latency), parse_spec(NOWHERE)
    side_by_side(
        name,
        lambda: plain_loop(asks, lambda ask: caller.call(spec, ask), args.concurrency),
        lambda ledger: through_gateway(asks, lambda spec: caller, args.concurrency, ledger),
        args.calls, args.rounds, folder, args.concurrency / latency if latency else None,
    )  # fmt: skip
    assert caller.calls == 2 * args.rounds * args.calls


def over_http(args: argparse.Namespace, folder: Path) -> None:
    """The third one."""
    with server(args.latency) as url:
        asks = requests(args.http_calls, f"vllm:benchmark@{url}")
        timed(over_the_sdk(asks[:64], url, args.concurrency), 64)  # imports, and the server's first connections
        timed(through_gateway(asks[:64], None, args.concurrency, folder / "first.sqlite"), 64)
        side_by_side(
            "over HTTP",
            lambda: over_the_sdk(asks, url, args.concurrency),
            lambda ledger: through_gateway(asks, None, args.concurrency, ledger),
            args.http_calls, args.rounds, folder, args.concurrency / args.latency,
        )  # fmt: skip


def replay(args: argparse.Namespace, folder: Path) -> None:
    """Every call of a ledger once more."""
    asks, filled, caller = requests(args.replayed), folder / "replayed.sqlite", InstantCaller(0.0)
    asyncio.run(through_gateway(asks, lambda spec: caller, args.concurrency, filled))
    found = []
    for _ in range(args.rounds):
        found.append(timed(through_gateway(asks, lambda spec: caller, args.concurrency, filled, replay=True), 1))
    assert caller.calls == len(asks)
    wall = statistics.median(1 / cost.calls_per_s for cost in found)
    cpu = statistics.median(cost.cpu_ms for cost in found) / 1e3
    print(f"\nreplay of {args.replayed:,} calls: {wall:.2f} s ({cpu:.2f} s CPU), no call made")


if __name__ == "__main__":
    main()
