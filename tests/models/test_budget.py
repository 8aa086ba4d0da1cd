"""The budget: reserved before each call, settled after it, counted over all processes of a run."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from models.budget import Account, BudgetSpent, Spending, cost_line, upper_estimate
from models.calls import CallError, CallRefused, CallRequest, Reply
from models.ledger import read_costs, read_rows
from models.prices import load_prices
from models.spec import parse_spec
from records.config import Budget
from records.nouns import Message
from tests.loopback import Loopback, Step, malformed, rate_limited
from tests.models.conftest import OpenGateway, ask

HAIKU = "anthropic:claude-haiku-4-5"  # 1 and 5 dollars per million tokens
STEP = Step("x", usage=(1000, 1000))  # 0.006 dollars
WORDS = "word " * 400  # so that the estimate of the prompt is above 1,000 tokens


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    with Loopback(lambda request: STEP) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret-0123456789")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        yield server


def question(number: int) -> CallRequest:
    return ask(f"{number} {WORDS}", HAIKU, max_tokens=1000)


async def outcomes(open_gateway: OpenGateway, count: int, **budget: float) -> tuple[list[object], Spending]:
    async with open_gateway(budget=budget) as gateway:
        calls = (gateway.complete(question(number)) for number in range(count))
        done = await asyncio.gather(*calls, return_exceptions=True)
        return list(done), gateway.spent


@pytest.mark.parametrize("budget", [{"usd": 0.05}, {"tokens": 17_000}, {"calls": 7}])
async def test_limit_is_never_exceeded_and_nothing_paid_is_lost(
    open_gateway: OpenGateway, server: Loopback, tmp_path: Path, budget: dict[str, float]
) -> None:
    done, spent = await outcomes(open_gateway, 30, **budget)
    refused = [item for item in done if isinstance(item, BudgetSpent)]
    assert len(refused) == 30 - server.count and 5 <= server.count <= 8
    (name, limit), *_ = budget.items()
    assert getattr(spent, name) <= limit
    assert spent.calls == server.count and spent.usd == pytest.approx(0.006 * server.count)
    assert "budget does not allow the next call" in str(refused[0]) and HAIKU in str(refused[0])
    (total,) = read_costs(tmp_path / "ledger.sqlite", ())
    assert (total.calls, total.failed) == (server.count, 0)


async def test_larger_budget_goes_on_and_counts_what_was_spent_before(
    open_gateway: OpenGateway, server: Loopback
) -> None:
    _, first = await outcomes(open_gateway, 10, usd=0.03)
    before = server.count
    again, same = await outcomes(open_gateway, 10, usd=0.03)
    assert server.count == before and same == first
    assert sum(isinstance(item, BudgetSpent) for item in again) == 10 - before
    whole, spent = await outcomes(open_gateway, 10, usd=1.0)
    assert not any(isinstance(item, BaseException) for item in whole)
    assert server.count == 10 and spent.usd == pytest.approx(0.06)


async def test_calls_wait_for_those_in_flight_instead_of_being_refused(
    open_gateway: OpenGateway, server: Loopback
) -> None:
    """Two upper estimates do not fit at once, all real costs do."""
    done, _ = await outcomes(open_gateway, 6, usd=0.0385)
    assert not any(isinstance(item, BaseException) for item in done)


async def test_unknown_price_is_refused_under_a_budget_in_dollars_only(open_gateway: OpenGateway) -> None:
    with Loopback(lambda request: STEP) as server:
        request = ask("hi", f"vllm:m@{server.openai_url}")
        async with open_gateway(budget={"usd": 5}) as gateway:
            with pytest.raises(CallRefused, match="no price is known"):
                await gateway.complete(request)
        assert server.count == 0
        async with open_gateway(budget={"calls": 5}) as gateway:
            assert (await gateway.complete(request)).cost is None
            assert (gateway.spent.calls, gateway.spent.unknown_costs) == (1, 1)
            assert cost_line(gateway.spent, Budget(calls=5)) == "1 calls of unknown cost of 5 calls"


async def test_own_prices_make_a_cost_known(open_gateway: OpenGateway, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[vllm.m]\ndate = "2026-11-01"\ninput = 1000\noutput = 0\n')
    with Loopback(lambda request: STEP) as server:
        async with open_gateway(prices=str(tmp_path / "own.toml"), budget={"usd": 5}) as gateway:
            assert (await gateway.complete(ask("hi", f"vllm:m@{server.openai_url}"))).cost == pytest.approx(1.0)


async def test_call_killed_in_flight_counts_with_its_estimate(
    open_gateway: OpenGateway, server: Loopback, tmp_path: Path
) -> None:
    await outcomes(open_gateway, 1)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection:
        connection.execute(
            "UPDATE calls SET status = 'intent', cost = NULL, prompt_tokens = NULL, completion_tokens = NULL"
        )
        connection.commit()
    expected = upper_estimate(load_prices(), parse_spec(HAIKU), question(0).messages, 1000)
    async with open_gateway() as gateway:
        assert gateway.spent == expected and expected.usd > 0.006
        assert (await gateway.complete(question(0))).error is None
        assert gateway.spent.usd == pytest.approx(expected.usd + 0.006)
    async with open_gateway() as gateway:  # and a third process knows of both
        assert (gateway.spent.calls, gateway.spent.usd) == (2, pytest.approx(expected.usd + 0.006))


async def test_lost_attempts_are_counted_by_later_processes_too(
    open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret-0123456789")
    most = upper_estimate(load_prices(), parse_spec(HAIKU), question(0).messages, 1000)
    with Loopback([malformed(), STEP]) as server:  # a reply that cannot be read was paid all the same
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        async with open_gateway() as gateway:
            assert "cannot be read" in ((await gateway.complete(question(0))).error or "")
            assert gateway.spent == most
        async with open_gateway() as gateway:
            assert gateway.spent == most
            assert (await gateway.complete(question(0))).error is None
            spent = gateway.spent
    assert (spent.calls, spent.usd) == (2, pytest.approx(most.usd + 0.006))
    async with open_gateway() as gateway:
        assert (gateway.spent.calls, gateway.spent.usd) == (2, pytest.approx(spent.usd))


async def test_refused_calls_give_their_room_back_and_a_refused_retry_is_no_call_in_flight(
    open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret-0123456789")
    with Loopback([rate_limited(0.01), STEP, STEP]) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        async with open_gateway(budget={"calls": 2}) as gateway:
            for number in range(2):
                assert (await gateway.complete(question(number))).error is None
            with pytest.raises(BudgetSpent):
                await gateway.complete(question(2))
    assert server.count == 3
    assert [row["status"] for row in read_rows(tmp_path / "ledger.sqlite")] == ["ok", "ok"]


async def test_lost_reply_counts_only_if_the_provider_may_have_charged() -> None:
    request = question(0)
    spec = parse_spec(HAIKU)
    account = Account(Budget(), load_prices())
    for charged, calls in ((False, 0), (True, 1)):
        with pytest.raises(CallError):
            async with account.reserved(spec, request):
                raise CallError("no reply", charged=charged)
        assert account.spent.calls == calls
    async with account.reserved(spec, request) as reservation:
        account.settle(reservation, Reply(text="x", finish_reason="stop"), None)
    assert account.spent.usd == pytest.approx(2 * reservation.most.usd)  # no usage was told: the estimate counts


async def test_local_models_are_free_and_unlimited() -> None:
    account = Account(Budget(usd=0, tokens=0, calls=0), load_prices())
    request = ask("hi", "embedded")
    async with account.reserved(parse_spec("embedded"), request) as reservation:
        account.settle(reservation, Reply(text="x", finish_reason="stop", prompt_tokens=5, completion_tokens=5), 0.0)
    assert account.spent == Spending()


def test_estimate_is_above_what_a_tokenizer_makes() -> None:
    texts = ("plain words", "ünïcödé 漢字 🙂", "x" * 500, "\ud800")
    messages = [Message(role="user", content=text) for text in texts]
    most = upper_estimate(load_prices(), parse_spec(HAIKU), messages, 10)
    assert most.tokens >= sum(len(text.encode("utf-8", "replace")) for text in texts) + 10
