"""Verdicts that are known already, by toolchain, header, statement and proof.

SQLite, so that several processes may share a file. `ungraded` is never kept. Guaranteed: a file that cannot be read
or written costs time, never a verdict. The file is the user's own: whoever can write there can
write verdicts.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from sandbox.lean_verdict import LeanVerdict


class VerdictCache:
    """A table of verdicts in a file, or in memory where `path` is None. Used under the judge's lock."""

    def __init__(self, path: Path | None) -> None:
        self._rows: sqlite3.Connection | None = None
        with suppress(sqlite3.Error):
            self._rows = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None, timeout=5)
            self._rows.execute("CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, verdict TEXT NOT NULL)")

    def get(self, key: str) -> LeanVerdict | None:
        """The verdict, or None."""
        if self._rows is None:
            return None
        with suppress(sqlite3.Error, ValidationError):
            row = self._rows.execute("SELECT verdict FROM verdicts WHERE key = ?", (key,)).fetchone()
            return LeanVerdict.model_validate_json(row[0]) if row else None
        return None

    def put(self, key: str, verdict: LeanVerdict) -> None:
        """Keep a verdict that says something of the proof."""
        if self._rows is not None and verdict.verdict != "ungraded":
            with suppress(sqlite3.Error):
                row = (key, verdict.model_dump_json())
                self._rows.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?)", row)
