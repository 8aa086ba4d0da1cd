"""CPU time and memory of all processes of a submission, added up while they run.

Standard library only; copied into the image. A candidate's own limits (rlimits) hold for each process alone, so one
that forks could use as much again in every child.

Guaranteed: time of children counts when they have ended, whether somebody waits for them or not, if they lived for
one look at least; shared memory counts as well.
Not guaranteed: what a process uses and gives back between two looks; and memory that several processes share counts
once for each of them, since the kernel does not let us see how often a page is mapped.
"""

from __future__ import annotations

import os

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_OWN_PID = "1"  # the worker's, in its own namespace
_TIMES = slice(11, 15)  # utime, stime, cutime, cstime: fields 14 to 17 of /proc/PID/stat, behind the name


class Usage:
    """The CPU time of a submission, look after look."""

    def __init__(self) -> None:
        self.lost_s = 0.0  # time of processes that vanished without being waited for
        self.last_s = 0.0

    def cpu_seconds(self) -> float:
        """CPU time so far of all processes that are or were there, to 10 ms."""
        now = _cpu_seconds()
        if now < self.last_s:
            now = _cpu_seconds()  # once more: a child's time may have been on its way to its parent
        self.lost_s += max(0.0, self.last_s - now)
        self.last_s = now
        return self.lost_s + now


def resident_kb() -> int:
    """Memory of all processes but the worker. Pages that processes share count once for each: an upper bound."""
    return sum(_sizes(_read(f"/proc/{name}/status"), ("RssAnon:", "RssShmem:")) for name in others())


def others() -> list[str]:
    """All processes but the worker."""
    return [name for name in os.listdir("/proc") if name.isdigit() and name != _OWN_PID]


def _cpu_seconds() -> float:
    total = 0
    for name in others():
        fields = _read(f"/proc/{name}/stat").rpartition(") ")[2].split()
        total += sum(map(int, fields[_TIMES]))
    return total / _TICKS_PER_S


def _read(path: str) -> str:
    """A file of /proc; empty if its process has gone or hides it."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _sizes(text: str, wanted: tuple[str, ...]) -> int:
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(wanted))
