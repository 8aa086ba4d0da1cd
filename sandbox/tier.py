"""What a tier is: a way to start a worker behind walls and to take it away again.

Also here: what both tiers say to the worker at start, and the names by which the leftovers of a
dead owner are found.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Protocol

from sandbox import image
from sandbox.nouns import WorkerLost

UID_BASE, UID_SPAN = 200_000, 64
TMP_MB, TMP_INODES, PIDS = 16, 1024, 64
MEMORY_MB = 512  # of the whole worker: one submission, its files, and the worker itself
ENVIRONMENT = {
    "PATH": "/python/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_ARENA_MAX": "2",
}


class Tier(Protocol):
    """A kind of wall. `image` identifies the file system behind it, `about` says in words what it is."""

    name: str
    image: str
    about: str

    async def prepare(self) -> None:
        """Get ready to start workers, sweep what dead owners left. Raises TierUnavailable."""
        ...

    async def start(self, slot: int, serial: int) -> asyncio.subprocess.Process:
        """Start a worker. Its stdin and stdout carry the protocol, stderr the diagnosis."""
        ...

    async def stop(self, process: asyncio.subprocess.Process, slot: int, serial: int) -> None:
        """End the worker and everything in it. Never raises for one that is already gone."""
        ...

    async def close(self) -> None:
        """Leave nothing behind."""
        ...


def worker_command(slot: int, watch_memory: bool, python: str = image.PYTHON) -> list[str]:
    """The command inside the walls. Every slot of every process has its own uid, for RLIMIT_NPROC."""
    uid = UID_BASE + os.getpid() % 100_000 * UID_SPAN + slot % UID_SPAN
    return [python, "-s", "-S", "-B", "/sandbox/worker.py", str(uid), "1" if watch_memory else "0"]


def environment() -> dict[str, str]:
    """Environment of the worker."""
    return ENVIRONMENT | {"LD_LIBRARY_PATH": image.library_path()}


def owner() -> str:
    """Names this process for good: boot, pid namespace, pid, start time."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}-{os.getpid()}-{_start_time(os.getpid())}"


def is_dead(name: str) -> bool:
    """Whether the owner of that name has surely ended; one in another pid namespace is left alone."""
    ours, theirs = owner().split("-"), name.split("-")
    if len(theirs) != 4:
        return False
    if theirs[0] != ours[0]:
        return True
    return theirs[1] == ours[1] and _start_time(int(theirs[2])) != theirs[3]


def _start_time(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "none"


async def run(*command: str, timeout_s: float = 60.0, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Run a host command: exit status, stdout, stderr. Raises WorkerLost on time-out, OSError if absent."""
    source, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=source, stdout=pipe, stderr=pipe, env=env)
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout_s)
    except BaseException as error:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if isinstance(error, TimeoutError):
            raise WorkerLost(f"{command[0]} {command[1]} did not answer in {timeout_s:.0f} s") from None
        raise
    return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
