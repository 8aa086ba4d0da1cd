"""The lines of a strategy as a model or a person wrote them: headings, list items, table rows, plain lines.

Guaranteed: every usual list mark begins a bullet and is taken off; where a section has no mark at all,
each of several plain lines is a bullet; a text longer than a bullet may be is split at its sentences,
never cut. Not guaranteed: that a plain line was meant as advice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.plain_text import TEXT_CHARS, clean_text

SECTION_CHARS = 60
MAX_BULLETS = 120
DEFAULT_SECTION = "Method"
WRAPPED_CHARS = 50  # a plain line from this length on may have been wrapped

TAG = re.compile(r"\[\s*(b\d{1,9}(?:[\s,;+&]+b\d{1,9})*)\s*\]\s*")

_HEADING = re.compile(r"\s{0,3}(?:#{1,6}\s+|#{2,6}(?=[^\s#]))(.+)")
_BOLD_HEADING = re.compile(r"(?:\*\*|__)([^*_|]{1,60}):?(?:\*\*|__):?")
BOLD_HEADING_CHARS = 70
_RULE = re.compile(r"\s{0,3}(?:([-*_=])\1{2,}|(?:```|~~~)[A-Za-z]*)\s*$")  # between paragraphs, or around a block

_STEP = (
    r"(?:step|rule|tip|point|item|principle|phase|stage|guideline|check|strategy|schritt|regel|étape|etape|paso|regla|"
    r"passo|fase|шаг|правило|步骤|步驟|规则|ステップ)"
)
# Marks that begin a bullet wherever they stand at the beginning of a line.
_HARD_MARK = re.compile(
    rf"""\s*(?:>\s?)*
    (?: [-*+–]\s+(?:\[[ xX]\]\s+)?                          # the marks of Markdown, a box to tick
      | [•●○◦‣▪▫■□◆◇▶►▸➤➢⁃∙・★☆✓✔✅☑]\ufe0f?\s*              # signs that are nothing but marks
      | (?:\*\*|__)?\(?\d{{1,3}}[.)](?:\*\*|__)?\s+           # 1. 1) (1) **1.**
      | \d{{1,3}}(?:\ufe0f?\u20e3\s*|[、．）]\s*|\s?[:：]\s+)   # 1️⃣ 1、 1: ...
      | [(（]\d{{1,3}}[)）]\s*                                 # (1) and its full-width form
      | [\u2460-\u2473\u2776-\u277f]\s*                       # circled numbers
      | (?:\*\*|__)?{_STEP}\s?\#?\d{{1,3}}(?:\*\*|__)?\s?(?:[:：)](?:\*\*|__)?\s*|[.–—-](?:\*\*|__)?\s+)
      | 第\s?[\d一二三四五六七八九十]{{1,3}}[步条點点][、，:：.]?\s*
      | [(（]?(?:[a-zA-Z]|[ivx]{{1,5}})[)）]\s+                # a) (a) ii)
      | (?=\[\s*b\d{{1,9}}[\s,;+&b\d]*\])                     # the id of a bullet, read by whoever knows the ids
    )(?P<text>.*)""",
    re.VERBOSE | re.IGNORECASE,
)
# Marks that may also stand in the middle of a sentence: they begin a bullet only where no other one is open.
_SOFT_MARK = re.compile(r"\s*(?:[—→»›~]\s+|(?:[a-hA-H]|[IVX]{1,5})\.\s+|\d{1,2}\.\d{1,2}[.)]?\s+)(?P<text>.*)")
_TABLE_ROW = re.compile(r"\s{0,3}\|.*\|\s*$")
_TABLE_RULE = re.compile(r"\s{0,3}\|(?:\s*:?-+:?\s*\|)+\s*$")
_SPACED_ROW = re.compile(r"\s{0,3}\|\s.*\s\|\s*$")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])")
_SENTENCE_END = re.compile(r"[.!?:;。！？：；]['\"”’)*_`]*\s*$")
_FENCE = re.compile(r"```[A-Za-z]*[^\S\n]*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class _Line:
    """One line of a text. `kind` is heading, bold, hard, soft, row, plain or blank; `text` is without its mark."""

    kind: str
    text: str


def bullet_lines(text: str) -> list[tuple[str, str]]:
    """(section, bullet text) in order, at most 120; several lines of one bullet are joined.

    A text that stands in several sections counts once, in the first.
    """
    sections: dict[str, str] = {}
    for name, found in _sections(_read_lines(text)):
        for bullet in _bullets(found):
            for part in _parts(bullet):
                sections.setdefault(part, name or DEFAULT_SECTION)
    ordered = _by_section([(name, line) for line, name in sections.items() if line])
    return ordered[:MAX_BULLETS]


def strategy_part(text: str) -> str:
    """The headings and bullets of a reply without the talk around them, as lines."""
    kept: list[str] = []
    for name, lines in _sections(_read_lines(_fenced_strategy(text))):
        marked = any(line.kind in ("hard", "soft", "row") for line in lines)
        if name is None and not marked:
            continue
        kept += [f"## {name}"] if name is not None else []
        kept += [
            f"- {bullet}"
            for bullet in (_bullets(_without_talk(lines, name is not None)) if marked else _bullets(lines))
        ]
    return "\n".join(kept)


def _fenced_strategy(text: str) -> str:
    """The fenced block that holds the strategy, else the whole text; a fenced example is not taken for it."""
    counts = {str(block): _marks(block) for block in _FENCE.findall(text)}
    if not any(counts.values()):
        return text
    block = max(counts, key=lambda one: counts[one])
    return block if 2 * counts[block] >= _marks(text) else text


def _marks(text: str) -> int:
    return sum(line.kind in ("hard", "row") for line in _read_lines(text))


def _read_lines(text: str) -> list[_Line]:
    raw = text.splitlines()
    rows = _table_rows(raw)
    lines = [
        _Line("row", _row_text(line)) if index in rows else _read_line(line)
        for index, line in enumerate(raw)
        if not (index in rows and rows[index] == "furniture")
    ]
    return _with_bold_items(lines)


def _with_bold_items(lines: Sequence[_Line]) -> list[_Line]:
    """A bold line is a heading where something follows it, else an item of its own."""
    found: list[_Line] = []
    heads_something = False
    for line in reversed(lines):
        if line.kind == "bold":
            mark = _HARD_MARK.match(line.text)
            section = clean_text(line.text, SECTION_CHARS) or DEFAULT_SECTION
            found.append(
                _Line("heading", section) if heads_something else _Line("hard", mark["text"] if mark else line.text)
            )
            heads_something = False
        else:
            found.append(line)
            heads_something = line.kind != "heading" if line.kind != "blank" else heads_something
    return found[::-1]


def _read_line(line: str) -> _Line:
    if not line.strip() or _RULE.match(line):
        return _Line("blank", "")
    if heading := _HEADING.match(line):
        name = heading[1].strip().rstrip("#") or heading[1]
        return _Line("heading", clean_text(name, SECTION_CHARS) or DEFAULT_SECTION)
    if bold := _BOLD_HEADING.fullmatch(line.strip() if len(line) <= BOLD_HEADING_CHARS else ""):
        return _Line("bold", bold[1].strip().removesuffix(":"))
    if mark := _HARD_MARK.match(line):
        return _Line("hard", mark["text"])
    if mark := _SOFT_MARK.match(line):
        return _Line("soft", line)
    return _Line("plain", line)


def _table_rows(lines: Sequence[str]) -> dict[int, str]:
    """Number of a line -> "row", or "furniture" for a table's head and the rule under it."""
    found: dict[int, str] = {}
    ruled = False
    for index, line in enumerate(lines):
        if not _TABLE_ROW.match(line):
            ruled = False
        elif _TABLE_RULE.match(line):
            ruled = True
            head = [index - 1] if index and _TABLE_ROW.match(lines[index - 1]) else []
            found.update(dict.fromkeys([*head, index], "furniture"))
        elif ruled or _SPACED_ROW.match(line):
            found[index] = "row"
    return found


