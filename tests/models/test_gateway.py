"""The gateway and its ledger, with the real clients against a loopback server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from models.gateway import CallRequest, RetryPolicy
from models.ledger import LedgerError, read_costs, read_rows
from records.nouns import Completion
from tests.loopback import Loopback, Request, Step, failing, rate_limited
from tests.models.conftest import FAST, OpenGateway, ask

ROOT = Path(__file__).resolve().parents[2]
CLAUDE = "anthropic:claude-haiku-4-5"


@pytest.fixture
def claude(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret-0123456789")
    return monkeypatch


async def test_reply_usage_and_cost(open_gateway: OpenGateway, claude: pytest.MonkeyPatch) -> None:
    with Loopback([Step("four", usage=(1000, 200))]) as server:
        claude.setenv("ANTHROPIC_BASE_URL", server.url)
        async with open_gateway() as gateway:
            completion = await gateway.complete(ask("2+2?", CLAUDE, max_tokens=50))
    assert (completion.text, completion.finish_reason, completion.error) == ("four", "stop", None)
    assert (completion.prompt_tokens, completion.completion_tokens) == (1000, 200)
    assert completion.cost == pytest.approx(1000 * 1e-6 + 200 * 5e-6)
    assert server.requests[0].body["max_tokens"] == 50


async def test_openai_length_and_unknown_price(open_gateway: OpenGateway) -> None:
    with Loopback([Step("cut of", finish="length")]) as server:
        async with open_gateway() as gateway:
            completion = await gateway.complete(ask("hi", f"vllm:my-model@{server.openai_url}"))
            assert gateway.usage().cost is None
    assert completion.finish_reason == "length"
    assert completion.cost is None
    assert server.requests[0].path == "/v1/chat/completions"


async def test_result_is_served_again_also_after_reopening(open_gateway: OpenGateway) -> None:
    with Loopback(["one"]) as server:
        request = ask("hi", f"vllm:m@{server.openai_url}")
        async with open_gateway() as gateway:
            first = await gateway.complete(request)
            again = await gateway.complete(request)
        async with open_gateway() as gateway:
            later = await gateway.complete(request)
            assert gateway.usage().calls == 0 and gateway.usage().replayed == 1
    assert [first.replayed, again.replayed, later.replayed] == [False, True, True]
    assert first.model_copy(update={"replayed": True}) == later
    assert server.count == 1


async def test_equal_calls_in_flight_are_merged_and_samples_are_not(open_gateway: OpenGateway) -> None:
    with Loopback(lambda request: Step("x", delay=0.1)) as server:
        model = f"vllm:m@{server.openai_url}"
        async with open_gateway() as gateway:
            same = [gateway.complete(ask("hi", model)) for _ in range(5)]
            others = [gateway.complete(ask("hi", model, sample=n)) for n in (1, 2)]
            done = await asyncio.gather(*same, *others)
    assert server.count == 3
    assert sorted(completion.replayed for completion in done) == [False] * 3 + [True] * 4


async def test_seed_is_part_of_the_key_only_when_sampling(open_gateway: OpenGateway) -> None:
    with Loopback(lambda request: "x") as server:
        model = f"vllm:m@{server.openai_url}"
        async with open_gateway() as gateway:
            for temperature in (0.0, 0.7):
                for seed in (0, 1):
                    await gateway.complete(ask("hi", model, seed=seed, temperature=temperature))
    assert server.count == 3
    assert len({request.body.get("seed") for request in server.requests[1:]}) == 2


@pytest.mark.parametrize("trouble", [rate_limited(0.05), failing(500), failing(409), Step(cut=True)])
async def test_transient_failures_are_retried(open_gateway: OpenGateway, trouble: Step) -> None:
    with Loopback([trouble, "fine"]) as server:
        async with open_gateway() as gateway:
            completion = await gateway.complete(ask("hi", f"vllm:m@{server.openai_url}"))
    assert completion.text == "fine"
    assert server.count == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_other_refusals_are_not_retried_and_made_again_later(open_gateway: OpenGateway, status: int) -> None:
    with Loopback([failing(status), "now"]) as server:
        request = ask("hi", f"vllm:m@{server.openai_url}")
        async with open_gateway() as gateway:
            failed = await gateway.complete(request)
        assert server.count == 1
        async with open_gateway() as gateway:
            later = await gateway.complete(request)
    assert failed.finish_reason == "error" and f"HTTP {status}" in (failed.error or "")
    assert later.text == "now" and not later.replayed


@pytest.mark.parametrize(
    "body", [b"<html>gateway</html>", b"{}", b'{"choices": []}', b'{"choices": [{}]}', b"\xff\xfe"]
)
@pytest.mark.parametrize("provider", ["anthropic", "vllm"])
async def test_garbage_becomes_an_error(
    open_gateway: OpenGateway, claude: pytest.MonkeyPatch, provider: str, body: bytes
) -> None:
    with Loopback(lambda request: Step(body=body)) as server:
        claude.setenv("ANTHROPIC_BASE_URL", server.url)
        model = CLAUDE if provider == "anthropic" else f"vllm:m@{server.openai_url}"
        async with open_gateway() as gateway:
            completion = await gateway.complete(ask("hi", model))
    assert completion.finish_reason == "error"
    assert completion.text == "" and model in (completion.error or "")


async def test_hanging_server_times_out(open_gateway: OpenGateway) -> None:
    with Loopback(lambda request: Step(delay=1.0)) as server:
        async with open_gateway(call_timeout=0.2, retry=RetryPolicy(attempts=2, first=0.01)) as gateway:
            completion = await gateway.complete(ask("hi", f"vllm:m@{server.openai_url}"))
    assert completion.finish_reason == "error" and "Timeout" in (completion.error or "")
    assert server.count == 2


async def test_server_that_is_down(open_gateway: OpenGateway) -> None:
    async with open_gateway() as gateway:
        completion = await gateway.complete(ask("hi", "vllm:m@http://127.0.0.1:9/v1"))
    assert "no answer from 'vllm:m@http://127.0.0.1:9/v1'" in (completion.error or "")


async def test_long_retry_after_fails_with_advice(open_gateway: OpenGateway) -> None:
    with Loopback([rate_limited(3600)]) as server:
        async with open_gateway() as gateway:
            completion = await gateway.complete(ask("hi", f"vllm:m@{server.openai_url}"))
    assert "3600 s" in (completion.error or "") and "resume" in (completion.error or "")


async def test_concurrency_limit(open_gateway: OpenGateway) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def script(request: Request) -> str:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.02)
        with lock:
            now[0] -= 1
        return "x"

    with Loopback(script) as server:
        model = f"vllm:m@{server.openai_url}"
        async with open_gateway(concurrency=3) as gateway:
            await asyncio.gather(*(gateway.complete(ask(f"{n}", model)) for n in range(15)))
    assert 1 < most[0] <= 3


async def test_keys_never_show(open_gateway: OpenGateway, claude: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = os.environ["ANTHROPIC_API_KEY"]
    with Loopback([failing(401, message=f"bad key {secret}")]) as server:
        claude.setenv("ANTHROPIC_BASE_URL", server.url)
        async with open_gateway() as gateway:
            completion = await gateway.complete(ask("hi", CLAUDE))
    assert any(secret in value for value in server.requests[0].headers.values())
    assert secret not in completion.model_dump_json()
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.iterdir())


async def test_missing_key_bad_spec_and_oracle(open_gateway: OpenGateway) -> None:
    async with open_gateway() as gateway:
        missing = await gateway.complete(ask("hi", CLAUDE))
        wrong = await gateway.complete(ask("hi", "claude"))
        oracle = await gateway.complete(ask("hi", "oracle"))
        adapter = await gateway.complete(ask("hi", "embedded+/does/not/exist"))
    assert "ANTHROPIC_API_KEY" in (missing.error or "") and "embedded" in (missing.error or "")
    assert "Valid forms" in (wrong.error or "")
    assert "not a language model" in (oracle.error or "")
    assert "no PEFT adapter" in (adapter.error or "")


async def test_replay_needs_no_key(open_gateway: OpenGateway, claude: pytest.MonkeyPatch) -> None:
    with Loopback(["kept"]) as server:
        claude.setenv("ANTHROPIC_BASE_URL", server.url)
        async with open_gateway() as gateway:
            await gateway.complete(ask("hi", CLAUDE))
    claude.delenv("ANTHROPIC_API_KEY")
    async with open_gateway() as gateway:
        assert (await gateway.complete(ask("hi", CLAUDE))).text == "kept"


async def test_hook_sees_every_call(open_gateway: OpenGateway) -> None:
    seen: list[tuple[Completion, CallRequest]] = []
    with Loopback(["x"]) as server:
        request = ask("hi", f"vllm:m@{server.openai_url}")
        async with open_gateway() as gateway:
            gateway.on_call = lambda completion, made: seen.append((completion, made))
            await gateway.complete(request)
            await gateway.complete(request)
    assert [completion.replayed for completion, _ in seen] == [False, True]


async def test_cancelled_caller_does_not_lose_the_paid_call(open_gateway: OpenGateway, tmp_path: Path) -> None:
    with Loopback(lambda request: Step("paid", delay=0.2)) as server:
        request = ask("hi", f"vllm:m@{server.openai_url}")
        async with open_gateway() as gateway:
            task = asyncio.create_task(gateway.complete(request))
            await asyncio.sleep(0.1)
            task.cancel()
            assert (await gateway.complete(request)).text == "paid"
    assert server.count == 1


async def test_rows_and_costs(open_gateway: OpenGateway, claude: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hostile = "\ud800 \x00 '; DROP TABLE calls; --"
    with Loopback([Step(hostile, usage=(1_000_000, 0)), "b", failing(400)]) as server:
        claude.setenv("ANTHROPIC_BASE_URL", server.url)
        async with open_gateway() as gateway:
            await gateway.complete(ask("a", CLAUDE, stage="solve"))
            await gateway.complete(ask("b", f"vllm:m@{server.openai_url}", stage="solve"))
            await gateway.complete(ask("c", f"vllm:m@{server.openai_url}", stage="reflect"))
    rows = list(read_rows(tmp_path / "ledger.sqlite"))
    assert [row["status"] for row in rows] == ["ok", "ok", "error"]
    assert rows[0]["messages"] == [{"role": "user", "content": "a"}]
    assert "DROP TABLE" in rows[0]["text"]
    by_model = {row.group: row for row in read_costs(tmp_path / "ledger.sqlite", ("model",))}
    assert by_model[(CLAUDE,)].cost == pytest.approx(1.0)
    (total,) = read_costs(tmp_path / "ledger.sqlite", ())
    assert (total.calls, total.failed, total.cost, total.known_cost) == (3, 1, None, pytest.approx(1.0))
    with pytest.raises(LedgerError, match="valid: stage"):
        read_costs(tmp_path / "ledger.sqlite", ("colour",))


async def test_ledger_that_cannot_be_written_stops_before_paying(open_gateway: OpenGateway, tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="cannot be used"):
        async with open_gateway():
            pass


CHILD = """
import asyncio, sys
from models.gateway import CallRequest, Gateway
from records.config import RunConfig
from records.nouns import Message

