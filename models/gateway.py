"""The one door to all models: ledger, limits, retries, accounts.

Guaranteed: a call whose result is in the ledger is not made again; equal calls in flight are made once; the
result is on disk before `complete` returns; what a model thought is no part of its text, but `reasoning`
(models/thoughts.py); `complete` does not raise for a failed call but returns a Completion with `error`;
retries happen here only, for 408, 409, 429, 5xx, time-outs and broken connections. It does raise LedgerError
if the ledger cannot be written, since going on would pay without a record; BudgetSpent, for this call and all
later ones, if a call does not fit into the budget; and in a replay NotRecorded for a call that the ledger
does not have. Calls that can wait go into the provider's batches where the configuration says so
(models/batching.py); one that a batch did not answer is made as a single call. Not guaranteed: that a call
cancelled in flight was not paid.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pydantic import Field

from models.batching import BatchPending, BatchQueue
from models.budget import Account, BudgetSpent, Spending, spent_before, upper_tokens
from models.calls import Caller, CallError, CallRefused, CallRequest, Reply
from models.embedded import EmbeddedModelError
from models.hedging import Once, hedged
from models.identity import IdentityError, model_identity
from models.lanes import Lane
from models.ledger import Call, Ledger
from models.limits import Limits
from models.local_caller import LocalCaller
from models.prices import PriceTable, load_prices
from models.served import ServedCaller
from models.spec import ModelSpec, SpecError, check_available, parse_spec
from models.thoughts import parted
from records.config import RunConfig
from records.nouns import Completion, Record

__all__ = ["CallRefused", "CallRequest", "Gateway", "NotRecorded", "RetryPolicy", "Usage", "call_key"]

DOOR = 256  # calls of a model looked up and not yet in line: the last of a large fan-out do not hold up its first
CallerFor = Callable[[ModelSpec], Caller]


class NotRecorded(CallRefused):
    """A replay asked for a call that is not in the ledger."""


class RetryPolicy(Record):
    """Waits of first * 2^n seconds, at most `longest`, times a random half to whole."""

    attempts: int = Field(default=6, ge=1)
    first: float = Field(default=1.0, ge=0)
    longest: float = Field(default=60.0, ge=0)
    patience: float = Field(default=300.0, ge=0, description="a Retry-After beyond this fails the call")

    def wait(self, attempt: int, error: CallError) -> float:
        """Seconds to wait after the failed attempt number `attempt` (from 0)."""
        backoff = min(self.longest, self.first * 2**attempt) * random.uniform(0.5, 1.0)
        return max(backoff, error.retry_after or 0.0)


@dataclass(frozen=True, slots=True)
class Usage:
    """Totals of this process. `cost` in US dollars, None if any call's price is unknown."""

    calls: int = 0
    replayed: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0

    def plus(self, completion: Completion) -> Usage:
        """With one call more; a replayed one costs nothing."""
        if completion.replayed:
            return replace(self, replayed=self.replayed + 1)
        failed = completion.finish_reason == "error"
        spent = 0.0 if failed else completion.cost
        return Usage(
            calls=self.calls + 1,
            replayed=self.replayed,
            failed=self.failed + failed,
            prompt_tokens=self.prompt_tokens + (completion.prompt_tokens or 0),
            completion_tokens=self.completion_tokens + (completion.completion_tokens or 0),
            cost=None if self.cost is None or spent is None else self.cost + spent,
        )


