"""PID 1 of the sandbox: runs one submission at a time in a fresh child and watches it.

The child of the next submission is forked and bound while the host judges this one, and hears the host's next
request itself.

Standard library only. It is copied into the image next to `child.py`, `values.py` and
`syscalls.py`, and speaks frames on stdin and stdout.

Host to worker: HEADER (magic, style, two lengths, limits), then the trusted process's part, if the
style has one, then the candidate's; each is read by its own child only.
Worker to host: frames of one kind byte and a length. `B` boot report (JSON), `R` bytes from the
result pipe, verbatim, `O` bytes that a program printed, `D` how the submission ended (JSON).

Guaranteed: this process never holds code, inputs or answers (a child forked later could find them
in its memory), so results pass through one buffer that is wiped; every process of a submission is
dead and its files are gone before `D` is sent; it ends when stdin ends.
Not guaranteed: that result bytes mean anything. The child writes them; the host judges them.
"""

from __future__ import annotations

import ctypes
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

# magic, style, bytes for the trusted process, for the candidate, cpu s, wall s, memory MB, output KB, result KB
HEADER = struct.Struct("<4sIIIddIII")
STYLES = ("calls", "program", "trusted")
CALLS, PROGRAM, TRUSTED = range(3)
FRAME = struct.Struct("<cI")
MAGIC = b"SBX2"
TMP = "/tmp"
READ, WAITING = 65536, 64  # bytes at a time, and parts that wait for the host at most
TICK_S = 0.02
PATIENCE_S = 0.005
CPU_SLACK_S = 0.1  # between two looks, on a busy machine
PARTING_S = 0.2  # that the trusted process gets to notice the candidate's end
TRUSTED_UID = 10_000_000  # added to the slot's uid for the trusted process
INODES = 1024
OOM_COUNTERS = (
    *("/run/cgroup/memory.events", "/run/cgroup/memory.oom_control"),
    *("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"),
)


class Job(NamedTuple):
    """Limits of one submission."""

    style: int
    trusted: int
    body: int
    cpu_s: float
    wall_s: float
    memory_mb: int
    output_kb: int
    result_kb: int

    @staticmethod
    def header_size() -> int:
        """Bytes of the header that asks for it."""
        return HEADER.size

    @classmethod
    def unpacked(cls, header: bytes) -> Job:
        """What the host asks for. Raises SystemExit if the bytes are no header."""
        magic, *limits = HEADER.unpack(header)
        if magic != MAGIC:
            raise SystemExit("worker: the stream is out of step")
        return cls(*limits)

    def suits(self, bound: Job) -> bool:
        """Whether a child that keeps the limits of `bound` can run this."""
        return self.style == bound.style and self.bounds == bound.bounds

    @property
    def bounds(self) -> tuple[float, int, int]:
        """The limits that its child keeps itself."""
        return self.cpu_s, self.memory_mb, self.result_kb


