"""Secrets are taken out of texts in every form in which they may stand there; other words stay."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from models.redaction import without_secrets

SECRETS = [
    *("ANTHROPIC_API_KEY", "HF_TOKEN", "MY_SECRET", "db_password", "OPENAI_API_KEY"),
    *("OPENAI_API_KEY_2", "OPENAI_API_KEY2", "DB_PASSWORD_PRODUCTION", "API_KEYS", "my_token_old"),
]
SECRET = 'pl+an/t"ed\\secret=1'


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("form", [str, repr, json.dumps, lambda value: quote(value, safe=""), lambda v: f"x{v}y"])
def test_values_of_the_environment(monkeypatch: pytest.MonkeyPatch, name: str, form: object) -> None:
    monkeypatch.setenv(name, f"{SECRET}\n")
    assert callable(form)
    shown = without_secrets(f"before {form(SECRET)} after")
    assert f"[{name}]" in shown and "ant" not in shown.replace(f"[{name}]", "")
    assert shown.startswith("before ") and shown.endswith(" after")


def test_the_longer_of_two_values_is_taken_out_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "secret-word")
    monkeypatch.setenv("B_KEY", "secret-word-and-more")
    assert without_secrets("secret-word-and-more secret-word") == "[B_KEY] [A_KEY]"


SHAPES = [
    ("Incorrect key: sk-proj-abcd1234.", "Incorrect key: [key]"),
    ("key sk-ant-a***z9", "key [key]"),
    ("gsk_0123456789abcdefgh xai-0123456789abcdefgh", "[key] [key]"),
    ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer [key]"),
    ("at https://me:word@host/v1 and http://word@host", "at https://[user]@host/v1 and http://[user]@host"),
    ("http://h/v1?a=1&api_key=word&b=2", "http://h/v1?a=1&api_key=[key]&b=2"),
    ("http://h/v1?access_token=word", "http://h/v1?access_token=[key]"),
]


@pytest.mark.parametrize(("text", "shown"), SHAPES)
def test_shapes_of_keys(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_other_words_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "none")
    monkeypatch.setenv("KEYBOARD", "keyboard-layout")
    text = "none of keyboard-layout: task-12, vllm:me@corp/m@http://host/v1, Bearer authentication, ask-me, a?b=c"
    assert without_secrets(text) == text
