"""A strategy as text and as bullets with stable ids, and the edits of it that a model proposes.

Guaranteed: `parse_strategy` accepts any text and gives bullets whose rendering parses to itself;
a bullet that an edit or a rewriting leaves in place keeps its id and its origin; nothing that a
model wrote reaches a strategy with control characters or chat-template markers in it; an edit
that does not fit is refused with the reason. Not guaranteed: that advice is good (the gate finds
out) or carries no answer (the leak check does). After the newest bullet was deleted its number may
be given again: id and round together are unique.
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from records.nouns import Bullet, Edit, Operation, Record, Strategy

MAX_EDITS = 4
MIN_TOKENS, MAX_TOKENS = 300, 2_000
TEXT_CHARS, SECTION_CHARS, REASON_CHARS = 700, 60, 400
MAX_BULLETS = 120
MAX_ORIGINS = 24
REPLY_CHARS = 60_000
DEFAULT_SECTION = "Method"

_CHAT_MARKER = re.compile(r"<\|[^|>]{0,40}\|>|\[/?INST\]|<<\s*/?SYS\s*>>|</?s>|<(?:start|end)_of_turn>")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.+)")
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)])\s+(.*)")
_MARKUP = re.compile(r"^(?:(?:[-*•]|\d{1,3}[.)]|#{1,6})\s+)+")
_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_TAG = re.compile(r"\[\s*(b\d{1,9}(?:[\s,;+&]+b\d{1,9})*)\s*\]\s*")
_JSON_START = re.compile(r"\[(?=\s*[\]{])|\{(?=\s*\")")
_FENCE = re.compile(r"```[A-Za-z]*[^\S\n]*\n(.*?)```", re.DOTALL)
_STRING_OR_COMMA = re.compile(r'("(?:[^"\\]|\\.)*(?:"|\\?\Z))|,(?=\s*[\]}])', re.DOTALL)


class EditError(Exception):
    """Edits that cannot be used; the message says which one and why."""


def clean_text(text: str, limit: int = TEXT_CHARS) -> str:
    """One line without control, format or surrogate characters, chat markers and list markup; cut at `limit`."""
    visible = "".join(
        c for c in text[: 8 * limit] if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    while _CHAT_MARKER.search(visible):
        visible = _CHAT_MARKER.sub(" ", visible)
    line = " ".join(visible.split())
    return _MARKUP.sub("", line)[:limit].strip()


def parse_strategy(
    text: str, *, name: str, parent: Strategy | None = None, round: int | None = None, origin: tuple[str, ...] = ()
) -> Strategy:
    """Read "## Section" and "- bullet" lines; other lines continue a bullet or are one of their own.

    Bullets that are (nearly) the same as one of `parent`, or begin with its id in brackets ("[b2]",
    "[b2, b5]"), keep its id, origin and round. Never raises: a text without bullets gives a strategy
    without bullets, which `check_size` refuses.
    """
    number = round if round is not None else (parent.round if parent else 0)
    lines = _lines(text)
    taken = _match_ids(lines, parent)
    following = next_number(parent)
    bullets = []
    for index, (section, line) in enumerate(lines):
        if old := taken.get(index):
            text = _untagged(line, parent)
            lift = old.lift if text == old.text else None
            bullets.append(old.model_copy(update={"section": section, "text": text, "lift": lift}))
        else:
            new = Bullet(id=f"b{following}", section=section, text=line, origin=origin, round=number, created=number)
            bullets.append(new)
            following += 1
    return Strategy(name=name, bullets=tuple(bullets), parent=parent.hash if parent else None, round=number)


def _lines(text: str) -> list[tuple[str, str]]:
    """(section, bullet text) in order; several lines of one bullet are joined."""
    section, found = DEFAULT_SECTION, list[tuple[str, str]]()
    open_bullet = False
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            section, open_bullet = clean_text(heading[1], SECTION_CHARS) or DEFAULT_SECTION, False
        elif not line.strip():
            open_bullet = False
        elif (bullet := _BULLET.match(line)) or not open_bullet:
            found.append((section, bullet[1] if bullet else line))
            open_bullet = True
        else:
            found[-1] = (section, f"{found[-1][1]} {line.strip()}")
    sections: dict[str, str] = {}  # a text that stands in several sections counts once, in the first
    for name, line in found:
        sections.setdefault(clean_text(line), name)
    ordered = _by_section([(name, line) for line, name in sections.items() if line])
    return ordered[:MAX_BULLETS]


def _by_section(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Bullets of one section together, sections in order of first appearance: as they are rendered."""
    order = {name: index for index, name in enumerate(dict.fromkeys(name for name, _ in pairs))}
    return sorted(pairs, key=lambda pair: order[pair[0]])