class Worker:
    """The supervising loop and what it knows about its cage."""

    def __init__(self, uid: int, trusted_uid: int, watch_memory: bool) -> None:
        import child
        import syscalls
        import trusted
        import usage

        self.child, self.trusted, self.usage = child, trusted, usage
        self.filter = syscalls.Filter()
        self.uid, self.trusted_uid = uid, trusted_uid
        self.watch_memory = watch_memory  # no cgroup bounds us: add up resident memory ourselves
        self.relay = Relay()
        self.base_kb = _status_kb("self", "VmSize")
        self.ooms = OomCounter()
        self.spare: Spare | None = None

    def serve(self) -> None:
        """Answer submissions until stdin ends."""
        self.relay.send(b"B", json.dumps(self._report()).encode())
        sink = os.open(os.devnull, os.O_WRONLY)
        self.child.add_site_names()
        self.child.warm_up(20, sink)
        os.close(sink)
        gc.collect()
        gc.freeze()
        with suppress(AttributeError):  # not every C library has it
            ctypes.CDLL(None).malloc_trim(0)  # a fork and an end take time for every page that is there
        while (job := self._next()) is not None:
            self.relay.send(b"D", json.dumps(self._run(job)).encode())
            if job.style == CALLS:
                os.sched_yield()  # the host first: whoever hears of the end often waits for this very core
                self._stand_by(job)

    def _report(self) -> dict[str, object]:
        return {
            "python": sys.version.split()[0],
            "machine": os.uname().machine,
            "uid": self.uid,
            "own_uid": os.getuid(),
            "oom_counter": self.ooms.fd is not None,
            "capabilities": _status_line("CapEff"),
        }

    def _next(self) -> Job | None:
        """What the host asks for next, None if it has gone: from the child that waits or, without one, the host."""
        if self.spare is not None:
            job = _asked(self.spare.told)
            if job is None or not job.suits(self.spare.job):
                self._dismiss()
            if job is not None:
                return job
        return _asked(0)  # there is none, it was killed while it waited, or the host has gone

    def _run(self, job: Job) -> dict[str, object]:
        spare, self.spare = self.spare, None
        used_s = _cpu_seconds(spare.pid) if spare else 0.0  # before the submission came
        pipes = spare.pipes if spare else Pipes(job.style)
        ooms, before = self.ooms.count(), resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        try:
            pids = [spare.pid] if spare else self._fork(job, pipes)
            pipes.close_written()
            watch = Watch(self, job, pids, pipes)
            killed = watch.until_end(started)
            wall = time.monotonic() - started
            ended = _sweep(pids)
            killed = killed or watch.drain()
        finally:
            pipes.close()
            if spare:
                os.close(spare.told)
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = max(0.0, spent.ru_utime + spent.ru_stime - before.ru_utime - before.ru_stime - used_s)
        if killed is None and cpu_s > job.cpu_s + CPU_SLACK_S:  # in children that ended between two looks
            killed = "timeout_cpu"
        return {
            **ended._asdict(),
            "killed": killed,
            "cpu_s": cpu_s,
            "wall_s": wall,
            "oom": self.ooms.count() > ooms,
            "dirty": not _empty(TMP),
        }

    def _fork(self, job: Job, pipes: Pipes) -> list[int]:
        """Start the candidate and, before it, the trusted process where there is one. The candidate's pid is last."""
        pids = []
        if job.style == TRUSTED:
            pids.append(os.fork())
            if pids[0] == 0:
                ends = (pipes.written["result"], pipes.read["reply"], pipes.written["ask"])
                self.trusted.main(job, self.trusted_uid, self.filter, self.base_kb, ends)
        pids.append(os.fork())
        if pids[-1] == 0:
            self.child.main(job, self.uid, self.filter, self.base_kb, pipes)
        return pids

    def _stand_by(self, job: Job) -> None:
        """Fork the child of the next submission now, while the host judges this one.

        It enters its limits, waits for what the host asks and passes that on; it runs the submission if that has
        the same limits, which nearly all have.
        """
        with suppress(OSError):  # without a spare the next submission only takes longer
            pipes = Pipes(CALLS)
            told, tell = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(told)
                self.child.main(job, self.uid, self.filter, self.base_kb, pipes, tell)
            os.close(tell)
            pipes.close_written()
            self.spare = Spare(pid, pipes, told, job)

    def _dismiss(self) -> None:
        spare, self.spare = self.spare, None
        assert spare is not None
        _sweep([spare.pid])
        spare.pipes.close()
        os.close(spare.told)


class Relay:
    """Carries what children write to the host, in one buffer that is wiped.

    Short results wait for the report, so that the host, and an engine in between, is woken once.
    """

    def __init__(self, fd: int = 1) -> None:
        self.fd = fd
        self.buffer = bytearray(2 * READ)
        self.view = memoryview(self.buffer)
        self.parts: list[bytes | memoryview] = []  # frames that wait: heads beside payloads, no copy stays behind
        self.used = 0  # bytes of the buffer that wait
        self.touched = 0  # bytes of it that hold anything

    def read(self, fd: int, kind: bytes | None, room: int) -> int:
        """One read of a pipe, and how many bytes it gave.

        Up to `room` of them will go to the host as a frame of this kind; none without one.
        """
        if self.used > READ or len(self.parts) > WAITING:
            self.flush()
        count = os.readv(fd, [self.view[self.used : self.used + READ]])
        self.touched = max(self.touched, self.used + count)
        kept = min(count, room)  # of a flood the beginning, in which the child says that it is bound
        if kind is not None and kept > 0:
            self.parts += (FRAME.pack(kind, kept), self.view[self.used : self.used + kept])
            self.used += kept
        return count

    def send(self, kind: bytes, payload: bytes) -> None:
        """Send what waits and then this frame."""
        self.parts += (FRAME.pack(kind, len(payload)), payload)
        self.flush()

    def flush(self) -> None:
        """Send what waits and wipe the buffer."""
        _write_all(self.fd, self.parts)
        self.parts.clear()
        self.view[: self.touched] = bytes(self.touched)
        self.used = self.touched = 0


