"""Supervised LoRA fine-tuning of the student: `python -m training.sft --run DIR --arm ARM --seed N`.

Reads run.json, dataset/<ARM>.jsonl and decisions.jsonl of the run; writes adapters/<ARM>-seed<N>/.
Guaranteed: rows of a strategy that was not approved are refused; `done.json` is written last, so an
adapter with it is whole; the same command again resumes, or ends at once if nothing is left to do.
Exit code 0: the adapter is there. 2: one line on standard error says what to do, and the training
can be resumed. Not guaranteed: bit-equal adapters from machines with other CPUs or thread counts.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import resource
import shutil
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError

from records.config import RunConfig, TrainingConfig
from records.nouns import Decision, Record, content_hash
from records.rundir import RunDirectory, RunError, write_atomically
from training.errors import TrainingError

LIBRARIES = ("torch", "transformers", "trl", "peft")


class Settings(Record):
    """What decides the adapter: the same settings give the same adapter on the same machine."""

    arm: str
    seed: int
    student: str
    training: TrainingConfig
    dataset_sha256: str
    strategy_hash: str | None


class Done(Record):
    """What came out; its presence means that the adapter is whole."""

    fingerprint: str
    settings: Settings
    base_model: str
    dtype: str
    device: str
    template_hash: str
    rows: int
    steps: int
    tokens: int
    seconds: float
    tokens_per_s: float
    final_loss: float
    peak_rss_mb: int
    versions: dict[str, str]
    texts_sha256: str = ""  # of prompts and completions, in their order
    copied_from: str = ""  # the adapter of another arm with the same texts and settings; training repeats to the bit


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, train, and turn every expected failure into one line and exit code 2."""
    options = _parser().parse_args(arguments)
    try:
        print(sft(RunDirectory(options.run), options.arm, options.seed))
    except (TrainingError, RunError, OSError) as error:
        print(f"training.sft: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.sft", description="LoRA fine-tuning of a run's student.")
    parser.add_argument("--run", required=True, type=Path, help="the run directory")
    parser.add_argument("--arm", required=True, help="which dataset to train on, e.g. lora_plain")
    parser.add_argument("--seed", type=int, default=0, help="seed of the adapter's start and of the order of rows")
    return parser


def sft(run: RunDirectory, arm: str, seed: int) -> str:
    """Train one adapter; returns one line of what was done. Raises TrainingError, RunError or OSError."""
    from training.rows import check_approval, load_rows

    config = read_config(run)
    rows = load_rows(run, arm)
    strategy = check_approval(rows, run.read("decisions.jsonl", Decision))
    settings = Settings(
        arm=arm,
        seed=seed,
        student=config.student,
        training=config.training,
        dataset_sha256=hashlib.sha256((run.path / "dataset" / f"{arm}.jsonl").read_bytes()).hexdigest(),
        strategy_hash=strategy,
    )
    folder = RunDirectory(run.path / "adapters" / f"{arm}-seed{seed}")
    with folder.lock():
        if _is_done(folder, settings):
            return f"{folder.path} is already trained on this dataset with these settings"
        _forget_other_settings(folder, settings)
        texts = content_hash([row.model_dump(mode="json", include={"prompt", "completion"}) for row in rows])
        twin = _twin(run, settings, texts)
        return _train(folder, settings, rows, texts) if twin is None else _copy(folder, settings, *twin)


def _twin(run: RunDirectory, settings: Settings, texts: str) -> tuple[Path, Done] | None:
    """An adapter of this run that was trained on the same texts with the same seed and settings."""
    for file in sorted(run.path.glob("adapters/*/done.json")):
        try:
            done = Done.model_validate_json(file.read_text())
        except ValidationError:  # of an earlier version
            continue
        ours, theirs = (
            s.model_dump(exclude={"arm", "dataset_sha256", "strategy_hash"}) for s in (settings, done.settings)
        )
        if done.texts_sha256 == texts and ours == theirs:
            return file.parent, done
    return None


def _copy(folder: RunDirectory, settings: Settings, source: Path, done: Done) -> str:
    """Take over a twin's adapter: the same training would give the same bits."""
    from training.card import adapter_card

    for name in (
        "adapter_model.safetensors",
        "adapter_config.json",
        "preflight.json",
        "progress.jsonl",
        "training_log.jsonl",
    ):
        shutil.copyfile(source / name, folder.path / name)
    mine = done.model_copy(
        update={
            "fingerprint": _fingerprint(settings),
            "settings": settings,
            "copied_from": done.copied_from or source.name,
        }
    )
    write_atomically(folder.path / "README.md", adapter_card(mine.model_dump()))
    folder.write_json("done.json", mine.model_dump(mode="json"))
    return f"{folder.path}: the same texts and settings as {mine.copied_from}, whose adapter it shares"