async def main(path, url):
    async with Gateway.open(path, RunConfig(domain="python", concurrency=4)) as gateway:
        done = 0
        def told(completion, request):
            nonlocal done
            done += 1
            print(done, flush=True)
        gateway.on_call = told
        asks = [CallRequest(model=f"vllm:m@{url}", messages=(Message(role="user", content=str(n)),), max_tokens=8,
                            stage="fan", agent="a") for n in range(20)]
        await asyncio.gather(*(gateway.complete(a) for a in asks))

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def test_sigkill_in_a_fan_out_pays_nothing_twice(tmp_path: Path) -> None:
    with Loopback(lambda request: Step(f"reply {request.prompt}", delay=0.1)) as server:
        command = [sys.executable, "-c", CHILD, str(tmp_path / "ledger.sqlite"), server.openai_url]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == "8":
                child.send_signal(signal.SIGKILL)
                break
        child.wait()
        child.stdout.close()
        finished = {
            row["messages"][0]["content"] for row in read_rows(tmp_path / "ledger.sqlite") if row["status"] == "ok"
        }
        assert 8 <= len(finished) < 20
        before = server.count
        subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True)
        repeated = {request.prompt for request in server.requests[before:]} & finished
        rows = list(read_rows(tmp_path / "ledger.sqlite"))
    assert repeated == set()
    assert server.count - before == 20 - len(finished)
    assert {row["status"] for row in rows} == {"ok"} and len(rows) == 20
    assert json.dumps([row["text"] for row in rows]).count("reply") == 20
    assert server.count <= sum(row["starts"] for row in rows) <= server.count + 4  # killed before sending


def test_waits_grow_and_honour_the_server() -> None:
    from models.calls import CallError

    waits = [RetryPolicy(first=1, longest=8).wait(n, CallError("x")) for n in range(6)]
    assert all(0.5 * min(8, 2**n) <= wait <= min(8, 2**n) for n, wait in enumerate(waits))
    assert FAST.wait(0, CallError("x", retry_after=3.0)) == 3.0