class Gateway:
    """Made by `Gateway.open`."""

    def __init__(
        self, ledger: Ledger, config: RunConfig, retry: RetryPolicy, prices: PriceTable, spent: Spending
    ) -> None:
        self.on_call: Callable[[Completion, CallRequest], None] | None = None
        self.on_info: Callable[[str], None] | None = None
        self.on_wait: Callable[[str], None] | None = None
        self._ledger = ledger
        self._config = config
        self._retry = retry
        self._prices = prices
        self._account = Account(config.budget, prices, spent)
        self._local: LocalCaller | ServedCaller = LocalCaller(config.batch_limit)
        self._lanes: dict[str, Lane] = {}
        self._flying: dict[str, asyncio.Task[Completion]] = {}
        self._usage = Usage()
        self._available: set[ModelSpec] = set()
        self._doors: dict[str, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, DOOR))
        self._batches = BatchQueue(
            ledger, config.batches, config.call_timeout, partial(self._completed, batch=True),
            on_submitted=self._inform, on_state=self._say_waiting,
        )  # fmt: skip
        self._replay = False
        self._callers: CallerFor | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        ledger_path: Path | str,
        config: RunConfig,
        retry: RetryPolicy | None = None,
        *,
        replay: bool = False,
        callers: CallerFor | None = None,
    ) -> AsyncIterator[Gateway]:
        """A gateway with the ledger at `ledger_path`; on leaving, calls in flight are cancelled.

        Where the budget has ended the run, the calls in flight are paid for and waited for instead.
        With `replay` no call is made. `callers` replaces the providers' clients. Raises LedgerError
        and PriceError.
        """
        prices = load_prices(config.prices)
        ledger = Ledger(ledger_path)
        spent = spent_before(await ledger.paid_rows(), prices)
        gateway = cls(ledger, config, retry or RetryPolicy(), prices, spent)
        gateway._replay, gateway._callers = replay, callers
        if config.serve == "vllm":
            gateway._local = ServedCaller(Path(ledger_path).parent / "served", gateway._inform)
        await gateway._batches.restore()
        try:
            yield gateway
        finally:
            await gateway._close()

    async def complete(self, request: CallRequest) -> Completion:
        """The model's reply, from the ledger if it is there. A failed call has `error` set."""
        async with self._doors[request.model]:
            try:
                spec, identity = await self._known_model(request.model)
            except (SpecError, IdentityError, EmbeddedModelError) as error:
                return self._told(_failed("", str(error), 0.0), request)
            key = call_key(spec, identity, request)
            flying = self._flying.get(key)
            if flying is None:
                inside = asyncio.Event()
                task = asyncio.create_task(self._found_or_made(key, spec, identity, request, inside))
                self._flying[key] = task
                task.add_done_callback(partial(self._landed, key, inside))
                await inside.wait()
        if flying is not None:
            return self._told((await asyncio.shield(flying)).model_copy(update={"replayed": True}), request)
        return self._told(await asyncio.shield(task), request)

    async def _known_model(self, model: str) -> tuple[ModelSpec, str]:
        """The model and its identity. Raises SpecError, IdentityError and EmbeddedModelError."""
        spec = parse_spec(model)
        if not spec.local:
            return spec, model_identity(spec)
        if not self._replay and (problem := check_available(spec)):
            raise SpecError(problem)
        identity = await asyncio.to_thread(model_identity, spec)  # its files are hashed
        if self._config.serve != "transformers":
            identity += f"@{self._config.serve}"  # other kernels round otherwise: other replies
        return spec, identity

    def release_local(self) -> None:
        """Free the memory of local models once their waiting requests are done."""
        self._local.release()

    def usage(self) -> Usage:
        """Totals since the gateway was opened."""
        return self._usage

    @property
    def spent(self) -> Spending:
        """What the paid calls of the run used, those of earlier processes included."""
        return self._account.spent

    @property
    def notice(self) -> str:
        """What had to be done to the ledger when it was opened; "" if nothing."""
        return self._ledger.notice

    def _inform(self, text: str) -> None:
        if self.on_info is not None:
            self.on_info(text)

    def _say_waiting(self, text: str) -> None:
        if self.on_wait is not None:
            self.on_wait(text)

    def _landed(self, key: str, inside: asyncio.Event, task: asyncio.Task[Completion]) -> None:
        self._flying.pop(key, None)
        inside.set()  # it was in the ledger, or cancelled before it was in line
        if not task.cancelled():
            task.exception()  # seen, also where the caller has been cancelled

    def _told(self, completion: Completion, request: CallRequest) -> Completion:
        self._usage = self._usage.plus(completion)
        if self.on_call is not None:
            self.on_call(completion, request)
        return completion

    async def _found(self, key: str) -> Completion | None:
        held = self._batches.holds(key)
        found = await self._ledger.find(key, failed=self._replay)
        if found is None and held and not self._batches.holds(key):
            found = await self._ledger.find(key)  # its batch has ended meanwhile
        return found

    async def _found_or_made(
        self, key: str, spec: ModelSpec, identity: str, request: CallRequest, inside: asyncio.Event
    ) -> Completion:
        """From the ledger, or called; `inside` is set once the call waits for nothing but its turn."""
        found = await self._found(key)
        if found is not None:
            return found
        if self._replay:
            raise NotRecorded(
                f"the ledger has no call of '{spec}' with this prompt ({request.stage}, {request.agent}), and a replay "
                "makes none"
            )
        if spec not in self._available:
            if problem := check_available(spec):
                return _failed(key, problem, 0.0)
            self._available.add(spec)
        intent = _call(key, spec, identity, request)
        started = time.perf_counter()
        try:
            if self._batches.holds(key) or self._batches.takes(spec, request):
                inside.set()
                if done := await self._in_a_batch(spec, request, intent):
                    return done
            reply = await self._attempts(spec, request, intent, inside)
            completion = self._completed(spec, key, reply, time.perf_counter() - started)
        except BatchPending as error:  # not recorded: the call is not over
            return _failed(key, str(error), time.perf_counter() - started)
        except CallError as error:
            completion = _failed(key, str(error), time.perf_counter() - started)
        except BudgetSpent as error:  # an earlier attempt may have failed: then it is no call in flight any more
            await self._ledger.record(_failed(key, str(error), time.perf_counter() - started))
            raise
        await self._ledger.record(completion)
        return completion

    async def _in_a_batch(self, spec: ModelSpec, request: CallRequest, intent: Call) -> Completion | None:
        """What came of the call in a batch; None if it is to be made as a single call. Raises CallError."""
        begun = time.perf_counter()
        held = self._batches.holds(intent.key)
        try:
            async with self._account.reserved(spec, request, batch=True, counted=held) as reservation:
                reply = await self._batches.reply(spec, request, intent)
                completion = self._completed(spec, intent.key, reply, time.perf_counter() - begun, batch=True)
                self._account.settle(reservation, reply, completion.cost)
        except CallError as error:
            if error.retry:
                return None
            raise
        return completion

    def _completed(self, spec: ModelSpec, key: str, reply: Reply, seconds: float, *, batch: bool = False) -> Completion:
        cost = self._cost(spec, reply, batch)
        facts = _without_thoughts(reply).model_dump(exclude={"opened"})
        return Completion(key=key, cost=cost, seconds=seconds, **facts)

    def _cost(self, spec: ModelSpec, reply: Reply, batch: bool = False) -> float | None:
        tokens = (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens, reply.cache_write_tokens)
        return self._prices.cost_of(spec, *tokens, batch=batch)

    async def _attempts(self, spec: ModelSpec, request: CallRequest, intent: Call, inside: asyncio.Event) -> Reply:
        """Call until it succeeds, fails for good, or the attempts are used up."""
        lane = self._lane(spec)
        for attempt in range(self._retry.attempts - 1):
            try:
                return await self._attempt(lane, spec, request, intent, inside, again=attempt > 0)
            except CallError as error:
                if not error.retry:
                    raise
                self._check_patience(error)
                wait = self._retry.wait(attempt, error)
                lane.failed(error)
            await asyncio.sleep(wait)
        return await self._attempt(lane, spec, request, intent, inside, again=self._retry.attempts > 1)

    async def _attempt(
        self, lane: Lane, spec: ModelSpec, request: CallRequest, intent: Call, inside: asyncio.Event, *, again: bool
    ) -> Reply:
        """One attempt. Room in the budget is held only while it is in flight, so that no one waits for a sleeper."""
        tokens = 0 if spec.local else upper_tokens(request.messages, request.max_tokens)
        async with lane.line(), self._account.reserved(spec, request) as reservation:
            inside.set()
            await self._ledger.intend(intent, again=again)
            async with lane.place(tokens):
                reply = await self._called(lane, spec, request, intent, tokens)
            await asyncio.sleep(0)  # whoever gets the place goes first: of many replies at once the last one's waits
            self._account.settle(reservation, reply, self._cost(spec, reply))
        lane.succeeded(reply, tokens)
        return reply

    async def _called(self, lane: Lane, spec: ModelSpec, request: CallRequest, intent: Call, tokens: int) -> Reply:
        """The reply of one call, or of the first of two."""
        once = partial(self._once, lane, spec, request, intent)
        if self._config.hedge_after is None or spec.local:
            return await once()
        answer = await hedged(once, partial(self._spare, lane, spec, request, tokens, once), self._config.hedge_after)
        if answer.lost:
            await self._ledger.lose(intent.key)
        return answer.reply

    async def _spare(self, lane: Lane, spec: ModelSpec, request: CallRequest, tokens: int, once: Once) -> Reply:
        """A second call with a place and room in the budget of its own; whatever comes of it, it may be charged."""
        if not self._account.has_room(spec, request):
            raise CallError("the budget has no room for a second call")
        async with self._account.reserved(spec, request) as reservation, lane.place(tokens):
            reservation.used = reservation.most
            return await once()

    async def _once(self, lane: Lane, spec: ModelSpec, request: CallRequest, intent: Call) -> Reply:
        try:
            return await lane.caller.call(spec, request)
        except CallError as error:
            if error.charged and not spec.local:
                await self._ledger.lose(intent.key)
            raise

    def _check_patience(self, error: CallError) -> None:
        if (error.retry_after or 0.0) > self._retry.patience:
            raise CallError(
                f"{error}; the provider asks to wait {error.retry_after:.0f} s: resume the run later"
            ) from error

    def _lane(self, spec: ModelSpec) -> Lane:
        name = spec.provider + (f"@{spec.url}" if spec.url else "")
        if name not in self._lanes:
            self._lanes[name] = Lane(self._caller(spec), None if spec.local else self._limits())
        return self._lanes[name]

    def _limits(self) -> Limits:
        config = self._config
        return Limits(
            concurrency=config.concurrency,
            requests_per_minute=config.requests_per_minute,
            tokens_per_minute=config.tokens_per_minute,
        )

    def _caller(self, spec: ModelSpec) -> Caller:
        if self._callers is not None:
            return self._callers(spec)
        if spec.local:
            return self._local
        if spec.provider == "oracle":
            raise CallError("the oracle is not a language model and cannot be called; it serves as a teacher only")
        from models.providers import ProviderCaller

        return ProviderCaller(self._config.call_timeout)

    async def _close(self) -> None:
        tasks = list(self._flying.values())
        if tasks and self._account.refusal:
            await asyncio.wait(tasks, timeout=self._config.call_timeout)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._batches.close()
        for lane in self._lanes.values():
            await lane.caller.close()
        await asyncio.to_thread(self._ledger.close)