class OomCounter:
    """The cgroup's count of processes killed for memory; its file stays open, for opening takes most of the time."""

    def __init__(self) -> None:
        self.fd = next((fd for fd in map(_opened, OOM_COUNTERS) if fd is not None), None)

    def count(self) -> int:
        """So many so far; 0 where there is no such file."""
        return 0 if self.fd is None else _oom_kills(self.fd) or 0


def _opened(path: str) -> int | None:
    """The file, if it has the count."""
    with suppress(OSError):
        fd = os.open(path, os.O_RDONLY)
        if _oom_kills(fd) is not None:
            return fd
        os.close(fd)
    return None


def _oom_kills(fd: int) -> int | None:
    for line in os.pread(fd, 4096, 0).splitlines():
        if line.startswith(b"oom_kill "):
            return int(line.split()[1])
    return None


class Pipes:
    """The pipes of one submission, by name: their ends to read and to write."""

    def __init__(self, style: int) -> None:
        extra = {PROGRAM: ("errors",), TRUSTED: ("ask", "reply")}.get(style, ())
        self.read: dict[str, int] = {}
        self.written: dict[str, int] = {}
        for name in ("result", "output", *extra):
            self.read[name], self.written[name] = os.pipe()

    def close_written(self) -> None:
        """Close what only the children use, so that their end is seen."""
        for name in ("ask", "reply"):
            if name in self.read:
                os.close(self.read.pop(name))
        while self.written:
            os.close(self.written.popitem()[1])

    def close(self) -> None:
        """Close what is still open."""
        for ends in (self.read, self.written):
            while ends:
                os.close(ends.popitem()[1])


class Spare(NamedTuple):
    """A child that waits: its pid and pipes, the one by which it passes on what the host asks, its limits."""

    pid: int
    pipes: Pipes
    told: int
    job: Job


class Watch:
    """Waits for the submission to end, or ends it: by time, output, result size, inodes or memory."""

    def __init__(self, worker: Worker, job: Job, pids: list[int], pipes: Pipes) -> None:
        self.worker, self.job, self.pids = worker, job, pids
        output_kind = b"O" if job.style == PROGRAM else None
        self.pipes = {  # what is read: word when it is too much, room in bytes, kind of frame to relay it in
            pipes.read["result"]: ("result_limit", b"R"),
            pipes.read["output"]: ("output_limit", output_kind),
        }
        if "errors" in pipes.read:
            self.pipes[pipes.read["errors"]] = ("output_limit", None)
        sizes = {"result_limit": job.result_kb * 1024, "output_limit": job.output_kb * 1024}
        self.room = {fd: sizes[word] for fd, (word, _) in self.pipes.items()}
        self.parting: float | None = None  # when the candidate ended before the trusted process
        self.forked = False  # whether there ever were more processes than ours
        self.usage = worker.usage.Usage()

    def until_end(self, started: float) -> str | None:
        """Why the submission was ended, None if it ended by itself."""
        poll, ends = select.poll(), {os.pidfd_open(pid): pid for pid in self.pids}
        poll.register(0, 0)  # only to learn that the host has gone
        for fd in ends:
            poll.register(fd, select.POLLIN)
        try:
            # A short submission is read once, at its end, not record by record; the pipes hold that much.
            heard = poll.poll(PATIENCE_S * 1000)
            for fd in self.pipes:
                poll.register(fd, select.POLLIN)
            while True:
                for fd, _ in heard:
                    if fd == 0:
                        raise SystemExit(0)
                    if fd in ends:
                        if ends[fd] == self.pids[0]:
                            return None
                        poll.unregister(fd)
                        self.parting = time.monotonic()
                    elif (word := self._read(fd, poll)) is not None:
                        return word
                if (word := self._over(time.monotonic() - started)) is not None:
                    return word
                heard = poll.poll(TICK_S * 1000)
        finally:
            for fd in ends:
                os.close(fd)

    def _read(self, fd: int, poll: select.poll | None) -> str | None:
        """One read. None if there is more to come or, at its end, nothing more to watch."""
        word, kind = self.pipes[fd]
        count = self.worker.relay.read(fd, kind, self.room[fd])
        if count == 0 and poll is not None:
            poll.unregister(fd)
        self.room[fd] -= count
        return word if self.room[fd] < 0 else None

    def _over(self, wall: float) -> str | None:
        forked = len(self.worker.usage.others()) > len(self.pids)
        if forked or self.forked:  # rlimits hold for each process alone
            self.forked = True
            spent = self.usage.cpu_seconds()
        else:
            spent = sum(map(_cpu_seconds, self.pids))
        if spent > self.job.cpu_s:
            return "timeout_cpu"
        if wall > self.job.wall_s:
            return "timeout_wall"
        if self.parting is not None and time.monotonic() - self.parting > PARTING_S:
            return "gone"
        files = os.statvfs(TMP)
        if files.f_files - files.f_ffree > 2 * INODES:
            return "inodes"
        if (self.worker.watch_memory or forked) and self.worker.usage.resident_kb() > self.job.memory_mb * 1024:
            return "oom"
        return None

    def drain(self) -> str | None:
        """Read what was left in the pipes; every writer is dead by now."""
        for fd in self.pipes:
            before = -1
            while before != self.room[fd]:
                before = self.room[fd]
                if (word := self._read(fd, None)) is not None:
                    return word
        return None


