"""What the engine adds to a round of learning: `python -m benchmarks.engine`.

    python -m benchmarks.engine [--problems 500] [--attempts 4] [--concurrency 64] [--latency 0.05] [--rounds 3]

A round as in a run: the teacher attempts 500 problems, four times each as in `full`, the verifier judges, the teacher
reflects and proposes, the gate compares; from the first call to the gate's decision, without the draft before and the
proof behind. The graph, the gateway with its durable ledger, the verifier of the domain `scheduling`, the run
directory and the checkpoints are the real ones; the model is a caller in this process that answers after `--latency`
seconds, so that nothing but the engine is measured.

- **ideal**: the same calls in the same order of dependence, each wave in ceil(calls / concurrency) times the latency.
- **plain loop**: those waves in asyncio with a semaphore, no record kept, in turns with the engine.
- **CPU**: of this whole process, the ledger's thread included, per attempt that was solved, judged and recorded.

Not measured: HTTP and the providers' clients (see benchmarks.gateway), sandboxes (see benchmarks.sandbox).
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import math
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import machine
from domains import get_domain
from domains.base import Domain
from graphs.context import RunContext, Silent
from graphs.learning import learning_builder
from graphs.runner import checkpointer, create_run, make_teacher, spare_the_collector
from graphs.settings import build_config
from models.calls import CallRequest, Reply
from models.gateway import Gateway
from models.spec import ModelSpec
from records.config import RunConfig
from records.nouns import Attempt, Problem
from records.rundir import RunDirectory

NOWHERE = "vllm:benchmark@http://127.0.0.1:9/v1"  # never connected to: the caller below answers
DRAFT = "## Method\n" + "\n".join(f"- Advice {n}: " + "look at every room and hour in turn " * 5 for n in range(12))
EDITS = {
    "edits": [{"operation": "ADD", "section": "Method", "text": "Count the rooms before the hours.", "origin": ["A1"]}]
}
WRITTEN = {"draft": DRAFT, "reflect": "The rooms were not counted.", "propose": json.dumps(EDITS), "distill": DRAFT}


class Answering:
    """Answers after `latency` seconds; a third of the answers are wrong, fewer with the edit."""

    def __init__(self, latency: float) -> None:
        self.latency = latency

    async def call(self, spec: ModelSpec, request: CallRequest) -> Reply:
        await asyncio.sleep(self.latency)
        text = WRITTEN.get(request.stage) or ("ANSWER: YES" if len(request.messages[-1].content) % 3 else "ANSWER: NO")
        return Reply(text=text, finish_reason="stop", prompt_tokens=500, completion_tokens=60)

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Taken:
    """One round: seconds, CPU seconds, attempts, and the calls of each wave."""

    seconds: float
    cpu: float
    attempts: int
    waves: tuple[int, ...]


class Watch(Silent):
    """Times the round and notes how many calls each of its stages makes together."""

    def __init__(self) -> None:
        self.waves: list[int] = []
        self.begun = self.ended = (0.0, 0.0)  # seconds of the clock, of the processor

    def stage(self, name: str, total: int | None = None) -> None:
        """A wave of `total` calls; the reflection makes two, one after the other."""
        now = time.perf_counter(), time.process_time()
        if name.startswith("Round 1"):
            self.begun = self.begun if self.waves else now
            self.waves += [total] if total else [1, 1]
        elif name.startswith("Distillation"):
            self.ended = now


async def engine_round(config: RunConfig, latency: float, folder: Path) -> Taken:
    """One whole loop of a single round."""
    run = create_run(config, folder, "r")
    events, caller = Watch(), Answering(latency)
    problems = _problems(config, run)
    async with (
        _domain(config).verifier(config) as verifier,
        Gateway.open(run.file("ledger.sqlite"), config, callers=lambda spec: caller) as gateway,
        checkpointer(run) as saver,
    ):
        teacher = make_teacher(config, _domain(config), gateway, lambda: problems, verifier)
        context = RunContext(
            run=run, config=config, domain=_domain(config), verifier=verifier, gateway=gateway, teacher=teacher,
            events=events,
        )  # fmt: skip
        graph = learning_builder().compile(checkpointer=saver)
        spare_the_collector()  # as `open_context` does
        await graph.ainvoke({"reviews": 0}, {"configurable": {"thread_id": "r"}}, context=context, durability="sync")
    seconds, cpu = (end - begin for begin, end in zip(events.begun, events.ended, strict=True))
    return Taken(seconds, cpu, len(run.read("attempts.jsonl", Attempt)), tuple(events.waves))


def _domain(config: RunConfig) -> Domain:
    return get_domain(config.domain)


def _problems(config: RunConfig, run: RunDirectory) -> list[Problem]:
    problems = _domain(config).load(None, config.sizes, config.seed)
    run.append("problems.jsonl", problems)
    return list(problems)


def ideal(waves: Sequence[int], concurrency: int, latency: float) -> float:
    """Seconds that the waves take when nothing but the model takes time."""
    return sum(math.ceil(wave / concurrency) * latency for wave in waves)


async def plain_loop(waves: Sequence[int], concurrency: int, latency: float) -> float:
    """The same waves with a semaphore and nothing else."""
    places = asyncio.Semaphore(concurrency)

    async def one() -> None:
        async with places:
            await asyncio.sleep(latency)

    begun = time.perf_counter()
    for wave in waves:
        await asyncio.gather(*(one() for _ in range(wave)))
    return time.perf_counter() - begun


def measured(config: RunConfig, given: argparse.Namespace) -> tuple[list[Taken], list[float]]:
    """Engine and plain loop in turns; the first turn of both warms up and is not counted."""
    found, plain = list[Taken](), list[float]()
    for _ in range(given.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            found.append(asyncio.run(engine_round(config, given.latency, Path(folder))))
        plain.append(asyncio.run(plain_loop(found[-1].waves, given.concurrency, given.latency)))
    return found[1:], plain[1:]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description="What the engine adds to a round of learning")
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--attempts", type=int, default=4, help="attempts per problem")
    parser.add_argument("--gate", type=int, default=192, help="items of the gate: a third for the search")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", help="file for the profile of one more round")
    given = parser.parse_args(arguments)
    config = build_config(
        {"domain": "scheduling", "teacher": NOWHERE, "student": NOWHERE, "validators": [NOWHERE]},
        [
            f"sizes.train={given.problems}", f"sizes.gate={given.gate}", "sizes.test=4", "sizes.ood=0",
            "loop.rounds=1", f"loop.batch={given.problems}", f"loop.attempts={given.attempts}", "student_arms=[base]",
            f"concurrency={given.concurrency}",
        ],
    )  # fmt: skip
    found, plain = measured(config, given)
    print(machine())
    print(report(found, plain, given))
    if given.profile:
        _profiled(config, given)


def report(found: Sequence[Taken], plain: Sequence[float], given: argparse.Namespace) -> str:
    """The median turn."""
    middle = statistics.median(one.seconds for one in found)
    waves, attempts = found[0].waves, found[0].attempts
    least = ideal(waves, given.concurrency, given.latency)
    cpu = statistics.median(one.cpu / one.attempts for one in found)
    return (
        f"{attempts} attempts in waves of {', '.join(map(str, waves))}: {middle:.2f} s, ideal {least:.2f} s "
        f"({middle / least:.2f}×), plain loop {statistics.median(plain):.2f} s; CPU {1_000 * cpu:.2f} ms per attempt"
    )


def _profiled(config: RunConfig, given: argparse.Namespace) -> None:
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        profile.runcall(lambda: asyncio.run(engine_round(config, given.latency, Path(folder))))
    profile.dump_stats(given.profile)


if __name__ == "__main__":
    main()
