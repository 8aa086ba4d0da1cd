"""Calls that wait together go into one batch of their provider.

Guaranteed: a batch and its calls are in the ledger before it is submitted, and its id before the first
question about it; a call of a batch that an earlier process began is waited for and not sent again, be it
that the process died before it knew the id (the provider's list of batches tells); results are committed
all at once, whoever still waits for them. A call in a batch that cannot be reached fails as BatchPending:
the batch stays open, and the next process waits for it again. Not guaranteed: that a batch is found
whose submission came to the provider later than `batches.settles` seconds after it was begun.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from models.batches import (
    BatchClient,
    BatchState,
    MissingResult,
    Outcome,
    batches_for,
    patiently,
    portions,
    run_batch,
    supports_batches,
    wait_for_batch,
)
from models.calls import CallError, CallRequest, Reply
from models.ledger import Call, Ledger, LedgerBatch, LedgerError
from models.spec import ModelSpec, check_available, parse_spec
from records.config import Batches
from records.nouns import Completion

SUBMISSIONS = 5  # tries, each after a look whether the last one came through after all
PATIENCE = 20  # failed questions in a row
KEPT = timedelta(days=29)  # for which both providers keep results

Results = dict[str, Outcome]


class BatchPending(CallError):
    """The call is in a batch whose end could not be waited for; it must not be made in another way."""

    def __init__(self, message: str) -> None:
        super().__init__(message, charged=True)


@dataclass(frozen=True)
class _Entry:
    """A call that waits to be sent."""

    request: CallRequest
    intent: Call
    sent: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class BatchQueue:
    """The batches of one ledger. For one event loop; after making it, `restore` it."""

    def __init__(
        self,
        ledger: Ledger,
        settings: Batches,
        timeout: float,
        completed: Callable[[ModelSpec, str, Reply, float], Completion],
        *,
        on_submitted: Callable[[str], None] = lambda text: None,
        on_state: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`completed` makes a reply to a completion of a key after so many seconds; `timeout` is of one request."""
        self._ledger, self._settings, self._timeout, self._completed = ledger, settings, timeout, completed
        self._on_submitted, self._on_state = on_submitted, on_state
        self._clients: dict[str, BatchClient] = {}
        self._waiting: dict[str, list[_Entry]] = {}
        self._gathering: set[asyncio.Task[None]] = set()
        self._open: dict[str, LedgerBatch] = {}
        self._label_of: dict[str, str] = {}
        self._at_work: dict[str, asyncio.Task[Results]] = {}

    async def restore(self) -> None:
        """Read which batches earlier processes left open."""
        for batch in await self._ledger.open_batches():
            if datetime.now(UTC) - batch.begun < KEPT:
                self._hold(batch)
            else:
                await self._ledger.end_batch(batch.label, ())

    def takes(self, spec: ModelSpec, request: CallRequest) -> bool:
        """The call can wait, and its provider has batches."""
        settings = self._settings
        return settings.use and request.stage in settings.stages and supports_batches(spec)

    def holds(self, key: str) -> bool:
        """The call is in a batch that was begun and has not ended."""
        return key in self._label_of

    async def reply(self, spec: ModelSpec, request: CallRequest, intent: Call) -> Reply:
        """What came of a call that is held or taken; it is in the ledger then.

        Raises BatchPending, and CallError for a call that failed or was not sent after all.
        """
        outcome = None
        if self.holds(intent.key):
            outcome = await self._outcome(self._label_of[intent.key], intent.key)
        if outcome is None and self.takes(spec, request):
            entry = _Entry(request, intent)
            self._wait_in_line(spec, entry)
            outcome = await self._outcome(await entry.sent, intent.key)
        if outcome is None:
            raise CallError(f"'{spec}': the batch of this call was never submitted", retry=True)
        if isinstance(outcome, CallError):
            raise outcome
        return outcome

    async def _outcome(self, label: str, key: str) -> Outcome | None:
        return (await asyncio.shield(self._work(label))).get(key)

    async def close(self) -> None:
        """Leave the batches to the next process."""
        tasks = [*self._gathering, *self._at_work.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.close()

    # Gathering

    def _wait_in_line(self, spec: ModelSpec, entry: _Entry) -> None:
        line = self._waiting.setdefault(str(spec), [])
        line.append(entry)
        if len(line) == 1:
            task = asyncio.create_task(self._gather(spec))
            self._gathering.add(task)
            task.add_done_callback(self._gathering.discard)

    async def _gather(self, spec: ModelSpec) -> None:
        """Send what has gathered once no call has come for a while, or a batch is full."""
        line, count = self._waiting[str(spec)], 0
        while count < len(line) < self._settings.most:
            count = len(line)
            await asyncio.sleep(self._settings.window)
        del self._waiting[str(spec)]  # whoever comes now waits for the next one
        entries = {entry.intent.key: entry for entry in line}
        items = [(key, entry.request) for key, entry in entries.items()]
        try:
            for portion in portions(items, self._settings.most):
                await self._begin(spec, [entries[key] for key, _ in portion])
        except LedgerError as error:
            for entry in line:
                if not entry.sent.done():
                    entry.sent.set_exception(error)

    async def _begin(self, spec: ModelSpec, entries: Sequence[_Entry]) -> None:
        keys = tuple(entry.intent.key for entry in entries)
        batch = LedgerBatch(label=secrets.token_hex(8), model=str(spec), begun=datetime.now(UTC), keys=keys)
        await self._ledger.begin_batch(batch, [entry.intent for entry in entries])
        self._hold(batch)
        self._at_work[batch.label] = self._task(batch, self._send(spec, batch, entries))
        for entry in entries:
            if not entry.sent.done():
                entry.sent.set_result(batch.label)

    # Waiting for what was begun

    def _hold(self, batch: LedgerBatch) -> None:
        self._open[batch.label] = batch
        self._label_of.update(dict.fromkeys(batch.keys, batch.label))

    def _work(self, label: str) -> asyncio.Task[Results]:
        """The task that brings a batch to its end; one of an earlier process is taken up at the first question."""
        if label not in self._at_work:
            batch = self._open[label]
            self._at_work[label] = self._task(batch, self._take_up(parse_spec(batch.model), batch))
        return self._at_work[label]

    def _task(self, batch: LedgerBatch, work: Coroutine[Any, Any, Results | None]) -> asyncio.Task[Results]:
        task = asyncio.create_task(self._ended(batch, work))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, if nobody waits any more
        return task

    async def _ended(self, batch: LedgerBatch, work: Coroutine[Any, Any, Results | None]) -> Results:
        """Commit the outcomes, all at once; a batch that cannot be reached stays open for a later question."""
        try:
            outcomes = await work or {}
        except CallError as error:
            del self._at_work[batch.label]
            end = "a batch that was submitted goes on, and a resumed run waits for it again"
            raise BatchPending(f"{error}; {end}") from error
        spec, seconds = parse_spec(batch.model), (datetime.now(UTC) - batch.begun).total_seconds()
        made = [self._completion(spec, key, outcome, seconds) for key, outcome in outcomes.items()]
        await self._ledger.end_batch(batch.label, made)
        del self._open[batch.label], self._at_work[batch.label]  # together: nobody may take it up once more
        for key in batch.keys:
            self._label_of.pop(key, None)
        return outcomes

    def _completion(self, spec: ModelSpec, key: str, outcome: Outcome, seconds: float) -> Completion:
        if isinstance(outcome, Reply):
            return self._completed(spec, key, outcome, seconds)
        return Completion(key=key, text="", finish_reason="error", seconds=seconds, error=str(outcome))

    async def _send(self, spec: ModelSpec, batch: LedgerBatch, entries: Sequence[_Entry]) -> Results | None:
        """Submit a new batch and wait for it. One that is not taken is an error of each of its calls."""
        client = self._client(spec)
        items = [(entry.intent.key, entry.request) for entry in entries]
        for number in range(SUBMISSIONS):
            try:
                return await run_batch(
                    client, items, partial(self._name, batch), every=self._settings.poll,
                    on_state=partial(self._tell, batch),
                )  # fmt: skip
            except CallError as error:
                if self._open[batch.label].batch_id is not None or await self._found(client, batch) is not None:
                    raise
                if not error.retry or number == SUBMISSIONS - 1:
                    problem = f"the batch could not be submitted: {error}; without batches: --set batches.use=false"
                    return dict.fromkeys(batch.keys, CallError(problem))
        return None

    async def _take_up(self, spec: ModelSpec, batch: LedgerBatch) -> Results | None:
        """Wait for a batch of an earlier process; None if it was never submitted."""
        if problem := check_available(spec):
            raise CallError(problem)
        client = self._client(spec)
        if batch.batch_id is not None:
            return await self._waited(client, batch, batch.batch_id)
        others = set[str]()
        while (found := await self._found(client, batch, others)) is not None:
            outcomes = await self._waited(client, batch, found)
            if not all(isinstance(outcome, MissingResult) for outcome in outcomes.values()):
                return outcomes
            others.add(found)  # it was another one of the same size
        return None

    async def _found(self, client: BatchClient, batch: LedgerBatch, others: Collection[str] = ()) -> str | None:
        """The provider's id of a batch of which we do not know whether it was submitted."""
        known = {other.batch_id for other in self._open.values() if other.batch_id is not None}.union(others)
        while True:
            late = datetime.now(UTC) - batch.begun > timedelta(seconds=self._settings.settles)
            found = await patiently(lambda: client.find(batch.keys, batch.begun, known), self._settings.poll, PATIENCE)
            if found is not None or late:
                return found
            await asyncio.sleep(min(self._settings.poll, self._settings.settles))

    async def _waited(self, client: BatchClient, batch: LedgerBatch, batch_id: str) -> Results:
        return await wait_for_batch(
            client,
            batch_id,
            batch.keys,
            every=self._settings.poll,
            on_state=partial(self._tell, batch),
        )

    async def _name(self, batch: LedgerBatch, batch_id: str) -> None:
        await self._ledger.name_batch(batch.label, batch_id)
        self._open[batch.label] = batch.model_copy(update={"batch_id": batch_id})
        self._on_submitted(
            f"{len(batch.keys):,} calls of '{batch.model}' are in batch {batch_id}; it may take up to 24 hours, and "
            "the run may be interrupted and resumed meanwhile"
        )

    def _tell(self, batch: LedgerBatch, state: BatchState) -> None:
        if state.status == "running":
            self._on_state(f"waiting for batch {state.id} of {batch.model}: {state.done:,} of {state.total:,} done")

    def _client(self, spec: ModelSpec) -> BatchClient:
        if str(spec) not in self._clients:
            self._clients[str(spec)] = batches_for(spec, self._timeout)
        return self._clients[str(spec)]
