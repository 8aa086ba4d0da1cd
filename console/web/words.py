"""What a person reads: numbers, times, differences between texts, and code with its colours.

Guaranteed: everything that comes back as markup was escaped here first; a text of any length takes little
time, because what is compared or coloured is cut before.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from console.text import plain

FIELD = 16_000  # characters of a field on its own page
MOST_TOKENS = 3_000  # of a text that is compared word by word
ALIKE = 0.55  # share of common words (spaces are words here) below which two texts are not mixed
MOST_CODE = 8_000  # characters that are coloured
_TOKENS = re.compile(r"\w+|\s+|[^\w\s]")
_FENCED = re.compile(r"```([\w+-]*)[^\n`]*\n(.*?)(?:\n?```|\Z)", re.DOTALL)
_LANGUAGES = {"python": "python", "py": "python", "lean": "lean4", "lean4": "lean4", "latex": "tex", "tex": "tex"}


def percent(value: Any, digits: int = 1) -> str:
    """A share as per cent, "–" if it is not known."""
    return f"{100 * value:.{digits}f}%" if isinstance(value, int | float) else "–"


def points(value: Any) -> str:
    """A difference of shares in points, with its sign."""
    return f"{100 * value:+.1f}" if isinstance(value, int | float) else "–"


def chance(value: Any) -> str:
    """A p-value; a very small one is not 0."""
    if not isinstance(value, int | float):
        return "–"
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def interval(value: Any, signed: bool = False) -> str:
    """A 95% interval of shares in points; "" if there is none."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return ""
    low, high = (f"{100 * end:+.0f}" if signed else f"{100 * end:.0f}" for end in value)
    return f"[{low}, {high}]"


def count(value: Any) -> str:
    """A number with its thousands, "–" if it is not known."""
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else "–"


def dollars(value: Any) -> str:
    """US dollars; unknown is said, never shown as 0."""
    if not isinstance(value, int | float):
        return "unknown"
    return "$0" if value == 0 else f"${value:.4f}" if value < 1 else f"${value:,.2f}"


def duration(seconds: Any) -> str:
    """Seconds in a few characters."""
    if not isinstance(seconds, int | float):
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def moment(text: Any) -> str:
    """An ISO time as date and time of day in UTC; as it is if it is none."""
    try:
        return f"{datetime.fromisoformat(str(text)):%Y-%m-%d %H:%M}"
    except ValueError:
        return str(text or "–")


def shown(text: Any, limit: int = FIELD) -> str:
    """Text that hides nothing, cut at `limit` with a note of what is missing."""
    return plain(text if isinstance(text, str) else "" if text is None else str(text), limit)


def difference(old: str, new: str) -> Markup:
    """The new text with what was added and what was taken away, word by word."""
    before, after = _TOKENS.findall(shown(old)), _TOKENS.findall(shown(new))
    if len(before) > MOST_TOKENS or len(after) > MOST_TOKENS:
        before, after = shown(old).splitlines(keepends=True), shown(new).splitlines(keepends=True)
    matcher, parts = difflib.SequenceMatcher(None, before, after, autojunk=False), []
    if before and after and matcher.ratio() < ALIKE:  # two texts, not one that was changed
        return Markup("<del>{}</del> <ins>{}</ins>").format("".join(before), "".join(after))
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind in ("replace", "delete"):
            parts.append(Markup("<del>{}</del>").format("".join(before[i:j])))
        if kind in ("replace", "insert"):
            parts.append(Markup("<ins>{}</ins>").format("".join(after[k:m])))
        if kind == "equal":
            parts.append(escape("".join(before[i:j])))
    return Markup("").join(parts)


def bullet_changes(old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What happened to each bullet: `kind` (kept, changed, added, removed), its id, section and marked text."""
    before, after = {bullet["id"]: bullet for bullet in old}, {bullet["id"]: bullet for bullet in new}
    listed = []
    for bullet in new:
        earlier = before.get(bullet["id"])
        same = earlier is not None and earlier["text"] == bullet["text"]
        kind = "kept" if same else "added" if earlier is None else "changed"
        text = escape(shown(bullet["text"])) if same else difference(earlier["text"] if earlier else "", bullet["text"])
        listed.append({"kind": kind, "id": bullet["id"], "section": bullet["section"], "text": text})
    gone = [bullet for name, bullet in before.items() if name not in after]
    removed = [
        {"kind": "removed", "id": b["id"], "section": b["section"], "text": difference(b["text"], "")} for b in gone
    ]
    return listed + removed


def blocks(text: str, domain: str = "", limit: int = FIELD) -> list[dict[str, Any]]:
    """A reply as prose and code: `kind` is "prose" or "code", `text` is escaped, `language` as the fence says it."""
    full, position, found = shown(text, limit), 0, list[dict[str, Any]]()
    for match in _FENCED.finditer(full):
        _add_prose(found, full[position : match.start()])
        language = match[1].lower() or ("python" if domain == "python" else "")
        found.append({"kind": "code", "language": language, "text": coloured(match[2], language)})
        position = match.end()
    _add_prose(found, full[position:])
    return found


def _add_prose(found: list[dict[str, Any]], text: str) -> None:
    if text.strip():
        found.append({"kind": "prose", "language": "", "text": escape(text.strip("\n"))})


def coloured(code: str, language: str) -> Markup:
    """Escaped code, its words in spans with classes where the language is one that we expect."""
    name = _LANGUAGES.get(language)
    if name is None or len(code) > MOST_CODE:
        return escape(code)
    try:
        lexer = get_lexer_by_name(name, stripnl=False)
    except ClassNotFound:
        return escape(code)
    return Markup(highlight(code, lexer, HtmlFormatter(nowrap=True)).rstrip("\n"))
