"""The model calls of a run, from its ledger, opened for reading only.

Guaranteed: the file is not changed, and nothing is written beside a ledger that nobody writes to. Not
guaranteed: the very last calls of a run that is being worked on; the list is read again after REST_S.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.web.store import NotThere, Store, signature
from models.ledger import LedgerError
from models.ledger_schema import check_version, explained

LEDGER = "ledger.sqlite"
REST_S = 2.0  # seconds that a list of calls is good for while the run goes on
MOST_HITS = 200
STAGES = {name: "lrl" for name in ("draft", "reflect", "propose", "distill")}  # the teacher's writing, by its calls
_LIST = (
    "key", "stage", "agent", "model", "status", "prompt_tokens", "completion_tokens", "cost", "seconds",
    "created", "finished", "prompt_hash",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CallFact:
    """One call without its texts."""

    key: str
    stage: str
    agent: str
    model: str
    status: str
    prompt_tokens: int | None
    completion_tokens: int | None
    cost: float | None
    seconds: float | None
    created: str
    finished: str
    prompt_hash: str


@dataclass(frozen=True)
class CallList:
    """All calls in the order of their start."""

    calls: list[CallFact]
    numbers: dict[str, int]
    read_at: float
    seen: Any

    def busy(self) -> dict[str, float]:
        """Seconds in which a call of a stage was under way, by stage; pauses between them do not count."""
        spans: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for call in self.calls:
            if call.created and call.finished:
                spans[STAGES.get(call.stage, call.stage)].append((call.created, call.finished))
        return {stage: covered(sorted(found)) for stage, found in spans.items()}

    def costs(self) -> list[dict[str, Any]]:
        """Totals per stage, agent and model; `cost` is None where the price of a call is unknown."""
        groups: dict[tuple[str, str, str], list[CallFact]] = defaultdict(list)
        for call in self.calls:
            groups[call.stage, call.agent, call.model].append(call)
        return [totals(calls, stage=key[0], agent=key[1], model=key[2]) for key, calls in groups.items()]


def covered(spans: list[tuple[str, str]]) -> float:
    """Length of the union of spans that are sorted by their starts."""
    total, (start, end) = 0.0, spans[0]
    for begin, finish in spans[1:]:
        if begin > end:
            total, start, end = total + seconds_between(start, end), begin, finish
        end = max(end, finish)
    return total + seconds_between(start, end)


def totals(calls: list[CallFact], **names: str) -> dict[str, Any]:
    """Calls, failures, tokens and cost of some calls."""
    unknown = sum(call.status == "ok" and call.cost is None for call in calls)
    known = sum(call.cost or 0.0 for call in calls)
    return {
        **names,
        "calls": len(calls),
        "failed": sum(call.status == "error" for call in calls),
        "prompt_tokens": sum(call.prompt_tokens or 0 for call in calls),
        "completion_tokens": sum(call.completion_tokens or 0 for call in calls),
        "cost": None if unknown else known,
        "known_cost": known,
        "unknown": unknown,
    }


def seconds_between(start: str, end: str) -> float:
    """Seconds between two ISO times; 0 if one is none."""
    try:
        return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def call_list(store: Store) -> CallList:
    """The calls of a run; empty without a ledger. Raises LedgerError if it is broken."""
    seen = tuple(signature(store.inside(name)) for name in (LEDGER, f"{LEDGER}-wal"))
    with store.lock:
        kept: CallList | None = store.call_list
        if kept and (kept.seen == seen or time.monotonic() - kept.read_at < REST_S):
            return kept
        calls = _read_list(store) if seen[0] else []
        fresh = CallList(calls, {call.key: n for n, call in enumerate(calls)}, time.monotonic(), seen)
        store.call_list = fresh
        return fresh


def _read_list(store: Store) -> list[CallFact]:
    with reading(store) as connection:
        found = connection.execute(f"SELECT {', '.join(_LIST)} FROM calls ORDER BY created, key")
        return [CallFact(*(_value(name, value) for name, value in zip(_LIST, row, strict=True))) for row in found]


def _value(name: str, value: Any) -> Any:
    if name in ("prompt_tokens", "completion_tokens", "cost", "seconds"):
        return value if isinstance(value, int | float) else None
    text = "" if value is None else str(value)
    return text if name in ("key", "created", "finished") else sys.intern(text)


def call(store: Store, key: str) -> dict[str, Any]:
    """One whole call; `messages` is parsed. Raises NotThere."""
    if not store.inside(LEDGER).exists():
        raise NotThere("This run has no ledger of calls.")
    with reading(store) as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute("SELECT * FROM calls WHERE key = ?", [key]).fetchone()
    if row is None:
        raise NotThere("The ledger has no call with this key.")
    return {**dict(row), "messages": _messages(row["messages"])}


def _messages(text: Any) -> list[dict[str, str]]:
    try:
        listed = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return [{"role": "not readable", "content": str(text)}]
    listed = listed if isinstance(listed, list) else [listed]
    return [
        {"role": str(item.get("role", "")), "content": str(item.get("content", ""))}
        if isinstance(item, dict)
        else {"role": "", "content": str(item)}
        for item in listed
    ]


def find_calls(store: Store, text: str) -> list[tuple[str, str]]:
    """(key, reply) of the calls whose reply contains a text, in any case; MOST_HITS at most."""
    if not store.inside(LEDGER).exists():
        return []
    sql = "SELECT key, coalesce(text, '') FROM calls WHERE instr(lower(text), ?) LIMIT ?"
    with reading(store) as connection:
        return [(str(key), str(reply)) for key, reply in connection.execute(sql, [text.lower(), MOST_HITS])]


@contextmanager
def reading(store: Store) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write. Without a write-ahead log the file is at rest, and no file is made beside it."""
    path = store.inside(LEDGER)
    log = signature(store.inside(f"{LEDGER}-wal"))
    mode = "mode=ro" if log and log[1] else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, timeout=2)) as connection:
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            check_version(path, connection)
            yield connection
    except sqlite3.Error as error:
        raise explained(path, error) from error


__all__ = ["CallFact", "CallList", "LedgerError", "call", "call_list", "find_calls", "reading"]
