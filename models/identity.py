"""Which weights answered: the identities that the call ledger keys on.

Guaranteed: local models and adapters are identified by the content of their files, so a retrained
adapter in the same directory is another model. Not guaranteed: anything about a provider's model
behind its name.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from models.spec import ModelSpec


class IdentityError(Exception):
    """A local model's or adapter's files cannot be read; the message says which."""


def model_identity(spec: ModelSpec) -> str:
    """A string that is equal exactly for equal weights, as far as that can be known."""
    try:
        return _base_identity(spec) + (f"+{_adapter_identity(spec.adapter)}" if spec.adapter else "")
    except OSError as error:
        raise IdentityError(f"model '{spec}': {error}") from error


def _base_identity(spec: ModelSpec) -> str:
    if spec.provider == "embedded":
        from models.embedded import embedded_identity

        return embedded_identity()
    folder = Path(spec.name).expanduser()
    if spec.provider == "hf" and folder.is_dir():
        return directory_sha256(folder)
    return str(spec.base)


def _adapter_identity(adapter: str) -> str:
    """Hash over the adapter's weights and configuration."""
    folder = Path(adapter).expanduser()
    parts = [sha256_of_file(folder / name) for name in ("adapter_model.safetensors", "adapter_config.json")]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def directory_sha256(folder: Path) -> str:
    """SHA-256 over what decides a model's replies: weights, tokenizer and chat template.

    Left out are config files, into which libraries write their own version.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".jinja") or path.name == "tokenizer.json":
            digest.update(f"{path.name}\0{sha256_of_file(path)}\n".encode())
    return digest.hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file, remembered as long as its size and time of change stay the same."""
    facts = path.stat()
    return _sha256(str(path), facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: str, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
