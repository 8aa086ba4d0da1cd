"""The command itself: a whole training, a kill, and each failure that a person may meet."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from tests.training.tiny import STRATEGY, approval, make_run, rows, save_student, tiny_model
from training.sft import main
from training.trainer import CHECKPOINT, MARKER, last_checkpoint

ADAPTER = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_student(tmp_path_factory.mktemp("student"))


def command(run: Path, arm: str = "lora_plain") -> list[str]:
    return ["--run", str(run), "--arm", arm, "--seed", "1"]


def progress(folder: Path) -> list[dict[str, float]]:
    file = folder / "progress.jsonl"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def test_a_training_leaves_an_adapter_and_its_papers(
    tmp_path: Path, student: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = rows(24, "lora_strategy", STRATEGY)
    run = make_run(tmp_path / "run", student, data, [approval(STRATEGY)], epochs=4, learning_rate=1e-2)
    assert main(command(run, "lora_strategy")) == 0
    folder = run / "adapters" / "lora_strategy-seed1"
    done = json.loads((folder / "done.json").read_text())
    assert done["steps"] == 24 and done["settings"]["strategy_hash"] == data[0].strategy_hash
    assert done["tokens"] == progress(folder)[-1]["tokens"] > 0 and done["peak_rss_mb"] > 0
    losses = [line["loss"] for line in progress(folder)]
    assert len(losses) == 24 and losses[-1] < losses[0] - 0.15
    assert done["final_loss"] == losses[-1]
    assert not (folder / "checkpoints").exists() and not list(folder.rglob("ref"))
    assert data[0].strategy_hash in (folder / "README.md").read_text()
    assert "labels of row 1: 'It is 0.<|im_end|>'" in capsys.readouterr().out
    weights = load_file(folder / ADAPTER)
    assert all(value.dtype == torch.float32 for value in weights.values())
    loaded = PeftModel.from_pretrained(tiny_model(), str(folder))
    assert any(bool(p.any()) for name, p in loaded.named_parameters() if "lora_B" in name)

    written = (folder / ADAPTER).stat().st_mtime_ns
    assert main(command(run, "lora_strategy")) == 0
    assert "already trained" in capsys.readouterr().out
    assert (folder / ADAPTER).stat().st_mtime_ns == written


def test_an_arm_with_the_same_texts_shares_the_adapter(
    tmp_path: Path, student: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", student, rows(12, "lora_plain"), [])
    assert main(command(run)) == 0
    dataset = (run / "dataset" / "lora_plain.jsonl").read_text()
    for arm, text in (("lora_distilled", dataset), ("lora_other", dataset.replace(" 0.", " 1."))):
        (run / "dataset" / f"{arm}.jsonl").write_text(text.replace("lora_plain", arm))
        assert main(command(run, arm)) == 0
    printed = capsys.readouterr().out
    plain, same, other = (run / "adapters" / f"{arm}-seed1" for arm in ("lora_plain", "lora_distilled", "lora_other"))
    assert "the same texts and settings as lora_plain-seed1" in printed
    assert (same / ADAPTER).read_bytes() == (plain / ADAPTER).read_bytes() != (other / ADAPTER).read_bytes()
    done = json.loads((same / "done.json").read_text())
    assert (done["settings"]["arm"], done["copied_from"]) == ("lora_distilled", "lora_plain-seed1")
    assert "lora_distilled" in (same / "README.md").read_text()
    assert main(["--run", str(run), "--arm", "lora_distilled", "--seed", "2"]) == 0
    assert "shares" not in capsys.readouterr().out


def test_a_student_off_the_fast_path_is_trained_with_the_librarys_loss(tmp_path: Path) -> None:
    folder = save_student(tmp_path / "student")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "attention_dropout": 0.1}))
    run = make_run(tmp_path / "run", folder, rows(16))
    assert main(command(run)) == 0
    done = json.loads((run / "adapters" / "lora_plain-seed1" / "done.json").read_text())
    assert done["steps"] == 4 and 5 < done["final_loss"] < 6 and done["tokens"] > 0


def test_other_data_trains_anew(tmp_path: Path, student: Path) -> None:
    run = make_run(tmp_path / "run", student, rows(8))
    folder = run / "adapters" / "lora_plain-seed1"
    assert main(command(run)) == 0
    first = json.loads((folder / "done.json").read_text())
    with (run / "dataset" / "lora_plain.jsonl").open("a") as file:
        file.write(rows(9)[-1].model_dump_json() + "\n")
    assert main(command(run)) == 0
    second = json.loads((folder / "done.json").read_text())
    assert second["rows"] == 9 and second["fingerprint"] != first["fingerprint"]


def test_a_killed_training_resumes_to_the_same_bits(tmp_path: Path, student: Path) -> None:
    whole, killed = (make_run(tmp_path / name, student, rows(100), save_steps=3) for name in ("whole", "killed"))
    assert main(command(whole)) == 0
    threads = str(torch.get_num_threads())
    folder = killed / "adapters" / "lora_plain-seed1"
    process = subprocess.Popen(
        [sys.executable, "-m", "training.sft", *command(killed)],
        env={**os.environ, "OMP_NUM_THREADS": threads},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None and len(progress(folder)) < 5:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()
    stopped_at = len(progress(folder))
    assert 5 <= stopped_at < 25 and not (folder / "done.json").exists()

    assert main(command(killed)) == 0
    expected = load_file(whole / "adapters" / "lora_plain-seed1" / ADAPTER)
    seen = load_file(folder / ADAPTER)
    assert expected.keys() == seen.keys()
    assert all(torch.equal(expected[name], seen[name]) for name in expected)
    assert [line["step"] for line in progress(folder)] == list(range(1, 26))
    assert [line["loss"] for line in progress(folder)] == [
        line["loss"] for line in progress(whole / "adapters" / "lora_plain-seed1")
    ]


def test_a_checkpoint_cut_short_is_not_used(tmp_path: Path) -> None:
    for step, whole in ((2, True), (10, True), (12, False)):
        (tmp_path / f"{CHECKPOINT}{step}").mkdir()
        if whole:
            (tmp_path / f"{CHECKPOINT}{step}" / MARKER).touch()
    assert last_checkpoint(tmp_path) == tmp_path / f"{CHECKPOINT}10"
    assert not (tmp_path / f"{CHECKPOINT}12").exists()


def failure(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error of a training that must fail with exit code 2."""
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_an_unapproved_strategy_is_refused(tmp_path: Path, student: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", student, rows(4, "lora_strategy", STRATEGY))
    assert "not approved" in failure(command(run, "lora_strategy"), capsys)
    assert not (run / "adapters").exists()


def test_a_diverged_training_says_so(tmp_path: Path, student: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", student, rows(16), learning_rate=1e30, warmup=0)
    line = failure(command(run), capsys)
    assert "diverged" in line and "learning_rate" in line
    assert not (run / "adapters" / "lora_plain-seed1" / "done.json").exists()


def test_a_full_disk_is_named_and_the_training_resumable(
    tmp_path: Path, student: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", student, rows(16))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))  # as if 8 kB were left
    try:
        line = failure(command(run), capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot save a checkpoint" in line and "Free some disk space" in line
    assert main(command(run)) == 0


@pytest.mark.parametrize(
    ("student_spec", "message"),
    [("hf:/nowhere/at/all", "cannot load the student"), ("anthropic:some", "cannot be trained here"), ("x", "hf:PATH")],
)
def test_a_student_that_cannot_be_had(
    tmp_path: Path, student_spec: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", tmp_path, rows(2))
    config = json.loads((run / "run.json").read_text())
    config["config"]["student"] = student_spec
    (run / "run.json").write_text(json.dumps(config))
    assert message in failure(command(run), capsys)


def test_what_is_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has no run.json" in failure(command(tmp_path / "nothing"), capsys)
    (tmp_path / "run.json").write_text("{}")
    assert "has no 'config'" in failure(command(tmp_path), capsys)


def test_two_trainers_do_not_share_a_directory(
    tmp_path: Path, student: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from records.rundir import RunDirectory

    run = make_run(tmp_path / "run", student, rows(4))
    with RunDirectory(run / "adapters" / "lora_plain-seed1").lock():
        assert "another process" in failure(command(run), capsys)
