"""Causal attention over a batch whose rows share their first tokens, without padding.

The batch is one flat sequence: the shared prefix once, then what is left of each row. A prefix token
sees the prefix up to itself; a row's token sees the whole prefix and its own row up to itself. That
is the ordinary causal attention of every row, so loss and gradients are those of the ordinary
forward up to rounding (tests/training/test_attention.py).

Guaranteed: no attention between rows; a layer keeps at most KEPT_BYTES of probabilities for the
backward pass, which computes anew what it does not find. Not guaranteed: sliding windows, soft caps, sinks or
attention dropout (`training.trainer.fast_path_problem` refuses models that need them).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, zip_longest
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface

NAME = "shared_prefix"
States = tuple[Tensor, Tensor, Tensor]  # query, key, value
ROWS_PER_BLOCK = 4  # rows that are padded to one length inside the attention, and only there
KEPT_BYTES = 2**23  # a quarter of a gigabyte over 30 layers


@dataclass(frozen=True)
class Block:
    """Some rows of about one length. `index` (rows * width) names each slot's token, padding the last one's."""

    rows: int
    width: int
    index: Tensor
    real: Tensor  # which slots hold a token of their own


@dataclass(frozen=True)
class Layout:
    """Where the parts lie in the flat sequence: `prefix` tokens first, then rows of `lengths` tokens.

    Rows should be ordered by length: neighbours are computed together.
    """

    prefix: int
    lengths: tuple[int, ...]

    @property
    def parts(self) -> list[tuple[int, int]]:
        """(start, end) of each row's own tokens."""
        ends = [self.prefix]
        for length in self.lengths:
            ends.append(ends[-1] + length)
        return list(pairwise(ends))

    @cached_property
    def blocks(self) -> list[Block]:
        """The rows in groups of ROWS_PER_BLOCK."""
        parts = self.parts
        return [_block(parts[first : first + ROWS_PER_BLOCK]) for first in range(0, len(parts), ROWS_PER_BLOCK)]


def _block(parts: list[tuple[int, int]]) -> Block:
    width = max(end - start for start, end in parts)
    slots = torch.arange(width)
    index = torch.cat([(start + slots).clamp(max=end - 1) for start, end in parts])
    real = torch.cat([slots < end - start for start, end in parts])
    return Block(len(parts), width, index, real)


class _SharedPrefixAttention(torch.autograd.Function):
    """query (N, G, R, d), key and value (N, G, d) -> (N, G, R, d); G key/value heads, R query heads each."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, *rest: Any) -> Tensor:
        layout, scale = rest
        out, kept, room = query.new_empty(query.shape), list[Tensor](), KEPT_BYTES
        for part in _parts((query, key, value), layout, scale):
            weights = part.weights()
            part.write(out, torch.bmm(weights, part.values))
            room -= weights.nbytes
            kept += [weights] if room >= 0 else []
        ctx.save_for_backward(query, key, value, *kept)
        ctx.layout, ctx.scale = layout, scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, *kept = ctx.saved_tensors
        d_query = torch.empty_like(query, memory_format=torch.contiguous_format)
        d_key, d_value = (torch.zeros(key.shape, device=key.device) for _ in range(2))
        for part, found in zip_longest(_parts((query, key, value), ctx.layout, ctx.scale), kept):
            weights = part.weights() if found is None else found
            d_out = part.queries_of(gradients[0], padding_is_zero=True)
            d_weights = torch.bmm(d_out, part.values.transpose(1, 2))
            d_scores = torch._softmax_backward_data(d_weights, weights, -1, weights.dtype)
            part.write(d_query, torch.bmm(d_scores, part.keys).mul_(ctx.scale))
            part.add(d_key, torch.bmm(d_scores.transpose(1, 2), part.queries))
            part.add(d_value, torch.bmm(weights.transpose(1, 2), d_out))
        return d_query, d_key.to(key.dtype), d_value.to(value.dtype), None, None


class _Part:
    """One group of rows (or the prefix itself), as dense batches of matrices.

    queries (rows*G, R*width, d), times the scale; keys and values (rows*G, seen + width, d), of which
    `seen` prefix tokens come first.
    """

    def __init__(self, states: States, block: Block, seen: int, scale: float) -> None:
        query, key, value = states
        self.block, self.seen = block, seen
        self.groups, self.heads = query.shape[1:3]
        self.queries = self.queries_of(query).mul_(scale)  # far fewer numbers than the scores
        self.keys, self.values = self._visible(key), self._visible(value)

    def queries_of(self, states: Tensor, padding_is_zero: bool = False) -> Tensor:
        """Tokens (N, G, R, d) of this part as (rows*G, R*width, d)."""
        block = self.block
        taken = states.index_select(0, block.index)
        if padding_is_zero and not bool(block.real.all()):
            taken[~block.real] = 0
        taken = taken.view(block.rows, block.width, *states.shape[1:]).permute(0, 2, 3, 1, 4)
        return taken.reshape(block.rows * self.groups, self.heads * block.width, -1)

    def _visible(self, states: Tensor) -> Tensor:
        block = self.block
        own = states.index_select(0, block.index).view(block.rows, block.width, *states.shape[1:])
        shared = states[: self.seen].expand(block.rows, -1, -1, -1)
        return torch.cat((shared, own), dim=1).transpose(1, 2).flatten(0, 1)

    def weights(self) -> Tensor:
        """Softmax of the causal scores, (rows*G, R*width, seen + width)."""
        scores = torch.bmm(self.queries, self.keys.transpose(1, 2))
        width = self.block.width
        future = torch.full((width, width), float("-inf"), dtype=scores.dtype, device=scores.device).triu_(1)
        scores.view(-1, width, scores.shape[2])[..., self.seen :] += future
        return torch.softmax(scores, dim=-1)

    def write(self, target: Tensor, states: Tensor) -> None:
        """Put (rows*G, R*width, d) back to the tokens of `target` (N, G, R, d)."""
        block = self.block
        tokens = states.view(block.rows, self.groups, self.heads, block.width, -1).permute(0, 3, 1, 2, 4).flatten(0, 1)
        target[block.index[block.real]] = tokens if bool(block.real.all()) else tokens[block.real]

    def add(self, target: Tensor, states: Tensor) -> None:
        """Add gradients of keys or values (rows*G, seen + width, d) to `target` (N, G, d)."""
        block = self.block
        split = states.view(block.rows, self.groups, self.seen + block.width, -1)
        if self.seen:
            target[: self.seen] += split[:, :, : self.seen].sum(0, dtype=target.dtype).transpose(0, 1)
        own = split[:, :, self.seen :].transpose(1, 2).flatten(0, 1)
        target.index_add_(0, block.index, own.to(target.dtype))


def _parts(states: States, layout: Layout, scale: float) -> list[_Part]:
    parts = [_Part(states, block, layout.prefix, scale) for block in layout.blocks]
    if layout.prefix:
        parts.append(_Part(states, _block([(0, layout.prefix)]), 0, scale))
    return parts


def shared_prefix_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    layout: Layout,
    **_: Any,
) -> tuple[Tensor, None]:
    """The attention function that transformers calls. query (1, H, N, d) -> (1, N, H, d)."""
    tokens = query[0].transpose(0, 1).unflatten(1, (key.shape[1], -1))
    out = _SharedPrefixAttention.apply(tokens, key[0].transpose(0, 1), value[0].transpose(0, 1), layout, scaling)
    return out.flatten(1, 2).unsqueeze(0), None


AttentionInterface.register(NAME, shared_prefix_attention)
