"""A tiny random student with a real byte-level tokenizer and chat template, and a run to train it on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from records.config import RunConfig
from records.nouns import Decision, Message, TrainingRow, content_hash

TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STRATEGY = "## Method\n- Read the task twice.\n- Answer with the sum."


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte, ChatML markers as special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def tiny_model(dtype: torch.dtype = torch.float32) -> LlamaForCausalLM:
    """Two layers, four query heads on two key/value heads."""
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).to(dtype)


def save_student(folder: Path) -> Path:
    """Model and tokenizer in one directory, as `hf:DIR` wants them."""
    tiny_model().save_pretrained(str(folder))
    tiny_tokenizer().save_pretrained(str(folder))
    return folder


def rows(count: int, arm: str = "lora_plain", strategy: str | None = None) -> list[TrainingRow]:
    """Sums, with the strategy as system message where there is one."""
    system = (Message(role="system", content=strategy),) if strategy else ()
    return [
        TrainingRow(
            id=f"r{i}",
            problem_id=f"p{i}",
            attempt_id=f"a{i}",
            arm=arm,
            strategy_hash=content_hash(strategy) if strategy else None,
            prompt=(*system, Message(role="user", content=f"What is {i} + {i * i}?")),
            completion=(Message(role="assistant", content=f"It is {i + i * i}." + " Yes." * (i % 4)),),
        )
        for i in range(count)
    ]


def approval(text: str, **changes: Any) -> Decision:
    """A decision that approves a strategy's text."""
    digest = content_hash(text)
    fields = {"id": "d1", "action": "approve", "strategy_hash": digest, "approved_hash": digest}
    return Decision(**{**fields, "who": "a person", "reason": "good", "time": "now", **changes})


def make_run(
    folder: Path, student: Path, data: list[TrainingRow], decisions: list[Decision] | None = None, **training: Any
) -> Path:
    """A run directory with everything that the trainer reads."""
    settings = {"batch_size": 4, "rank": 4, "alpha": 8, "save_steps": 2, **training}
    config = RunConfig.model_validate({"domain": "python", "student": f"hf:{student}", "training": settings})
    (folder / "dataset").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"config": config.model_dump(mode="json")}))
    (folder / "dataset" / f"{data[0].arm}.jsonl").write_text("".join(r.model_dump_json() + "\n" for r in data))
    (folder / "decisions.jsonl").write_text("".join(d.model_dump_json() + "\n" for d in decisions or []))
    return folder
