"""Run directories as the pages read them: small indexes in memory, the texts on disk.

Guaranteed: nothing outside the runs folder is opened, whatever a name or a link says; a file is parsed
once and then only where it has grown; a line that is cut, no JSON or no object is left out and counted;
memory grows with the number of rows, not with their texts. Not guaranteed: two files of one moment, as
a run that is being worked on goes on between two reads.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from records.rundir import RunDirectory, RunError

NAME = re.compile(r"[\w-][\w.-]{0,200}")
HASH = re.compile(r"[0-9a-f]{8,64}")
MOST_RUNS_KEPT = 8  # whose indexes stay in memory
MOST_JSON = 32_000_000  # bytes of a JSON file that is read whole

Row = dict[str, Any]
T = TypeVar("T")
Signature = tuple[int, int, int]


class NotThere(Exception):
    """There is no such run, page or record; the message is shown as it is."""


def signature(path: Path) -> Signature | None:
    """What changes when a file does; None if it is absent."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class Lines(Generic[T]):
    """The rows of one JSONL file: of each what `slim` keeps, and where it stands. `broken` rows are left out."""

    def __init__(self, path: Path, slim: Callable[[Row], T]) -> None:
        self.path, self._slim = path, slim
        self.version = 0  # another one whenever anything has changed
        self._forget()

    def _forget(self) -> None:
        self.entries: list[T] = []
        self.places: list[tuple[int, int]] = []
        self.broken = 0
        self.cut = False
        self._end, self._inode = 0, -1
        self._seen: Signature | None = None

    def refresh(self) -> bool:
        """Read what has been appended; True if anything has changed."""
        now = signature(self.path)
        if now == self._seen:
            return False
        if now is None or now[2] != self._inode or now[1] < self._end:
            self._forget()
        if now is not None:
            self._inode = now[2]
            self._read()
        self._seen = now
        self.version += 1
        return True

    def _read(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._end)
            self.cut = False
            for line in file:
                if not line.endswith(b"\n"):
                    self.cut = True
                    return
                place, self._end = (self._end, len(line)), self._end + len(line)
                self._add(line, place)

    def _add(self, line: bytes, place: tuple[int, int]) -> None:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            self.broken += 1
            return
        slim = self._slim(row)
        self.places.append(place)  # first: who sees the entry finds its place
        self.entries.append(slim)

    def row(self, number: int) -> Row:
        """The whole row from disk. Raises NotThere if the file has become another one."""
        return next(self.rows(number, number + 1), {})

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """Whole rows of a range. Raises NotThere as `row` does."""
        with self.path.open("rb") as file:
            for place, length in self.places[start:stop]:
                file.seek(place)
                yield self._parsed(file.read(length))

    def _parsed(self, line: bytes) -> Row:
        try:
            row = json.loads(line)
        except ValueError as error:
            raise NotThere(f"{self.path.name} has been changed meanwhile; load the page again") from error
        return row if isinstance(row, dict) else {}


class Store:
    """One run directory. Every file is looked at again when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = RunDirectory(path)
        self.lock = threading.RLock()
        self._lines: dict[str, Lines[Any]] = {}
        self._kept: dict[str, tuple[Any, Any]] = {}
        self.call_list: Any = None  # of console.web.calls

    @property
    def id(self) -> str:
        """The run's name."""
        return self.path.name

    def inside(self, name: str) -> Path:
        """Path of a file of the run. Raises NotThere if it leads out of the run directory."""
        path = (self.path / name).resolve()
        if not path.is_relative_to(self.path):
            raise NotThere(f"{name} leads out of the run directory and is not shown")
        return path

    def lines(self, name: str, slim: Callable[[Row], T]) -> Lines[T]:
        """The index of a JSONL file, up to date. `slim` must be the same each time."""
        with self.lock:
            if name not in self._lines:
                self._lines[name] = Lines(self.inside(name), slim)
            self._lines[name].refresh()
            return self._lines[name]

    def json(self, name: str) -> Any:
        """A JSON file, None if it is absent. Raises RunError if it is broken."""
        return self.kept(f"json {name}", (name,), lambda: self._json(name))

    def _json(self, name: str) -> Any:
        path = self.inside(name)
        if not path.exists():
            return None
        if path.stat().st_size > MOST_JSON:
            raise RunError(f"{path}: too large to be shown ({path.stat().st_size:,} bytes)")
        return self.run.read_json(name)

    def object(self, name: str) -> Row:
        """A JSON file that holds an object; {} if it is absent or holds something else."""
        value = self.json(name)
        return value if isinstance(value, dict) else {}

    def kept(self, key: str, files: tuple[str, ...], make: Callable[[], T]) -> T:
        """A value that is made again only when one of these files (or folders) has changed."""
        now = tuple(signature(self.inside(name)) for name in files)
        with self.lock:
            if key in self._kept and self._kept[key][0] == now:
                value: T = self._kept[key][1]
                return value
            value = make()
            self._kept[key] = (now, value)
            return value

    def derived(self, key: str, lines: Lines[Any], make: Callable[[], T]) -> T:
        """A value that is made again only when an index has changed."""
        with self.lock:
            if key in self._kept and self._kept[key][0] == lines.version:
                value: T = self._kept[key][1]
                return value
            value = make()
            self._kept[key] = (lines.version, value)
            return value

    def warnings(self) -> list[str]:
        """What is wrong with the files that were read so far."""
        found = []
        for name, lines in self._lines.items():
            if lines.broken:
                found.append(f"{name}: {lines.broken:,} lines are no JSON objects and are left out")
            if lines.cut:
                found.append(f"{name}: the last line is cut (a write is under way, or a process was killed)")
        return found


class Library:
    """The runs of one folder."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs.expanduser().resolve()
        self.cards: dict[str, Any] = {}  # of console.web.overview
        self._stores: OrderedDict[str, Store] = OrderedDict()
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Names of all runs, those written to last at the front."""
        if not self.runs.is_dir():
            return []
        found = [(signature(path / "run.json"), path.name) for path in self.runs.iterdir() if self._is_run(path)]
        return [name for _, name in sorted(found, key=lambda pair: pair[0] or (0, 0, 0), reverse=True)]

    def _is_run(self, path: Path) -> bool:
        return bool(NAME.fullmatch(path.name)) and path.resolve().parent == self.runs and (path / "run.json").exists()

    def peek(self, name: str) -> Store:
        """One run, not kept for the next request. Raises NotThere as `store` does."""
        with self._lock:
            kept = self._stores.get(name)
        if kept is None and not self._is_run(self.runs / name):
            raise NotThere("There is no such run in the runs folder.")
        return kept or Store(self.runs / name)

    def store(self, name: str) -> Store:
        """One run. Raises NotThere for a name that is none of this folder's runs."""
        if not NAME.fullmatch(name) or not self._is_run(self.runs / name):
            with self._lock:
                self._stores.pop(name, None)
            raise NotThere("There is no such run in the runs folder. It may have been deleted or renamed.")
        with self._lock:
            store = self._stores.pop(name, None) or Store(self.runs / name)
            self._stores[name] = store
            while len(self._stores) > MOST_RUNS_KEPT:
                self._stores.popitem(last=False)
            return store
