"""The processes in which answers are compared: a parent that has SymPy loaded, and its forks.

Run by `sandbox.maths_checker` as `python -m sandbox.sympy_worker FD MEMORY_MB`. For each socket that
arrives over FD it forks a worker, which answers one job after the other as JSON lines.
Guaranteed: a worker's address space is limited, it writes no file, and it ends with its socket or
with this process. Not guaranteed: that a job ends; the deadline is the other side's.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import sys
from typing import Any, NoReturn

from sandbox.maths_contracts import parse_contract
from sandbox.maths_judge import judge_pair
from sandbox.maths_steps import check_steps

_PDEATHSIG = 1
_WARM_UP = (("2", "3"), (r"\frac{x}{2}", "0.5x"), (r"\sqrt2", "1.5"), ("x>3", "(3,\\infty)"), (r"\int x dx", "x^2"))


def main(control: int, memory_mb: int) -> None:
    """Fork a worker for each socket received; return when the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that asks
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    for gold, answer in _WARM_UP:
        judge_pair(gold, answer, parse_contract(None))
    link = socket.socket(fileno=control)
    link.sendall(b"ready\n")
    while True:
        data, sockets, _, _ = socket.recv_fds(link, 1, 1)
        if not data:
            return
        pid = os.fork()
        if pid == 0:
            link.close()
            _work(socket.socket(fileno=sockets[0]), memory_mb)
        os.close(sockets[0])
        link.sendall(f"{pid}\n".encode())


def _work(link: socket.socket, memory_mb: int) -> NoReturn:
    """Answer jobs until the socket closes."""
    _confine(memory_mb)
    with link, link.makefile("rb") as jobs:
        for line in jobs:
            link.sendall(json.dumps(_answer(json.loads(line))).encode() + b"\n")
    os._exit(0)


def _confine(memory_mb: int) -> None:
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    for limit, value in (
        (resource.RLIMIT_AS, memory_mb << 20),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    """Verdict and reason of one job; what SymPy raises is an error of ours, not of the answer."""
    try:
        if "solution" in job:
            return {"steps": [step._asdict() for step in check_steps(job["solution"])]}
        verdict, reason = judge_pair(job["gold"], job["answer"], parse_contract(job["contract"]))
    except MemoryError:
        return {"verdict": "error", "reason": "out of memory", "spoilt": True}
    except RecursionError:
        return {"verdict": "error", "reason": "nested too deeply to be compared", "spoilt": True}
    except Exception as problem:  # the boundary: SymPy raises whatever its parts raise
        return {"verdict": "error", "reason": f"{type(problem).__name__}: {problem}"[:300], "spoilt": True}
    return {"verdict": verdict, "reason": reason[:500]}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
