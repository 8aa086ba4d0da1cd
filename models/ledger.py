"""The call ledger: one SQLite row per model call, so that no paid call is paid twice.

Guaranteed: `intend` is on disk before the call is made and `record` when it returns (WAL, fsync;
writes that wait together share one commit); `find` serves only successful results, so a failed
call is made again. A process killed between the two leaves a row "intent": whether the provider
has charged for it is not knowable, so it is made again. `starts` counts the attempts. A ledger of an
older version is brought up to date when it is opened, one of a newer version is refused and left as
it is, and from a damaged file the readable calls are rescued (models/ledger_rescue.py). Not
guaranteed: two processes on one ledger at once; the run's lock prevents that.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.ledger_rescue import rescue
from models.ledger_schema import ADDED, LedgerError, bring_up_to_date, check_version, columns_of, explained
from records.nouns import Completion, Record

__all__ = ["Call", "CostRow", "Ledger", "LedgerBatch", "LedgerError", "read_costs", "read_rows"]


@dataclass(frozen=True)
class _Find:
    """Look a call's result up."""

    key: str
    failed: bool


@dataclass(frozen=True)
class _Intend:
    """Note an intent; `values` as `_intent_row` gives them."""

    key: str
    values: Sequence[Any]
    again: bool


_Work = Callable[[sqlite3.Connection], Any] | _Find | _Intend
_Operation = tuple[_Work, asyncio.Future[Any], bool]
TOGETHER = 200  # lookups or intents in one statement
GATHER_S = 0.002  # for which the first operation of a transaction waits for others
_GROUPS = ("stage", "agent", "model", "provider")


class Call(Record):
    """What is known of a call before it is made."""

    key: str
    stage: str
    agent: str
    provider: str
    model: str
    identity: str
    sample: int
    seed: int
    temperature: float
    max_tokens: int
    prompt_hash: str
    messages: str  # JSON
    reply_schema: str = ""


class LedgerBatch(Record):
    """A batch of calls that was begun and has not ended. `batch_id` is the provider's, None if it is not known."""

    label: str
    model: str
    batch_id: str | None = None
    begun: datetime
    keys: tuple[str, ...]


class CostRow(Record):
    """Totals of a group of calls. `cost` is None if the price of any of them is unknown; the cache
    figures are None if no call of the group says them."""

    group: tuple[str, ...]
    calls: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None
    cache_write_tokens: int | None
    cost: float | None
    known_cost: float
    unknown_costs: int


