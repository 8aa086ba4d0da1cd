"""The host's end of the line to one worker."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from sandbox.nouns import Submission, WorkerLost
from sandbox.tier import Tier
from sandbox.worker import FRAME, HEADER, MAGIC

BOOT_S = 60.0
GRACE_S = 10.0  # beyond the wall limit, until the worker itself counts as lost
RESULT_ROOM = 64 << 10


class Ended(NamedTuple):
    """How a submission ended: the worker's report and what the child wrote (hostile bytes)."""

    report: dict[str, Any]
    answers: bytes


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

    async def ask(self, submission: Submission) -> Ended:
        """Run one submission. Raises WorkerLost."""
        self.runs += 1
        limits = submission.limits
        tests = [[test.setup, test.call] for test in submission.tests]
        body = json.dumps({"code": submission.code, "entry": submission.entry_point, "tests": tests}).encode()
        size = (limits.memory_mb, limits.output_kb, limits.result_kb)
        header = HEADER.pack(MAGIC, len(body), limits.cpu_s, limits.wall_s, *size)
        try:
            return await asyncio.wait_for(self._exchange(header + body, limits.result_kb), limits.wall_s + GRACE_S)
        except TimeoutError:
            raise WorkerLost("the worker did not answer in time") from None
        except OSError as error:
            raise WorkerLost(f"the line to the worker broke: {error}") from None

    async def _exchange(self, request: bytes, result_kb: int) -> Ended:
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(request)
        await self.process.stdin.drain()
        answers = bytearray()
        while True:
            kind, payload = await self._frame()
            if kind == b"D":
                return Ended(json.loads(payload), bytes(answers))
            answers += payload
            if kind != b"R" or len(answers) > result_kb * 1024 + RESULT_ROOM:
                raise WorkerLost("the worker broke the protocol")

    async def _frame(self) -> tuple[bytes, bytes]:
        assert self.process is not None and self.process.stdout is not None
        try:
            kind, size = FRAME.unpack(await self.process.stdout.readexactly(FRAME.size))
            if size > 1 << 20:
                raise WorkerLost("the worker broke the protocol")
            return kind, await self.process.stdout.readexactly(size)
        except asyncio.IncompleteReadError:
            raise WorkerLost(f"the worker ended: {await self._last_words()}") from None

    async def _last_words(self) -> str:
        assert self.process is not None and self.process.stderr is not None
        try:
            text = await asyncio.wait_for(self.process.stderr.read(4000), 2)
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
