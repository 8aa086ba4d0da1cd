"""LoRA adapters merged into a model's weights, and taken out again exactly.

A weight that lies the other way round (GPT-2's Conv1D: inputs x outputs) gets the product's transpose.
Guaranteed: after `LoraSwitch.activate(None)` every weight has its original bits, since originals
are kept, not subtracted. A merged weight is W + scale * B A, added in fp32 and rounded once to the
model's dtype. Not supported, and refused: DoRA, trained biases, fully trained modules, other
adapter types.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.identity import sha256_of_file

_PREFIX = "base_model.model."


class AdapterError(Exception):
    """An adapter directory cannot be used; the message says why."""


def read_deltas(folder: Path) -> dict[str, tuple[Tensor, Tensor, float]]:
    """Module path -> (A (rank, in), B (out, rank), scale) of a PEFT LoRA adapter."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        tensors = load_file(folder / "adapter_model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise AdapterError(f"{folder} is no readable PEFT adapter: {error}") from error
    _refuse_unsupported(folder, config)
    deltas = {}
    for name in sorted(key for key in tensors if key.endswith(".lora_A.weight")):
        partner = name.replace(".lora_A.", ".lora_B.")
        if partner not in tensors:
            raise AdapterError(f"{folder}: {name} has no lora_B beside it")
        module = name.removesuffix(".lora_A.weight").removeprefix(_PREFIX)
        deltas[module] = (tensors[name], tensors[partner], _scale(config, module))
    if not deltas or 2 * len(deltas) != len(tensors):
        raise AdapterError(f"{folder}: only pairs of lora_A and lora_B are supported, found other or no tensors")
    return deltas


def _refuse_unsupported(folder: Path, config: dict[str, Any]) -> None:
    problems = [name for name in ("use_dora", "modules_to_save") if config.get(name)]
    if config.get("peft_type") != "LORA":
        problems.append(f"peft_type={config.get('peft_type')}")
    if config.get("bias", "none") != "none":
        problems.append(f"bias={config['bias']}")
    if problems:
        raise AdapterError(f"{folder}: {', '.join(problems)} is not supported; train a plain LoRA adapter")


def _scale(config: dict[str, Any], module: str) -> float:
    """alpha / rank (or / sqrt(rank)), with the per-module patterns of PEFT's configuration."""
    rank = _by_pattern(config.get("rank_pattern"), module, config["r"])
    alpha = _by_pattern(config.get("alpha_pattern"), module, config["lora_alpha"])
    return float(alpha / (rank**0.5 if config.get("use_rslora") else rank))


def _by_pattern(patterns: dict[str, float] | None, module: str, default: float) -> float:
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default


def _stamp(folder: str | None) -> tuple[str, str] | None:
    """Directory and content: an adapter that was trained anew in place is another one."""
    if folder is None:
        return None
    try:
        return folder, sha256_of_file(Path(folder) / "adapter_model.safetensors")
    except OSError as error:
        raise AdapterError(f"{folder} is no readable PEFT adapter: {error}") from error


class LoraSwitch:
    """Switches a model between its base weights and merged adapters."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._originals: list[tuple[torch.nn.Parameter, Tensor]] = []
        self._active: tuple[str, str] | None = None

    @torch.no_grad()
    def activate(self, folder: str | None) -> bool:
        """Merge the adapter in `folder` (None: base weights). True if the weights changed."""
        wanted = _stamp(folder)
        if wanted == self._active:
            return False
        prepared = self._prepare(Path(folder)) if folder else []
        self._restore()
        for parameter, low, high, scale, lies_across in prepared:
            self._originals.append((parameter, parameter.detach().clone()))
            delta = (high.to(parameter.device).float() @ low.to(parameter.device).float()) * scale
            parameter.copy_(parameter.float() + (delta.T if lies_across else delta))
        self._active = wanted
        return True

    def _prepare(self, folder: Path) -> list[tuple[torch.nn.Parameter, Tensor, Tensor, float, bool]]:
        """The adapter's matrices with the parameters they change; nothing is changed yet."""
        from transformers.pytorch_utils import Conv1D

        prepared = []
        for module, (low, high, scale) in read_deltas(folder).items():
            try:
                changed = self._model.get_submodule(module)
                parameter = changed.weight
            except AttributeError as error:
                raise AdapterError(f"{folder}: this model has no module '{module}'") from error
            across = isinstance(changed, Conv1D)
            shape = (low.shape[1], high.shape[0]) if across else (high.shape[0], low.shape[1])
            if not isinstance(parameter, torch.nn.Parameter) or parameter.shape != shape:
                raise AdapterError(f"{folder}: '{module}' has another shape in this model; was it trained on another?")
            prepared.append((parameter, low, high, scale, across))
        return prepared

    def _restore(self) -> None:
        for parameter, original in self._originals:
            parameter.copy_(original)
        self._originals.clear()
        self._active = None
