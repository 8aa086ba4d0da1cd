"""The trainer's process is found again, not started twice, and its failure is said in its words."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from graphs import trainer_job
from graphs.context import StageError
from graphs.trainer_job import Job, adapter_directory, train
from records.rundir import RunDirectory


def record(directory: Path, process: subprocess.Popen[bytes]) -> None:
    directory.mkdir(parents=True)
    job = Job(pid=process.pid, started=psutil.Process(process.pid).create_time(), command=("x",))
    (directory / "job.json").write_text(job.model_dump_json())


async def test_running_trainer_of_a_dead_parent_is_followed(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    directory = adapter_directory(run, "lora_plain", 0)
    row = json.dumps({"step": 2, "steps": 2, "loss": 0.5, "tokens_per_s": 10.0, "seconds": 1.0})
    program = f"""
import pathlib, time
time.sleep(1)
pathlib.Path({str(directory / "progress.jsonl")!r}).write_text({row + chr(10)!r})
pathlib.Path({str(directory / "done.json")!r}).write_text("{{}}")
"""
    trainer = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    record(directory, trainer)
    steps: list[tuple[int, int, str]] = []
    reaper = subprocess.Popen.poll  # the zombie counts as ended even while nobody waits for it
    assert await train(run, "lora_plain", 0, lambda *step: steps.append(step)) == directory
    assert steps == [(2, 2, "loss 0.500, 10 tokens/s")]
    assert reaper(trainer) == 0


async def test_trainer_that_nobody_noted_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory(tmp_path)
    directory = adapter_directory(run, "lora_plain", 0)
    done = directory / "done.json"
    command = (sys.executable, "-c", f"import pathlib, time; time.sleep(1); pathlib.Path({str(done)!r}).touch()")
    monkeypatch.setattr(trainer_job, "_command", lambda *_: command)
    directory.mkdir(parents=True)
    trainer = subprocess.Popen(command, start_new_session=True)  # its parent dies here, before it writes job.json
    assert await train(run, "lora_plain", 0, lambda *_: None) == directory
    assert Job.model_validate_json((directory / "job.json").read_text()).pid == trainer.pid
    assert trainer.poll() == 0


async def test_failed_trainer_is_quoted_and_the_dataset_is_missing(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.write_json("run.json", {"config": {"domain": "python"}})
    with pytest.raises(StageError, match=r"training of lora_plain \(seed 0\) did not finish: .*lora_plain\.jsonl"):
        await train(run, "lora_plain", 0, lambda *_: None)
    assert (adapter_directory(run, "lora_plain", 0) / "trainer.log").exists()


async def test_killed_trainer_stops_the_stage_and_leaves_no_adapter(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.write_json("run.json", {"config": {"domain": "python"}})
    directory = adapter_directory(run, "lora_plain", 0)
    stage = asyncio.create_task(train(run, "lora_plain", 0, lambda *_: None))
    while not (directory / "job.json").exists():
        await asyncio.sleep(0.01)
    psutil.Process(Job.model_validate_json((directory / "job.json").read_text()).pid).kill()
    with pytest.raises(StageError, match="did not finish"):
        await stage
    assert not (directory / "done.json").exists()


async def test_pid_that_was_given_to_another_process_is_not_ours(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    job = Job(pid=other.pid, started=psutil.Process(other.pid).create_time() - 1000, command=("x",))
    (tmp_path / "job.json").write_text(job.model_dump_json())
    assert trainer_job._running(tmp_path / "job.json") is None
    other.kill()
    other.wait()
