"""The sandbox as the rest of the system sees it: open it, hand in submissions, get verdicts.

Guaranteed: one submission at a time per worker; a worker that died, hung, ran out of memory or
fails an honest probe is replaced; what could not be judged is `infra_error` or `quarantined`, never
"wrong"; cancelling `judge` kills the code it was running; leaving the context leaves nothing behind;
there is no way to run code without walls.
Not guaranteed: protection against a hole in the kernel, which both tiers share with the host.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from sandbox.assess import assess
from sandbox.attest import PROBE, Proof, attest, prove
from sandbox.docker_tier import DockerTier
from sandbox.jail_tier import JailTier
from sandbox.link import Ended, Link
from sandbox.nouns import SandboxError, Submission, SubmissionVerdict, TierUnavailable, WorkerLost
from sandbox.tier import Tier

RUNS_PER_WORKER = 500
MAX_SIZE = 16 << 20  # characters of one submission
WINDOW = 8  # submissions per slot that `judge_all` reads ahead
RESTARTS_S = (0.5, 2.0, 5.0, 10.0)  # waits between tries to start a worker: an engine may be restarting
Row = TypeVar("Row")
LARGE = 64 << 10  # bytes of answers that take milliseconds to read
_TAME = frozenset({"pass", "wrong_answer", "runtime_error", "syntax_error", "missing_entry", "bad_result", "memory"})


class Slot:
    """A place for one worker; the worker in it changes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.serial = 0
        self.link: Link | None = None
        self.attestation = ""  # of the worker that is in it; "" until that has proved its limits


class Sandbox:
    """A pool of workers behind one tier's walls."""

    def __init__(self, tier: Tier, slots: int, prove: bool = True) -> None:
        self._tier = tier
        self._prove = prove
        self._closed = False
        self._gave_up = False  # no worker could be started: do not wait that long again until one could
        self._slots = [Slot(number) for number in range(slots)]
        self._free: asyncio.Queue[Slot] = asyncio.Queue()
        self._alone = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, tier: str = "auto", slots: int = 2, image: str | None = None, prove: bool = True
    ) -> AsyncIterator[Sandbox]:
        """Start `slots` workers behind `tier`: "docker", "jail", or "auto" (docker if it works).

        `image` is a base image by digest, for the docker tier, instead of the one made here from the
        running Python. `prove` False leaves the proof that limits bind to the caller (`prove()`).
        Raises SandboxError with the diagnosis and the mending command if no tier works, or if the
        limits of one do not bind.
        """
        sandbox = cls(await _choose(tier, image), slots, prove)
        try:
            await sandbox._boot()
            yield sandbox
        finally:
            await sandbox._close()

    @property
    def tier(self) -> str:
        """Name of the tier that judges."""
        return self._tier.name

    @property
    def image(self) -> str:
        """Digest of the file system that submissions see."""
        return self._tier.image

    @property
    def about(self) -> str:
        """The tier in a few words: engine or builder, version, runtime, kind of cgroup, image."""
        return self._tier.about

    async def prove(self) -> list[Proof]:
        """Try each limit on a worker. Raises SandboxError if none can be started."""
        async with self._one() as slot:
            try:
                return await prove(await self._worker(slot))
            except WorkerLost as lost:
                raise SandboxError(f"The {self.tier} sandbox does not answer: {lost}") from lost

    async def judge_all(
        self, rows: Iterable[Row], submission_of: Callable[[Row], Submission | None]
    ) -> AsyncIterator[tuple[Row, SubmissionVerdict | None]]:
        """Judge a stream in its order, reading ahead a few rows only. Rows without a submission pass through."""
        waiting: deque[tuple[Row, asyncio.Task[SubmissionVerdict] | None]] = deque()
        try:
            for row in rows:
                submission = submission_of(row)
                waiting.append((row, None if submission is None else asyncio.create_task(self.judge(submission))))
                if len(waiting) >= WINDOW * len(self._slots):
                    yield await _first(waiting)
            while waiting:
                yield await _first(waiting)
        finally:
            tasks = [task for _, task in waiting if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def judge(self, submission: Submission) -> SubmissionVerdict:
        """Run and judge one submission; waits for a free worker. Never raises for what the code does."""
        if submission.unsupported or not submission.tests:
            reason = "cannot be expressed as calls: " + "; ".join(submission.unsupported or ("there are no tests",))
            return self._unjudged(submission, "unsupported_test", reason[:400])
        if (size := _size(submission)) > MAX_SIZE:
            reason = f"code and tests have {size >> 20} million characters; at most {MAX_SIZE >> 20} are run"
            return self._unjudged(submission, "unsupported_test", reason)
        async with self._one() as slot:
            crowded = self._free.qsize() < len(self._slots) - 1
            verdict = await self._judge_on(slot, submission)
        if (verdict.result == "timeout_wall" and crowded) or _killed_from_outside(verdict):
            async with self._all() as slot:
                verdict = await self._judge_on(slot, submission)
        return verdict

    @asynccontextmanager
    async def _one(self) -> AsyncIterator[Slot]:
        slot = await self._free.get()
        try:
            yield slot
        finally:
            self._free.put_nowait(slot)

    @asynccontextmanager
    async def _all(self) -> AsyncIterator[Slot]:
        """Hold every slot, so that one submission has the machine for itself."""
        held: list[Slot] = []
        async with self._alone:
            try:
                for _ in self._slots:
                    held.append(await self._free.get())
                yield held[0]
            finally:
                for slot in held:
                    self._free.put_nowait(slot)

    async def _judge_on(self, slot: Slot, submission: Submission) -> SubmissionVerdict:
        problem = ""
        for _ in range(2):
            try:
                link = await self._started(slot)
            except WorkerLost as lost:
                return self._unjudged(submission, "infra_error", str(lost))
            place = {"tier": self.tier, "image": self.image, "attestation": slot.attestation}
            try:
                ends = await link.ask(submission)
                verdict = await _assessed(submission, ends)
                spoilt = any(ended.report["dirty"] or ended.report["oom"] for ended in ends)
                await self._look_after(slot, link, verdict, spoilt)
            except WorkerLost as lost:
                problem = str(lost)
                await self._drop(slot)
            except BaseException:
                await self._drop(slot)
                raise
            else:
                return verdict.model_copy(update=place)
        return self._unjudged(submission, "quarantined", f"two workers were lost: {problem}")

    async def _started(self, slot: Slot) -> Link:
        """A worker, waiting for one if the engine is just restarting. Raises WorkerLost."""
        for pause in () if self._gave_up or self._closed else RESTARTS_S:
            try:
                return await self._worker(slot)
            except WorkerLost:
                await asyncio.sleep(pause)
        try:
            link = await self._worker(slot)
        except WorkerLost:
            self._gave_up = True
            raise
        self._gave_up = False
        return link

    async def _look_after(self, slot: Slot, link: Link, verdict: SubmissionVerdict, spoilt: bool) -> None:
        """Replace a worker that is worn or hurt."""
        suspicious = verdict.result not in _TAME or verdict.leftovers > 0
        if spoilt or link.runs >= RUNS_PER_WORKER or (suspicious and not await self._honest(link)):
            await self._drop(slot)

    async def _honest(self, link: Link) -> bool:
        try:
            return assess(PROBE, await link.ask(PROBE)).passed
        except WorkerLost:
            return False

    async def _worker(self, slot: Slot) -> Link:
        if self._closed:
            raise WorkerLost("the sandbox was closed")
        if slot.link is not None:
            return slot.link
        slot.serial += 1
        slot.link = link = Link(self._tier, slot.number, slot.serial)
        try:
            await link.open()
            slot.attestation = await attest(link) if self._prove else "not proven"
            if self._closed:
                raise WorkerLost("the sandbox was closed")
        except BaseException:
            await self._drop(slot)
            await link.close()  # also if the slot was emptied meanwhile
            raise
        return link

    async def _drop(self, slot: Slot) -> None:
        link, slot.link, slot.attestation = slot.link, None, ""
        if link is not None:
            await link.close()

    async def _boot(self) -> None:
        """Start every worker once: a pool whose limits do not bind must not start."""
        outcomes = await asyncio.gather(*(self._worker(slot) for slot in self._slots), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, WorkerLost):
                raise SandboxError(f"The {self.tier} sandbox does not start: {outcome}") from outcome
            if isinstance(outcome, BaseException):
                raise outcome
        for slot in self._slots:
            self._free.put_nowait(slot)

    async def _close(self) -> None:
        self._closed = True  # for those who still judge: what they run is lost, and no worker is started
        await asyncio.gather(*(self._drop(slot) for slot in self._slots))
        await self._tier.close()

    def _unjudged(self, submission: Submission, result: str, reason: str) -> SubmissionVerdict:
        return SubmissionVerdict(
            id=submission.id, passed=False, result=result, evidence=reason, tier=self.tier, image=self.image
        )


async def _assessed(submission: Submission, ends: Sequence[Ended]) -> SubmissionVerdict:
    """The verdict. Large answers are read beside the event loop, so that no other task waits for them."""
    if sum(len(ended.answers) for ended in ends) < LARGE:
        return assess(submission, ends)
    return await asyncio.to_thread(assess, submission, ends)


def _size(submission: Submission) -> int:
    tests = sum(
        len(test.call) + len(test.setup) + len(test.stdin) + len(test.inputs or "") for test in submission.tests
    )
    return len(submission.code) + len(submission.trusted) + tests


def _killed_from_outside(verdict: SubmissionVerdict) -> bool:
    """Perhaps: the kernel, short of memory, kills a candidate first. One that kills itself will do it again."""
    return verdict.result == "crash" and verdict.evidence.endswith("killed by SIGKILL")


async def _first(
    waiting: deque[tuple[Row, asyncio.Task[SubmissionVerdict] | None]],
) -> tuple[Row, SubmissionVerdict | None]:
    row, task = waiting[0]
    verdict = None if task is None else await task
    waiting.popleft()
    return row, verdict


async def _choose(name: str, image: str | None) -> Tier:
    """A prepared tier, or SandboxError with what is wrong with each."""
    known: dict[str, type[DockerTier] | type[JailTier]] = {"docker": DockerTier, "jail": JailTier}
    if name != "auto" and name not in known:
        raise SandboxError(f"Unknown sandbox tier {name!r}. Valid: auto, {', '.join(known)}")
    if image is not None:
        if name == "jail":
            raise SandboxError(f"The jail has no base image; drop {image!r}, or use the docker tier")
        name = "docker"
    problems = []
    for kind in known.values() if name == "auto" else [known[name]]:
        tier = DockerTier(image) if kind is DockerTier else kind()
        try:
            await tier.prepare()
        except (TierUnavailable, WorkerLost) as problem:
            problems.append(f"  {tier.name}: {problem}")
        else:
            return tier
    detail = "\n".join(problems)
    if name != "auto":
        raise SandboxError(f"The sandbox tier that was asked for does not work.\n{detail}")
    raise SandboxError(
        "No sandbox tier works, and a model's code is never run without one.\n"
        f"{detail}\nCheck the mending with: python -m sandbox doctor"
    )
