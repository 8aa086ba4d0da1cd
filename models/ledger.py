"""The call ledger: one SQLite row per model call, so that no paid call is paid twice.

Guaranteed: `intend` is on disk before the call is made and `record` when it returns (WAL, fsync;
writes that wait together share one commit); `find` serves only successful results, so a failed
call is made again. A process killed between the two leaves a row "intent": whether the provider
has charged for it is not knowable, so it is made again. `starts` counts the attempts. Not
guaranteed: two processes on one ledger at once; the run's lock prevents that.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from records.nouns import Completion, Record

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
  key TEXT PRIMARY KEY, status TEXT NOT NULL, stage TEXT, agent TEXT, provider TEXT, model TEXT,
  identity TEXT, sample INTEGER, seed INTEGER, temperature REAL, max_tokens INTEGER, prompt_hash TEXT,
  messages TEXT, text TEXT, reasoning TEXT, finish_reason TEXT, prompt_tokens INTEGER,
  completion_tokens INTEGER, cached_tokens INTEGER, cost REAL, seconds REAL, error TEXT,
  starts INTEGER NOT NULL DEFAULT 1, created TEXT, finished TEXT
) WITHOUT ROWID
"""
_COLUMNS = (
    "key", "stage", "agent", "provider", "model", "identity", "sample", "seed", "temperature",
    "max_tokens", "prompt_hash", "messages",
)  # fmt: skip
_GROUPS = ("stage", "agent", "model", "provider")


class LedgerError(Exception):
    """The ledger cannot be read or written; the message says what to do."""


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


class CostRow(Record):
    """Totals of a group of calls. `cost` is None if the price of any of them is unknown."""

    group: tuple[str, ...]
    calls: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    known_cost: float
    unknown_costs: int


class Ledger:
    """Asynchronous access to the ledger of one run, by one thread that commits in groups."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._queue: list[tuple[Callable[[sqlite3.Connection], Any], Future[Any]]] = []
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        try:
            self._connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            self._connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_SCHEMA}")
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error

    async def find(self, key: str) -> Completion | None:
        """The committed result of a call, marked as replayed; None if there is none."""
        return await self._run(lambda connection: _find(connection, key))

    async def intend(self, call: Call) -> None:
        """Note that a call is about to be made."""
        values = [getattr(call, name) for name in _COLUMNS]
        marks = ", ".join("?" * len(_COLUMNS))
        sql = (
            f"INSERT INTO calls ({', '.join(_COLUMNS)}, status, created) VALUES ({marks}, 'intent', ?) "
            "ON CONFLICT (key) DO UPDATE SET status = 'intent', starts = starts + 1, error = NULL"
        )
        await self._run(lambda connection: connection.execute(sql, [*map(_storable, values), _now()]) and None)

    async def record(self, completion: Completion) -> None:
        """Commit what came of a call."""
        values = completion.model_dump(exclude={"key", "replayed"})
        values["status"] = "error" if completion.finish_reason == "error" else "ok"
        values["finished"] = _now()
        sql = f"UPDATE calls SET {', '.join(f'{name} = ?' for name in values)} WHERE key = ?"
        row = [*map(_storable, values.values()), completion.key]
        await self._run(lambda connection: connection.execute(sql, row) and None)

    def close(self) -> None:
        """Finish what waits and close the file."""
        self._thread.shutdown(wait=True)
        self._connection.close()

    async def _run(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        future: Future[T] = Future()
        with self._lock:
            self._queue.append((operation, future))
        self._thread.submit(self._drain)
        return await asyncio.wrap_future(future)

    def _drain(self) -> None:
        """Run all that waits in one transaction; tell the waiting after the commit."""
        with self._lock:
            batch, self._queue = self._queue, []
        batch = [(operation, future) for operation, future in batch if future.set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [operation(self._connection) for operation, _ in batch]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            for _, future in batch:
                future.set_exception(_explained(self.path, error))
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)


def _find(connection: sqlite3.Connection, key: str) -> Completion | None:
    names = [name for name in Completion.model_fields if name != "replayed"]
    sql = f"SELECT {', '.join(names)} FROM calls WHERE key = ? AND status = 'ok'"
    row = connection.execute(sql, [key]).fetchone()
    return Completion(**dict(zip(names, row, strict=True)), replayed=True) if row else None


def _storable(value: Any) -> Any:
    """SQLite takes no lone surrogates, which a model's reply may contain."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _explained(path: Path, error: sqlite3.Error) -> LedgerError:
    hint = "free some space and resume the run" if "full" in str(error) else "is the file intact and writable?"
    return LedgerError(f"the call ledger {path} cannot be used: {error}; {hint}")


def read_rows(path: Path | str, stage: str | None = None) -> Iterator[dict[str, Any]]:
    """All calls of a ledger in order of their start, as dicts; `messages` is parsed."""
    where, values = (" WHERE stage = ?", [stage]) if stage else ("", [])
    with closing(_reader(Path(path))) as connection:
        for row in connection.execute(f"SELECT * FROM calls{where} ORDER BY created, key", values):
            yield {**dict(row), "messages": json.loads(row["messages"])}


def read_costs(path: Path | str, by: Sequence[str] = ("stage", "agent", "model")) -> list[CostRow]:
    """Totals per group, in order of the groups. `by` from stage, agent, model, provider; () for one total."""
    unknown = [name for name in by if name not in _GROUPS]
    if unknown:
        raise LedgerError(f"calls cannot be grouped by {', '.join(unknown)}; valid: {', '.join(_GROUPS)}")
    group = ", ".join(by)
    sql = (
        "SELECT COUNT(*) AS calls, SUM(status != 'ok') AS failed, SUM(prompt_tokens) AS prompt_tokens, "
        "SUM(completion_tokens) AS completion_tokens, TOTAL(cost) AS known_cost, "
        "SUM(status = 'ok' AND cost IS NULL) AS unknown_costs"
        + (f", {group} FROM calls GROUP BY {group} ORDER BY {group}" if by else " FROM calls HAVING COUNT(*) > 0")
    )
    with closing(_reader(Path(path))) as connection:
        return [_cost_row(row, by) for row in connection.execute(sql)]


def _cost_row(row: sqlite3.Row, by: Sequence[str]) -> CostRow:
    names = ("calls", "failed", "prompt_tokens", "completion_tokens", "known_cost", "unknown_costs")
    values = {name: row[name] or 0 for name in names}
    cost = None if values["unknown_costs"] else values["known_cost"]
    return CostRow(group=tuple(str(row[name]) for name in by), cost=cost, **values)


def _reader(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise LedgerError(f"there is no call ledger at {path}")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    connection.row_factory = sqlite3.Row
    return connection
