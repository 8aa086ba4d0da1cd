"""The child that waits, already bound, for the next submission."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sandbox import Limits, Sandbox, Submission, TestCase
from sandbox.values import encode
from tests.sandbox.conftest import TIERS, problem_with
from tests.sandbox.test_faults import worker_pids

LOOK = """
import os, resource

def f():
    open_files = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    return [resource.getrlimit(resource.RLIMIT_CPU)[0], [fd for fd in open_files if fd > 3]]
"""


def look(cpu_s: float) -> Submission:
    """Passes if the process has these limits, and no descriptor open but its own four and the listing's."""
    expected = encode([int(cpu_s) + 1, [4]])
    limits = Limits(cpu_s=cpu_s, wall_s=10)
    return Submission(id="look", code=LOOK, tests=(TestCase(call="f()", expected=expected),), limits=limits)


def waiting() -> list[int]:
    """Children of this process's workers, as the host sees them."""
    found = []
    for worker in worker_pids():
        found += Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    return [int(pid) for pid in found]


async def spare() -> int:
    """The waiting child, once it is there and sleeps."""
    for _ in range(100):
        for pid in waiting():
            if "\nState:\tS" in Path(f"/proc/{pid}/status").read_text():
                return pid
        await asyncio.sleep(0.05)
    pytest.fail("no child waits")


def usable(tier: str) -> str:
    if (problem := problem_with(tier)) is not None:
        pytest.skip(problem)
    if os.getuid() != 0:
        pytest.skip("needs root to see the worker's children from outside")
    return tier


@pytest.mark.parametrize("tier", TIERS)
async def test_each_submission_has_its_own_limits_whoever_waited(tier: str) -> None:
    async with Sandbox.open(usable(tier), slots=1) as sandbox:
        verdicts = [await sandbox.judge(look(cpu_s)) for cpu_s in (3, 3, 5, 3, 3)]
    assert [(verdict.result, verdict.evidence) for verdict in verdicts] == [("pass", "")] * 5


@pytest.mark.parametrize("tier", TIERS)
async def test_the_waiting_child_is_bound_and_its_death_costs_nothing(tier: str) -> None:
    async with Sandbox.open(usable(tier), slots=1) as sandbox:
        assert (await sandbox.judge(look(3))).passed
        pid = await spare()
        status = Path(f"/proc/{pid}/status").read_text()
        assert "\nSeccomp:\t2" in status
        assert "\nCapEff:\t0000000000000000" in status
        assert "\nNoNewPrivs:\t1" in status
        os.kill(pid, signal.SIGKILL)
        verdicts = [await sandbox.judge(look(3)) for _ in range(2)]
    assert [verdict.result for verdict in verdicts] == ["pass", "pass"]
