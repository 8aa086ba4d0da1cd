"""PID 1 of the sandbox: runs one submission at a time in a fresh child and watches it.

Standard library only. It is copied into the image next to `child.py`, `values.py` and
`syscalls.py`, and speaks frames on stdin and stdout.

Host to worker: HEADER (magic, body length, limits), then the body, which only the child reads.
Worker to host: frames of one kind byte and a length. `B` boot report (JSON), `R` bytes from the
child's result pipe, verbatim, `D` how the submission ended (JSON).

Guaranteed: this process never holds code, inputs or answers (a child forked later could find them
in its memory), so results pass through one buffer that is wiped; every process of a submission is
dead and its files are gone before `D` is sent; it ends when stdin ends.
Not guaranteed: that result bytes mean anything. The child writes them; the host judges them.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import stat
import struct
import sys
import time
from contextlib import suppress
from typing import NamedTuple

HEADER = struct.Struct("<4sIddIII")  # magic, body bytes, cpu s, wall s, memory MB, output KB, result KB
FRAME = struct.Struct("<cI")
MAGIC = b"SBX1"
TMP = "/tmp"
TICK_S = 0.02
INODES = 1024
OOM_COUNTERS = (
    *("/run/cgroup/memory.events", "/run/cgroup/memory.oom_control"),
    *("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"),
)


class Job(NamedTuple):
    """Limits of one submission."""

    body: int
    cpu_s: float
    wall_s: float
    memory_mb: int
    output_kb: int
    result_kb: int


class Worker:
    """The supervising loop and what it knows about its cage."""

    def __init__(self, uid: int, watch_memory: bool) -> None:
        import child
        import syscalls

        self.child = child
        self.filter = syscalls.Filter()
        self.uid = uid
        self.watch_memory = watch_memory  # no cgroup bounds us: add up resident memory ourselves
        self.buffer = bytearray(65536)
        self.view = memoryview(self.buffer)
        self.base_kb = _status_kb("self", "VmSize")
        self.oom_file = next((path for path in OOM_COUNTERS if _oom_count(path) is not None), None)

    def serve(self) -> None:
        """Answer submissions until stdin ends."""
        self._send(b"B", json.dumps(self._report()).encode())
        gc.collect()
        gc.freeze()
        while (header := _read_exactly(0, HEADER.size)) is not None:
            magic, *limits = HEADER.unpack(header)
            if magic != MAGIC:
                raise SystemExit("worker: the stream is out of step")
            self._send(b"D", json.dumps(self._run(Job(*limits))).encode())

    def _report(self) -> dict[str, object]:
        return {
            "python": sys.version.split()[0],
            "machine": os.uname().machine,
            "uid": self.uid,
            "own_uid": os.getuid(),
            "oom_counter": self.oom_file is not None,
            "capabilities": _status_line("CapEff"),
        }

    def _run(self, job: Job) -> dict[str, object]:
        result_read, result_write = os.pipe()
        output_read, output_write = os.pipe()
        ooms, usage = self._ooms(), resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self.child.main(job, self.uid, self.filter, self.base_kb, result_write, output_write)
        os.close(result_write)
        os.close(output_write)
        try:
            watch = Watch(self, job, pid, result_read, output_read)
            killed = watch.until_end(started)
            wall = time.monotonic() - started
            status, leftovers, peak_kb = _sweep(pid)
            killed = killed or watch.drain()
        finally:
            os.close(result_read)
            os.close(output_read)
            self.buffer[:] = bytes(len(self.buffer))
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "status": status,
            "killed": killed,
            "cpu_s": spent.ru_utime + spent.ru_stime - usage.ru_utime - usage.ru_stime,
            "wall_s": wall,
            "peak_kb": peak_kb,
            "oom": self._ooms() > ooms,
            "leftovers": leftovers,
            "dirty": not _empty(TMP),
        }

    def _ooms(self) -> int:
        return (_oom_count(self.oom_file) or 0) if self.oom_file else 0

    def relay(self, count: int) -> None:
        """Send the first `count` bytes of the buffer to the host."""
        self._send(b"R", self.view[:count])

    @staticmethod
    def _send(kind: bytes, payload: bytes | memoryview) -> None:
        _write_all(1, FRAME.pack(kind, len(payload)))
        _write_all(1, payload)


class Watch:
    """Waits for the child to end, or ends it: by time, output, result size, inodes or memory."""

    def __init__(self, worker: Worker, job: Job, pid: int, result: int, output: int) -> None:
        self.worker, self.job, self.pid = worker, job, pid
        self.result, self.output = result, output
        self.room = {result: job.result_kb * 1024, output: job.output_kb * 1024}
        self.clock = ~pid << 3 | 2  # the CPU clock of that process, all its threads

    def until_end(self, started: float) -> str | None:
        """Why the child was ended, None if it ended by itself."""
        poll, pidfd = select.poll(), os.pidfd_open(self.pid)
        poll.register(0, 0)  # only to learn that the host has gone
        for fd in (self.result, self.output, pidfd):
            poll.register(fd, select.POLLIN)
        try:
            while True:
                for fd, _ in poll.poll(TICK_S * 1000):
                    if fd == pidfd:
                        return None
                    if fd == 0:
                        raise SystemExit(0)
                    if (word := self._read(fd, poll)) is not None:
                        return word
                if (word := self._over(time.monotonic() - started)) is not None:
                    return word
        finally:
            os.close(pidfd)

    def _read(self, fd: int, poll: select.poll) -> str | None:
        count = os.readv(fd, [self.worker.buffer])
        if count == 0:
            poll.unregister(fd)
            return None
        self.room[fd] -= count
        if self.room[fd] < 0:
            return "result_limit" if fd == self.result else "output_limit"
        if fd == self.result:
            self.worker.relay(count)
        return None

    def _over(self, wall: float) -> str | None:
        if time.clock_gettime(self.clock) > self.job.cpu_s:
            return "timeout_cpu"
        if wall > self.job.wall_s:
            return "timeout_wall"
        files = os.statvfs(TMP)
        if files.f_files - files.f_ffree > 2 * INODES:
            return "inodes"
        if self.worker.watch_memory and _resident_kb() > self.job.memory_mb * 1024:
            return "oom"
        return None

    def drain(self) -> str | None:
        """Read what was left in the pipes; every writer is dead by now."""
        for fd in (self.result, self.output):
            while (count := os.readv(fd, [self.worker.buffer])) > 0:
                self.room[fd] -= count
                if self.room[fd] < 0:
                    return "result_limit" if fd == self.result else "output_limit"
                if fd == self.result:
                    self.worker.relay(count)
        return None


def _sweep(pid: int) -> tuple[int, int, int]:
    """Kill and reap everything: the child's wait status, how many others were alive, peak memory in KB."""
    status, leftovers, peak_kb = 0, 0, 0
    while True:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            ended, how, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return status, leftovers, peak_kb
        peak_kb = max(peak_kb, usage.ru_maxrss)
        if ended == pid:
            status = how
        elif os.WIFSIGNALED(how):
            leftovers += 1


