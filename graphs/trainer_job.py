"""The trainer as a process of its own, with a record by which another process finds it again.

Guaranteed: a trainer that outlived its parent is followed, not started twice. The trainer itself
resumes from its last checkpoint when it was killed, and ends at once if the adapter of this very
dataset and these settings is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
from pydantic import ValidationError

from graphs.context import StageError
from records.nouns import Record
from records.rundir import RunDirectory, write_atomically

Progress = Callable[[int, int, str], None]  # step, steps, note


class Job(Record):
    """Enough to know whether the process with this pid is still ours."""

    pid: int
    started: float  # seconds since the epoch, by the kernel
    command: tuple[str, ...]


def round_name(arm: str, number: int) -> str:
    """Name of an arm's dataset and adapters in the student's round `number`, counted from 1."""
    return arm if number == 1 else f"{arm}.round{number}"


def adapter_directory(run: RunDirectory, arm: str, seed: int) -> Path:
    """Where the adapter of one arm and seed lies."""
    return run.path / "adapters" / f"{arm}-seed{seed}"


async def train(run: RunDirectory, arm: str, seed: int, progress: Progress) -> Path:
    """Start or re-attach to the trainer and follow it to its end.

    Returns the adapter's directory. Raises StageError with the trainer's own words if it failed.
    """
    directory = adapter_directory(run, arm, seed)
    directory.mkdir(parents=True, exist_ok=True)
    process: subprocess.Popen[bytes] | None = None
    command = _command(run, arm, seed)
    if _running(directory / "job.json") is None and not _adopt(command, directory):
        process = _start(command, directory)
    await _follow(directory, progress, process)
    if (process is not None and process.returncode != 0) or not (directory / "done.json").exists():
        raise StageError(f"training of {arm} (seed {seed}) did not finish: {_last_words(directory)}")
    return directory


def _command(run: RunDirectory, arm: str, seed: int) -> tuple[str, ...]:
    return (sys.executable, "-m", "training.sft", "--run", str(run.path), "--arm", arm, "--seed", str(seed))


def _start(command: tuple[str, ...], directory: Path) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}
    with (directory / "trainer.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )
    _note(process.pid, command, directory)
    return process


def _note(pid: int, command: tuple[str, ...], directory: Path) -> None:
    job = Job(pid=pid, started=psutil.Process(pid).create_time(), command=command)
    write_atomically(directory / "job.json", job.model_dump_json())


def _adopt(command: tuple[str, ...], directory: Path) -> bool:
    """Find a trainer whose parent was killed after starting it and before noting it; note it now."""
    for process in psutil.process_iter(["cmdline", "uids"]):
        if process.info["cmdline"] == list(command) and process.info["uids"].real == os.getuid():
            with suppress(psutil.NoSuchProcess):
                _note(process.pid, command, directory)
                return True
    return False


def _running(job_file: Path) -> psutil.Process | None:
    """The trainer's process, if the recorded one still runs (pids are used again by the kernel)."""
    try:
        job = Job.model_validate_json(job_file.read_text())
        process = psutil.Process(job.pid)
        same = abs(process.create_time() - job.started) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, ValidationError, psutil.NoSuchProcess):
        return None


async def _follow(directory: Path, progress: Progress, process: subprocess.Popen[bytes] | None) -> None:
    seen = 0
    try:
        while True:
            alive = process.poll() is None if process else _running(directory / "job.json") is not None
            seen = _report_progress(directory / "progress.jsonl", seen, progress)
            if not alive:
                return
            await asyncio.sleep(0.3)
    except asyncio.CancelledError:
        if process and process.poll() is None:
            process.terminate()
        raise


def _report_progress(file: Path, seen: int, progress: Progress) -> int:
    """Hand on the last new line of progress.jsonl; returns the number of lines seen."""
    if not file.exists():
        return seen
    lines = file.read_text("utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) > seen:
        row = json.loads(whole[-1])
        progress(row["step"], row["steps"], f"loss {row['loss']:.3f}, {row['tokens_per_s']:.0f} tokens/s")
    return len(whole)


def _last_words(directory: Path) -> str:
    log = directory / "trainer.log"
    lines = (
        [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
        if log.exists()
        else []
    )
    words = lines[-1] if lines else "it ended without a word (killed, or out of memory?)"
    return f"{words} [log: {log}]"
