"""The life of a vLLM server: started once, found again, stopped; a stand-in speaks its protocol."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from pathlib import Path

import psutil
import pytest

from models.calls import CallError, CallRequest
from models.served import PYTHON_VARIABLE, ServedCaller, ServerError, ServerRecord, VllmServer, stop_server, vllm_python
from models.spec import parse_spec
from records.nouns import Message

# Takes vLLM's flags; answers with the token ids that it was sent, so that the tests see what arrived.
STAND_IN = """
import http.server, json, os, sys
flags = dict(zip(sys.argv[3::2], sys.argv[4::2]))
adapters = []
if flags["--model"].endswith("broken"):
    sys.exit("ValueError: no such architecture")
class Handler(http.server.BaseHTTPRequestHandler):
    def say(self, body, code=200):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        self.say({"data": [{"id": name} for name in [flags["--served-model-name"], *adapters]]})
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/load_lora_adapter":
            if not os.path.isdir(body["lora_path"]):
                return self.say({"message": "no such adapter"}, 404)
            adapters.append(body["lora_name"])
            return self.say("ok")
        if body["prompt"] == [13]:
            return self.say({"message": "too long"}, 400)
        if body["prompt"] == [14]:
            self.send_response(200)
            self.end_headers()
            return self.wfile.write(b"<html>")
        text = json.dumps([body, sorted(n for n in os.environ if "KEY" in n), adapters])
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": 1}
        end = "abort" if body["prompt"] == [15] else "length"
        self.say({"choices": [{"text": text, "finish_reason": end}], "usage": usage})
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer((flags["--host"], int(flags["--port"])), Handler).serve_forever()
"""


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, program = tmp_path / "server.py", tmp_path / "python"
    code.write_text(STAND_IN)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {code} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv(PYTHON_VARIABLE, str(program))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-planted")
    monkeypatch.setenv("ANTHROPIC_API_KEY_OLD", "sk-planted")


def request(**changes: float) -> CallRequest:
    messages = (Message(role="user", content="hello"),)
    return CallRequest.model_validate(
        {"model": "embedded", "messages": messages, "max_tokens": 7, "stage": "s", "agent": "a", **changes}
    )


async def test_it_serves_on_loopback_and_sees_no_key(tmp_path: Path) -> None:
    server = await VllmServer.open("model", tmp_path)
    try:
        assert server.record.url.startswith("http://127.0.0.1:")
        reply = await server.complete(server.record.name, [1, 2, 3], request())
        body, keys, _ = json.loads(reply.text)
        assert body["prompt"] == [1, 2, 3]
        assert (body["max_tokens"], body["temperature"], "seed" in body) == (7, 0.0, False)
        assert "stop_token_ids" not in body
        ended = await server.complete(server.record.name, [1], request(), frozenset({9, 2}))
        assert json.loads(ended.text)[0]["stop_token_ids"] == [2, 9]
        assert keys == []
        assert (reply.finish_reason, reply.prompt_tokens, reply.completion_tokens) == ("length", 3, 1)
        warm = await server.complete(server.record.name, [1], request(temperature=0.5))
        assert "seed" in json.loads(warm.text)[0]
        with pytest.raises(CallError, match=r"HTTP 400.*too long"):
            await server.complete(server.record.name, [13], request())
    finally:
        await server.close()
    assert not psutil.pid_exists(server.record.pid)
    assert list(tmp_path.glob("vllm-*.json")) == []


async def test_an_adapter_is_loaded_once(tmp_path: Path) -> None:
    server = await VllmServer.open("model", tmp_path)
    try:
        names = await asyncio.gather(*(server.adapter(str(tmp_path), "identity") for _ in range(5)))
        assert len(set(names)) == 1
        reply = await server.complete(names[0], [1], request())
        assert json.loads(reply.text)[2] == [names[0]]
        with pytest.raises(ServerError, match="no such adapter"):
            await server.adapter(str(tmp_path / "absent"), "other")
    finally:
        await server.close()


async def test_what_is_no_whole_reply_is_an_error(tmp_path: Path) -> None:
    server = await VllmServer.open("model", tmp_path)
    try:
        for prompt in ([14], [15]):
            with pytest.raises(CallError, match="cannot be read"):
                await server.complete(server.record.name, prompt, request())
        stop_server(server.record)
        with pytest.raises(CallError, match="did not answer"):
            await server.complete(server.record.name, [1], request())
        for _ in range(2):  # a failed try is not kept
            with pytest.raises(ServerError, match="does not load the adapter"):
                await server.adapter(str(tmp_path), "identity")
        assert server._adapters == {}
    finally:
        await server.close()


async def test_a_server_that_died_is_started_again(tmp_path: Path, embedded: Path) -> None:
    started: list[str] = []
    caller = ServedCaller(tmp_path, started.append)
    spec = parse_spec("embedded")
    try:
        assert (await caller.call(spec, request())).finish_reason == "length"
        (server, _) = caller._servers["embedded"]
        stop_server(server.record)
        assert (await caller.call(spec, request())).finish_reason == "length"
        assert len(started) == 2
    finally:
        await caller.close()
    assert list(tmp_path.glob("vllm-*.json")) == []


async def test_a_damaged_record_is_passed_over(tmp_path: Path) -> None:
    first = await VllmServer.open("model", tmp_path)
    await first.close()
    first.record_file.write_bytes(b"\xff\x00")
    second = await VllmServer.open("model", tmp_path)
    await second.close()
    assert second.record.name != first.record.name


async def test_a_server_that_outlived_its_owner_is_used_again(tmp_path: Path) -> None:
    first = await VllmServer.open("model", tmp_path)
    await first.adapter(str(tmp_path), "identity")
    again = await VllmServer.open("model", tmp_path)  # as another process would, after a crash
    try:
        assert again.record == first.record
        assert await again.adapter(str(tmp_path), "identity") == await first.adapter(str(tmp_path), "identity")
        reply = await again.complete(again.record.name, [1], request())
        assert len(json.loads(reply.text)[2]) == 1  # not loaded a second time
    finally:
        await again.close()
    assert not psutil.pid_exists(first.record.pid)


async def test_a_record_of_another_process_is_not_believed(tmp_path: Path) -> None:
    first = await VllmServer.open("model", tmp_path)
    await first.close()
    (record_file,) = [tmp_path / f"{path.stem}.json" for path in tmp_path.glob("vllm-*.log")]
    stale = ServerRecord(pid=os.getpid(), started=1.0, url=first.record.url, name=first.record.name, model="model")
    record_file.write_text(stale.model_dump_json())
    second = await VllmServer.open("model", tmp_path)
    await second.close()
    assert second.record.name != first.record.name
    assert psutil.pid_exists(os.getpid())


async def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="ended while starting: ValueError: no such architecture"):
        await VllmServer.open("broken", tmp_path)
    assert list(tmp_path.glob("vllm-*.json")) == []


def test_without_vllm_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, "/nowhere/python")
    with pytest.raises(ServerError, match=r"is no program"):
        vllm_python()
    monkeypatch.delenv(PYTHON_VARIABLE)
    with pytest.raises(ServerError, match=r"pip install 'linguistic-transfer\[gpu\]'.*LRL_VLLM_PYTHON"):
        vllm_python()
