"""leanprover-community/repl as a fast filter: it may reject a proof, never accept one.

Command mode only: {"cmd", "env"} and an empty line, answered by one JSON object of several lines. One environment per
header; what a proof leaves behind is never built upon. Environments are never freed, so the
process is replaced after RECYCLE proofs. Severities are "info", "warning", "error".
Guaranteed: silence, a broken answer or a dead process is no rejection; the full check decides then.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from sandbox.lean_backends import LeanBackend
from sandbox.lean_claims import HEARTBEATS, Header
from sandbox.lean_process import end, wait_for
from sandbox.lean_verdict import printable
from sandbox.lean_walls import walled
from sandbox.nouns import WorkerLost

RECYCLE = 200
_ROOM = 8 << 20
_UNDECIDED = ("timeout", "heartbeats", "recursion", "out of memory")


def rejection(answer: Mapping[str, Any]) -> str | None:
    """Why the REPL's answer rejects a proof, or None: it passes, or the full check has to decide."""
    messages = answer.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict) and message.get("severity") == "error":
            text = printable(" ".join(str(message.get("data")).split()))[:300]
            return None if any(word in text for word in _UNDECIDED) else text
    if answer.get("sorries") or _has_sorry(messages):
        return "uses sorry"
    return None


def _has_sorry(messages: object) -> bool:
    return isinstance(messages, list) and any(isinstance(m, dict) and m.get("kind") == "hasSorry" for m in messages)


class LeanRepl:
    """A REPL that has loaded a header. Used by one thread at a time."""

    def __init__(self, backend: LeanBackend, header: Header) -> None:
        """Start it and load the header. Raises WorkerLost, TimeoutError, SandboxError."""
        assert backend.repl is not None
        self._process = subprocess.Popen(
            walled(backend, backend.repl),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.jobs = 0
        lines = [*(f"import {name}" for name in header.imports), f"set_option maxHeartbeats {HEARTBEATS}"]
        answer = self._exchange({"cmd": "\n".join((*lines, header.commands))}, time.monotonic() + backend.start_s)
        self._env = answer.get("env")
        if not isinstance(self._env, int) or rejection(answer):
            self.close()
            raise WorkerLost(f"the REPL cannot load the header: {json.dumps(answer)[:300]}")

    def refuses(self, text: str, deadline: float) -> str | None:
        """Why the text is rejected, or None. Raises WorkerLost, TimeoutError; the process is gone then."""
        self.jobs += 1
        try:
            return rejection(self._exchange({"cmd": text, "env": self._env}, time.monotonic() + deadline))
        except (OSError, WorkerLost) as problem:
            self.close()
            if isinstance(problem, (TimeoutError, WorkerLost)):
                raise
            raise WorkerLost(f"the line to the REPL broke: {problem}") from problem

    def _exchange(self, question: Mapping[str, Any], ends: float) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n\n")
        self._process.stdin.flush()
        pipe, received = self._process.stdout.fileno(), b""
        with selectors.DefaultSelector() as ready:
            ready.register(pipe, selectors.EVENT_READ)
            while not received.endswith(b"\n\n"):
                wait_for(ready, ends)
                part = os.read(pipe, 1 << 16)
                received += part
                if not part or len(received) > _ROOM:
                    raise WorkerLost("the REPL ended or printed too much")
        return _read(received)

    def close(self) -> None:
        """End the process and everything in its namespace."""
        end(self._process)


def _read(received: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(received)
    except ValueError:
        raise WorkerLost("the REPL's answer is not one JSON object") from None
    if not isinstance(answer, dict):
        raise WorkerLost("the REPL's answer is no object")
    return answer
