"""Calls that can wait, in the providers' batches: Anthropic's Message Batches and OpenAI's Batch API.

Guaranteed: an entry sends what the single call would send; the batch's id is handed over before the
first question about it; a batch whose id was lost between the two is found again (`find`), so that
nothing is submitted twice; results are keyed by the caller's keys, each key exactly once, whatever the
order and number of the provider's lines; an expired, cancelled, failed, unreadable or missing entry is
a CallError, never an empty text. Not guaranteed: when a batch ends (24 hours at most), and with
Anthropic, which lets a batch in work not be recognised, that a found batch is ours: another one of the
same size and time may be waited for, its results are then not taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, Protocol, TypeVar

from models.calls import CallError, CallRequest, Reply
from models.spec import ModelSpec
from records.nouns import Record

T = TypeVar("T")
Item = tuple[str, CallRequest]
Outcome = Reply | CallError

MOST_ITEMS = 10_000  # per batch; the providers take 50,000 and more, but results are held in memory
MOST_BYTES = 100_000_000  # of prompts per batch; the providers take 200 MB


class MissingResult(CallError):
    """The batch has ended, and its results have no readable line for the call."""


class BatchState(Record):
    """How far a batch is. "failed": it was refused as a whole, `problem` says why."""

    id: str
    status: Literal["running", "ended", "failed"]
    done: int
    total: int
    problem: str = ""


class BatchClient(Protocol):
    """Batches of one model. All methods raise CallError, with `retry` where a later try may help."""

    async def submit(self, items: Sequence[Item]) -> str:
        """Start a batch; its id. After a CallError with `retry` it may exist nevertheless: `find` tells."""
        ...

    async def find(self, keys: Collection[str], since: datetime, besides: Collection[str] = ()) -> str | None:
        """Id of a batch submitted at `since` or later with exactly these keys; None if there is none that
        is in work or has a result. Those `besides` are known to be others."""
        ...

    async def poll(self, batch_id: str) -> BatchState:
        """How far it is."""
        ...

    async def results(self, batch_id: str, keys: Collection[str]) -> dict[str, Outcome]:
        """The outcome of each key, of a batch that has ended."""
        ...

    async def cancel(self, batch_id: str) -> None:
        """Ask the provider to end the batch; entries in work may still be completed, and paid."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def supports_batches(spec: ModelSpec) -> bool:
    """The model's provider has batches."""
    return spec.provider in ("anthropic", "openai")


def batches_for(spec: ModelSpec, seconds: float = 120.0) -> BatchClient:
    """The batches of a model; `seconds` is the time-out of each request. Raises CallError where there are none."""
    if not supports_batches(spec):
        raise CallError(f"'{spec}': its provider has no batches; only anthropic: and openai: models have")
    from models.batch_clients import AnthropicBatches, OpenAIBatches

    return AnthropicBatches(spec, seconds) if spec.provider == "anthropic" else OpenAIBatches(spec, seconds)


def portions(items: Sequence[Item], most: int = MOST_ITEMS, most_bytes: int = MOST_BYTES) -> Iterator[list[Item]]:
    """The items in their order, cut into lists that fit into one batch each."""
    portion: list[Item] = []
    size = 0
    for key, request in items:
        added = sum(len(message.content.encode("utf-8", "replace")) for message in request.messages) + 1_000
        if portion and (len(portion) >= most or size + added > most_bytes):
            yield portion
            portion, size = [], 0
        portion.append((key, request))
        size += added
    if portion:
        yield portion


async def run_batch(
    client: BatchClient,
    items: Sequence[Item],
    on_submitted: Callable[[str], Awaitable[None]],
    *,
    batch_id: str | None = None,
    since: datetime | None = None,
    every: float = 30.0,
    patience: int = 20,
    on_state: Callable[[BatchState], None] = lambda state: None,
) -> dict[str, Outcome]:
    """Submit a batch, wait for its end, fetch the outcome of every item.

    `on_submitted` gets the id before anything else is asked. After a crash give `batch_id`, the stored
    id, or `since`, the time before which no batch of these items was submitted: the batch is then found
    and waited for, and submitted only if there is none. Asks every `every` seconds; `patience` failed
    questions in a row raise the CallError of the last. Raises CallError if the batch could not be
    submitted, waited for or fetched; the batch itself goes on then, so try again with its id.
    """
    keys = [key for key, _ in items]
    if batch_id is None and since is not None:
        batch_id = await client.find(keys, since)
    if batch_id is None:
        batch_id = await _submitted(client, items, every)
    await on_submitted(batch_id)
    return await wait_for_batch(client, batch_id, keys, every=every, patience=patience, on_state=on_state)


async def wait_for_batch(
    client: BatchClient,
    batch_id: str,
    keys: Collection[str],
    *,
    every: float = 30.0,
    patience: int = 20,
    on_state: Callable[[BatchState], None] = lambda state: None,
) -> dict[str, Outcome]:
    """The outcome of every key of a batch that was submitted, once it has ended. Raises CallError as `run_batch`."""
    state = await patiently(lambda: client.poll(batch_id), every, patience)
    while state.status == "running":
        on_state(state)
        await asyncio.sleep(every)
        state = await patiently(lambda: client.poll(batch_id), every, patience)
    on_state(state)
    if state.status == "failed":
        problem = f"the provider refused batch {batch_id} as a whole: {state.problem}"
        return {key: CallError(problem) for key in keys}
    return await patiently(lambda: client.results(batch_id, keys), every, patience)


async def _submitted(client: BatchClient, items: Sequence[Item], every: float) -> str:
    """Submit once: after a failure that may have come too late, look before the second try."""
    began = datetime.now(UTC)
    try:
        return await client.submit(items)
    except CallError as error:
        if not error.retry:
            raise
        await asyncio.sleep(max(every, error.retry_after or 0.0))
    found = await client.find([key for key, _ in items], began)
    return found if found is not None else await client.submit(items)


async def patiently(ask: Callable[[], Awaitable[T]], every: float, patience: int) -> T:
    """The answer, asking again after failures that may pass. Raises CallError."""
    for _ in range(patience - 1):
        try:
            return await ask()
        except CallError as error:
            if not error.retry:
                raise
            wait = max(every, error.retry_after or 0.0)
        await asyncio.sleep(wait)
    return await ask()