class Ledger:
    """Asynchronous access to the ledger of one run, by one thread that commits in groups.

    `notice` says what had to be done to a damaged file ("": nothing). Raises LedgerError for a file
    that is no ledger, of a newer version, or damaged beyond reading.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._queue: list[_Operation] = []
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self.notice = rescue(self.path) if self.path.exists() else ""
        self._connection = _opened(self.path)

    async def find(self, key: str, failed: bool = False) -> Completion | None:
        """The committed result of a call, marked as replayed; None if there is none.

        With `failed` also that of a call that failed for good.
        """
        found: Completion | None = await self._run(_Find(key, failed))
        return found

    async def paid_rows(self) -> list[dict[str, Any]]:
        """The calls that cost money, or may have: answered, lost, or killed in flight; not those of local models.

        `messages` is parsed where an estimate is needed, and empty elsewhere.
        """
        return await self._run(_paid_rows)

    async def intend(self, call: Call, *, again: bool = False) -> None:
        """Note that a call is about to be made; `again`: this process has made it before, and knows what came of it."""
        await self._run(_Intend(call.key, _intent_row(call, None), again))

    async def lose(self, key: str) -> None:
        """Note that an attempt at a call brought no reply and may have been charged."""
        sql = "UPDATE calls SET lost = lost + 1 WHERE key = ?"
        await self._run(lambda connection: connection.execute(sql, [key]) and None, paid=True)

    async def record(self, completion: Completion) -> None:
        """Commit what came of a call."""
        await self._run(lambda connection: _record(connection, completion), paid=True)

    async def begin_batch(self, batch: LedgerBatch, calls: Sequence[Call]) -> None:
        """Note that a batch of calls is about to be submitted."""

        def begin(connection: sqlite3.Connection) -> None:
            row = [batch.label, batch.model, batch.batch_id, batch.begun.isoformat()]
            connection.execute("INSERT INTO batches (label, model, batch_id, begun) VALUES (?, ?, ?, ?)", row)
            connection.executemany(_INTEND, [_intent_row(call, batch.label) for call in calls])

        await self._run(begin)

    async def name_batch(self, label: str, batch_id: str) -> None:
        """Keep the provider's id of a batch."""
        sql = "UPDATE batches SET batch_id = ? WHERE label = ?"
        await self._run(lambda connection: connection.execute(sql, [batch_id, label]) and None)

    async def end_batch(self, label: str, completions: Sequence[Completion]) -> None:
        """Commit what came of all calls of a batch; of those without a completion nothing came."""

        def end(connection: sqlite3.Connection) -> None:
            for completion in completions:
                _record(connection, completion)
            connection.execute("UPDATE batches SET ended = ? WHERE label = ?", [_now(), label])
            unsent = "UPDATE calls SET status = 'error', error = ? WHERE batch = ? AND status = 'intent'"
            connection.execute(unsent, ["its batch was never submitted", label])

        await self._run(end, paid=True)

    async def open_batches(self) -> list[LedgerBatch]:
        """Batches that have not ended, the oldest first."""
        return await self._run(_open_batches)

    def close(self) -> None:
        """Finish what waits and close the file."""
        self._thread.shutdown(wait=True)
        self._connection.close()

    async def _run(self, operation: _Work, paid: bool = False) -> Any:
        """Have the thread do it; what is `paid` also where the caller is cancelled meanwhile."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._queue.append((operation, future, paid))
            first = len(self._queue) == 1
        if first:
            self._thread.submit(self._drain)
        return await future

    def _drain(self) -> None:
        """Run all that waits in one transaction; tell the waiting after the commit."""
        time.sleep(GATHER_S)
        with self._lock:
            batch, self._queue = self._queue, []
        batch = [entry for entry in batch if entry[2] or not entry[1].cancelled()]
        if not batch:
            return
        futures = [future for _, future, _ in batch]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = _results(self._connection, [operation for operation, _, _ in batch])
            self._connection.execute("COMMIT")
        except Exception as error:  # whatever it is, those who wait must be told
            if self._connection.in_transaction:
                self._connection.rollback()
            told = explained(self.path, error) if isinstance(error, sqlite3.Error) else error
            _deliver(futures, lambda future, _: future.set_exception(told), futures)
            return
        _deliver(futures, asyncio.Future.set_result, results)


def _deliver(futures: Sequence[asyncio.Future[Any]], tell: Callable[[Any, Any], None], what: Sequence[Any]) -> None:
    """Tell all who wait at once, in their event loops; nobody waits in one that has been closed."""

    def deliver(loop: asyncio.AbstractEventLoop) -> None:
        for future, result in zip(futures, what, strict=True):
            if future.get_loop() is loop and not future.done():
                tell(future, result)

    for loop in {future.get_loop() for future in futures}:
        if not loop.is_closed():
            loop.call_soon_threadsafe(deliver, loop)


def _opened(path: Path) -> sqlite3.Connection:
    """A connection to a table of our version."""
    try:
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    except sqlite3.Error as error:
        raise explained(path, error) from error
    try:
        bring_up_to_date(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _results(connection: sqlite3.Connection, operations: Sequence[_Work]) -> list[Any]:
    """What each operation gives, in their order. Lookups, or intents, that follow each other are one statement.

    A statement lets go of the interpreter and waits for it again; while a large fan-out is prepared in the
    event loop, one for each call would hold up the first of them by a tenth of a second.
    """
    results: list[Any] = []
    for kind, group in itertools.groupby(operations, key=type):
        found: Sequence[Any] = list(group)
        for start in range(0, len(found), TOGETHER):
            some = found[start : start + TOGETHER]
            if kind is _Find:
                results += _found(connection, some)
            elif kind is _Intend:
                results += _intended(connection, some)
            else:
                results += [operation(connection) for operation in some]
    return results


def _found(connection: sqlite3.Connection, lookups: Sequence[_Find]) -> list[Completion | None]:
    marks = ", ".join("?" * len(lookups))
    sql = f"SELECT status, {', '.join(_RESULT)} FROM calls WHERE status IN ('ok', 'error') AND key IN ({marks})"
    rows = {row[1 + _RESULT.index("key")]: row for row in connection.execute(sql, [one.key for one in lookups])}
    return [_completion(rows.get(one.key), one.failed) for one in lookups]


def _completion(row: Sequence[Any] | None, failed: bool) -> Completion | None:
    if row is None or (row[0] == "error" and not failed):
        return None
    return Completion(**dict(zip(_RESULT, row[1:], strict=True)), replayed=True)


def _intended(connection: sqlite3.Connection, intents: Sequence[_Intend]) -> list[None]:
    fresh = [one.key for one in intents if not one.again]
    killed = f"UPDATE calls SET lost = lost + 1 WHERE key IN ({', '.join('?' * len(fresh))})"
    connection.execute(f"{killed} AND status = 'intent' AND batch IS NULL", fresh)
    rows = ", ".join([_ROW] * len(intents))
    connection.execute(_INTEND.replace(_ROW, rows), [value for one in intents for value in one.values])
    return [None] * len(intents)


_ROW = f"({', '.join('?' * len(Call.model_fields))}, ?, 'intent', ?)"
_INTEND = (
    f"INSERT INTO calls ({', '.join(Call.model_fields)}, batch, status, created) "
    f"VALUES {_ROW} "
    "ON CONFLICT (key) DO UPDATE SET status = 'intent', starts = starts + 1, error = NULL, batch = excluded.batch"
)


def _intent_row(call: Call, batch: str | None) -> list[Any]:
    return [*(_storable(getattr(call, name)) for name in Call.model_fields), batch, _now()]


def _record(connection: sqlite3.Connection, completion: Completion) -> None:
    values = completion.model_dump(exclude={"key", "replayed"})
    values["status"] = "error" if completion.finish_reason == "error" else "ok"
    values["finished"] = _now()
    sql = f"UPDATE calls SET {', '.join(f'{name} = ?' for name in values)} WHERE key = ?"
    connection.execute(sql, [*map(_storable, values.values()), completion.key])


def _open_batches(connection: sqlite3.Connection) -> list[LedgerBatch]:
    rows = connection.execute("SELECT label, model, batch_id, begun FROM batches WHERE ended IS NULL ORDER BY begun")
    found = [dict(zip(("label", "model", "batch_id", "begun"), row, strict=True)) for row in rows.fetchall()]
    keys = "SELECT key FROM calls WHERE batch = ? ORDER BY key"
    return [LedgerBatch(**row, keys=tuple(key for (key,) in connection.execute(keys, [row["label"]]))) for row in found]


_RESULT = tuple(name for name in Completion.model_fields if name != "replayed")
_PAID = """
SELECT model, status, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, cost, max_tokens,
  batch, lost,
  CASE WHEN lost OR cost IS NULL OR prompt_tokens IS NULL OR completion_tokens IS NULL THEN messages ELSE '[]' END
