"""One row of a JSONL file as a record, or in words why it is none, with its number and field."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError

R = TypeVar("R", bound=BaseModel)
MAX_LINE = 8 << 20  # bytes of one row


class UnreadRow(ValueError):
    """The row cannot be used. `identity` is its "id", where it has one of a plain kind."""

    def __init__(self, problem: str, identity: object = None) -> None:
        super().__init__(problem)
        self.identity = identity if isinstance(identity, (str, int)) else None


def read_row(number: int, line: bytes, kind: type[R], fields: str) -> R:
    """The row of that number; `fields` names those that it needs. Raises UnreadRow."""
    if len(line) > MAX_LINE:
        raise UnreadRow(f"row {number}: the row has {len(line)} bytes; at most {MAX_LINE} are read")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise UnreadRow(f"row {number}: not JSON") from None
    if not isinstance(value, dict):
        raise UnreadRow(f"row {number}: not a JSON object with the fields {fields}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"]))[:60]
        raise UnreadRow(f"row {number}: field '{field}': {fault['msg']}", value.get("id")) from error
