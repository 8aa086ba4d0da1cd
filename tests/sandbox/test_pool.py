"""The life of a pool: cancellation, lost workers, nothing left behind, no tier."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox import Limits, Sandbox, SandboxError, Submission, SubmissionVerdict, TestCase
from sandbox.docker_tier import LABEL, DockerTier
from sandbox.jail_tier import JailTier
from sandbox.values import encode
from tests.needs import require_bubblewrap, require_root
from tests.sandbox.conftest import TIERS, require_tier


def task(code: str, *tests: TestCase, **limits: float) -> Submission:
    bounds = Limits.model_validate({"cpu_s": 5, "wall_s": 20, **limits})
    return Submission(id="task", code=code, tests=tests or (TestCase(call="f()", expected=encode(1)),), limits=bounds)


GOOD = task("def f(): return 1")
SLOW = task("import time\ndef f():\n    time.sleep(1)\n    return 1")
ENDLESS = task("import time\ndef f(): time.sleep(600)")


def usable(tier: str) -> str:
    require_tier(tier)
    return tier


def descendants() -> set[int]:
    """Live processes that descend from this one."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found, grown = {os.getpid()}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return found - {os.getpid()}


def containers() -> list[str]:
    command = ["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}", "--filter", f"name={os.getpid()}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("tier", TIERS)
async def test_a_verdict_carries_where_it_was_judged(tier: str) -> None:
    async with Sandbox.open(usable(tier), slots=1) as sandbox:
        verdict = await sandbox.judge(GOOD)
        assert sandbox.tier == tier == verdict.tier
    assert (verdict.passed, verdict.result, verdict.tests) == (True, "pass", ("pass",))
    assert verdict.image.startswith("sha256:")
    assert len(verdict.attestation) == 16
    assert 0 < verdict.cpu_s < 5
    assert 5 < verdict.peak_mb < 200


@contextlib.asynccontextmanager
async def nothing_left(tier: str) -> AsyncIterator[set[int]]:
    """Yields the live processes; at the end there are no others, and no container."""
    before = descendants()
    yield before
    await asyncio.sleep(0.1)
    assert descendants() - before == set()
    if tier == "docker":
        assert containers() == []


def judging(sandbox: Sandbox, count: int) -> list[asyncio.Task[SubmissionVerdict]]:
    return [asyncio.create_task(sandbox.judge(ENDLESS)) for _ in range(count)]


@pytest.mark.parametrize("tier", TIERS)
async def test_leaving_while_judging_leaves_nothing(tier: str) -> None:
    async with nothing_left(tier) as before, Sandbox.open(usable(tier), slots=2) as sandbox:
        tasks = judging(sandbox, 2)
        await asyncio.sleep(0.3)
        assert descendants() - before
        for one in tasks:
            one.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        assert (await sandbox.judge(GOOD)).passed


@pytest.mark.parametrize("tier", TIERS)
async def test_leaving_without_waiting_for_those_who_judge_leaves_nothing(tier: str) -> None:
    async with nothing_left(tier):
        async with Sandbox.open(usable(tier), slots=2) as sandbox:
            tasks = judging(sandbox, 3)
            await asyncio.sleep(0.3)
        async with asyncio.timeout(5):
            verdicts = await asyncio.gather(*tasks)
    assert {verdict.result for verdict in verdicts} == {"infra_error"}
    assert all("the sandbox was closed" in verdict.evidence for verdict in verdicts)


async def kill_worker(sandbox: Sandbox, serial: int) -> None:
    """Take away the worker with that serial while it judges its first submission after attestation."""
    slot = sandbox._slots[0]
    while slot.serial < serial or slot.link is None or not slot.attestation or slot.link.process is None:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    await sandbox._tier.stop(slot.link.process, slot.number, serial)


@pytest.mark.parametrize("tier", TIERS)
async def test_a_dead_worker_is_replaced_and_a_second_one_quarantines(tier: str) -> None:
    async with Sandbox.open(usable(tier), slots=1) as sandbox:
        judging = asyncio.create_task(sandbox.judge(SLOW))
        await kill_worker(sandbox, 1)
        assert (await judging).passed
        judging = asyncio.create_task(sandbox.judge(SLOW))
        await kill_worker(sandbox, 2)
        await kill_worker(sandbox, 3)
        verdict = await judging
        assert (verdict.result, verdict.passed, verdict.graded) == ("quarantined", False, False)
        assert (await sandbox.judge(GOOD)).passed


async def test_submissions_wait_for_a_free_worker() -> None:
    async with Sandbox.open(usable("jail"), slots=2) as sandbox:
        verdicts = await asyncio.gather(*(sandbox.judge(GOOD) for _ in range(40)))
    assert all(verdict.passed for verdict in verdicts)


async def test_per_test_words_and_evidence() -> None:
    code = "def f(x):\n    if x == 2: raise ValueError('bad\\x07 x')\n    return x"
    tests = (
        TestCase(call="f(1)", expected=encode(1)),
        TestCase(call="f(3)", expected=encode(4)),
        TestCase(call="f(2)", expected=encode(2)),
        TestCase(call="f(2)", raises="ValueError"),
        TestCase(call="f(2)", raises="KeyError"),
        TestCase(call="f(y)", setup="y = 9", expected=encode(9)),
        TestCase(call="f(1)", raises="ValueError"),
    )
    async with Sandbox.open(usable("jail"), slots=1) as sandbox:
        verdict = await sandbox.judge(task(code, *tests))
        raised = await sandbox.judge(task(code, tests[2]))
    words = ("pass", "wrong_answer", "runtime_error", "pass", "runtime_error", "pass", "wrong_answer")
    assert verdict.tests == words
    assert verdict.result == "wrong_answer"
    assert verdict.evidence == "call: f(3)\nexpected: 4\ngot: 3"
    assert raised.evidence == "call: f(2)\nexpected: 2\ngot: raised ValueError: bad\\x07 x"


async def test_unsupported_tests_are_ungraded() -> None:
    async with Sandbox.open(usable("jail"), slots=1) as sandbox:
        verdict = await sandbox.judge(GOOD.model_copy(update={"unsupported": ("assert f() > 0",)}))
        empty = await sandbox.judge(GOOD.model_copy(update={"tests": ()}))
    assert (verdict.result, verdict.passed, verdict.graded) == ("unsupported_test", False, False)
    assert "assert f() > 0" in verdict.evidence
    assert empty.result == "unsupported_test"


async def test_a_submission_of_a_hundred_megabytes_is_refused_and_a_large_one_is_run() -> None:
    async with Sandbox.open(usable("jail"), slots=1) as sandbox:
        refused = await sandbox.judge(task("#" * (100 << 20)))
        large = await sandbox.judge(task(f"x = {'1' * 4000}\n" + "#" * (8 << 20) + "\ndef f(): return 1"))
        assert (await sandbox.judge(GOOD)).passed
    assert (refused.result, refused.graded) == ("unsupported_test", False)
    assert "100 million characters" in refused.evidence
    assert large.passed, large


@pytest.mark.parametrize("factor", [1, 4])
async def test_output_is_bounded_by_its_limit(factor: int) -> None:
    code = f"def f():\n    print('x' * {100_000 * factor}, flush=True)\n    return 1"
    async with Sandbox.open(usable("jail"), slots=1) as sandbox:
        verdict = await sandbox.judge(task(code, output_kb=200))
    assert verdict.result == ("pass" if factor == 1 else "output_limit")


async def test_an_unknown_tier_is_refused() -> None:
    with pytest.raises(SandboxError, match="Valid: auto, docker, jail"):
        async with Sandbox.open("none"):
            pass


async def test_without_any_tier_there_is_a_diagnosis_and_no_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(JailTier, "_walls", lambda self, group: ["/nowhere/bwrap"])
    with pytest.raises(SandboxError) as caught:
        async with Sandbox.open("auto"):
            pass
    text = str(caught.value)
    assert "docker command is not installed" in text
    assert "bubblewrap" in text
    assert "python -m sandbox doctor" in text


async def test_a_pool_whose_limits_do_not_bind_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    walls = JailTier._walls

    def open_network(self: JailTier, group: Path | None) -> list[str]:
        command = walls(self, group)
        bind = command.index("--remount-ro")
        return [*command[:bind], *command[bind + 4 :]]  # /run and /dev stay writable

    require_root()
    require_bubblewrap()
    monkeypatch.setattr(JailTier, "_walls", open_network)
    monkeypatch.setattr("sandbox.cage.KEEP", (1, 5, 6, 7))
    monkeypatch.setattr("sandbox.jail_tier.worker_command", _as_root)
    with pytest.raises(SandboxError, match="do not bind"):
        async with Sandbox.open(usable("jail"), slots=1):
            pass


def _as_root(slot: int, watch_memory: bool) -> list[str]:
    from sandbox.tier import worker_command

    command = worker_command(slot, watch_memory)
    command[-2] = "0"
    return command


@pytest.mark.parametrize("tier", TIERS)
async def test_what_a_killed_owner_left_is_swept(tier: str) -> None:
    usable(tier)
    script = (
        "import asyncio, sys\nfrom sandbox import Sandbox\nasync def main():\n"
        f"    async with Sandbox.open({tier!r}, slots=1):\n        print('open', flush=True)\n"
        "        await asyncio.sleep(600)\nasyncio.run(main())"
    )
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        process.kill()
    await {"docker": DockerTier, "jail": JailTier}[tier]().prepare()
    left = _left_by(tier, process.pid)
    deadline = time.monotonic() + 10
    while left and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        left = _left_by(tier, process.pid)
    assert left == []


def _left_by(tier: str, pid: int) -> list[str]:
    if tier == "docker":
        command = ["docker", "ps", "--all", "--quiet", "--filter", f"name=-{pid}-"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [path.name for path in Path("/proc").glob("[0-9]*") if _parent(path) == pid]


def _parent(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
