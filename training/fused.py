"""LoRA layers, norms, gates and the loss with fewer passes over memory, in the model's own dtype.

On a CPU a small model spends most of a training step moving activations between ops and dtypes, not
multiplying. Each function here computes what the library's ops compute, with its backward written
out: fewer intermediate tensors, no autocast, LoRA weights kept in fp32 and rounded once per use.

Guaranteed: the same values as the library's layers up to rounding (tests/training/test_fused.py).
Not guaranteed: second derivatives; LoRA variants (DoRA, several adapters, dropout): `fuse` leaves
such layers as they are.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import Tensor, nn


class _LoraLinear(torch.autograd.Function):
    """y = x W^T + b + scale (x A^T) B^T with frozen W, b. x (N, in), A (r, in), B (out, r)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, *lora: Any) -> Tensor:
        a, b, scale = lora
        low = torch.mm(x, a.to(x.dtype).t())
        out = F.linear(x, weight, bias)
        out.addmm_(low, b.to(x.dtype).t(), alpha=scale)
        ctx.save_for_backward(x, weight, a, b, low)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, a, b, low = ctx.saved_tensors
        gradient = gradients[0]
        d_low = torch.mm(gradient, b.to(x.dtype)).mul_(ctx.scale)
        d_a = torch.mm(d_low.t(), x).to(a.dtype)
        d_b = torch.mm(gradient.t(), low).to(b.dtype).mul_(ctx.scale)
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = torch.mm(gradient, weight)
            d_x.addmm_(d_low, a.to(x.dtype))
        return d_x, None, None, d_a, d_b, None


class _RmsNorm(torch.autograd.Function):
    """y = w x / sqrt(mean(x^2) + eps) over the last axis (Zhang & Sennrich 2019), frozen w; x (N, d)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        wide = x.float()
        inverse = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_()
        inverse.div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        return (wide * inverse).to(x.dtype).mul_(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, inverse = ctx.saved_tensors
        scaled = gradients[0] * weight
        dot = torch.linalg.vecdot(scaled.float(), x.float()).unsqueeze(-1)
        correction = dot.mul_(inverse.pow(3)).div_(x.shape[-1])
        return (scaled * inverse.to(x.dtype)).addcmul_(x, correction.to(x.dtype), value=-1), None, None


class _SwiGlu(torch.autograd.Function):
    """silu(gate) * up (Shazeer 2020), elementwise."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        d_up = F.silu(gate).mul_(gradients[0])
        d_gate = torch.ops.aten.silu_backward(up * gradients[0], gate)
        return d_gate, d_up


class _CompletionLoss(torch.autograd.Function):
    """Summed cross-entropy of hidden (N, d) @ weight (V, d)^T against targets (N), in chunks of positions.

    The gradient for `hidden` is computed in the forward pass, so no (N, V) tensor is ever kept: the
    peak is chunk x V floats.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        total = hidden.new_zeros((), dtype=torch.float32)
        d_hidden = torch.empty_like(hidden)
        for start in range(0, len(targets), chunk):
            part, wanted = hidden[start : start + chunk], targets[start : start + chunk]
            logits = torch.mm(part, weight.t()).float()
            gradient = torch.log_softmax(logits, dim=-1)
            total -= gradient.gather(1, wanted[:, None]).sum()
            gradient.exp_()
            gradient.scatter_add_(1, wanted[:, None], gradient.new_full((len(wanted), 1), -1.0))
            d_hidden[start : start + chunk] = torch.mm(gradient.to(weight.dtype), weight)
        ctx.save_for_backward(d_hidden)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (d_hidden,) = ctx.saved_tensors
        return d_hidden * gradients[0].to(d_hidden.dtype), None, None, None


def completion_loss(hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int = 64) -> Tensor:
    """Summed negative log-likelihood in fp32. hidden (N, d), weight (V, d) frozen, targets (N); a scalar."""
    return _CompletionLoss.apply(hidden, weight, targets, chunk)


def _lora_forward(self: LoraLinear, x: Tensor, *_: Any, **__: Any) -> Tensor:
    name = self.active_adapters[0]
    base = self.get_base_layer()
    flat = _LoraLinear.apply(
        x.reshape(-1, x.shape[-1]),
        base.weight,
        base.bias,
        self.lora_A[name].weight,
        self.lora_B[name].weight,
        self.scaling[name],
    )
    return flat.view(*x.shape[:-1], -1)


def _norm_forward(self: nn.Module, x: Tensor) -> Tensor:
    flat = _RmsNorm.apply(x.reshape(-1, x.shape[-1]), self.weight, self.variance_epsilon)
    return flat.view(x.shape)


def _mlp_forward(self: Any, x: Tensor) -> Tensor:
    return self.down_proj(_SwiGlu.apply(self.gate_proj(x), self.up_proj(x)))


def _is_plain_lora(module: nn.Module) -> bool:
    return (
        isinstance(module, LoraLinear)
        and isinstance(module.get_base_layer(), nn.Linear)
        and len(module.active_adapters) == 1
        and not module.lora_variant
        and not module.disable_adapters
        and not module.merged
        and all(isinstance(dropout, nn.Identity) for dropout in module.lora_dropout.values())
    )


def _is_gated_mlp(module: nn.Module) -> bool:
    names = ("gate_proj", "up_proj", "down_proj")
    silu = getattr(module, "act_fn", None).__class__.__name__ in {"SiLU", "SiLUActivation"}
    return silu and all(hasattr(module, name) for name in names)


def fuse(model: nn.Module) -> int:
    """Give the model's LoRA layers, RMS norms and SwiGLU blocks the forwards above; returns how many.

    The modules, their parameters and what is saved stay the same.
    """
    count = 0
    for module in model.modules():
        if _is_plain_lora(module):
            forward = _lora_forward
        elif module.__class__.__name__.endswith("RMSNorm") and hasattr(module, "variance_epsilon"):
            forward = _norm_forward
        elif _is_gated_mlp(module):
            forward = _mlp_forward
        else:
            continue
        module.forward = MethodType(forward, module)
        count += 1
    return count
