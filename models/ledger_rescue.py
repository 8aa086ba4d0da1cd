"""Rescue of the readable calls of a damaged ledger: `python -m models.ledger_rescue LEDGER`.

Guaranteed: the damaged file is kept beside the new one; every call on a page that can still be
reached is kept; a file of which nothing can be read is left as it is and refused. What the file
system lost without SQLite noticing (a whole transaction at the end of the write-ahead log) is not
seen as damage: those calls are made again.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.ledger_schema import BATCHES, SCHEMA, VERSION, LedgerError, check_version, columns_of, explained, is_damage
from models.spec import parse_spec
from records.nouns import Completion

# Keys are hexadecimal hashes, so that ranges by their first digits are about equal; each range is read
# from both ends, and only the calls around a damaged page are lost.
_RANGES = [(f"{number:03x}", f"{number:03x}g") for number in range(16**3)]


def rescue(path: Path) -> str:
    """Replace a damaged ledger by its readable calls; returns what was done, "" for an intact file.

    Raises LedgerError if no call can be read, or if the file cannot be opened at all.
    """
    if _is_intact(path):
        return ""
    kept_as = _copied(path)
    calls = _readable_calls(kept_as)
    if not calls:
        _remove(kept_as)
        raise LedgerError(
            f"the call ledger {path} cannot be used: it is damaged and no call in it can be read. Restore it from a "
            "copy, or move it away: its calls are then made, and paid, again"
        )
    _replace(path, calls, _readable_batches(kept_as))
    return (
        f"the call ledger was damaged: {len(calls)} calls could be read and are kept, any others are made again; "
        f"the damaged file is kept as {kept_as.name}"
    )


def _is_intact(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    except sqlite3.Error as error:
        if is_damage(error):
            return False
        raise explained(path, error) from error


def _copied(path: Path) -> Path:
    """A copy of the file with its write-ahead log, named by the time."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    copy = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("", "-wal"):
        if (source := path.with_name(path.name + suffix)).exists():
            shutil.copy2(source, copy.with_name(copy.name + suffix))
    return copy


def _readable_calls(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA writable_schema=ON")  # a file shorter than its header says is read all the same
            check_version(path, connection)
            return {row["key"]: dict(row) for row in _scan(connection) if _is_whole(row)}
    except (sqlite3.Error, LedgerError):
        return {}


def _readable_batches(path: Path) -> list[tuple[Any, ...]]:
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA writable_schema=ON")
            return connection.execute("SELECT label, model, batch_id, begun, ended FROM batches").fetchall()
    except sqlite3.Error:
        return []


def _scan(connection: sqlite3.Connection) -> Iterator[sqlite3.Row]:
    for low, high in _RANGES:
        for order in ("ASC", "DESC"):
            try:
                yield from connection.execute(
                    f"SELECT * FROM calls WHERE key >= ? AND key < ? ORDER BY key {order}", (low, high)
                )
                break  # the range was read to its end
            except sqlite3.Error:
                continue


def _is_whole(row: sqlite3.Row) -> bool:
    """A row of a broken page may be read as one with other content."""
    try:
        json.loads(row["messages"])
        parse_spec(row["model"])
        if row["status"] == "ok":
            Completion(**{name: row[name] for name in Completion.model_fields if name in row.keys()})  # noqa: SIM118
    except (ValueError, TypeError):
        return False
    return row["status"] in ("ok", "error", "intent") and re.fullmatch("[0-9a-f]{64}", row["key"]) is not None


def _replace(path: Path, calls: dict[str, dict[str, Any]], batches: list[tuple[Any, ...]]) -> None:
    """A new file with these calls and batches in the place of the old one."""
    new = path.with_name(path.name + ".rescued")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(new)) as connection:
        connection.executescript(f"{SCHEMA}; {BATCHES}; PRAGMA user_version={VERSION}")
        known = columns_of(connection)
        for call in calls.values():
            names = [name for name in call if name in known]
            marks = ", ".join("?" * len(names))
            row = [call[name] for name in names]
            connection.execute(f"INSERT INTO calls ({', '.join(names)}) VALUES ({marks})", row)
        connection.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", batches)
        connection.commit()
    for suffix in ("-wal", "-shm"):  # of the old file: SQLite would apply them to the new one
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    new.replace(path)


def _remove(copy: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def main(line: list[str]) -> int:
    """The command; returns the exit status."""
    if len(line) != 1 or not Path(line[0]).is_file():
        print("usage: python -m models.ledger_rescue RUN_DIR/ledger.sqlite", file=sys.stderr)
        return 2
    try:
        print(rescue(Path(line[0])) or "the ledger is intact")
    except LedgerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
