"""One Lean behind walls, for one header: questions in, facts out.

A line of its output counts only if it begins with the question's own nonce, which is made after
everything that ran before it; what a proof prints is dropped. Guaranteed: an answer, TimeoutError or WorkerLost, within
the deadline; after either of the two the process is gone. Used by one thread at a time.
"""

from __future__ import annotations

import json
import os
import secrets
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from sandbox.lean_backends import LeanBackend
from sandbox.lean_claims import HEARTBEATS, Header
from sandbox.lean_walls import walled
from sandbox.nouns import WorkerLost

_ROOM = 64 << 20  # bytes that may be printed before an answer
_PIECE = 1 << 16


class LeanProcess:
    """A judge that has loaded a header's modules."""

    def __init__(self, backend: LeanBackend, header: Header, heartbeats: int = HEARTBEATS) -> None:
        """Start and wait for the imports. Raises WorkerLost, TimeoutError, SandboxError (no walls)."""
        self._process = subprocess.Popen(
            walled(backend, backend.command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._held = b""
        self._last = b""
        self.jobs = 0
        opening = {"imports": list(header.imports), "header": header.commands, "heartbeats": heartbeats}
        self.ready = self.ask(opening, backend.start_s)
        if self.ready.get("stage") != "ready" or self.ready.get("errors"):
            self.close()
            raise WorkerLost(f"the header cannot be loaded: {json.dumps(self.ready)[:400]}")

    def ask(self, question: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        """The facts of one question. Raises TimeoutError at the deadline, WorkerLost if the process ended."""
        self.jobs += 1
        nonce = secrets.token_hex(16)
        ends = time.monotonic() + deadline
        try:
            return self._exchange(nonce, {**question, "nonce": nonce}, ends)
        except (OSError, WorkerLost) as problem:
            self.close()
            if isinstance(problem, (TimeoutError, WorkerLost)):
                raise
            raise WorkerLost(f"the line to Lean broke: {problem}") from problem

    def _exchange(self, nonce: str, question: Mapping[str, Any], ends: float) -> dict[str, Any]:
        self._send(json.dumps(question).encode() + b"\n", ends)
        mark, seen = f"{nonce} ".encode(), 0
        while True:
            line = self._line(ends)
            seen += len(line)
            if line.startswith(mark):
                return _facts(line[len(mark) :])
            self._last = line if line.strip() else self._last
            if seen > _ROOM:
                raise WorkerLost(f"more than {_ROOM} bytes were printed")

    def _send(self, data: bytes, ends: float) -> None:
        assert self._process.stdin is not None
        pipe = self._process.stdin.fileno()
        os.set_blocking(pipe, False)
        with selectors.DefaultSelector() as ready:
            ready.register(pipe, selectors.EVENT_WRITE)
            while data:
                wait_for(ready, ends)
                data = data[os.write(pipe, data) :]

    def _line(self, ends: float) -> bytes:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        with selectors.DefaultSelector() as ready:
            ready.register(pipe, selectors.EVENT_READ)
            parts = [self._held]
            size = len(self._held)
            while b"\n" not in parts[-1]:
                wait_for(ready, ends)
                part = os.read(pipe, _PIECE)
                if not part:
                    raise WorkerLost(f"Lean ended: {self._last_words(b''.join(parts))}")
                parts.append(part)
                size += len(part)
                if size > _ROOM:
                    raise WorkerLost(f"a line of more than {_ROOM} bytes was printed")
        line, _, self._held = b"".join(parts).partition(b"\n")
        return line

    def _last_words(self, rest: bytes) -> str:
        return (rest or self._last)[-400:].decode(errors="replace").strip() or "without a word"

    def close(self) -> None:
        """End the process and everything in its namespace."""
        end(self._process)


def output_of(command: list[str], deadline: float) -> str:
    """All that a command prints, up to its end. Raises TimeoutError at the deadline (s), WorkerLost at too much."""
    return ended(command, deadline)[0]


def ended(command: list[str], deadline: float) -> tuple[str, int]:
    """The same, and how the command exited (negative: by which signal, which may be ours)."""
    ends, parts, size = time.monotonic() + deadline, [], 0
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    assert process.stdout is not None
    try:
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            while part := _piece(process.stdout.fileno(), ready, ends):
                parts.append(part)
                size += len(part)
                if size > _ROOM:
                    raise WorkerLost(f"more than {_ROOM} bytes were printed")
        process.wait(max(0.1, ends - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError("no end within the deadline") from None
    finally:
        end(process)
    return b"".join(parts).decode(errors="replace"), process.returncode


def _piece(pipe: int, ready: selectors.BaseSelector, ends: float) -> bytes:
    wait_for(ready, ends)
    return os.read(pipe, _PIECE)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all of its group, and close its pipes."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None and not pipe.closed:
            pipe.close()


def wait_for(ready: selectors.BaseSelector, ends: float) -> None:
    """Until there is something to read. Raises TimeoutError at `ends` on the monotonic clock."""
    if not ready.select(max(0.0, ends - time.monotonic())):
        raise TimeoutError("no answer within the deadline")


def _facts(line: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(line)
    except ValueError:
        raise WorkerLost("the answer is not JSON") from None
    if not isinstance(facts, dict):
        raise WorkerLost("the answer is no object")
    return facts