def _match_ids(lines: list[tuple[str, str]], parent: Strategy | None) -> dict[int, Bullet]:
    """Which line continues which old bullet: by its tag, else equal text, else the closest one."""
    if parent is None:
        return {}
    matched: dict[int, Bullet] = {}
    used: set[str] = set()
    for index, (_, line) in enumerate(lines):
        tagged = [bullet for bullet in _tagged(line, parent) if bullet.id not in used]
        if tagged and _untagged(line, parent):
            origin = tuple(dict.fromkeys(one for bullet in tagged for one in bullet.origin))
            matched[index] = tagged[0].model_copy(update={"origin": origin})
            used.update(bullet.id for bullet in tagged)
    free = {bullet.text: bullet for bullet in parent.bullets if bullet.id not in used}
    for index, (_, line) in enumerate(lines):
        if index not in matched and line in free:
            matched[index] = free.pop(line)
    for index, (_, line) in enumerate(lines):
        if index not in matched and (close := difflib.get_close_matches(line, list(free), 1, cutoff=0.6)):
            matched[index] = free.pop(close[0])
    return matched


def _tagged(line: str, parent: Strategy) -> list[Bullet]:
    """The bullets of `parent` that a tag like "[b2, b5]" at the line's beginning names; all must exist."""
    tag = _TAG.match(line)
    names = re.findall(r"b\d+", tag[1]) if tag else []
    known = {bullet.id: bullet for bullet in parent.bullets}
    return [known[name] for name in names] if all(name in known for name in names) else []


def _untagged(line: str, parent: Strategy | None) -> str:
    return clean_text(_TAG.sub("", line)) if parent and _tagged(line, parent) else line


def with_lift(strategy: Strategy, parent: Strategy, lift: float | None) -> Strategy:
    """The strategy with the measured gain of an edit noted at the bullets that the edit brought in or changed."""
    before = {(bullet.id, bullet.text) for bullet in parent.bullets}
    bullets = tuple(
        bullet if (bullet.id, bullet.text) in before else bullet.model_copy(update={"lift": lift})
        for bullet in strategy.bullets
    )
    return strategy.model_copy(update={"bullets": bullets})


def next_number(strategy: Strategy | None) -> int:
    numbers = [int(b.id[1:]) for b in strategy.bullets if re.fullmatch(r"b\d{1,9}", b.id)] if strategy else []
    return max(numbers, default=0) + 1


def without_thoughts(reply: str) -> str:
    """A model's reply without its `<think>` blocks, an unclosed one included."""
    return _THOUGHT.sub("", reply).strip()


def strategy_text_in(reply: str) -> str:
    """The headings and bullets in a model's reply, without the talk around them."""
    text = without_thoughts(reply)[:REPLY_CHARS]
    fenced = next((block for block in _FENCE.findall(text) if any(map(_BULLET.match, block.splitlines()))), text)
    kept: list[str] = []
    inside = False
    for line in fenced.splitlines():
        inside = bool(_HEADING.match(line) or _BULLET.match(line) or (inside and line.strip()))
        if inside:
            kept.append(line)
    return "\n".join(kept)


def numbered(strategy: Strategy) -> str:
    """The strategy as its editor reads it: every bullet with its id."""
    lines: list[str] = []
    section = None
    for bullet in strategy.bullets:
        if bullet.section != section:
            section = bullet.section
            lines.append(f"## {section}")
        lines.append(f"[{bullet.id}] {bullet.text}")
    return "\n".join(lines)


def check_size(text: str, count_tokens: Callable[[str], int]) -> str | None:
    """What is wrong with a strategy's length, None if it has 300 to 2,000 tokens."""
    count = count_tokens(text)
    if count < MIN_TOKENS:
        return f"the strategy has {count} tokens, too few: {MIN_TOKENS} to {MAX_TOKENS} are allowed"
    if count > MAX_TOKENS:
        return f"the strategy has {count} tokens, too many: {MIN_TOKENS} to {MAX_TOKENS} are allowed"
    return None


def apply_edits(strategy: Strategy, edits: Sequence[Edit], round: int) -> Strategy:
    """The edited strategy. Raises EditError on an unknown id, an empty text, a bullet edited twice,
    more than four edits, or edits that change nothing."""
    if len(edits) > MAX_EDITS:
        raise EditError(f"{len(edits)} edits; at most {MAX_EDITS} at a time")
    known = {bullet.id for bullet in strategy.bullets}
    bullets, following, touched = list(strategy.bullets), next_number(strategy), set[str]()
    for number, edit in enumerate(edits, 1):
        _check_edit(number, edit, known, touched)
        touched.update(edit.bullet_ids)
        bullets = _apply(bullets, edit, f"b{following}", round)
        following += edit.operation == "ADD"
    edited = Strategy(name=strategy.name, bullets=tuple(bullets), parent=strategy.hash, round=round)
    if edited.hash == strategy.hash:
        raise EditError("the edits change nothing")
    _check_result(bullets)
    return edited


