"""Llama-shaped models with a key-value cache made for batches of short replies on a CPU.

What makes it fast: weights prepacked for oneDNN, one fused matrix for query/key/value and one for
gate/up, a preallocated cache that is never re-concatenated, grouped queries without copying keys,
and a shared beginning of all prompts (a strategy, a system message) that is computed once, stored
once and read once per step for all rows together; its attention is merged with that of the rows'
own part by their log-sum-exps, which is exact up to rounding.

Guaranteed: the same model as transformers' up to rounding (tested). On a CPU with bf16, a row's
logits have the same bits whatever rows are beside it (tested): the kernels round differently for
small and odd shapes, so every matrix product here has 64 to 128 rows, prompts are padded to
multiples of 32 by their own length only, and the cache is read in multiples of 32. Not guaranteed:
equal bits on another kind of CPU, on GPUs, or with and without a shared beginning; sliding windows
and unusual position encodings (`supports` says so beforehand). The shared beginning is used on
CPUs only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_SHARED = 32  # tokens; a shorter common beginning is not worth a separate attention
_BUCKET = 32  # prompts and the part of the cache that is read are padded to multiples of this
_ROWS = 64  # every matrix product has at least so many rows, and at most twice as many
_GROW = 128  # places by which the cache grows
_CHUNK = 1024  # prompt tokens computed together: beyond, intermediate results leave a CPU's cache
_REFINED = 4  # likeliest tokens whose logits are computed again in fp32
Linear = Callable[[Tensor], Tensor]


def supports(config: Any) -> bool:
    """This engine computes the model that `config` describes."""
    rope = getattr(config, "rope_parameters", None) or {}
    return (
        config.model_type in ("llama", "qwen2")
        and config.hidden_act == "silu"
        and rope.get("rope_type", "default") in ("default", "llama3", "linear")
        and not getattr(config, "use_sliding_window", False)
        and not getattr(config, "mlp_bias", False)
    )


def _linear(weight: Tensor, bias: Tensor | None) -> Linear:
    """x -> x W^T + b, with the weight prepacked where oneDNN can."""
    if weight.device.type == "cpu" and torch.backends.mkldnn.is_available():
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), 64)
        return lambda x: _in_even_parts(
            lambda y: torch.ops.mkldnn._linear_pointwise(y, packed, bias, "none", [], ""), x
        )
    return lambda x: F.linear(x, weight, bias)


def _in_even_parts(product: Linear, x: Tensor) -> Tensor:
    """Apply a row-wise product to parts of 64 to 128 rows: there its rounding does not depend on the shape."""
    flat = x.reshape(-1, x.shape[-1])
    if _ROWS <= len(flat) <= 2 * _ROWS:
        return product(flat).view(*x.shape[:-1], -1)
    parts = [product(_padded(part))[: len(part)] for part in flat.split(2 * _ROWS)]
    return torch.cat(parts).view(*x.shape[:-1], -1)


def _padded(x: Tensor) -> Tensor:
    """At least 64 rows, the added ones zero."""
    return x if len(x) >= _ROWS else F.pad(x, (0, 0, 0, _ROWS - len(x)))


def _joined(modules: Sequence[Any]) -> Linear:
    """Several projections of the same input as one."""
    weight = torch.cat([module.weight.detach() for module in modules])
    biases = [module.bias for module in modules if module.bias is not None]
    return _linear(weight, torch.cat(biases).detach() if biases else None)


class _Layer:
    """One transformer block's weights."""

    def __init__(self, layer: Any) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self.norm_in = layer.input_layernorm.weight.detach()
        self.norm_out = layer.post_attention_layernorm.weight.detach()
        self.qkv = _joined([attention.q_proj, attention.k_proj, attention.v_proj])
        self.out = _joined([attention.o_proj])
        self.gate_up = _joined([mlp.gate_proj, mlp.up_proj])
        self.down = _joined([mlp.down_proj])


