"""The edits of a strategy in a model's reply.

Guaranteed: every list of edits that is whole counts; LaTeX survives, also where the model wrote one backslash
where JSON wants two; what is not an edit is refused with the reason, and nothing is changed without a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from agents.latex_escapes import with_latex_kept
from agents.plain_text import CHAT_MARKER, TEXT_CHARS, clean_text
from agents.playbook import MAX_EDITS, REPLY_CHARS, EditError, without_thoughts
from agents.strategy_lines import DEFAULT_SECTION, MAX_BULLETS, SECTION_CHARS
from records.nouns import Edit, Operation, Record

REASON_CHARS = 400
MAX_ORIGINS = 24

_JSON_START = re.compile(r"\[(?=\s*[\]{])|\{(?=\s*\")")
_FENCE = re.compile(r"```[A-Za-z]*[^\S\n]*\n(.*?)```", re.DOTALL)
_STRING_OR_COMMA = re.compile(r'("(?:[^"\\]|\\.)*(?:"|\\?\Z))|,(?=\s*[\]}])', re.DOTALL)


class _Proposed(Record):
    """The shape that a reply's edits must have."""

    operation: Operation
    bullet_ids: tuple[str, ...] = ()
    section: str = DEFAULT_SECTION
    text: str = ""
    origin: tuple[str, ...] = ()
    reason: str = ""


def edits_schema() -> str:
    """JSON schema of a reply with edits, in the strict form that the providers take: every field, no other."""
    lists = ("bullet_ids", "origin")
    words: dict[str, Any] = {"type": "string"}
    fields = {name: {"type": "array", "items": words} if name in lists else words for name in _Proposed.model_fields}
    fields["operation"] = {"type": "string", "enum": list(get_args(Operation))}
    edit = _closed(fields)
    return json.dumps(_closed({"edits": {"type": "array", "items": edit}}))


def _closed(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def parse_edits(reply: str, labels: Mapping[str, str] | None = None) -> tuple[Edit, ...]:
    """The edits in a model's reply: JSON lists, or objects with the key "edits".

    Tolerates prose around it, code fences, `<think>` blocks, trailing commas and small letters in
    the operation; everything else raises EditError with the reason. `labels` maps the short names
    of attempts that the model was shown ("A1") to attempt ids; with it every edit must name one.
    """
    if len(reply) > REPLY_CHARS:
        raise EditError(f"the reply has {len(reply)} characters; at most {REPLY_CHARS} are read")
    items = _edits_in(without_thoughts(reply))
    if len(items) > MAX_EDITS:
        raise EditError(f"{len(items)} edits; at most {MAX_EDITS} at a time")
    return tuple(_edit(number, item, labels) for number, item in enumerate(items, 1))


def _edit_list(value: Any) -> list[Any]:
    if isinstance(value, dict) and "edits" in value:
        value = value["edits"]
    elif isinstance(value, dict) and "operation" in value:
        value = [value]
    if not isinstance(value, list):
        raise EditError('the JSON must be a list of edits, or an object {"edits": [...]}')
    return value


def _edit(number: int, item: Any, labels: Mapping[str, str] | None) -> Edit:
    where = f"edit {number}"
    if not isinstance(item, dict):
        raise EditError(f"{where}: an object was expected, got {type(item).__name__}")
    if isinstance(item.get("operation"), str):
        item = {**item, "operation": item["operation"].strip().upper()}
    try:
        proposed = _Proposed.model_validate(item)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))[:60]}: {e['msg']}" for e in error.errors()[:4])
        raise EditError(f"{where}: {faults}") from error
    if len(proposed.text) > TEXT_CHARS:
        raise EditError(f"{where}: its text has {len(proposed.text)} characters, at most {TEXT_CHARS} are allowed")
    if CHAT_MARKER.search(proposed.text + proposed.section):
        raise EditError(f"{where}: chat-template markers are not allowed in a strategy")
    return Edit(
        operation=proposed.operation,
        bullet_ids=tuple(clean_text(one, 20) for one in proposed.bullet_ids[:MAX_BULLETS]),
        section=clean_text(proposed.section, SECTION_CHARS) or DEFAULT_SECTION,
        text=clean_text(proposed.text),
        origin=_origin(where, proposed.origin, labels),
        reason=clean_text(proposed.reason, REASON_CHARS),
    )


def _origin(where: str, named: tuple[str, ...], labels: Mapping[str, str] | None) -> tuple[str, ...]:
    """The attempt ids behind the labels. Raises EditError on an unknown one, or on none at all."""
    if labels is None:
        return tuple(clean_text(one, 200) for one in named[:MAX_ORIGINS])
    unknown = [one for one in named if one not in labels]
    if unknown:
        raise EditError(f"{where}: there is no attempt '{unknown[0][:40]}'; the labels shown are {_span(labels)}")
    if not named:
        raise EditError(f'{where}: it names no attempt in "origin"; the labels shown are {_span(labels)}')
    return tuple(dict.fromkeys(labels[one] for one in named))[:MAX_ORIGINS]


def _span(labels: Mapping[str, str]) -> str:
    names = list(labels)
    return ", ".join(names) if len(names) < 4 else f"{names[0]} to {names[-1]}"


def _edits_in(text: str) -> list[Any]:
    """The edits of all lists in a text; fenced blocks are looked at before the bare text.

    A later list that edits a bullet of an earlier one is its revision and stands in its place.
    """
    fault = "no JSON list was found in the reply"
    found: list[list[Any]] = []
    for block in [*_FENCE.findall(text)[:8], None]:
        if block is None and any(found):
            break
        try:
            for value in _values(text if block is None else block):
                if _looks_like_edits(value):
                    found.append(_edit_list(value))
        except ValueError as error:
            fault = f"the JSON is broken: {error}"
        except RecursionError:
            raise EditError("the JSON is nested too deeply") from None
    if not found:
        raise EditError(fault)
    proposed = [one for one in found if any(isinstance(edit, dict) and "operation" in edit for edit in one)]
    return _joined(proposed or found)  # a quoted list of other things is no list of edits


def _joined(lists: Sequence[list[Any]]) -> list[Any]:
    """The edits of several lists as one, without those that a later list revises or repeats."""
    kept: list[Any] = []
    for edits in lists:
        targets = {name for edit in edits for name in _targets(edit)}
        kept = [edit for edit in kept if edit not in edits and not targets & _targets(edit)]
        kept += edits
    return kept


def _targets(edit: Any) -> set[str]:
    """The bullets that a proposed edit names; the proposal is not checked yet."""
    named = edit.get("bullet_ids") if isinstance(edit, dict) else None
    return {name for name in named if isinstance(name, str)} if isinstance(named, list) else set()


def _values(block: str) -> Iterator[Any]:
    """The JSON lists and objects in a text, outermost only. Raises ValueError at the first broken one."""
    text = _repaired(block)
    decoder = json.JSONDecoder(strict=False)
    position = 0
    while start := _JSON_START.search(text, position):
        value, position = decoder.raw_decode(text, start.start())
        yield value


def _looks_like_edits(value: Any) -> bool:
    if isinstance(value, dict):
        return "edits" in value or "operation" in value
    return all(isinstance(item, dict) for item in value)


def _repaired(text: str) -> str:
    """Commas before a closing bracket dropped, and lone backslashes in strings kept, from the first list on."""
    start = _JSON_START.search(text)
    return _STRING_OR_COMMA.sub(lambda match: with_latex_kept(match[1] or ""), text[start.start() :] if start else "")
