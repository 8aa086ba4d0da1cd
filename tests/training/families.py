"""Tiny random students of the usual families: their configuration, their templates, their end tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    GenerationConfig,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
ROPED = {**SIZES, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512}
TURN = "{% for m in messages %}"

GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    + TURN
    + "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}"
    "{% endif %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] | trim }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
LLAMA = (
    "{{ bos_token }}" + TURN + "<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
CHATML = (
    TURN + "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
THINKING = (
    TURN + "{% set said = m['content'].split('</think>')[-1].lstrip() if m['role'] == 'assistant' else m['content'] %}"
    "<|im_start|>{{ m['role'] }}\n{{ said }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
GPT2 = (
    TURN + "{% if m['role'] == 'user' %}Question: {{ m['content'] }}\nAnswer: {% elif m['role'] == 'assistant' %}"
    "{{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)  # leaves a system message out without a word


class Family(NamedTuple):
    """One kind of student. `ends` are those of generation_config."""

    config: type
    sizes: dict[str, Any]
    template: str
    bos: str
    eos: str
    other: tuple[str, ...]
    ends: tuple[str, ...]
    turn_end: str


GPT2_SIZES = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
QWEN_SIGNS = ("<|im_start|>", "<|im_end|>")
FAMILIES = {
    "gemma": Family(
        GemmaConfig, ROPED, GEMMA, "<bos>", "<eos>", ("<start_of_turn>", "<end_of_turn>"),
        ("<eos>", "<end_of_turn>"), "<end_of_turn>",
    ),
    "llama-3": Family(
        LlamaConfig, ROPED, LLAMA, "<|begin_of_text|>", "<|end_of_text|>",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), ("<|end_of_text|>", "<|eot_id|>"), "<|eot_id|>",
    ),
    "qwen": Family(
        Qwen2Config, ROPED, CHATML, "<|endoftext|>", "<|endoftext|>", QWEN_SIGNS,
        ("<|endoftext|>", "<|im_end|>"), "<|im_end|>",
    ),
    "qwen-base": Family(
        Qwen2Config, ROPED, CHATML, "<|endoftext|>", "<|endoftext|>", QWEN_SIGNS, ("<|endoftext|>",), "<|im_end|>"
    ),
    "thinking": Family(
        Qwen2Config, ROPED, THINKING, "<|endoftext|>", "<|im_end|>", QWEN_SIGNS, ("<|im_end|>",), "<|im_end|>"
    ),
    "gpt2": Family(
        GPT2Config, GPT2_SIZES, GPT2, "<|endoftext|>", "<|endoftext|>", (), ("<|endoftext|>",), "<|endoftext|>"
    ),
}  # fmt: skip


def family_tokenizer(family: Family) -> PreTrainedTokenizerFast:
    """One token per byte, and the family's control tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=family.bos, eos_token=family.eos, additional_special_tokens=list(family.other)
    )
    tokenizer.chat_template = family.template
    return tokenizer


def save_family(name: str, folder: Path) -> Path:
    """A student of the family in one directory, as `hf:DIR` wants it."""
    family = FAMILIES[name]
    tokenizer = family_tokenizer(family)
    torch.manual_seed(3)
    ends = [int(tokenizer.convert_tokens_to_ids(token)) for token in family.ends]
    config = family.config(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **family.sizes)
    model = AutoModelForCausalLM.from_config(config)
    model.generation_config = GenerationConfig(eos_token_id=ends if len(ends) > 1 else ends[0])
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder
