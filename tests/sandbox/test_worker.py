"""The child that waits, already bound, for the next submission."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path

import pytest

from sandbox import Limits, Sandbox, Submission, TestCase
from sandbox.values import encode
from sandbox.worker import FRAME, Relay
from tests.needs import require_root
from tests.sandbox.conftest import TIERS, require_tier
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
    require_tier(tier)
    require_root()  # to see the worker's children from outside
    return tier


@pytest.mark.parametrize("tier", TIERS)
async def test_each_submission_has_its_own_limits_whoever_waited(tier: str) -> None:
    async with Sandbox.open(usable(tier), slots=1) as sandbox:
        verdicts = [await sandbox.judge(look(cpu_s)) for cpu_s in (3, 3, 5, 3, 3)]
    assert [(verdict.result, verdict.evidence) for verdict in verdicts] == [("pass", "")] * 5


@pytest.mark.parametrize("tier", TIERS)
async def test_a_value_may_be_as_large_as_its_own_submission_allows_whoever_waited(tier: str) -> None:
    async with Sandbox.open(usable(tier), slots=1) as sandbox:
        for size_kb, length in ((4, 10), (1024, 20_000), (4, 20_000), (1024, 20_000)):
            test = TestCase(call=f"'x' * {length}", expected=encode("x" * length))
            limits = Limits(result_kb=size_kb)
            verdict = await sandbox.judge(Submission(id="large", code="pass", tests=(test,), limits=limits))
            assert verdict.result == ("pass" if length < 1024 * size_kb else "result_limit")


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


STATE = """
import gc, os, sys, threading

def f():
    return [len(globals()), len(sys.modules), threading.active_count(), os.listdir("/tmp"), gc.isenabled()]
"""


@pytest.mark.parametrize("tier", TIERS)
async def test_a_child_that_had_time_to_warm_up_is_like_one_that_had_none(tier: str) -> None:
    state = Submission(id="state", code=STATE, tests=(TestCase(call="f()", expected=encode(None)),))
    async with Sandbox.open(usable(tier), slots=1) as sandbox:
        seen = set()
        for pause in (0, 0, 0, 0.1, 0.1, 0.1):
            await asyncio.sleep(pause)
            seen.add((await sandbox.judge(state)).evidence)
    assert len(seen) == 1, seen
    assert "[], True]" in seen.pop()


def test_the_relay_keeps_every_byte_in_its_order_and_nothing_behind() -> None:
    sizes = [1, 70_000, 40_000, *[3] * 200, 65_536, 0, 90_000]
    texts = [os.urandom(size) for size in sizes]
    kinds: list[bytes | None] = [b"R", b"O", None]
    with tempfile.TemporaryFile() as host:
        relay = Relay(host.fileno())
        for number, text in enumerate(texts):
            _carry(relay, text, kinds[number % 3])
        relay.send(b"D", b"{}")
        host.seek(0)
        frames = _frames(host.read())
    for kind in (b"R", b"O"):
        wanted = b"".join(text for number, text in enumerate(texts) if kinds[number % 3] == kind)
        assert b"".join(text for found, text in frames if found == kind) == wanted
    assert {kind for kind, _ in frames} == {b"R", b"O", b"D"}
    assert frames[-1] == (b"D", b"{}")
    assert not any(relay.buffer)


def test_the_relay_carries_the_beginning_of_what_there_is_no_room_for() -> None:
    with tempfile.TemporaryFile() as host, tempfile.TemporaryFile() as pipe:
        pipe.write(b"secret")
        pipe.seek(0)
        relay = Relay(host.fileno())
        assert relay.read(pipe.fileno(), b"R", room=5) == 6
        relay.send(b"D", b"{}")
        host.seek(0)
        assert _frames(host.read()) == [(b"R", b"secre"), (b"D", b"{}")]
    assert not any(relay.buffer)


def _carry(relay: Relay, text: bytes, kind: bytes | None) -> None:
    with tempfile.TemporaryFile() as pipe:
        pipe.write(text)
        pipe.seek(0)
        while relay.read(pipe.fileno(), kind, room=1 << 20):
            pass


def _frames(data: bytes) -> list[tuple[bytes, bytes]]:
    frames = []
    while data:
        kind, size = FRAME.unpack_from(data)
        frames.append((kind, data[FRAME.size : FRAME.size + size]))
        data = data[FRAME.size + size :]
    return frames
