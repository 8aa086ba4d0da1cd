"""Spec strings: how a person names a model on the command line.

Guaranteed: `parse_spec` accepts exactly the listed forms and its error lists them all.
No text made here shows a key: addresses with a user name or a query are refused, and their secrets
are taken out of the refusal. `check_available` looks only at the environment, installed packages and
local paths: it makes no request, so a misspelt model name or a revoked key shows at the first call.
"""

from __future__ import annotations

import importlib.util
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from models.redaction import without_secrets
from records.nouns import Record

Provider = Literal["embedded", "hf", "anthropic", "openai", "vllm", "oracle"]

FORMS = (
    "oracle (teacher only; not a language model)",
    "embedded (SmolLM2-135M-Instruct, on this machine)",
    "embedded+ADAPTER_DIR",
    "hf:PATH-or-ID[+ADAPTER_DIR] (a + that belongs to the path is written ++)",
    "anthropic:NAME",
    "openai:NAME",
    "vllm:NAME@URL (any OpenAI-compatible server)",
)
KEY_VARIABLES = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "vllm": "VLLM_API_KEY"}
URL_VARIABLES = {"anthropic": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}
_OFFICIAL = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
_OWNERS = {"anthropic": "Anthropic", "openai": "OpenAI"}
_KEY_BEGINNINGS = {  # the first that fits counts
    "sk-ant-": "Anthropic",
    "sk-or-": "OpenRouter",
    "sk-": "OpenAI",
    "gsk_": "Groq",
    "xai-": "xAI",
    "hf_": "Hugging Face",
    "AIza": "Google",
}
_NAME_AND_ADAPTER = re.compile(r"((?:[^+]|\+\+)*)(\+?)(.*)", re.DOTALL)
_PACKAGES = {"anthropic": "langchain_anthropic", "openai": "langchain_openai", "vllm": "langchain_openai"}
_FREE = "`oracle`, `embedded`, `hf:PATH-or-ID` and `vllm:NAME@URL` need no key"
_FAMILIES = ("smollm", "qwen", "llama", "mistral", "mixtral", "gemma", "phi", "claude", "gpt", "deepseek", "olmo")


class SpecError(ValueError):
    """A spec string that names no model; the message lists the valid forms."""


class ModelSpec(Record):
    """A parsed spec. `url` only for vllm, `adapter` only for local models."""

    provider: Provider
    name: str = ""
    url: str | None = None
    adapter: str | None = None

    @property
    def local(self) -> bool:
        """Generated in this process, by transformers."""
        return self.provider in ("embedded", "hf")

    @property
    def structured(self) -> bool:
        """The provider can hold a reply to a JSON schema. Of the servers that imitate it nobody knows."""
        return self.provider in ("anthropic", "openai")

    @property
    def base(self) -> ModelSpec:
        """The same model without its adapter."""
        return self.model_copy(update={"adapter": None})

    def __str__(self) -> str:
        name = self.name.replace("+", "++") if self.local else self.name
        text = self.provider + (f":{name}" if name else "")
        return text + (f"@{self.url}" if self.url else "") + (f"+{self.adapter}" if self.adapter else "")


@lru_cache(maxsize=256)
def parse_spec(text: str) -> ModelSpec:
    """Parse a spec string. Raises SpecError, which lists the valid forms."""
    head, _, rest = text.strip().partition(":")
    if head == "oracle" and not rest:
        return ModelSpec(provider="oracle")
    if head == "embedded" or head.startswith("embedded+"):
        return _parse_embedded(text.strip())
    if head == "hf" and rest:
        name, adapter = _split_adapter(text, rest)
        return ModelSpec(provider="hf", name=name, adapter=adapter)
    if head == "anthropic" and rest:
        return ModelSpec(provider="anthropic", name=rest)
    if head == "openai" and rest:
        return ModelSpec(provider="openai", name=rest)
    if head == "vllm" and rest:
        return _parse_vllm(text, rest)
    raise _error(text, "no such form")


def _parse_embedded(text: str) -> ModelSpec:
    name, adapter = _split_adapter(text, text)
    if name != "embedded":
        raise _error(text, f"'embedded' takes no name, got '{name}'")
    return ModelSpec(provider="embedded", adapter=adapter)


def _split_adapter(text: str, rest: str) -> tuple[str, str | None]:
    """Split NAME[+ADAPTER] at the first single '+'; a '+' that belongs to the name is written twice."""
    found = _NAME_AND_ADAPTER.fullmatch(rest)
    name, adapter = (found[1].replace("++", "+"), found[3]) if found else ("", None)
    if not found or not name or (found[2] and not adapter):
        raise _error(text, "a name or the adapter's directory is missing around '+'")
    return name, adapter or None