def read_config(run: RunDirectory) -> RunConfig:
    """The configuration in run.json. Raises TrainingError that names the field."""
    try:
        return RunConfig.model_validate(run.read_json("run.json")["config"])
    except (KeyError, TypeError) as error:
        raise TrainingError(f"{run.path / 'run.json'} has no 'config': is it a run of this program?") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise TrainingError(f"{run.path / 'run.json'}, field config.{where}: {first['msg']}") from error


def _is_done(folder: RunDirectory, settings: Settings) -> bool:
    if not (folder.path / "done.json").exists():
        return False
    return bool(folder.read_json("done.json").get("fingerprint") == _fingerprint(settings))


def _fingerprint(settings: Settings) -> str:
    return content_hash(settings.model_dump(mode="json"))


def _forget_other_settings(folder: RunDirectory, settings: Settings) -> None:
    """Remove what an earlier training with other data or settings left behind."""
    mark = folder.path / "settings.json"
    if mark.exists() and folder.read_json("settings.json").get("fingerprint") == _fingerprint(settings):
        return
    for name in ("done.json", "progress.jsonl", "training_log.jsonl"):
        (folder.path / name).unlink(missing_ok=True)
    shutil.rmtree(folder.path / "checkpoints", ignore_errors=True)
    folder.write_json("settings.json", {"fingerprint": _fingerprint(settings), **settings.model_dump(mode="json")})


def student_directory(spec: str) -> str:
    """The base model's directory (or hub name). Raises TrainingError for students that cannot be trained here."""
    from models.embedded import EmbeddedModelError, embedded_model_directory
    from models.spec import SpecError, parse_spec

    try:
        parsed = parse_spec(spec)
        if parsed.provider not in {"embedded", "hf"} or parsed.adapter:
            raise TrainingError(f"student '{spec}' cannot be trained here; use 'embedded' or 'hf:PATH-or-ID'")
        if parsed.provider == "embedded":
            return str(embedded_model_directory())
        folder = Path(parsed.name).expanduser()
        return str(folder) if folder.is_dir() else parsed.name
    except (SpecError, EmbeddedModelError) as error:
        raise TrainingError(str(error)) from error


def _train(folder: RunDirectory, settings: Settings, rows: Sequence[Any], texts: str) -> str:
    from models.chat import takes_system
    from models.system_role import has_system, system_notice
    from training.device import best_dtype, keep_freed_memory
    from training.rows import preflight, tokenise
    from training.trainer import build_trainer, load_student, load_tokenizer, train

    _quieten()
    keep_freed_memory()
    directory = student_directory(settings.student)
    tokenizer, ends = load_tokenizer(directory)
    limits = settings.training
    examples, report = preflight(
        tokenise(rows, tokenizer, ends), tokenizer, ends, limits.max_length, limits.max_loss_of_rows
    )
    if any(has_system(row.prompt) for row in rows) and not takes_system(tokenizer):
        print(system_notice(settings.student), flush=True)
    print(report.summary(), flush=True)
    folder.write_json("preflight.json", report.model_dump())
    model = load_student(directory, best_dtype())
    trainer = build_trainer(
        model, tokenizer, examples, limits, seed=settings.seed, checkpoints=folder.path / "checkpoints"
    )
    progress = train(trainer, folder.path / "progress.jsonl")
    seconds, tokens = progress.totals()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    done = Done(
        fingerprint=_fingerprint(settings),
        settings=settings,
        base_model=directory,
        dtype=str(model.dtype).removeprefix("torch."),
        device=trainer.args.device.type,
        template_hash=report.template_hash,
        rows=report.kept,
        steps=trainer.state.global_step,
        tokens=tokens,
        seconds=round(seconds, 2),
        tokens_per_s=round(tokens / seconds, 1),
        final_loss=losses[-1],
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        versions={name: version(name) for name in LIBRARIES},
        texts_sha256=texts,
    )
    _finish(folder, trainer, done)
    return f"{folder.path}: {done.steps} steps, loss {done.final_loss:.4f}, {done.tokens_per_s:.0f} tokens/s"


def _finish(folder: RunDirectory, trainer: Any, done: Done) -> None:
    """Write the adapter and its papers; done.json last, then the checkpoints go."""
    from training.card import adapter_card

    staging = folder.path / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        trainer.model.save_pretrained(str(staging))
    except SafetensorError as error:
        raise TrainingError(
            f"cannot save the adapter to {staging}: {error}. Free some disk space and start again"
        ) from error
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        os.replace(staging / name, folder.path / name)
    shutil.rmtree(staging)
    write_atomically(folder.path / "README.md", adapter_card(done.model_dump()))
    shutil.copyfile(folder.path / "progress.jsonl", folder.path / "training_log.jsonl")
    folder.write_json("done.json", done.model_dump(mode="json"))
    shutil.rmtree(folder.path / "checkpoints", ignore_errors=True)


def _quieten() -> None:
    """Keep the libraries' notices out of the log, whose last line is shown to the person."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("trl").setLevel(logging.ERROR)
    warnings.simplefilter("ignore", FutureWarning)


if __name__ == "__main__":
    sys.exit(main())
