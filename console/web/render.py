"""The templates, and what every page can say: links, numbers, texts that hide nothing.

Guaranteed: whatever a template prints is escaped, its control and direction characters are visible and it
is cut at a length with a note, unless it was made as markup by one of our own functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from markupsafe import Markup, escape

from console.web import plots, words
from graphs.usage import short_model

ROOM = Path(__file__).resolve().parents[1]
MOST_FIELD = 24_000  # characters of one value on a page


@dataclass(frozen=True)
class Pages:
    """One page of a longer list."""

    total: int
    page: int
    size: int

    @property
    def last(self) -> int:
        """Number of the last page."""
        return max(1, -(-self.total // self.size))

    @property
    def start(self) -> int:
        """Index of the first item of this page."""
        return (min(self.page, self.last) - 1) * self.size

    def of(self, items: Sequence[Any]) -> Sequence[Any]:
        """The items of this page."""
        return items[self.start : self.start + self.size]

    @property
    def words(self) -> str:
        """Which items these are."""
        if not self.total:
            return "none"
        return f"{self.start + 1:,}–{min(self.total, self.start + self.size):,} of {self.total:,}"


def link(path: str, /, **query: Any) -> str:
    """A path of this server with its query; what is None or "" is left out."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return path + (f"?{urlencode(given, doseq=True)}" if given else "")


def run_link(run: str, page: str = "", /, **query: Any) -> str:
    """The address of a page of a run."""
    return link(f"/runs/{quote(run)}/{page}".rstrip("/"), **query)


def _printed(value: Any) -> Any:
    """What a template prints: markup as it is, everything else made harmless."""
    if isinstance(value, Markup):
        return value
    return words.shown(value, MOST_FIELD)


@cache
def environment() -> jinja2.Environment:
    """The templates of console/templates."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOM / "templates"),
        autoescape=True,
        finalize=_printed,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    named = (
        "chance",
        "percent",
        "points",
        "interval",
        "count",
        "dollars",
        "duration",
        "moment",
        "shown",
        "difference",
        "blocks",
    )
    made.globals.update({name: getattr(words, name) for name in named})
    made.globals.update(link=link, run_link=run_link, plots=plots, short_model=short_model)
    return made


def linked(text: str, addresses: Mapping[str, str], limit: int = words.FIELD) -> Markup:
    """Escaped text in which each of the given names is a link; a name inside a longer one is left alone."""
    shown = words.shown(text, limit)
    found = sorted(addresses, key=len, reverse=True)
    parts, position = list[Markup](), 0
    while position < len(shown):
        place, name = _first(shown, found, position)
        parts.append(escape(shown[position:place]))
        if name:
            parts.append(Markup('<a href="{}">{}</a>').format(addresses[name], name))
        position = place + len(name)
    return Markup("").join(parts)


def _first(text: str, names: Sequence[str], position: int) -> tuple[int, str]:
    """Where the next name stands; the end of the text without one."""
    hits = [(place, -len(name), name) for name in names if name and (place := text.find(name, position)) >= 0]
    return (min(hits)[0], min(hits)[2]) if hits else (len(text), "")