def _parse_vllm(text: str, rest: str) -> ModelSpec:
    found = re.fullmatch(r"(.+?)@(https?://.*)", rest)
    if not found:
        raise _error(text, "NAME@URL is needed, with a URL that begins with http:// or https://")
    name, url = found.groups()
    if problem := url_problem(url):
        raise _error(text, f"the URL {problem}")
    return ModelSpec(provider="vllm", name=name, url=url)


def url_problem(url: str) -> str | None:
    """What is wrong with a base URL, as the rest of a sentence; None if it can be used."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"is malformed ({without_secrets(str(error))})"
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f\\]", url):
        return "is malformed: http://HOST[:PORT]/PATH is needed"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "may not carry a user name, a password or a query: keys belong into the environment (VLLM_API_KEY)"
    return None


def base_url(spec: ModelSpec) -> str:
    """Where calls of an API model go: its own URL, the environment's, or the provider's."""
    return spec.url or os.environ.get(URL_VARIABLES.get(spec.provider, "")) or _OFFICIAL[spec.provider]


def _error(text: str, why: str) -> SpecError:
    shown = without_secrets(f"model spec '{text}': {why}")
    return SpecError(f"{shown}. Valid forms:\n" + "\n".join(f"  {form}" for form in FORMS))


def check_available(spec: ModelSpec) -> str | None:
    """What stands in the way of calling this model, with the remedy; None if nothing is known to."""
    if spec.provider == "oracle":
        return None
    if spec.local:
        return _local_problem(spec) or _adapter_problem(spec)
    package = _PACKAGES[spec.provider]
    if importlib.util.find_spec(package) is None:
        return f"'{spec}' needs the package {package}: pip install 'linguistic-transfer[api]'"
    return _address_problem(spec) or _key_problem(spec)


def _address_problem(spec: ModelSpec) -> str | None:
    problem = url_problem(base_url(spec))
    variable = URL_VARIABLES.get(spec.provider)
    return f"'{spec}': the address in {variable} {problem}" if problem and variable else problem


def _key_problem(spec: ModelSpec) -> str | None:
    variable = KEY_VARIABLES[spec.provider]
    key = os.environ.get(variable, "")
    if not key:
        needed = spec.provider in _OWNERS
        return f"'{spec}' needs an API key in the environment variable {variable}; {_FREE}" if needed else None
    if not re.fullmatch(r"[!-~]+", key):
        return f"the key in {variable} contains a space, a line break or a letter beyond ASCII: copy it again"
    owner = key_owner(key)
    # Elsewhere than at the provider's own address, another provider's key may be the right one.
    if owner and base_url(spec) == _OFFICIAL.get(spec.provider) and owner != _OWNERS[spec.provider]:
        return (
            f"the key in {variable} is one of {owner}, by its beginning: '{spec}' needs one of {_OWNERS[spec.provider]}"
        )
    return None


def key_owner(key: str) -> str | None:
    """Whose key it is, by its beginning; None if it does not show."""
    return next((owner for beginning, owner in _KEY_BEGINNINGS.items() if key.startswith(beginning)), None)


def _local_problem(spec: ModelSpec) -> str | None:
    if spec.provider == "embedded":
        from models.embedded import EmbeddedModelError, is_prepared, source_file

        try:
            if not is_prepared():
                source_file()
        except EmbeddedModelError as error:
            return str(error)
        return None
    path = Path(spec.name).expanduser()
    looks_local = spec.name.startswith(("/", "./", "../", "~")) or path.exists()
    if looks_local and not (path / "config.json").is_file():
        return _no_model(spec, path)
    return None


def _no_model(spec: ModelSpec, path: Path) -> str:
    """Why a directory is no model: it holds an adapter, its name was cut at a '+', or it is something else."""
    if (path / "adapter_config.json").is_file():
        return f"'{spec}': {path} is a LoRA adapter, not a model; write hf:BASE+{path} with its base model"
    if spec.adapter and Path(f"{path}+{spec.adapter}").is_dir():
        return f"'{spec}': a + that belongs to the path is written ++ (hf:{spec.name}++{spec.adapter})"
    return f"'{spec}': {path} is no model directory (it has no config.json)"


def _adapter_problem(spec: ModelSpec) -> str | None:
    if spec.adapter is None:
        return None
    folder = Path(spec.adapter).expanduser()
    missing = [name for name in ("adapter_config.json", "adapter_model.safetensors") if not (folder / name).is_file()]
    if missing:
        return f"'{spec}': {folder} is no PEFT adapter (missing {' and '.join(missing)})"
    return None


def family(spec: ModelSpec) -> str:
    """Name of the model family, for "at least two families": by well-known words in the name."""
    if spec.provider == "embedded":
        return "smollm"
    name = (Path(spec.name).name or spec.name).lower()
    for word in _FAMILIES:
        if word in spec.name.lower():
            return word
    return re.split(r"[-_.:/\d]", name)[0] or spec.provider
