"""The ledger's table, its version, and what is said of a file that does not fit."""

from __future__ import annotations

import sqlite3
from pathlib import Path

VERSION = 3  # 0 had no cache_write_tokens, 1 no batches and no schemas, 2 no lost attempts
SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
  key TEXT PRIMARY KEY, status TEXT NOT NULL, stage TEXT, agent TEXT, provider TEXT, model TEXT,
  identity TEXT, sample INTEGER, seed INTEGER, temperature REAL, max_tokens INTEGER, prompt_hash TEXT,
  messages TEXT, text TEXT, reasoning TEXT, finish_reason TEXT, prompt_tokens INTEGER,
  completion_tokens INTEGER, cached_tokens INTEGER, cost REAL, seconds REAL, error TEXT,
  starts INTEGER NOT NULL DEFAULT 1, created TEXT, finished TEXT, cache_write_tokens INTEGER, batch TEXT,
  reply_schema TEXT, lost INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID
"""
BATCHES = """
CREATE TABLE IF NOT EXISTS batches (
  label TEXT PRIMARY KEY, model TEXT NOT NULL, batch_id TEXT, begun TEXT NOT NULL, ended TEXT
) WITHOUT ROWID
"""
ADDED = (
    ("cache_write_tokens", "INTEGER"),
    ("batch", "TEXT"),
    ("reply_schema", "TEXT"),
    ("lost", "INTEGER NOT NULL DEFAULT 0"),  # attempts that brought no reply and may have been charged
)  # to the calls, after version 0
COLUMNS = (
    "key", "stage", "agent", "provider", "model", "identity", "sample", "seed", "temperature",
    "max_tokens", "prompt_hash", "messages",
)  # fmt: skip


class LedgerError(Exception):
    """The ledger cannot be read or written; the message says what to do."""


def bring_up_to_date(path: Path, connection: sqlite3.Connection) -> None:
    """Make the table, or add to an older one what it lacks. Raises LedgerError."""
    check_version(path, connection)
    try:
        connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {SCHEMA}; {BATCHES}")
        for name, kind in ADDED:
            if name not in columns_of(connection):
                connection.execute(f"ALTER TABLE calls ADD COLUMN {name} {kind}")
        connection.execute(f"PRAGMA user_version={VERSION}")
    except sqlite3.Error as error:
        raise explained(path, error) from error


def check_version(path: Path, connection: sqlite3.Connection) -> None:
    """Raise LedgerError if the file is of a newer version or another program's; nothing is changed."""
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        columns = columns_of(connection)
    except sqlite3.Error as error:
        raise explained(path, error) from error
    if version > VERSION:
        raise LedgerError(
            f"the call ledger {path} is of version {version}; this program reads up to version {VERSION}. "
            "Nothing was changed: go on with the newer program that wrote it"
        )
    missing = [name for name in (*COLUMNS, "status", "text", "cost") if name not in columns]
    if columns and missing:
        raise LedgerError(f"{path} is not a call ledger of this program: it has no column {', '.join(missing)}")


def columns_of(connection: sqlite3.Connection) -> list[str]:
    """Names of the table's columns; empty if there is no table."""
    return [row[1] for row in connection.execute("PRAGMA table_info(calls)")]


def is_damage(error: sqlite3.Error) -> bool:
    """The file's content is broken, as opposed to a full disk, missing rights or a lock."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def explained(path: Path, error: sqlite3.Error) -> LedgerError:
    """The database's error in our words, with what to do."""
    hint = "is the file writable, and not on a network share?"
    if "full" in str(error):
        hint = "free some space and resume the run"
    elif is_damage(error):
        hint = f"rescue the calls that can be read with: python -m models.ledger_rescue {path}"
    return LedgerError(f"the call ledger {path} cannot be used: {error}; {hint}")
