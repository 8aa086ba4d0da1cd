"""What a report is made of: headed sections with paragraphs and tables, before any mark-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """A caption, column names and rows of text; the first `words` columns are not figures."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1


@dataclass(frozen=True)
class Section:
    """One headed part of the report. `text` is shown as it is, `figure` names a plot."""

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    bullets: Sequence[str] = ()
    text: str = ""
    figures: Sequence[str] = ()
    folded: Sequence[Table] = field(default=())
