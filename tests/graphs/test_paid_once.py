"""A run that is killed at 30 random moments pays for no call twice and ends with the same report."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from models.ledger import read_rows
from models.spec import parse_spec
from records.rundir import RunDirectory
from tests.graphs.runs import ROOT, command, run, settings
from tests.loopback import Loopback, Request, Step

KILLS = 30
DELAY_S = 0.25
SIZES = {
    "sizes.train": 40,
    "sizes.gate": 40,
    "sizes.transfer": 40,
    "sizes.test": 40,
    "sizes.ood": 20,
    "concurrency": 20,
    "loop.rounds": 2,  # after two the search merges
    "student_arms": "[base, base+strategy]",
}


def answer(request: Request) -> Step:
    """A reply that depends on the question alone, after a delay that differs from call to call."""
    digest = hashlib.sha256(asked_in(request).encode()).digest()
    verdict = "YES" if digest[0] % 2 else "NO"
    return Step(f"09-10: 09=1 10 max 1/1 yes\nANSWER: {verdict}", delay=DELAY_S * (0.5 + digest[1] / 255))


def asked(model: str, messages: list[dict[str, str]]) -> str:
    """One question, however it was written down: by the server or in the ledger."""
    turns = [[turn["role"], turn["content"]] for turn in messages]
    return json.dumps([model, turns])


def asked_in(request: Request) -> str:
    return asked(request.body["model"], request.body["messages"])


def ledger(runs: Path, name: str) -> dict[bool, list[str]]:
    """The questions of a run's ledger: those with a result, and those begun without one."""
    found: dict[bool, list[str]] = {True: [], False: []}
    path = runs / name / "ledger.sqlite"
    for row in read_rows(path) if path.exists() else ():
        found[row["status"] == "ok"].append(asked(parse_spec(row["model"]).name, row["messages"]))
    return found


def killed_after(process: subprocess.Popen[bytes], reached: Callable[[], bool], dice: random.Random) -> bool:
    """SIGKILL the process a moment after `reached`; False if it ended by itself."""
    deadline = time.monotonic() + 120
    while process.poll() is None and not reached() and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(dice.uniform(0, 0.3))
    ended = process.poll() is not None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return not ended


def start(runs: Path, *arguments: str) -> subprocess.Popen[bytes]:
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command(runs, *arguments), cwd=ROOT, stdin=nothing, stdout=nothing, stderr=nothing)


def report(runs: Path, name: str) -> object:
    return {**RunDirectory(runs / name).read_json("evaluation/summary.json"), "id": "RUN"}


@pytest.mark.timeout(2400)
def test_thirty_kills_repeat_no_finished_call_and_change_no_figure(tmp_path: Path) -> None:
    dice = random.Random(7)
    with Loopback(answer) as server:
        url = server.openai_url
        arguments = ["--domain", "scheduling", "--approve", "gate", "--student", f"vllm:student@{url}"]
        arguments += ["--validator", f"vllm:first@{url}", "--validator", f"vllm:second@{url}", *settings(**SIZES)]
        whole = run(tmp_path, *arguments, "--run", "whole")
        assert whole.returncode == 0, whole.stdout + whole.stderr
        calls = server.count
        assert calls > 500
        server.requests.clear()
        finished: set[str] = set()
        allowed: Counter[str] = Counter()
        kills = 0
        process = start(tmp_path, *arguments, "--run", "killed")
        while kills < KILLS:
            before = server.count
            wanted = before + dice.randint(1, calls // KILLS)
            if not killed_after(process, lambda wanted=wanted: server.count >= wanted, dice):  # type: ignore[misc]
                break
            kills += 1
            time.sleep(2 * DELAY_S)  # what was in flight arrives now
            repeated = finished & set(map(asked_in, server.requests[before:]))
            assert not repeated, f"after kill {kills}, {len(repeated)} finished calls were made again"
            state = ledger(tmp_path, "killed")
            finished |= set(state[True])
            allowed.update(state[False])
            process = start(tmp_path, "resume", "killed")
        assert kills == KILLS
        process.wait(timeout=300)
        made = Counter(map(asked_in, server.requests))
    assert process.returncode == 0
    assert calls <= sum(made.values()) <= calls + sum(allowed.values())
    assert all(times <= 1 + allowed[question] for question, times in made.items())
    assert report(tmp_path, "killed") == report(tmp_path, "whole")
    assert os.path.exists(tmp_path / "killed" / "manifest.json")
