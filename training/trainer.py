"""TRL's SFTTrainer with a loss that suits a CPU, checkpoints that are whole, and a progress file.

Guaranteed: the loss is TRL's (mean negative log-likelihood of the completion tokens), computed on
flat batches (`training.batches`) with logits at completion positions only; a checkpoint counts only
once its marker is there, so a kill while saving costs at most `save_steps` steps; a resumed training
ends bit-equal to an undisturbed one on the same CPU with the same number of threads. Not guaranteed:
bit-equality across machines, and anything on a GPU, where TRL's own loss is used and no test here ran.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl import SFTConfig, SFTTrainer

from models.chat import end_tokens
from records.config import TrainingConfig
from records.rundir import write_atomically
from training.attention import NAME
from training.batches import IGNORED, collate, row_tokens
from training.errors import TrainingError
from training.fused import completion_loss, fuse
from training.rows import Example

CHECKPOINT = "checkpoint-"
MARKER = "whole"  # the last file of a checkpoint
FAST_TYPES = {"llama", "qwen2", "qwen3"}


class CompletionTrainer(SFTTrainer):
    """SFTTrainer whose flat batches take the fast path; other batches take TRL's."""

    tokens_seen = 0  # prompt and completion tokens since this process began

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Mean loss over the completion tokens. Raises TrainingError if it is not a number."""
        if "layout" in inputs:
            loss = self._flat_loss(inputs, num_items_in_batch)
            self.tokens_seen += row_tokens(inputs["layout"])
        else:
            loss = super().compute_loss(model, inputs, False, num_items_in_batch)
            self.tokens_seen += int(inputs["attention_mask"].sum()) if "attention_mask" in inputs else 0
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"the loss is {loss.item()} at step {self.state.global_step + 1}: the training has diverged. "
                f"Lower training.learning_rate (now {self.args.learning_rate:g}) or look at the rows"
            )
        return loss

    @property
    def peft_model(self) -> PeftModel:
        """The model with its adapter."""
        assert isinstance(self.model, PeftModel)
        return self.model

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints lie."""
        return Path(str(self.args.output_dir))

    def _flat_loss(self, inputs: dict[str, Any], items: Tensor | int | None) -> Tensor:
        base: Any = self.peft_model.get_base_model()
        hidden = base.get_decoder()(
            input_ids=inputs["input_ids"],
            position_ids=inputs["position_ids"],
            layout=inputs["layout"],
            use_cache=False,
        ).last_hidden_state[0]
        predictors = inputs["predictors"]
        targets = inputs["labels"][0, predictors + 1]
        total = completion_loss(hidden[predictors], base.get_output_embeddings().weight, targets)
        return total / (len(targets) if items is None else items)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = self.checkpoints / f"{CHECKPOINT}{self.state.global_step}"
        try:
            Trainer._save_checkpoint(self, model, trial)  # TRL's adds a model card that nobody reads
            write_atomically(folder / MARKER, "")
        except (OSError, RuntimeError, SafetensorError) as error:
            raise TrainingError(
                f"cannot save a checkpoint to {folder}: {error}. "
                "Free some disk space and start again: training goes on from the last whole checkpoint"
            ) from error