FROM calls WHERE provider NOT IN ('embedded', 'hf') AND (status IN ('ok', 'intent') OR lost)
"""
_PAID_NAMES = (
    "model", "status", "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "cost",
    "max_tokens", "batch", "lost", "messages",
)  # fmt: skip


def _paid_rows(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    rows = [dict(zip(_PAID_NAMES, row, strict=True)) for row in connection.execute(_PAID)]
    return [{**row, "messages": json.loads(row["messages"])} for row in rows]


def _storable(value: Any) -> Any:
    """SQLite takes no lone surrogates, which a model's reply may contain."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def read_rows(path: Path | str, stage: str | None = None) -> Iterator[dict[str, Any]]:
    """All calls of a ledger in order of their start, as dicts; `messages` is parsed. Raises LedgerError."""
    where, values = (" WHERE stage = ?", [stage]) if stage else ("", [])
    with _reading(Path(path)) as connection:
        for row in connection.execute(f"SELECT * FROM calls{where} ORDER BY created, key", values):
            yield {**{name: None for name, _ in ADDED}, **dict(row), "messages": json.loads(row["messages"])}


def read_costs(path: Path | str, by: Sequence[str] = ("stage", "agent", "model")) -> list[CostRow]:
    """Totals per group, in order of the groups. `by` from stage, agent, model, provider; () for one total."""
    unknown = [name for name in by if name not in _GROUPS]
    if unknown:
        raise LedgerError(f"calls cannot be grouped by {', '.join(unknown)}; valid: {', '.join(_GROUPS)}")
    group = ", ".join(by)
    with _reading(Path(path)) as connection:
        written = "cache_write_tokens" if "cache_write_tokens" in columns_of(connection) else "NULL"
        sql = (
            "SELECT COUNT(*) AS calls, SUM(status != 'ok') AS failed, SUM(prompt_tokens) AS prompt_tokens, "
            "SUM(completion_tokens) AS completion_tokens, SUM(cached_tokens) AS cached_tokens, "
            f"SUM({written}) AS cache_write_tokens, TOTAL(cost) AS known_cost, "
            "SUM(status = 'ok' AND cost IS NULL) AS unknown_costs"
            + (f", {group} FROM calls GROUP BY {group} ORDER BY {group}" if by else " FROM calls HAVING COUNT(*) > 0")
        )
        return [_cost_row(row, by) for row in connection.execute(sql)]


def _cost_row(row: sqlite3.Row, by: Sequence[str]) -> CostRow:
    names = ("calls", "failed", "prompt_tokens", "completion_tokens", "known_cost", "unknown_costs")
    values = {name: row[name] or 0 for name in names}
    cached = {name: row[name] for name in ("cached_tokens", "cache_write_tokens")}
    cost = None if values["unknown_costs"] else values["known_cost"]
    return CostRow(group=tuple(str(row[name]) for name in by), cost=cost, **values, **cached)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.exists():
        raise LedgerError(f"there is no call ledger at {path}")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            check_version(path, connection)
            yield connection
    except sqlite3.Error as error:
        raise explained(path, error) from error
