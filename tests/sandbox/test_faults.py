"""What breaks around a batch costs no verdict: killed workers, a restarted engine, a full disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox, Submission, SubmissionVerdict, TestCase
from sandbox.values import encode
from tests.needs import ENGINE, USER_TOOLS, require_programs, require_root
from tests.sandbox.conftest import TIERS, require_tier

ROOT = Path(__file__).resolve().parents[2]


def batch(size: int) -> list[tuple[Submission, str]]:
    """Submissions of some 20 ms and the result that each must get."""
    rows = []
    for number in range(size):
        right = number % 3 > 0
        code = f"import time\ndef f():\n    time.sleep(0.02)\n    return {number if right else -1}"
        case = TestCase(call="f()", expected=encode(number))
        rows.append((Submission(id=str(number), code=code, tests=(case,)), "pass" if right else "wrong_answer"))
    return rows


async def judged(sandbox: Sandbox, rows: list[tuple[Submission, str]]) -> list[SubmissionVerdict]:
    return [verdict async for _, verdict in sandbox.judge_all(rows, lambda row: row[0]) if verdict is not None]


def worker_pids() -> list[int]:
    """Workers of this process's sandboxes, as the host sees them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = stat.read_bytes().split(b"\0")
            if b"/sandbox/worker.py" in words and b"python" in words[0]:
                found.append(int(stat.parent.name))
    return found


def kill_a_worker(dice: random.Random) -> bool:
    """SIGKILL one worker; false when none was found (one that ended meanwhile does not count)."""
    pids = worker_pids()
    dice.shuffle(pids)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
    return False


@pytest.mark.parametrize("tier", TIERS)
async def test_killed_workers_cost_no_verdict(tier: str) -> None:
    require_tier(tier)
    require_root()  # to kill a worker from outside
    rows = batch(60)
    async with Sandbox.open(tier, slots=2) as sandbox:
        judging = asyncio.create_task(judged(sandbox, rows))
        dice, killed = random.Random(0), 0
        for _ in range(3):
            await asyncio.sleep(0.4)
            killed += not judging.done() and kill_a_worker(dice)
        verdicts = await judging
    assert killed > 0
    assert [verdict.id for verdict in verdicts] == [row.id for row, _ in rows]
    # A worker that dies twice under one submission leaves it ungraded; it is never scored.
    assert {(v.id, v.result) for v in verdicts if v.graded} <= {(row.id, result) for row, result in rows}
    assert sum(verdict.graded for verdict in verdicts) >= len(rows) - 2
    deadline = time.monotonic() + 10
    while worker_pids() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    assert worker_pids() == []


@contextlib.contextmanager
def own_engine(home: Path) -> Iterator[list[str]]:
    """A second engine of our own, with its own socket; yields the command that starts it."""
    command = ["dockerd", "--iptables=false", "--bridge=none", f"--host=unix://{home}/engine.sock"]
    command += [f"--data-root={home}/data", f"--exec-root={home}/exec", f"--pidfile={home}/pid"]
    try:
        yield command
    finally:
        stop_engine(home)


def start_engine(command: list[str], home: Path) -> None:
    with open(home / "log", "ab") as log:
        subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 60
    while subprocess.run(["docker", "info"], capture_output=True).returncode != 0:
        if time.monotonic() > deadline:
            pytest.fail(f"the engine does not start: {(home / 'log').read_text()[-2000:]}")
        time.sleep(0.2)


def stop_engine(home: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        pid = int((home / "pid").read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while Path(f"/proc/{pid}/status").exists() and time.monotonic() < deadline:
            if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return
            time.sleep(0.1)


async def test_a_restarted_engine_costs_no_verdict(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_tier("docker")
    require_root()
    require_programs("dockerd", need=ENGINE)  # for an engine of its own
    home = Path("/tmp") / f"engine-{os.getpid()}"  # a short path: sockets have 108 characters
    home.mkdir()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{home}/engine.sock")
    rows = batch(80)
    try:
        with own_engine(home) as command:
            start_engine(command, home)
            async with Sandbox.open("docker", slots=2) as sandbox:
                judging = asyncio.create_task(judged(sandbox, rows))
                await asyncio.sleep(0.5)
                assert not judging.done()
                await asyncio.to_thread(stop_engine, home)
                await asyncio.sleep(1)
                await asyncio.to_thread(start_engine, command, home)
                verdicts = await judging
    finally:
        shutil.rmtree(home, ignore_errors=True)
    assert [(verdict.id, verdict.result) for verdict in verdicts] == [(row.id, result) for row, result in rows]


FULL_DISK = """
set -e
mkdir "$1/full"
mount -t tmpfs -o size=64k tmpfs "$1/full"
head -c 65536 /dev/zero > "$1/full/filler" || true
export TMPDIR="$1/full"
if [ "$2" = cache ]; then export XDG_CACHE_HOME="$1/full"; fi
shift 2
exec "$@"
"""


@pytest.mark.parametrize("where", ["temporary", "cache"])
def test_a_full_disk_is_said_and_scores_nothing(where: str, tmp_path: Path) -> None:
    require_root()
    require_programs("unshare", need=USER_TOOLS)  # to fill a disk of its own
    require_tier("jail")
    row = {"id": 1, "code": "def f(): return 1", "entry_point": "f", "tests": [{"args": [], "expected": 1}]}
    command = [sys.executable, "-m", "sandbox", "judge", "-", "--tier", "jail"]
    shell = ["unshare", "--mount", "sh", "-c", FULL_DISK, "sh", str(tmp_path), where, *command]
    done = subprocess.run(shell, input=json.dumps(row), capture_output=True, text=True, cwd=ROOT)
    assert "Traceback" not in done.stderr
    if where == "cache":
        assert done.returncode == 1
        assert "No space left" in done.stderr
        assert "XDG_CACHE_HOME" in done.stderr
        assert done.stdout == ""
    else:
        assert json.loads(done.stdout)["result"] == "pass", done.stderr
