"""The budget of a run: reserved before each paid call, settled after it.

Guaranteed: what is settled and what is reserved together never exceed a limit. A call is reserved at
its upper estimate (no tokenizer makes more tokens than there are bytes; `max_tokens` for the reply;
the highest price there is), so that the budget holds as far as the price table is right. A call that
does not fit is not made, and neither is any after it. Calls of local models are free and not counted.
Not guaranteed: that the provider charged nothing for a call that failed; one whose reply may have
been lost on the way (`CallError.charged`, or killed in flight) counts with its upper estimate, in the
process that made it and, by the ledger, in all later ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from models.calls import CallError, CallRefused, CallRequest, Reply
from models.prices import PriceTable
from models.spec import ModelSpec, parse_spec
from records.config import Budget
from records.nouns import Message

MESSAGE_OVERHEAD = 16  # tokens of a chat template around one message, more than any known one has
CALL_OVERHEAD = 64


class BudgetSpent(CallRefused):
    """The next call does not fit into the budget; the message says what was spent of what."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What paid calls used. `usd` is what is known; `unknown_costs` counts the calls without a known cost."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    unknown_costs: int = 0

    def plus(self, other: Spending) -> Spending:
        """Both together."""
        return Spending(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            usd=self.usd + other.usd,
            unknown_costs=self.unknown_costs + other.unknown_costs,
        )

    def minus(self, other: Spending) -> Spending:
        """Without the other."""
        return Spending(
            calls=self.calls - other.calls,
            tokens=self.tokens - other.tokens,
            usd=self.usd - other.usd,
            unknown_costs=self.unknown_costs - other.unknown_costs,
        )


class Reservation:
    """Room for one call; what is not settled is given back."""

    def __init__(self, most: Spending) -> None:
        self.most = most
        self.used: Spending | None = None


class Account:
    """What one run may still spend. For one event loop."""

    def __init__(self, limits: Budget, prices: PriceTable, spent: Spending | None = None) -> None:
        """`spent` is what earlier processes of the run have paid."""
        self.limits = limits
        self.spent = spent or Spending()
        self.refusal = ""  # why no further call is made
        self._prices = prices
        self._reserved = Spending()
        self._changed = asyncio.Condition()
        self._limited = limits != Budget()

    @asynccontextmanager
    async def reserved(
        self, spec: ModelSpec, request: CallRequest, *, batch: bool = False, counted: bool = False
    ) -> AsyncIterator[Reservation]:
        """Room for one attempt at a call; waits while calls in flight hold it. Raises BudgetSpent.

        `batch`: at the prices of the provider's batches. `counted`: it is under way since an earlier process, and
        `spent` has its estimate; it is not refused, being paid already.
        """
        if spec.local:
            yield Reservation(Spending())
            return
        reservation = Reservation(upper_estimate(self._prices, spec, request.messages, request.max_tokens, batch))
        if self.limits.usd is not None and reservation.most.unknown_costs and not counted:
            raise BudgetSpent(f"no price is known for '{spec}', so that a budget in dollars cannot be kept")
        if counted:
            self._reserved = self._reserved.plus(reservation.most)
            self.spent = self.spent.minus(reservation.most)
        else:
            await self._reserve(spec, request, reservation.most)
        try:
            yield reservation
        except CallError as error:
            reservation.used = reservation.most if error.charged else None
            raise
        finally:
            await self._settle(reservation)

    def has_room(self, spec: ModelSpec, request: CallRequest) -> bool:
        """Whether one more call fits beside those in flight."""
        most = upper_estimate(self._prices, spec, request.messages, request.max_tokens)
        return not self.refusal and not exceeded(self.limits, self.spent.plus(self._reserved).plus(most))

    def settle(self, reservation: Reservation, reply: Reply, cost: float | None) -> None:
        """Note what a call really used, if the provider said so; otherwise it counts with its estimate."""
        if reservation.most.calls == 0:
            return
        known = reply.prompt_tokens is not None and reply.completion_tokens is not None
        tokens = (reply.prompt_tokens or 0) + (reply.completion_tokens or 0) if known else reservation.most.tokens
        usd = reservation.most.usd if cost is None else cost
        reservation.used = Spending(calls=1, tokens=tokens, usd=usd, unknown_costs=reservation.most.unknown_costs)

    async def _reserve(self, spec: ModelSpec, request: CallRequest, most: Spending) -> None:
        if not self._limited:  # nobody ever waits
            self._reserved = self._reserved.plus(most)
            return
        async with self._changed:
            while True:
                if not self.refusal and (over := exceeded(self.limits, self.spent.plus(most))):
                    self.refusal = self._explain(over, spec, request, most)
                    self._changed.notify_all()
                if self.refusal:
                    raise BudgetSpent(self.refusal)
                if not exceeded(self.limits, self.spent.plus(self._reserved).plus(most)):
                    self._reserved = self._reserved.plus(most)
                    return
                await self._changed.wait()

    async def _settle(self, reservation: Reservation) -> None:
        self._reserved = self._reserved.minus(reservation.most)
        self.spent = self.spent.plus(reservation.used or Spending())
        if self._limited:
            async with self._changed:
                self._changed.notify_all()

    def _explain(self, over: Sequence[str], spec: ModelSpec, request: CallRequest, most: Spending) -> str:
        spent = " and ".join(f"{_amount(self.spent, name)} of {_limit(self.limits, name)}" for name in over)
        may = " and ".join(_amount(most, name) for name in over)
        return (
            f"the budget does not allow the next call: {spent} are spent, and it ({request.stage}, {request.agent}, "
            f"{spec}) may need up to {may}"
        )