def _empty(top: str) -> bool:
    """Delete all that is in `top`, at any depth, without following links. True if nothing is left.

    Directories are flattened, their children moved up, so no path gets long and nothing recurses.
    """
    serial = 0
    try:
        while entries := list(os.scandir(top)):
            for entry in entries:
                serial = _remove(entry, top, serial)
    except OSError:
        return False
    return True


def _remove(entry: os.DirEntry[str], top: str, serial: int) -> int:
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.path)
        return serial
    _open_up(entry)
    for inner in list(os.scandir(entry.path)):
        if inner.is_dir(follow_symlinks=False):
            _open_up(inner)
            os.rename(inner.path, f"{top}/{serial}.{time.monotonic_ns()}.swept")
            serial += 1
        else:
            os.unlink(inner.path)
    os.rmdir(entry.path)
    return serial


def _open_up(entry: os.DirEntry[str]) -> None:
    if entry.stat(follow_symlinks=False).st_uid == os.getuid():  # others' need CAP_DAC_OVERRIDE, which we have
        os.chmod(entry.path, stat.S_IRWXU)


def _status_line(field: str, pid: str = "self") -> str:
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return line.split(":", 1)[1].strip()
    return ""


def _status_kb(pid: str, field: str) -> int:
    words = _status_line(field, pid).split()
    return int(words[0]) if words else 0


def _resident_kb() -> int:
    """Memory of all processes but ourselves. Shared pages count once per process: an upper bound."""
    total = 0
    for name in os.listdir("/proc"):
        if name.isdigit() and name != "1":
            try:
                total += _status_kb(name, "RssAnon")
            except (FileNotFoundError, ProcessLookupError):
                continue
    return total


def _oom_count(path: str) -> int | None:
    """The cgroup's count of processes killed for memory; None where it cannot be read."""
    try:
        with open(path) as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except OSError:
        return None
    return None


def _read_exactly(fd: int, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = os.read(fd, size - len(data))
        if not part:
            return None
        data += part
    return data


def _write_all(fd: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def main() -> None:
    """Enter the cage and serve: `worker.py SLOT_UID WATCH_MEMORY`."""
    if os.getpid() != 1:
        raise SystemExit("worker: must be PID 1 of its own namespace, it kills everything else")
    sys.path[:] = [path for path in sys.path if path.startswith("/python/")]
    sys.path.append("/sandbox")
    import cage

    uid = cage.enter(int(sys.argv[1]), TMP, INODES)
    worker = Worker(uid, watch_memory=sys.argv[2] == "1")
    sys.path.remove("/sandbox")
    worker.serve()


if __name__ == "__main__":
    main()
