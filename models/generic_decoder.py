"""Batched decoding for any causal model of transformers, with its own key-value cache.

Used where `models.fast_llama` does not support the architecture. Prompts are padded on the left;
rows can be dropped but not added while a batch is in work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class TransformersBackend:
    """Backend of `models.decoding` for one batch."""

    def __init__(self, model: Any) -> None:
        from transformers import DynamicCache

        self._model = model
        self._cache = DynamicCache(config=model.config)
        self._mask = torch.empty(0, 0, dtype=torch.long, device=model.device)

    @torch.inference_mode()
    def add(self, prompts: Sequence[list[int]]) -> Tensor:
        """Compute all prompts of the batch; logits for the next token of each."""
        if len(self._mask):
            raise ValueError("rows cannot be added to a batch in work")
        width = max(len(prompt) for prompt in prompts)
        ids = torch.zeros(len(prompts), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        self._mask = mask.to(self._model.device)
        positions = (self._mask.cumsum(-1) - 1).clamp(min=0)
        return self._forward(ids.to(self._model.device), positions)

    @torch.inference_mode()
    def step(self, tokens: Tensor) -> Tensor:
        """One token more for every row."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        return self._forward(tokens.to(self._model.device)[:, None], self._mask.sum(-1, keepdim=True) - 1)

    def keep(self, rows: list[int]) -> None:
        """Drop all rows but these."""
        index = torch.tensor(rows, dtype=torch.long, device=self._model.device)
        self._mask = self._mask[index]
        self._cache.batch_select_indices(index)

    def _forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        out = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = out.logits[:, -1]
        return logits
