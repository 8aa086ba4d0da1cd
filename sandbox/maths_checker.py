"""Is an answer equal to the gold answer? The checker as the rest of the system sees it.

    with MathChecker() as checker:
        checker.check(r"\\frac{3}{8}", "0.375").verdict  # "equal"

Guaranteed: a verdict for every pair within the deadline plus the time of a kill; the same verdict
from any thread, from asyncio and from a forked process (which gets workers of its own); what
takes too long or too much memory is `error` and its worker is killed; model text is parsed in the
workers only, and never executed.
Not guaranteed: that an equal answer is found equal; `unknown` says that nothing could be shown.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from records.nouns import Record
from sandbox.maths_contracts import parse_contract
from sandbox.maths_text import MAX_TEXT
from sandbox.nouns import SandboxError, WorkerLost

DEADLINE_S = 5.0
MEMORY_MB = 1024
JOBS_PER_WORKER = 1_000
CACHED = 50_000
_START_S = 120.0  # importing SymPy on a busy machine
MathOutcome = Literal["equal", "different", "unknown", "error"]


class MathVerdict(Record):
    """`equal` and `different` may label training data; `unknown` and `error` say nothing of the answer."""

    verdict: MathOutcome
    reason: str
    seconds: float = 0.0


class StepFinding(NamedTuple):
    """One equation of a worked solution: its line (from 1), its text, whether it holds (None: not shown)."""

    line: int
    text: str
    holds: bool | None


class _Worker:
    """One process. Used by one thread at a time."""

    def __init__(self, pid: int, link: socket.socket) -> None:
        self._handle = os.pidfd_open(pid)  # a pid may be given to another process; this cannot
        self._link = link
        self.jobs = 0

    def ask(self, job: dict[str, Any], deadline: float) -> dict[str, Any]:
        """The answer to one job. Raises TimeoutError at the deadline, WorkerLost if the process ended."""
        self.jobs += 1
        ends = time.monotonic() + deadline
        received = bytearray()
        try:
            self._link.settimeout(deadline)
            self._link.sendall(json.dumps(job).encode() + b"\n")
            while not received.endswith(b"\n"):
                self._link.settimeout(max(0.001, ends - time.monotonic()))
                part = self._link.recv(1 << 16)
                if not part:
                    raise WorkerLost("the worker ended")
                received += part
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise WorkerLost(str(error)) from error
        answer: dict[str, Any] = json.loads(received)
        return answer

    def kill(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError):  # it has ended by itself
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        self.forget()

    def forget(self) -> None:
        """Close what belongs to this process; the worker is left to whoever started it."""
        os.close(self._handle)
        self._link.close()


class _Nursery:
    """The process that has SymPy loaded and forks workers."""

    def __init__(self, memory_mb: int) -> None:
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).resolve().parents[1])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.sympy_worker", str(theirs.fileno()), str(memory_mb)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_environment(root),
            )
        self._link = ours
        ours.settimeout(_START_S)
        if self._line() != "ready":
            raise SandboxError(f"The answer checker did not start: {self._complaint()}")

    def fork(self) -> _Worker:
        """A new worker. Raises WorkerLost if this process has ended."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._link, [b"+"], [theirs.fileno()])
            return _Worker(int(self._line()), ours)
        except (OSError, ValueError) as error:
            ours.close()
            raise WorkerLost(f"the parent of the workers has ended: {error}") from error

    def _line(self) -> str:
        received = b""
        while not received.endswith(b"\n"):
            part = self._link.recv(64)
            if not part:
                break
            received += part
        return received.decode().strip()

    def _complaint(self) -> str:
        self._process.kill()
        _, stderr = self._process.communicate()
        lines = stderr.decode(errors="replace").strip().splitlines()
        return (lines[-1] if lines else "no message") + ". Install math-verify (pip install -e .) and try again."

    def close(self) -> None:
        """End it and its workers."""
        self._link.close()
        self._process.kill()
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def forget(self) -> None:
        """In a forked process: it belongs to the other one."""
        self._link.close()
        self._process.returncode = 0


