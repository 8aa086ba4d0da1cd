"""JSONL files of problems. Nothing of a file is executed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from domains.base import DomainError

Row = tuple[str, Mapping[str, Any]]  # where it stands, and what stands there


def file_rows(path: Path, names: Iterable[str]) -> Iterator[Row]:
    """The objects of a file, line by line; `names` are what could have been given instead of a file.

    Raises DomainError, with the line's number, for a file that cannot be read or a line that is no JSON object.
    """
    try:
        lines = path.read_text("utf-8").split("\n")  # not splitlines: JSON may hold other line separators
    except OSError as error:
        raise DomainError(
            f"cannot read problems from '{path}' ({error.strerror}); give a JSONL file or one of: {', '.join(names)}"
        ) from error
    except UnicodeDecodeError as error:
        raise DomainError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield f"{path}, line {number}", _object(line, f"{path}, line {number}")


def _object(line: str, where: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DomainError(f"{where}: not JSON ({error})") from error
    if not isinstance(row, dict):
        raise DomainError(f"{where}: not a JSON object")
    return row
