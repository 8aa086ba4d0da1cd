"""Local models behind the gateway. torch is imported at the first call."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from models.calls import CallError, CallRequest, Reply
from models.embedded import EmbeddedModelError, embedded_model_directory
from models.spec import ModelSpec

if TYPE_CHECKING:
    from models.local import LocalModel


class LocalCaller:
    """One `LocalModel` per base model; adapters share their base's."""

    def __init__(self, batch_limit: int) -> None:
        self._batch_limit = batch_limit
        self._models: dict[str, LocalModel] = {}
        self._loading = asyncio.Lock()

    async def call(self, spec: ModelSpec, request: CallRequest) -> Reply:
        """Generate one reply. Raises CallError."""
        model = await self._model(spec)
        adapter = str(Path(spec.adapter).expanduser()) if spec.adapter else None
        future = model.submit(request.messages, request.max_tokens, request.temperature, request.dice, adapter)
        from models.local import LocalModelError
        from models.lora import AdapterError

        try:
            made = await asyncio.wrap_future(future)
        except (LocalModelError, AdapterError) as error:
            raise CallError(f"generation with '{spec}' failed: {error}") from error
        return Reply(
            text=made.text,
            finish_reason="length" if made.finish == "length" else "stop",
            prompt_tokens=made.prompt_tokens,
            completion_tokens=made.completion_tokens,
            opened=made.opened,
        )

    def release(self) -> None:
        """Free all models' memory; they load again when called."""
        for model in self._models.values():
            model.release()

    async def close(self) -> None:
        """End the workers."""
        for model in self._models.values():
            await asyncio.to_thread(model.close)
        self._models.clear()

    async def _model(self, spec: ModelSpec) -> LocalModel:
        base = str(spec.base)
        async with self._loading:
            if base not in self._models:
                self._models[base] = await asyncio.to_thread(self._open, spec)
        return self._models[base]

    def _open(self, spec: ModelSpec) -> LocalModel:
        from models.local import LocalModel

        if spec.provider == "hf":
            source = Path(spec.name).expanduser()
            return LocalModel(source if source.is_dir() else spec.name, self._batch_limit)
        try:
            return LocalModel(embedded_model_directory(), self._batch_limit)
        except EmbeddedModelError as error:
            raise CallError(str(error)) from error