def _without_thoughts(reply: Reply) -> Reply:
    """Thoughts that the model left in its text are moved into `reasoning`; an answer that never began was cut."""
    found = parted(reply.text, opened=reply.opened)
    if not (found.reasoning or found.cut or found.text != reply.text):
        return reply
    reasoning = "\n".join(part for part in (reply.reasoning, found.reasoning) if part.strip())
    finish = "length" if found.cut else reply.finish_reason
    return reply.model_copy(update={"text": found.text, "reasoning": reasoning, "finish_reason": finish})


def call_key(spec: ModelSpec, identity: str, request: CallRequest) -> str:
    """SHA-256 of all that decides the reply. The seed counts only where dice are thrown."""
    parts = {
        "provider": spec.provider,
        "identity": identity,
        "url": spec.url,
        "messages": [message.model_dump() for message in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "sample": request.sample,
        "seed": request.seed if request.temperature > 0 else None,
        "prompt_hash": request.prompt_hash,
    }
    if request.reply_schema:
        parts["reply_schema"] = request.reply_schema
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _call(key: str, spec: ModelSpec, identity: str, request: CallRequest) -> Call:
    facts = request.model_dump(exclude={"messages", "model"})
    messages = json.dumps([message.model_dump() for message in request.messages])
    return Call(key=key, provider=spec.provider, model=str(spec), identity=identity, messages=messages, **facts)


def _failed(key: str, problem: str, seconds: float) -> Completion:
    return Completion(key=key, text="", finish_reason="error", seconds=seconds, error=problem)
