"""The run directory: JSON lines that are the source of truth of a run.

Guaranteed: an appended record is on disk (fsync) when `append` returns; appending a record whose
id is already there changes nothing, so a repeated step writes no duplicates; a last line cut by a
crash is dropped, never read as data. Not guaranteed: protection against two processes writing to
one run at the same time (see `lock`).
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel


class HasId(Protocol):
    """A record with an identity, as the JSONL files need it."""

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=BaseModel)


class RunError(Exception):
    """The run directory cannot be used; the message says what to do."""


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file so that a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class RunDirectory:
    """Reads and writes the files of one run."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._ids: dict[str, set[str]] = {}
        self._appending = threading.Lock()

    @property
    def id(self) -> str:
        """The run's name: that of its directory."""
        return self.path.name

    @property
    def complete(self) -> bool:
        """The manifest, which is written last, is there."""
        return (self.path / "manifest.json").exists()

    def file(self, *parts: str) -> Path:
        """Path of a file in the run directory; its folder is made."""
        path = self.path.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def append(self, name: str, records: Iterable[BaseModel]) -> int:
        """Append the records that are not there yet; returns how many were written. Threads wait for each other."""
        with self._appending:
            known = self._known(name)
            fresh = []
            for record in records:
                identity = record.id  # type: ignore[attr-defined]
                if identity not in known:
                    known.add(identity)
                    fresh.append(json.dumps(record.model_dump(mode="json")))  # ASCII: keeps lone surrogates
            if fresh:
                append_lines(self.file(name), fresh)
            return len(fresh)

    def read(self, name: str, kind: type[R]) -> list[R]:
        """All records of a file, in order; an absent file is empty."""
        return [kind.model_validate(row) for row in self.rows(name)]

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """The raw rows of a JSONL file. Raises RunError at a broken line, with its number."""
        path = self.path / name
        if not path.exists():
            return
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return  # cut by a crash; `append` removes it
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise RunError(f"{path}, line {number}: not JSON ({error})") from error

    def write_json(self, name: str, value: Any) -> None:
        """Write one JSON file atomically."""
        write_atomically(self.file(name), json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def read_json(self, name: str) -> Any:
        """Read one JSON file; raises RunError if it is absent or broken."""
        try:
            return json.loads((self.path / name).read_text("utf-8"))
        except FileNotFoundError as error:
            raise RunError(f"run '{self.id}' has no {name}: is {self.path} a run?") from error
        except ValueError as error:
            raise RunError(f"{self.path / name}: not JSON ({error})") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process. Raises RunError if another process has it."""
        with self.file("lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunError(
                    f"run '{self.id}' is being worked on by another process; wait for it, or use another --run name"
                ) from error
            yield

    @property
    def in_use(self) -> bool:
        """Another process, or another part of this one, holds the run's lock."""
        try:
            with self.lock():
                return False
        except RunError:
            return True

    def _known(self, name: str) -> set[str]:
        if name not in self._ids:
            self._ids[name] = {row["id"] for row in self.rows(name)}
        return self._ids[name]


def append_lines(path: Path, lines: Sequence[str]) -> None:
    """Append ASCII lines that are on disk when this returns; a last line that a crash cut is removed."""
    with path.open("ab+") as file:
        _drop_cut_line(file)
        file.write("".join(line + "\n" for line in lines).encode("ascii"))
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other thread or process holds this lock file, and hold it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _drop_cut_line(file: Any) -> None:
    """Truncate an unterminated last line that a crash left behind."""
    size = file.seek(0, os.SEEK_END)
    position = size
    while position > 0:
        file.seek(position - 1)
        if file.read(1) == b"\n":
            break
        position -= 1
    if position < size:
        file.truncate(position)
    file.seek(0, os.SEEK_END)