def _check_edit(number: int, edit: Edit, known: set[str], touched: set[str]) -> None:
    where = f"edit {number} ({edit.operation})"
    for identity in edit.bullet_ids:
        if identity not in known:
            raise EditError(
                f"{where}: there is no bullet '{identity[:20]}'; there are: {', '.join(sorted(known, key=_order))}"
            )
        if identity in touched:
            raise EditError(f"{where}: bullet {identity} is edited twice")
    least, most = {"ADD": (0, 0), "REPLACE": (1, 1), "DELETE": (1, MAX_BULLETS), "MERGE": (2, MAX_BULLETS)}[
        edit.operation
    ]
    count = len(set(edit.bullet_ids))
    if not least <= count <= most or count != len(edit.bullet_ids):
        wanted = {
            "ADD": "no bullet id",
            "REPLACE": "one bullet id",
            "DELETE": "bullet ids",
            "MERGE": "two or more bullet ids",
        }
        raise EditError(f"{where}: it needs {wanted[edit.operation]}, got {list(edit.bullet_ids)[:8]}")
    if edit.operation != "DELETE" and not clean_text(edit.text):
        raise EditError(f"{where}: its text is empty")


def _order(identity: str) -> tuple[int, str]:
    return len(identity), identity


def _apply(bullets: list[Bullet], edit: Edit, fresh: str, round: int) -> list[Bullet]:
    """One checked edit. REPLACE and MERGE keep the first bullet's id, section and place."""
    if edit.operation == "ADD":
        section = clean_text(edit.section, SECTION_CHARS) or DEFAULT_SECTION
        text = clean_text(edit.text)
        new = Bullet(id=fresh, section=section, text=text, origin=edit.origin, round=round, created=round)
        return [*bullets, new]
    named = [bullet for bullet in bullets if bullet.id in edit.bullet_ids]
    rest = set(edit.bullet_ids)
    if edit.operation == "DELETE":
        return [bullet for bullet in bullets if bullet.id not in rest]
    first = named[0]
    origin = tuple(dict.fromkeys([*(one for bullet in named for one in bullet.origin), *edit.origin]))
    changed = first.model_copy(update={"text": clean_text(edit.text), "origin": origin, "round": round, "lift": None})
    rest.discard(first.id)
    return [changed if bullet.id == first.id else bullet for bullet in bullets if bullet.id not in rest]


def _check_result(bullets: list[Bullet]) -> None:
    if not bullets:
        raise EditError("the edits leave no bullet")
    texts = [bullet.text for bullet in bullets]
    if twice := next((text for text in texts if texts.count(text) > 1), None):
        raise EditError(f"the strategy would say the same thing twice: '{twice[:80]}'")


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
    """The edits in a model's reply: a JSON list, or an object with the key "edits".

    Tolerates prose around it, code fences, `<think>` blocks, trailing commas and small letters in
    the operation; everything else raises EditError with the reason. `labels` maps the short names
    of attempts that the model was shown ("A1") to attempt ids; with it every edit must name one.
    """
    if len(reply) > REPLY_CHARS:
        raise EditError(f"the reply has {len(reply)} characters; at most {REPLY_CHARS} are read")
    items = _edit_list(_json_in(without_thoughts(reply)))
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
    if _CHAT_MARKER.search(proposed.text + proposed.section):
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


def _json_in(text: str) -> Any:
    """The first JSON value that looks like edits; fenced blocks are looked at before the bare text."""
    fault = "no JSON list was found in the reply"
    empty = False
    for block in [*_FENCE.findall(text)[:8], text]:
        try:
            for value in _values(block):
                if value and _looks_like_edits(value):
                    return value
                empty = empty or value == []
        except ValueError as error:
            fault = f"the JSON is broken: {error}"
        except RecursionError:
            raise EditError("the JSON is nested too deeply") from None
    if empty:
        return []
    raise EditError(fault)


def _values(block: str) -> Iterator[Any]:
    """The JSON lists and objects in a text, outermost only. Raises ValueError at the first broken one."""
    text = _without_trailing_commas(block)
    decoder = json.JSONDecoder(strict=False)
    position = 0
    while start := _JSON_START.search(text, position):
        value, position = decoder.raw_decode(text, start.start())
        yield value


def _looks_like_edits(value: Any) -> bool:
    if isinstance(value, dict):
        return "edits" in value or "operation" in value
    return all(isinstance(item, dict) for item in value)


def _without_trailing_commas(text: str) -> str:
    """Drop commas before a closing bracket, outside of strings."""
    return _STRING_OR_COMMA.sub(lambda match: match[1] or "", text)
