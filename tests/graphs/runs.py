"""Small real runs of the whole program: the embedded model, the real sandbox, the real trainer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from tests.sandbox.conftest import require_some_tier

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    "sizes.train": 16,
    "sizes.gate": 4,
    "sizes.transfer": 4,
    "sizes.test": 6,
    "sizes.ood": 4,
    "examples": 8,
    "loop.rounds": 1,
    "loop.batch": 6,
    "decoding.max_tokens": 40,
    "training.batch_size": 4,
    "training.save_steps": 1,
}


def command(runs: Path, *arguments: str) -> list[str]:
    """The program's command line."""
    return [sys.executable, "-m", "graphs.transfer", *arguments, "--runs", str(runs)]


def settings(**changes: object) -> list[str]:
    """`--set` arguments of a tiny run."""
    values = {**TINY, **{key.replace("__", "."): value for key, value in changes.items()}}
    return [part for key, value in values.items() for part in ("--set", f"{key}={value}")]


def run(runs: Path, *arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, without a terminal. Skips the test where no sandbox tier can be used."""
    require_some_tier()
    return subprocess.run(
        command(runs, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
    )


def kill_at(runs: Path, mark: str, *arguments: str, timeout: float = 900) -> str:
    """Start the program and SIGKILL it once `mark` has been printed; returns what was printed."""
    require_some_tier()
    process = subprocess.Popen(
        command(runs, *arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    watchdog = threading.Timer(timeout, process.kill)
    watchdog.start()
    printed = ""
    assert process.stdout is not None
    for line in process.stdout:
        printed += line
        if mark in line:
            process.kill()
            break
    process.wait()
    watchdog.cancel()
    return printed
