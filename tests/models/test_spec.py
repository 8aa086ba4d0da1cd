"""Spec strings, families and what stands in the way of a call."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.spec import FORMS, SpecError, check_available, family, parse_spec

VALID = [
    "oracle",
    "embedded",
    "embedded+/some/adapter",
    "hf:Qwen/Qwen2.5-0.5B-Instruct",
    "hf:/models/llama+adapters/one",
    "anthropic:claude-haiku-4-5",
    "openai:gpt-4.1",
    "vllm:me/model@http://localhost:8000/v1",
]


@pytest.mark.parametrize("text", VALID)
def test_round_trip(text: str) -> None:
    assert str(parse_spec(text)) == text


def test_parts() -> None:
    spec = parse_spec("vllm:user@corp/m@https://host/v1")
    assert (spec.name, spec.url) == ("user@corp/m", "https://host/v1")
    spec = parse_spec("hf:a/b+c")
    assert (spec.name, spec.adapter, spec.local) == ("a/b", "c", True)
    assert spec.base == parse_spec("hf:a/b")


WRONG = [
    "",
    "gpt-4",
    "embedded:x",
    "embeddedx",
    "embedded+",
    "hf:",
    "hf:+a",
    "openai:",
    "vllm:m",
    "vllm:m@host",
    "oracle:x",
    "vllm:@http://h",
]


@pytest.mark.parametrize("text", WRONG)
def test_wrong_spec_lists_the_valid_forms(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    assert all(form in str(caught.value) for form in FORMS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("embedded", "smollm"),
        ("hf:HuggingFaceTB/SmolLM2-360M-Instruct", "smollm"),
        ("hf:Qwen/Qwen2.5-0.5B", "qwen"),
        ("vllm:meta-llama/Llama-3.2-1B@http://h/v1", "llama"),
        ("anthropic:claude-haiku-4-5", "claude"),
        ("openai:gpt-4.1-mini", "gpt"),
        ("openai:o3", "o"),
    ],
)
def test_family(text: str, expected: str) -> None:
    assert family(parse_spec(text)) == expected


def test_missing_key_names_the_variable_and_what_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider, variable in (("anthropic", "ANTHROPIC_API_KEY"), ("openai", "OPENAI_API_KEY")):
        problem = check_available(parse_spec(f"{provider}:m"))
        assert problem is not None and variable in problem and "`embedded`" in problem
        monkeypatch.setenv(variable, "k")
        assert check_available(parse_spec(f"{provider}:m")) is None


def test_local_paths(tmp_path: Path) -> None:
    assert "config.json" in (check_available(parse_spec(f"hf:{tmp_path}")) or "")
    assert check_available(parse_spec("hf:some/hub-name")) is None
    (tmp_path / "config.json").write_text("{}")
    assert check_available(parse_spec(f"hf:{tmp_path}")) is None
    assert "adapter_model.safetensors" in (check_available(parse_spec(f"hf:{tmp_path}+{tmp_path}")) or "")


def test_oracle_is_always_available() -> None:
    assert check_available(parse_spec("oracle")) is None