def _environment(root: str) -> dict[str, str]:
    """Nothing but what Python needs. SymPy without gmpy2, whose arithmetic cannot be interrupted."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": root,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SYMPY_GROUND_TYPES": "python",
        "MPMATH_NOGMPY": "1",
    }


_open_checkers: weakref.WeakSet[MathChecker] = weakref.WeakSet()


class MathChecker:
    """A pool of workers. Starts them when first asked; close it, or use it as a context manager."""

    def __init__(
        self,
        workers: int = 2,
        deadline: float = DEADLINE_S,
        memory_mb: int = MEMORY_MB,
        jobs_per_worker: int = JOBS_PER_WORKER,
    ) -> None:
        self._count, self._deadline = workers, deadline
        self._memory_mb, self._jobs = memory_mb, jobs_per_worker
        self._reset()
        _open_checkers.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._nursery: _Nursery | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._slots: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(self._count):
            self._slots.put(None)
        self._cache: OrderedDict[tuple[str, str, str], MathVerdict] = OrderedDict()

    def check(self, gold: str, answer: str, contract: str | None = None) -> MathVerdict:
        """Compare one pair; waits for a free worker. Raises ContractError, SandboxError."""
        asked = str(parse_contract(contract))
        key = (gold.strip()[-MAX_TEXT:], answer.strip()[-MAX_TEXT:], asked)
        with self._lock:
            if known := self._cache.get(key):
                self._cache.move_to_end(key)
                return known
        started = time.monotonic()
        found = self._ask({"gold": key[0], "answer": key[1], "contract": asked})
        verdict = MathVerdict(
            verdict=found["verdict"], reason=found["reason"], seconds=round(time.monotonic() - started, 4)
        )
        if verdict.verdict != "error":
            self._remember(key, verdict)
        return verdict

    def steps(self, solution: str) -> list[StepFinding] | None:
        """The equations of a worked solution, each checked. None where they could not be worked through."""
        found = self._ask({"solution": solution[:MAX_TEXT]})
        return [StepFinding(**step) for step in found["steps"]] if "steps" in found else None

    def check_all(self, pairs: Iterable[Sequence[str | None]]) -> Iterator[MathVerdict]:
        """Verdicts of (gold, answer) or (gold, answer, contract), in order, all workers busy."""
        return self._executor().map(lambda pair: self.check(*pair), pairs)

    async def judge(self, gold: str, answer: str, contract: str | None = None) -> MathVerdict:
        """`check` for asyncio."""
        return await asyncio.get_running_loop().run_in_executor(self._executor(), self.check, gold, answer, contract)

    async def judge_steps(self, solution: str) -> list[StepFinding] | None:
        """`steps` for asyncio."""
        return await asyncio.get_running_loop().run_in_executor(self._executor(), self.steps, solution)

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="maths")
            return self._threads

    def _remember(self, key: tuple[str, str, str], verdict: MathVerdict) -> None:
        with self._lock:
            self._cache[key] = verdict
            while len(self._cache) > CACHED:
                self._cache.popitem(last=False)

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """The answer of a worker, or an error; the slot is given back in any case."""
        worker, kept = self._slots.get(), None
        try:
            worker = worker or self._forked()
            found = worker.ask(job, self._deadline)
            if not found.pop("spoilt", False) and worker.jobs < self._jobs:
                kept = worker
        except TimeoutError:
            found = {"verdict": "error", "reason": f"not decided within {self._deadline:g} s"}
        except WorkerLost as lost:
            found = {"verdict": "error", "reason": f"the worker was lost: {lost}"}
        finally:
            if worker is not None and kept is None:
                worker.kill()
            self._slots.put(kept)
        return found

    def _forked(self) -> _Worker:
        """A fresh worker, from a fresh parent if that has ended. Raises SandboxError, WorkerLost."""
        with self._lock:
            if self._nursery is None:
                self._nursery = _Nursery(self._memory_mb)
            try:
                return self._nursery.fork()
            except WorkerLost:
                self._nursery.close()
                self._nursery = _Nursery(self._memory_mb)
                return self._nursery.fork()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes. A later `check` starts new ones."""
        if self._threads is not None:
            self._threads.shutdown()
        for _ in range(self._count):
            if worker := self._slots.get():
                worker.kill()
        if self._nursery is not None:
            self._nursery.close()
        self._reset()

    def after_fork(self) -> None:
        """In a forked process: leave the workers to the process that has them."""
        while not self._slots.empty():
            if worker := self._slots.get_nowait():
                worker.forget()
        if self._nursery is not None:
            self._nursery.forget()
        self._reset()


def _leave_workers() -> None:
    for checker in list(_open_checkers):
        checker.after_fork()


os.register_at_fork(after_in_child=_leave_workers)
