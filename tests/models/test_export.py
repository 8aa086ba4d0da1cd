"""Exports: all calls, and batch files that the real clients' request types accept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types.messages.batch_create_params import Request as AnthropicRequest
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from models.export import ExportError, write_batch, write_calls
from models.gateway import call_key
from models.spec import parse_spec
from records.nouns import Message
from tests.loopback import Loopback, Request
from tests.models.conftest import OpenGateway, ask

HAIKU, REASONER = "anthropic:claude-haiku-4-5", "openai:gpt-5-mini"
SYSTEM = (Message(role="system", content="Be brief."), Message(role="user", content="2+2?"))


@pytest.fixture
async def sent(open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Requests that were really made, so that the exported ones can be compared with them."""
    with Loopback(lambda request: "four \ud800") as server:
        for name in ("ANTHROPIC", "OPENAI"):
            monkeypatch.setenv(f"{name}_API_KEY", "sk-secret-0123456789")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        async with open_gateway() as gateway:
            for model in (HAIKU, REASONER, f"vllm:house@{server.openai_url}"):
                for temperature in (0.0, 0.7):
                    await gateway.complete(ask("2+2?", model, messages=SYSTEM, temperature=temperature, seed=3))
    return server.requests


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("ascii").splitlines()]


async def test_all_calls_with_prompt_and_reply(tmp_path: Path, sent: list[Request]) -> None:
    assert write_calls(tmp_path / "ledger.sqlite", tmp_path / "out" / "calls.jsonl") == 6
    rows = lines(tmp_path / "out" / "calls.jsonl")
    assert [row["model"] for row in rows[:2]] == [HAIKU, HAIKU]
    for row in rows:
        assert row["messages"] == [message.model_dump() for message in SYSTEM]
        assert row["text"].startswith("four") and row["status"] == "ok"
    assert "sk-secret" not in (tmp_path / "out" / "calls.jsonl").read_text()
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["calls.jsonl"]


async def test_openai_batch_lines_are_the_requests_that_were_made(tmp_path: Path, sent: list[Request]) -> None:
    assert write_batch(tmp_path / "ledger.sqlite", tmp_path / "batch.jsonl", "openai") == 4
    made = [request.body for request in sent if request.path.endswith("/chat/completions")]
    for line, body in zip(lines(tmp_path / "batch.jsonl"), made, strict=True):
        assert line["method"] == "POST" and line["url"] == "/v1/chat/completions"
        TypeAdapter(CompletionCreateParamsNonStreaming).validate_python(line["body"])
        for name in ("model", "messages", "temperature", "seed"):
            assert line["body"].get(name) == body.get(name), name
        tokens = ("max_tokens", "max_completion_tokens")
        assert {line["body"].get(name) for name in tokens} == {body.get(name) for name in tokens} == {16, None}
    request = ask("2+2?", REASONER, messages=SYSTEM, temperature=0.0, seed=3)
    assert lines(tmp_path / "batch.jsonl")[0]["custom_id"] == call_key(parse_spec(REASONER), REASONER, request)


async def test_anthropic_batch_requests(tmp_path: Path, sent: list[Request]) -> None:
    assert write_batch(tmp_path / "ledger.sqlite", tmp_path / "batch.jsonl", "anthropic") == 2
    made = [request.body for request in sent if request.path.endswith("/messages")]
    for line, body in zip(lines(tmp_path / "batch.jsonl"), made, strict=True):
        TypeAdapter(AnthropicRequest).validate_python(line)
        assert len(line["custom_id"]) == 64
        assert line["params"]["system"] == "Be brief."
        assert line["params"]["messages"] == [{"role": "user", "content": "2+2?"}]
        for name in ("model", "max_tokens", "temperature"):
            assert line["params"].get(name) == body.get(name), name


async def test_form_that_no_call_has_and_unknown_form(tmp_path: Path, open_gateway: OpenGateway) -> None:
    with Loopback(["x"]) as server:
        async with open_gateway() as gateway:
            await gateway.complete(ask("hi", f"vllm:m@{server.openai_url}"))
    with pytest.raises(ExportError, match="its calls are of: vllm"):
        write_batch(tmp_path / "ledger.sqlite", tmp_path / "b.jsonl", "anthropic")
    with pytest.raises(ExportError, match="there are openai, anthropic"):
        write_batch(tmp_path / "ledger.sqlite", tmp_path / "b.jsonl", "gemini")
    assert not (tmp_path / "b.jsonl").exists()