class LlamaWeights:
    """The model's weights as this engine uses them; made anew after a change of the weights."""

    def __init__(self, model: Any) -> None:
        config = model.config
        self.heads = config.num_attention_heads
        self.kv_heads = config.num_key_value_heads
        self.head_dim = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self.eps = config.rms_norm_eps
        self.embedding = model.get_input_embeddings().weight.detach()
        self.layers = [_Layer(layer) for layer in model.model.layers]
        self.norm = model.model.norm.weight.detach()
        self.head = _joined([model.get_output_embeddings()])
        self.head_weight = model.get_output_embeddings().weight.detach()
        self.rotary = model.model.rotary_emb
        self.dtype, self.device = self.embedding.dtype, self.embedding.device

    def rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines for positions (...,), each (..., 1, head_dim)."""
        flat = positions.reshape(1, -1)
        cos, sin = self.rotary(self.embedding[:1], flat)
        shape = (*positions.shape, 1, self.head_dim)
        return cos.reshape(shape), sin.reshape(shape)

    def normed(self, x: Tensor, weight: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Root-mean-square norm of the fp32 residual stream."""
        y = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)
        return (weight * y).to(dtype or self.dtype)

    def project(self, layer: _Layer, x: Tensor, rotation: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries (..., heads, dim) and keys, and values (..., kv_heads, dim)."""
        mixed = layer.qkv(self.normed(x, layer.norm_in)).unflatten(-1, (-1, self.head_dim))
        turned, value = mixed[..., : self.heads + self.kv_heads, :], mixed[..., self.heads + self.kv_heads :, :]
        low, high = turned.chunk(2, -1)
        turned = turned * rotation[0] + torch.cat((-high, low), -1) * rotation[1]
        return turned[..., : self.heads, :], turned[..., self.heads :, :], value

    def finish(self, layer: _Layer, x: Tensor, attended: Tensor) -> Tensor:
        """Output projection and feed-forward part of a block, with both residuals."""
        x = x + layer.out(attended)
        gate, up = layer.gate_up(self.normed(x, layer.norm_out)).chunk(2, -1)
        return x + layer.down(F.silu(gate) * up)

    def logits(self, x: Tensor) -> Tensor:
        """(rows, hidden) -> (rows, vocabulary) in fp32.

        In bf16 two likely tokens often get the same logit, and rounding noise decides. So the
        likeliest few are computed again in fp32, and ties become rare.
        """
        x = self.normed(x, self.norm, torch.float32)
        logits = self.head(x.to(self.dtype)).float()
        if self.dtype == torch.float32:
            return logits
        best = logits.topk(_REFINED, -1).indices
        exact = (x[:, None] * self.head_weight[best].float()).sum(-1)
        return logits.scatter_(1, best, exact)


@dataclass
class _Shared:
    """Keys and values of the common beginning, per layer (1, kv_heads, length, dim)."""

    tokens: list[int]
    keys: list[Tensor]
    values: list[Tensor]


def _flash(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """CPU attention that also returns log-sum-exps (batch, heads, queries)."""
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, False, attn_mask=mask)
    return out, lse


def _merge(a: Tensor, lse_a: Tensor, b: Tensor, lse_b: Tensor) -> Tensor:
    """Attention over two sets of keys from the attentions over each."""
    weight = torch.sigmoid(lse_a.float() - lse_b.float())[..., None]
    return (a.float() * weight + b.float() * (1 - weight)).to(a.dtype)


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, shared: tuple[Tensor, Tensor] | None) -> Tensor:
    """Prompt: q (rows, kv_heads, queries, dim) over own keys (rows, kv_heads, n, dim) and shared ones."""
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    own, lse_own = _flash(q, k, v, mask)
    if shared is None:
        return own
    out, lse = _flash(q, shared[0].expand(len(q), -1, -1, -1), shared[1].expand(len(q), -1, -1, -1), None)
    return _merge(out, lse, own, lse_own)


def _attend_step(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, shared: tuple[Tensor, Tensor] | None) -> Tensor:
    """One token: as `_attend`, with the shared keys read once for all rows of q.

    q may have more rows than k: padding, whose attention is zero or of no account.
    """
    rows, heads, queries, dim = q.shape
    real = len(k)
    if q.device.type != "cpu":
        own = F.scaled_dot_product_attention(q[:real], k, v, attn_mask=mask)
        return F.pad(own, (0, 0, 0, 0, 0, 0, 0, rows - real))
    own, lse_own = _flash(q[:real], k, v, mask)
    if shared is not None:
        flat = q.transpose(0, 1).reshape(1, heads, rows * queries, dim)
        out, lse = _flash(flat, *shared, None)
        out = out.view(heads, rows, queries, dim).transpose(0, 1)[:real]
        lse = lse.view(heads, rows, queries).transpose(0, 1)[:real]
        own = _merge(out, lse, own, lse_own)
    return F.pad(own, (0, 0, 0, 0, 0, 0, 0, rows - real))


class LlamaBackend:
    """Backend of `models.decoding` for one batch."""

    def __init__(self, weights: LlamaWeights, shared_tokens: Sequence[int] = ()) -> None:
        self.w = weights
        self.lengths = torch.empty(0, dtype=torch.long, device=weights.device)  # own tokens per row
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        self.shared: _Shared | None = None
        if len(shared_tokens) >= MIN_SHARED and weights.device.type == "cpu":
            self.shared = self._compute_shared(list(shared_tokens))

    @property
    def _offset(self) -> int:
        return len(self.shared.tokens) if self.shared else 0

    def _compute_shared(self, tokens: list[int]) -> _Shared:
        _, keys, values = self._prompt(torch.tensor([tokens]), want_state=False)
        return _Shared(tokens, keys, values)

    @torch.inference_mode()
    def add(self, prompts: Sequence[list[int]]) -> Tensor:
        """Compute prompts and append them as rows; logits for the next token of each."""
        offset = self._offset
        own = [prompt[offset:] for prompt in prompts]
        if self.shared and any(prompt[:offset] != self.shared.tokens for prompt in prompts):
            raise ValueError("a prompt does not begin with the shared tokens")
        first = len(self.lengths)
        lengths = torch.tensor([len(tokens) for tokens in own], device=self.w.device)
        self.lengths = torch.cat([self.lengths, lengths])
        self._reserve(len(self.lengths), max(_bucket(len(tokens)) for tokens in own))
        states = torch.empty(len(own), self.w.embedding.shape[1], device=self.w.device)
        for group in _chunks([len(tokens) for tokens in own]):
            state, keys, values = self._prompt(_block([own[i] for i in group]))
            places = torch.tensor([first + i for i in group], device=self.w.device)
            for layer, (key, value) in enumerate(zip(keys, values, strict=True)):
                self.keys[layer][places, :, : key.shape[2]] = key
                self.values[layer][places, :, : value.shape[2]] = value
            states[group] = state[torch.arange(len(group)), lengths[group] - 1]
        return self._logits(states)

    @torch.inference_mode()
    def _prompt(self, tokens: Tensor, want_state: bool = True) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Forward right-padded tokens (rows, n): states (rows, n, hidden), keys, values per layer."""
        w = self.w
        rows, n = tokens.shape
        groups = w.heads // w.kv_heads
        tokens = tokens.to(w.device)
        x = w.embedding[tokens].float()
        rotation = w.rotation(torch.arange(self._offset, self._offset + n, device=w.device)[None])
        causal = torch.full((n, n), float("-inf"), device=w.device, dtype=w.dtype).triu(1)
        mask = causal.repeat(groups, 1)[None, None]
        keys, values = [], []
        for index, layer in enumerate(w.layers):
            q, k, v = w.project(layer, x, rotation)
            k, v = k.transpose(1, 2).contiguous(), v.transpose(1, 2).contiguous()
            keys.append(k)
            values.append(v)
            if index == len(w.layers) - 1 and not want_state:
                break
            q = q.unflatten(2, (w.kv_heads, groups)).permute(0, 2, 3, 1, 4).flatten(2, 3)
            out = _attend(q, k, v, mask, self._shared_of(index))
            out = out.unflatten(2, (groups, n)).permute(0, 3, 1, 2, 4).reshape(rows, n, -1)
            x = w.finish(layer, x, out)
        return x, keys, values

    def _logits(self, states: Tensor) -> Tensor:
        """Logits of the rows' states, computed in a block of full size."""
        return self.w.logits(_padded(states))[: len(states)]

    def _shared_of(self, layer: int) -> tuple[Tensor, Tensor] | None:
        return (self.shared.keys[layer], self.shared.values[layer]) if self.shared else None

    @torch.inference_mode()
    def step(self, tokens: Tensor) -> Tensor:
        """One token more for every row."""
        w = self.w
        real, places = len(tokens), _bucket(int(self.lengths.max()) + 1)
        self._reserve(real, places)
        x = _padded(w.embedding[tokens.to(w.device)].float())
        rotation = w.rotation(F.pad(self.lengths, (0, len(x) - real)) + self._offset)
        beyond = torch.arange(places, device=w.device) > self.lengths[:, None]
        mask = torch.zeros(beyond.shape, dtype=w.dtype, device=w.device).masked_fill_(beyond, float("-inf"))
        groups = w.heads // w.kv_heads
        mask = mask[:, None, None].expand(-1, 1, groups, -1)
        rows = torch.arange(real, device=w.device)
        for index, layer in enumerate(w.layers):
            q, k, v = w.project(layer, x, rotation)
            keys, values = self.keys[index], self.values[index]
            keys[rows, :, self.lengths] = k[:real]
            values[rows, :, self.lengths] = v[:real]
            q = q.unflatten(1, (w.kv_heads, groups))
            out = _attend_step(q, keys[:, :, :places], values[:, :, :places], mask, self._shared_of(index))
            x = w.finish(layer, x, out.flatten(1))
        self.lengths = self.lengths + 1
        return self._logits(x[:real])

    def keep(self, rows: list[int]) -> None:
        """Drop all rows but these."""
        index = torch.tensor(rows, dtype=torch.long, device=self.w.device)
        self.lengths = self.lengths[index]
        for layer in range(len(self.keys)):
            self.keys[layer] = self.keys[layer][index]
            self.values[layer] = self.values[layer][index]

    def _reserve(self, rows: int, places: int) -> None:
        """Room for `rows` rows of `places` tokens."""
        if not self.keys:
            shape = (0, self.w.kv_heads, 0, self.w.head_dim)
            self.keys = [torch.empty(shape, dtype=self.w.dtype, device=self.w.device) for _ in self.w.layers]
            self.values = [torch.empty(shape, dtype=self.w.dtype, device=self.w.device) for _ in self.w.layers]
        have_rows, _, have_places, _ = self.keys[0].shape
        if rows <= have_rows and places <= have_places:
            return
        wide = have_places if places <= have_places else -(-places // _GROW) * _GROW
        for layer in range(len(self.keys)):
            self.keys[layer] = _enlarged(self.keys[layer], max(rows, have_rows), wide)
            self.values[layer] = _enlarged(self.values[layer], max(rows, have_rows), wide)


def _enlarged(cache: Tensor, rows: int, places: int) -> Tensor:
    """The cache in a larger tensor; new places are zero, since masked places must be finite."""
    bigger = cache.new_zeros(rows, cache.shape[1], places, cache.shape[3])
    bigger[: cache.shape[0], :, : cache.shape[2]] = cache
    return bigger


def _bucket(length: int) -> int:
    """The length, rounded up."""
    return -(-length // _BUCKET) * _BUCKET


def _block(rows: list[list[int]]) -> Tensor:
    """Token rows of one bucket, padded on the right: (rows, bucket)."""
    width = _bucket(max(map(len, rows)))
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def _chunks(lengths: list[int]) -> list[list[int]]:
    """Indices in groups of one bucket whose padded size stays within a budget."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        bucket = _bucket(lengths[index])
        if groups and _bucket(lengths[groups[-1][0]]) == bucket and (len(groups[-1]) + 1) * bucket <= _CHUNK:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def common_beginning(prompts: Sequence[list[int]]) -> list[int]:
    """Longest common beginning of all prompts that leaves at least one own token to each."""
    if len(prompts) < 2:
        return []
    low, high = min(prompts), max(prompts)
    limit = min(len(prompt) for prompt in prompts) - 1
    n = 0
    while n < limit and low[n] == high[n]:
        n += 1
    return low[:n]
