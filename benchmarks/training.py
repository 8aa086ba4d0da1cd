"""Training speed: ours, TRL's SFTTrainer, and the settings of the published experiment.

    python -m benchmarks.training [--rounds 2] [--strategy] [--student embedded]

TRL's SFTTrainer runs with the better of its settings for a CPU: weights in the best dtype, batch 16, loss
on completions, no gradient checkpointing (its default, checkpointing over fp32 weights, is slower). The
published settings: batch 1, 8 accumulation steps, fp32, checkpointing, loss on all tokens. The three train on
the same rows, in turns, in one process, each through its own `train()`; the time is that of the
optimizer steps, without loading and tokenising. Tokens are the rows' own prompt and completion
tokens (a shared prefix counts in every row). The rows are synthetic: about 100 prompt and 80
completion tokens, with --strategy another 400 in a system message. Run it on a quiet machine.
Not measured here: `training.device.keep_freed_memory`, which would reach all three.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from benchmarks.machine import machine
from records.config import TrainingConfig
from records.nouns import Message, TrainingRow
from training.device import best_dtype
from training.rows import tokenise
from training.sft import student_directory
from training.trainer import build_trainer, flat_dataset, load_student, load_tokenizer, lora_config

BATCH = 16
WORDS = (
    "list",
    "string",
    "number",
    "key",
    "value",
    "sum",
    "sorted",
    "reversed",
    "first",
    "last",
    "even",
    "odd",
    "word",
)
OURS, TRL, ORIGIN = "ours", "TRL's SFTTrainer", "published settings"


class StepClock(TrainerCallback):
    """Sums the seconds between the begin and the end of each step."""

    seconds = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self._begun = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Stop the clock."""
        self.seconds += time.perf_counter() - self._begun


@dataclass
class Contender:
    """One trainer and its measurements in tokens per second."""

    name: str
    trainer: SFTTrainer
    speeds: list[float] = field(default_factory=list)

    def run(self, data: Dataset, tokens: int) -> float:
        """One pass over the rows; tokens per second."""
        clock = StepClock()
        self.trainer.train_dataset = data
        self.trainer.add_callback(clock)
        self.trainer.train()
        self.trainer.remove_callback(clock)
        return tokens / clock.seconds


def synthetic_rows(count: int, strategy: bool) -> list[TrainingRow]:
    """Rows of about 100 prompt and 80 completion tokens; with a strategy of about 400 tokens before them."""
    dice = random.Random(0)
    text = "\n".join("- " + " ".join(dice.choices(WORDS, k=20)) for _ in range(16))
    system = (Message(role="system", content=text),) if strategy else ()
    return [_row(i, dice, system) for i in range(count)]


def _row(number: int, dice: random.Random, system: tuple[Message, ...]) -> TrainingRow:
    task = "Write a Python function `f(x)` that " + " ".join(dice.choices(WORDS, k=dice.randint(45, 75)))
    lines = [
        f"    {dice.choice('abc')} = {dice.choice(WORDS)}({dice.randint(1, 99)})" for _ in range(dice.randint(5, 12))
    ]
    code = "```python\ndef f(x):\n" + "\n".join(lines) + "\n    return a\n```"
    return TrainingRow(
        id=f"r{number}",
        problem_id=f"p{number}",
        attempt_id=f"a{number}",
        arm="benchmark",
        strategy_hash=None,
        prompt=(*system, Message(role="user", content=task)),
        completion=(Message(role="assistant", content=code),),
    )


def _trl(directory: str, tokenizer: Any, data: Dataset, folder: Path, origin: bool) -> SFTTrainer:
    """TRL's own loss with the settings that suit this machine, or the published experiment's settings."""
    changes: dict[str, Any] = (
        {
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": 8,
            "gradient_checkpointing": True,
            "bf16": False,
            "completion_only_loss": False,
        }
        if origin
        else {"per_device_train_batch_size": BATCH, "gradient_checkpointing": False, "completion_only_loss": True}
    )
    arguments = SFTConfig(
        output_dir=str(folder),
        learning_rate=1e-5,
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_steps=1000,
        **changes,
    )
    model = load_student(directory, torch.float32 if origin else best_dtype())
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=lora_config(TrainingConfig()),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def main() -> None:
    """Measure in turns and print a table."""
    options = _options()
    directory = student_directory(options.student)
    tokenizer, ends = load_tokenizer(directory)
    rows = synthetic_rows(BATCH * (options.rounds + 1), options.strategy)
    examples = tokenise(rows, tokenizer, ends)
    ours_data = flat_dataset(examples)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = build_trainer(
            load_student(directory, best_dtype()),
            tokenizer,
            examples,
            TrainingConfig(learning_rate=1e-5, batch_size=BATCH, save_steps=10_000),
            seed=0,
            checkpoints=folder,
        )
        contenders = [
            Contender(OURS, ours),
            Contender(TRL, _trl(directory, tokenizer, ours_data, folder, origin=False)),
            Contender(ORIGIN, _trl(directory, tokenizer, ours_data, folder, origin=True)),
        ]
        for turn in range(options.rounds + 1):
            part = range(turn * BATCH, (turn + 1) * BATCH if turn else BATCH // 4)
            tokens = sum(len(examples[i].ids) for i in part)
            _take_turns(contenders, ours_data.select(part), tokens, warm=turn > 0)
    _report(contenders)


def _take_turns(contenders: list[Contender], data: Dataset, tokens: int, warm: bool) -> None:
    for contender in contenders:
        if not warm and contender.name == ORIGIN:
            continue  # its 16 passes of one row each warm up by themselves
        speed = contender.run(data, tokens)
        print(f"{contender.name}: {speed:.0f} tokens/s" + ("" if warm else " (warm-up, not counted)"), flush=True)
        if warm:
            contender.speeds.append(speed)


def _report(contenders: list[Contender]) -> None:
    best = statistics.median(contenders[0].speeds)
    print(f"\n{machine()}; {torch.get_num_threads()} threads, {best_dtype()}, torch {torch.__version__}")
    for contender in contenders:
        speed = statistics.median(contender.speeds)
        print(f"{contender.name:20} {speed:6.0f} tokens/s   ours is {best / speed:.1f} x")
    print(f"peak memory of all three: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="measured rounds of 16 rows each, after one to warm up")
    parser.add_argument("--strategy", action="store_true", help="put a strategy of about 400 tokens before each prompt")
    parser.add_argument("--student", default="embedded", help="'embedded' or 'hf:PATH'")
    return parser.parse_args()


if __name__ == "__main__":
    main()