def _row_text(line: str) -> str:
    """The cells of a table's row as one text; a cell that only numbers the row is left out."""
    cells = [cell.replace("\\|", "|").strip() for cell in _CELL_BORDER.split(line.strip().strip("|"))]
    said = [cell for cell in cells if cell and not re.fullmatch(r"#?\d{1,3}[.)]?", cell)]
    return ": ".join([said[0], "; ".join(said[1:])]) if len(said) > 1 else " ".join(said)


def _sections(lines: Sequence[_Line]) -> Iterator[tuple[str | None, list[_Line]]]:
    """(section, its lines); the section is None before the first heading."""
    name: str | None = None
    found: list[_Line] = []
    for line in lines:
        if line.kind == "heading":
            yield name, found
            name, found = line.text, []
        else:
            found.append(line)
    yield name, found


def _bullets(lines: Sequence[_Line]) -> list[str]:
    """The bullets of one section, in which nothing is a mark if no line has one."""
    marked = any(line.kind in ("hard", "row") for line in lines)
    found, open_kind, last = list[str](), "", ""
    for line in lines:
        soft = line.kind == "soft" and (open_kind == "soft" or not marked)
        starts = line.kind in ("hard", "row") or soft or not open_kind
        wrapped = _is_wrapped(last, line.text)
        if line.kind == "blank":
            open_kind = ""
        elif starts or (not marked and not wrapped):
            found.append(_soft_text(line) if starts else line.text)
            open_kind = line.kind
        else:
            found[-1] = f"{found[-1]} {line.text.strip()}"
        last = line.text
    return found


def _soft_text(line: _Line) -> str:
    mark = _SOFT_MARK.match(line.text) if line.kind == "soft" else None
    return mark["text"] if mark else line.text


def _is_wrapped(before: str, line: str) -> bool:
    """Whether a plain line goes on with the sentence of the line before it."""
    if _SENTENCE_END.search(before.rstrip()[-20:]):
        return False
    if line[:1].isspace() and not before[:1].isspace():
        return True
    return len(before.rstrip()) >= WRAPPED_CHARS and line.lstrip()[:1].islower()


def _without_talk(lines: Sequence[_Line], inside: bool) -> list[_Line]:
    """The marked lines of a section and what belongs to them: up to the next empty line, and what is indented."""
    kept: list[_Line] = []
    for line in lines:
        indented = line.kind == "plain" and line.text.startswith(("  ", "\t"))
        inside = line.kind in ("hard", "soft", "row") or (inside and line.kind != "blank") or (indented and bool(kept))
        kept += [line] if inside or (kept and line.kind == "blank") else []
    return kept


def _parts(bullet: str) -> Iterator[str]:
    """The text of a bullet, in several parts if it is longer than one may be."""
    whole = clean_text(bullet, max(TEXT_CHARS, len(bullet)))
    while len(whole) > TEXT_CHARS:
        ends = [end.start() for end in _SENTENCE.finditer(whole[:TEXT_CHARS])]
        at = max(ends, default=0) or whole.rfind(" ", 1, TEXT_CHARS)
        at = at if at > 0 else TEXT_CHARS
        yield clean_text(whole[:at])
        whole = whole[at:].lstrip()
    yield clean_text(whole)


def _by_section(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Bullets of one section together, sections in order of first appearance: as they are rendered."""
    order = {name: index for index, name in enumerate(dict.fromkeys(name for name, _ in pairs))}
    return sorted(pairs, key=lambda pair: order[pair[0]])