class ProgressFile(TrainerCallback):
    """Appends one line per step to progress.jsonl, on disk when the step ends."""

    def __init__(self, path: Path, resumed_step: int) -> None:
        self.path = path
        kept = _lines_up_to(path, resumed_step)
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in kept))
        self.seconds: float = kept[-1]["seconds"] if kept else 0.0
        self.tokens: int = kept[-1]["tokens"] if kept else 0
        self.trainer: CompletionTrainer | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write the step's line; the summary at the end of training has no `loss` and is left out."""
        if not logs or "loss" not in logs:
            return
        seconds, tokens = self.totals()
        line = {
            "step": state.global_step,
            "steps": state.max_steps,
            "loss": logs["loss"],
            "tokens_per_s": round(tokens / seconds, 1),
            "seconds": round(seconds, 2),
            "tokens": tokens,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def totals(self) -> tuple[float, int]:
        """Seconds and tokens of the whole training, resumed parts included."""
        seen = self.trainer.tokens_seen if self.trainer else 0
        return self.seconds + time.perf_counter() - self.started, self.tokens + seen


def _lines_up_to(path: Path, step: int) -> list[dict[str, Any]]:
    """Whole lines of an earlier try, up to the step that training resumes from."""
    if not path.exists() or step == 0:
        return []
    lines = [line for line in path.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return [row for row in map(json.loads, lines) if row["step"] <= step]


def load_student(directory: str, dtype: torch.dtype) -> PreTrainedModel:
    """The base model in `dtype`. Raises TrainingError if there is none in the directory."""
    try:
        return AutoModelForCausalLM.from_pretrained(directory, dtype=dtype)
    except (OSError, ValueError, SafetensorError) as error:
        raise TrainingError(f"cannot load the student from {directory}: {_first_line(error)}") from error


def load_tokenizer(directory: str) -> tuple[PreTrainedTokenizerBase, frozenset[int]]:
    """The student's tokenizer and the ids that end its reply. Raises TrainingError if there is none."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory)
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot load the student's tokenizer from {directory}: {_first_line(error)}") from error
    ends = end_tokens(tokenizer, *_configurations(directory))
    if not ends:
        raise TrainingError(f"the tokenizer in {directory} has no end token: the student could never learn to stop")
    return tokenizer, ends


def _configurations(directory: str) -> Iterator[Any]:
    """The student's configurations that may name end tokens: those that generation honours too."""
    for kind in (AutoConfig, GenerationConfig):
        with suppress(OSError, ValueError):  # a model need not have both
            yield kind.from_pretrained(directory)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def fast_path_problem(model: PreTrainedModel, device: str) -> str | None:
    """Why this model must be trained with TRL's own loss; None if the fast path is exact for it."""
    config = model.config
    if device != "cpu":
        return "TRL's own loss is made for GPUs"
    if config.model_type not in FAST_TYPES:
        return f"model type {config.model_type} is not among {', '.join(sorted(FAST_TYPES))}"
    if set(getattr(config, "layer_types", None) or ["full_attention"]) != {"full_attention"}:
        return "its attention is not the full one in every layer"
    if getattr(config, "attention_dropout", 0.0):
        return "it drops attention weights"
    return None


def lora_config(settings: TrainingConfig) -> LoraConfig:
    """LoRA on every linear layer of the decoder."""
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def build_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: list[Example],
    settings: TrainingConfig,
    *,
    seed: int,
    checkpoints: Path,
) -> CompletionTrainer:
    """A trainer that is ready to run. The global random state is seeded here: LoRA's A is random."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    fast = fast_path_problem(model, device) is None
    if fast:
        model.set_attn_implementation(NAME)
    arguments = _arguments(settings, seed, checkpoints, model=model, device=device, fast=fast)
    trainer = CompletionTrainer(
        model=model,
        args=arguments,
        train_dataset=flat_dataset(examples),
        processing_class=tokenizer,
        peft_config=lora_config(settings),
        data_collator=collate if fast else None,
    )
    if fast:
        fuse(trainer.peft_model)
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(
    settings: TrainingConfig, seed: int, checkpoints: Path, *, model: PreTrainedModel, device: str, fast: bool
) -> SFTConfig:
    torch.manual_seed(seed)
    return SFTConfig(
        output_dir=str(checkpoints),
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        warmup_steps=settings.warmup,
        max_length=None,  # over-long rows were dropped before
        bf16=not fast and model.dtype == torch.bfloat16,  # the fast path needs no autocast
        use_cpu=device == "cpu",
        gradient_checkpointing=False,
        seed=seed,
        data_seed=seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=settings.save_steps,
        save_total_limit=2,  # the older one stands while the newer one is written
        save_only_model=False,
        dataloader_pin_memory=device != "cpu",
        disable_tqdm=True,
        report_to="none",
    )


def flat_dataset(examples: list[Example]) -> Dataset:
    """Token ids and labels, as TRL takes them without rendering anything anew."""
    labels = [[IGNORED] * e.prompt + e.ids[e.prompt :] for e in examples]
    return Dataset.from_dict({"input_ids": [e.ids for e in examples], "labels": labels})


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint; broken ones, cut short by a kill, are removed."""
    whole = []
    for path in folder.glob(f"{CHECKPOINT}*"):
        if (path / MARKER).exists():
            whole.append(path)
        else:
            shutil.rmtree(path)
    return max(whole, key=lambda path: int(path.name.removeprefix(CHECKPOINT)), default=None)


def train(trainer: CompletionTrainer, progress_path: Path) -> ProgressFile:
    """Train to the end, from the last whole checkpoint if there is one."""
    checkpoint = last_checkpoint(trainer.checkpoints)
    step = int(checkpoint.name.removeprefix(CHECKPOINT)) if checkpoint else 0
    progress = ProgressFile(progress_path, step)
    progress.trainer = trainer
    trainer.add_callback(progress)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except RuntimeError as error:
        if "memory" not in str(error):
            raise
        raise TrainingError(
            f"not enough memory for batches of {trainer.args.train_batch_size} rows: "
            f"{_first_line(error)}. Lower training.batch_size or training.max_length"
        ) from error
    return progress
