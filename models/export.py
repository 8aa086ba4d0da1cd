"""A ledger's calls as files for other programs.

`write_calls`: every call with prompt, reply and accounts, one JSON object a line. `write_batch`: the
requests alone, as OpenAI's batch input file or as Anthropic's batch requests (one element of
`requests` a line); custom_id is the ledger's key, so that results find their way back.
Guaranteed: a file is written whole or not at all; no key or address is in it, as the ledger has none
but the address in a vllm spec. Not guaranteed: that a provider still takes a model or a parameter.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from models.calls import CallRequest
from models.ledger import read_rows
from models.providers import FIXED_TEMPERATURE, structure_of
from models.spec import parse_spec

Row = Mapping[str, Any]


class ExportError(Exception):
    """Nothing to export in this form, or a format that does not exist."""


def write_calls(ledger: Path, file: Path) -> int:
    """Write all calls; returns their number. Raises LedgerError and OSError."""
    return _write_lines(file, read_rows(ledger))


def write_batch(ledger: Path, file: Path, form: str) -> int:
    """Write the requests of the calls whose provider speaks `form`; returns their number.

    Raises ExportError for an unknown form, or if no call is of such a provider; LedgerError; OSError.
    """
    if form not in FORMATS:
        raise ExportError(f"--format {form}: there are {', '.join(FORMATS)}")
    providers, made = FORMATS[form]
    rows = list(read_rows(ledger))
    chosen = [row for row in rows if row["provider"] in providers]
    if not chosen:
        found = ", ".join(sorted({row["provider"] for row in rows})) or "none"
        raise ExportError(f"no call of this run is in the form '{form}'; its calls are of: {found}")
    return _write_lines(file, map(made, chosen))


def openai_line(row: Row) -> dict[str, Any]:
    """One line of OpenAI's batch input file."""
    spec = parse_spec(row["model"])
    limit = "max_completion_tokens" if spec.provider == "openai" else "max_tokens"
    body = {"model": spec.name, "messages": row["messages"], limit: row["max_tokens"], **_sampling(row)}
    return {"custom_id": row["key"], "method": "POST", "url": "/v1/chat/completions", "body": body}


def anthropic_line(row: Row) -> dict[str, Any]:
    """One element of `requests` of Anthropic's message batches."""
    system = [message["content"] for message in row["messages"] if message["role"] == "system"]
    turns = [message for message in row["messages"] if message["role"] != "system"]
    params = {"model": parse_spec(row["model"]).name, "max_tokens": row["max_tokens"], "messages": turns}
    params |= {"system": "\n\n".join(system)} if system else {}
    return {"custom_id": row["key"], "params": {**params, **_sampling(row)}}


def _sampling(row: Row) -> dict[str, Any]:
    """Temperature and seed as they were sent: a seed only where dice are thrown, and Anthropic takes none."""
    spec = parse_spec(row["model"])
    structure = structure_of(spec, row["reply_schema"] or "")
    given = structure if FIXED_TEMPERATURE.match(spec.name) else {"temperature": row["temperature"], **structure}
    if row["temperature"] == 0 or spec.provider == "anthropic":
        return given
    request = CallRequest(**{name: row[name] for name in CallRequest.model_fields if row.get(name) is not None})
    return {**given, "seed": request.dice}


FORMATS: dict[str, tuple[tuple[str, ...], Callable[[Row], dict[str, Any]]]] = {
    "openai": (("openai", "vllm"), openai_line),
    "anthropic": (("anthropic",), anthropic_line),
}


def _write_lines(file: Path, rows: Iterable[Row]) -> int:
    """Write through a temporary file, row by row."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(file.name + ".tmp")
    count = 0
    with temporary.open("w", encoding="ascii") as target:
        for row in rows:
            target.write(json.dumps(row) + "\n")
            count += 1
        target.flush()
        os.fsync(target.fileno())
    temporary.replace(file)
    return count