def exceeded(limits: Budget, spending: Spending) -> list[str]:
    """Names of the limits that are exceeded: usd, tokens, calls."""
    names = ("usd", "tokens", "calls")
    allowed = {name: getattr(limits, name) for name in names}
    return [n for n in names if allowed[n] is not None and getattr(spending, n) > allowed[n] * (1 + 1e-9)]


def upper_tokens(messages: Iterable[Message], max_tokens: int = 0) -> int:
    """The most tokens that a prompt can have, a byte being at most one, and its reply."""
    return CALL_OVERHEAD + sum(_bytes(message.content) + MESSAGE_OVERHEAD for message in messages) + max_tokens


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def upper_estimate(
    prices: PriceTable, spec: ModelSpec, messages: Iterable[Message], max_tokens: int, batch: bool = False
) -> Spending:
    """The most that one call can use. `unknown_costs` is 1 if the model's price is unknown."""
    prompt = upper_tokens(messages)
    price = prices.price_of(spec)
    price = price.batched() if price and batch else price
    usd = price.upper_cost(prompt, max_tokens) if price else 0.0
    return Spending(calls=1, tokens=prompt + max_tokens, usd=usd, unknown_costs=0 if price else 1)


def spent_before(rows: Iterable[dict[str, Any]], prices: PriceTable) -> Spending:
    """What the paid calls in a ledger used (rows of `Ledger.paid_rows`).

    A call that was killed in flight, or whose usage the provider did not say, counts with its upper
    estimate, and so does each attempt that was lost and may have been charged.
    """
    total = Spending()
    for row in rows:
        if row["status"] != "error":
            total = total.plus(_spending(row, prices))
        for _ in range(row["lost"]):
            total = total.plus(_most(row, prices))
    return total


def _most(row: dict[str, Any], prices: PriceTable) -> Spending:
    messages = [Message.model_validate(message) for message in row["messages"]]
    return upper_estimate(prices, parse_spec(row["model"]), messages, row["max_tokens"], row["batch"] is not None)


def _spending(row: dict[str, Any], prices: PriceTable) -> Spending:
    spec = parse_spec(row["model"])
    tokens = (row["prompt_tokens"], row["completion_tokens"])
    cost, batch = row["cost"], row["batch"] is not None
    if cost is None and row["status"] == "ok":
        cost = prices.cost_of(spec, *tokens, row["cached_tokens"], row["cache_write_tokens"], batch)
    if cost is not None and None not in tokens:
        return Spending(calls=1, tokens=sum(tokens), usd=cost)
    most = _most(row, prices)
    return most if None in tokens else replace(most, tokens=sum(tokens))


def _amount(spending: Spending, name: str) -> str:
    value = getattr(spending, name)
    return money(value) if name == "usd" else f"{value:,} {name}"


def _limit(limits: Budget, name: str) -> str:
    value = getattr(limits, name)
    return money(value) if name == "usd" else f"{value:,}"


def money(usd: float) -> str:
    """Dollars with two decimals, small amounts with four."""
    return f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}"


def cost_line(spent: Spending, limits: Budget) -> str:
    """What was spent, of what, in a few words; unknown costs are named."""
    parts = [money(spent.usd)] if spent.usd or not spent.unknown_costs else []
    parts += [f"{spent.unknown_costs:,} calls of unknown cost"] if spent.unknown_costs else []
    text = " + ".join(parts)
    return text + (f" of {budget_line(limits)}" if budget_line(limits) else "")


def budget_line(limits: Budget) -> str:
    """The limits that are set, "" if there are none."""
    names = [name for name in ("usd", "tokens", "calls") if getattr(limits, name) is not None]
    return ", ".join(_limit(limits, name) + ("" if name == "usd" else f" {name}") for name in names)
