"""What a tier does on this machine: each limit tried, with what happened.

The attestation's probes, and programs that run into the limits on purpose; nothing is assumed from
flags or settings.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

from sandbox.attest import MUST_WORK, PROBE, Proof
from sandbox.nouns import Limits, SandboxError, Submission, TestCase
from sandbox.pool import Sandbox
from sandbox.tier import MEMORY_MB, PIDS
from sandbox.values import encode

TIERS = ("docker", "jail")
_QUICK = Limits(cpu_s=0.3, wall_s=1.0, memory_mb=64, output_kb=16, result_kb=16)
_HUNGRY = """
import os, time
def f():
    for _ in range(6):
        if os.fork() == 0:
            a = bytearray(150 << 20)
            for i in range(0, len(a), 4096): a[i] = 1
            time.sleep(60)
    time.sleep(60)
"""
# limit, code, limits, the words that show that it binds
_TRIALS = (
    ("CPU time", "def f():\n    while True: pass", _QUICK.model_copy(update={"wall_s": 20.0}), ("timeout_cpu",)),
    ("wall time", "import time\ndef f(): time.sleep(60)", _QUICK, ("timeout_wall",)),
    ("memory of a process", "def f(): return len(bytearray(1 << 30))", _QUICK, ("memory",)),
    ("memory of all processes", _HUNGRY, Limits(cpu_s=10, wall_s=10), ("oom",)),
    ("what is printed", "def f():\n    while True: print('x' * 999)", _QUICK, ("output_limit",)),
    ("size of a result", "def f(): return 'x' * 99999", _QUICK, ("result_limit",)),
)


class Finding(NamedTuple):
    """One limit, whether it held, and what happened. The first finding, `tier`, says what the tier is."""

    limit: str
    holds: bool
    detail: str


async def examine(tier: str, image: str | None = None) -> AsyncIterator[Finding]:
    """Findings of one tier. Raises SandboxError with the diagnosis if it cannot be opened."""
    started = time.perf_counter()
    async with Sandbox.open(tier, slots=1, image=image, prove=False) as sandbox:
        opened = time.perf_counter() - started
        proofs = await sandbox.prove()
        right = await sandbox.judge(PROBE)
        wrong = await sandbox.judge(PROBE.model_copy(update={"code": "def probe(n):\n    return n"}))
        if (right.result, wrong.result) != ("pass", "wrong_answer"):
            raise SandboxError(f"it judges {right.result} and {wrong.result}, not pass and wrong_answer")
        speed = f"opens in {opened:.1f} s, {await _milliseconds(sandbox):.1f} ms a submission"
        yield Finding("tier", True, f"{sandbox.about}; {speed}; at most {MEMORY_MB} MB and {PIDS} processes a worker")
        for proof in proofs:
            yield _proved(proof)
        for limit, code, limits, words in _TRIALS:
            trial = Submission(id=limit, code=code, tests=(TestCase(call="f()", expected=encode(1)),), limits=limits)
            verdict = await sandbox.judge(trial)
            yield Finding(limit, verdict.result in words, verdict.result)


def _proved(proof: Proof) -> Finding:
    as_wanted = "works" if proof.limit in MUST_WORK else "refused"
    return Finding(proof.limit, proof.holds, as_wanted if proof.holds else proof.detail.replace("\n", "; "))


async def _milliseconds(sandbox: Sandbox) -> float:
    times = []
    for _ in range(50):
        started = time.perf_counter()
        await sandbox.judge(PROBE)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)