class Swept(NamedTuple):
    """How the processes of a submission ended: wait statuses, others that were alive, peak memory in KB.

    `status` is the candidate's, None if it had to be killed after the trusted process had ended.
    """

    status: int | None
    trusted_status: int | None
    leftovers: int
    peak_kb: int


def _sweep(pids: list[int]) -> Swept:
    """Kill and reap everything."""
    statuses: dict[int, int] = {}
    leftovers, peak_kb = 0, 0
    running = len(pids) > 1 and not _ends(pids[-1])
    while _kill_all():
        ended, how, usage = os.wait4(-1, 0)
        peak_kb = max(peak_kb, usage.ru_maxrss)
        if ended in pids:
            statuses[ended] = how
        elif os.WIFSIGNALED(how):
            leftovers += 1
    status = None if running else statuses.get(pids[-1])
    return Swept(status, statuses.get(pids[0]) if len(pids) > 1 else None, leftovers, peak_kb)


def _kill_all() -> bool:
    """Whether there is any process but us, dead ones that nobody has waited for among them."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _ends(pid: int) -> bool:
    """Whether the process ends by itself within a moment."""
    fd = os.pidfd_open(pid)
    try:
        return bool(select.select([fd], [], [], TICK_S)[0])
    finally:
        os.close(fd)


def _cpu_seconds(pid: int) -> float:
    """CPU time of one process, all its threads; 0 for one that has gone."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


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


def _asked(fd: int) -> Job | None:
    """The header that comes next, None at the end."""
    header = _read_exactly(fd, HEADER.size)
    return None if header is None else Job.unpacked(header)


def _read_exactly(fd: int, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = os.read(fd, size - len(data))
        if not part:
            return None
        data += part
    return data


def _write_all(fd: int, parts: list[bytes | memoryview]) -> None:
    sent = os.writev(fd, parts) if parts else 0
    for part in parts:
        view = memoryview(part)[sent:]
        sent = max(0, sent - len(part))
        while view:
            view = view[os.write(fd, view) :]


def main() -> None:
    """Enter the cage and serve: `worker.py SLOT_UID WATCH_MEMORY`."""
    if os.getpid() != 1:
        raise SystemExit("worker: must be PID 1 of its own namespace, it kills everything else")
    sys.path[:] = [path for path in sys.path if path.startswith(f"{sys.base_prefix}/lib")]
    sys.path.append("/sandbox")
    import cage

    uid = cage.enter(int(sys.argv[1]), TMP, INODES)
    # Where the namespace has one uid only, the filter and the dumpable flag stand between the two.
    trusted_uid = cage.usable(uid + TRUSTED_UID, uid + 1)
    worker = Worker(uid, trusted_uid, watch_memory=sys.argv[2] == "1")
    sys.path.remove("/sandbox")
    worker.serve()


if __name__ == "__main__":
    main()
