"""Second calls for replies that do not come: off by default, at most one, and counted as perhaps paid."""

import itertools
from pathlib import Path

import pytest

from models.ledger import read_rows
from tests.loopback import Loopback, Request, Step, failing
from tests.models.conftest import OpenGateway, ask

SLOW_S = 2.0


def slow_first(*later: Step):  # type: ignore[no-untyped-def]
    """The first request is answered late, the next ones as given."""
    numbers = itertools.count()

    def script(request: Request) -> Step:
        number = next(numbers)
        return Step("late", delay=SLOW_S, usage=(10, 5)) if number == 0 else later[min(number, len(later)) - 1]

    return script


async def test_a_second_call_is_made_and_the_first_reply_counts(open_gateway: OpenGateway, tmp_path: Path) -> None:
    with Loopback(slow_first(Step("soon", usage=(10, 5)))) as server:
        async with open_gateway(hedge_after=0.1) as gateway:
            reply = await gateway.complete(ask("hi", f"vllm:m@{server.openai_url}", max_tokens=20))
            assert (reply.text, reply.error) == ("soon", None)
            assert gateway.spent.calls == 2 and gateway.spent.tokens > 15  # the second one at its upper estimate
        assert server.count == 2
    (row,) = read_rows(tmp_path / "ledger.sqlite")
    assert (row["status"], row["lost"], row["text"]) == ("ok", 1, "soon")


async def test_none_is_made_by_default_or_when_the_reply_comes_in_time(open_gateway: OpenGateway) -> None:
    for settings in ({}, {"hedge_after": 5.0}):
        with Loopback([Step("one", delay=0.2)]) as server:
            async with open_gateway(**settings) as gateway:
                assert (await gateway.complete(ask(f"hi {settings}", f"vllm:m@{server.openai_url}"))).text == "one"
            assert server.count == 1


async def test_a_second_call_that_fails_leaves_the_first(open_gateway: OpenGateway) -> None:
    with Loopback(slow_first(failing(500))) as server:
        async with open_gateway(hedge_after=0.1) as gateway:
            assert (await gateway.complete(ask("hi", f"vllm:m@{server.openai_url}"))).text == "late"
        assert server.count == 2


async def test_a_budget_without_room_makes_no_second_call_and_stops_nothing(open_gateway: OpenGateway) -> None:
    with Loopback(slow_first(Step("soon"))) as server:
        async with open_gateway(hedge_after=0.1, budget={"calls": 1}) as gateway:
            assert (await gateway.complete(ask("hi", f"vllm:m@{server.openai_url}"))).text == "late"
        assert server.count == 1


@pytest.mark.parametrize("value", [0, -1, "x"])
def test_bad_values_are_refused(value: object, open_gateway: OpenGateway) -> None:
    with pytest.raises(ValueError, match="hedge_after"):
        open_gateway(hedge_after=value)
