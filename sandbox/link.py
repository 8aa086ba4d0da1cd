"""The host's end of the line to one worker."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from sandbox.instrument import instrumented
from sandbox.nouns import Limits, Submission, WorkerLost
from sandbox.tier import Tier
from sandbox.worker import FRAME, HEADER, MAGIC, STYLES

BOOT_S = 60.0
GRACE_S = 10.0  # beyond the wall limit, until the worker itself counts as lost
STREAM_ROOM = 64 << 10


class Ended(NamedTuple):
    """How a submission ended: the worker's report, what the child said and what it printed (hostile bytes)."""

    report: dict[str, Any]
    answers: bytes
    printed: bytes = b""


class Link:
    """One live worker. Every failure of the line is WorkerLost; the pool then starts another."""

    def __init__(self, tier: Tier, slot: int, serial: int) -> None:
        self.tier, self.slot, self.serial = tier, slot, serial
        self.process: asyncio.subprocess.Process | None = None
        self.boot: dict[str, Any] = {}
        self.runs = 0

    async def open(self) -> None:
        """Start the worker and hear its boot report. Raises WorkerLost."""
        try:
            self.process = await self.tier.start(self.slot, self.serial)
            kind, payload = await asyncio.wait_for(self._frame(), BOOT_S)
        except (TimeoutError, OSError) as error:
            raise WorkerLost(f"the worker did not start: {error}") from None
        if kind != b"B":
            raise WorkerLost("the worker did not introduce itself")
        self.boot = json.loads(payload)

    async def ask(self, submission: Submission) -> list[Ended]:
        """Run one submission: how it ended or, for a program, how it ended on each test. Raises WorkerLost."""
        self.runs += 1
        if submission.style != "program":
            return [await self._run(submission, *_bodies(submission))]
        ends: list[Ended] = []
        left = submission.limits
        for test in submission.tests:
            ends.append(await self._run(submission, {"code": submission.code, "stdin": test.stdin}, limits=left))
            report = ends[-1].report
            cpu, wall = left.cpu_s - report["cpu_s"], left.wall_s - report["wall_s"]
            if report["killed"] or report["oom"] or min(cpu, wall) <= 0:
                break
            left = left.model_copy(update={"cpu_s": cpu, "wall_s": wall})
        return ends

    async def _run(
        self,
        submission: Submission,
        body: dict[str, Any],
        trusted: dict[str, Any] | None = None,
        limits: Limits | None = None,
    ) -> Ended:
        limits = limits or submission.limits
        first = b"" if trusted is None else json.dumps(trusted).encode()
        second = json.dumps(body).encode()
        size = (limits.memory_mb, limits.output_kb, limits.result_kb)
        style = STYLES.index(submission.style)
        header = HEADER.pack(MAGIC, style, len(first), len(second), limits.cpu_s, limits.wall_s, *size)
        try:
            async with asyncio.timeout(limits.wall_s + GRACE_S):
                return await self._exchange(header + first + second, limits)
        except TimeoutError:
            raise WorkerLost("the worker did not answer in time") from None
        except OSError as error:
            raise WorkerLost(f"the line to the worker broke: {error}") from None

    async def _exchange(self, request: bytes, limits: Limits) -> Ended:
        stdin = self._alive().stdin
        assert stdin is not None
        stdin.write(request)
        await stdin.drain()
        streams = {b"R": bytearray(), b"O": bytearray()}
        room = {b"R": limits.result_kb * 1024 + STREAM_ROOM, b"O": limits.output_kb * 1024 + STREAM_ROOM}
        while True:
            kind, payload = await self._frame()
            if kind == b"D":
                return Ended(json.loads(payload), bytes(streams[b"R"]), bytes(streams[b"O"]))
            if kind not in streams:
                raise WorkerLost("the worker broke the protocol")
            streams[kind] += payload
            if len(streams[kind]) > room[kind]:
                raise WorkerLost("the worker broke the protocol")

    async def _frame(self) -> tuple[bytes, bytes]:
        stdout = self._alive().stdout
        assert stdout is not None
        try:
            kind, size = FRAME.unpack(await stdout.readexactly(FRAME.size))
            if size > 1 << 20:
                raise WorkerLost("the worker broke the protocol")
            return kind, await stdout.readexactly(size)
        except asyncio.IncompleteReadError:
            raise WorkerLost(f"the worker ended: {await self._last_words()}") from None

    def _alive(self) -> asyncio.subprocess.Process:
        if self.process is None:
            raise WorkerLost("the worker was taken away")
        return self.process

    async def _last_words(self) -> str:
        stderr = self._alive().stderr
        assert stderr is not None
        try:
            text = await asyncio.wait_for(stderr.read(4000), 2)
        except TimeoutError:
            return "no message"
        return " ".join(text.decode(errors="replace").split())[-600:] or "no message"

    async def close(self) -> None:
        """Take the worker away. Waits until it is gone, even when cancelled."""
        if self.process is not None:
            process, self.process = self.process, None
            task = asyncio.ensure_future(self.tier.stop(process, self.slot, self.serial))
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                await task
                raise


def _bodies(submission: Submission) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What the candidate's process is told, and what the trusted process is told."""
    told: dict[str, Any] = {"code": submission.code, "entry": submission.entry_point, "tests": None}
    if submission.style == "calls":
        return told | {"tests": [[test.setup, test.call, test.inputs] for test in submission.tests]}, None
    code = instrumented(submission.trusted, [test.call for test in submission.tests], submission.entry_point or "")
    return told, {"entry": submission.entry_point, **code._asdict()}
