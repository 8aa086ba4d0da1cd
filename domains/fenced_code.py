"""Code blocks of a model's reply, read as CommonMark reads them and, where models do not keep to it, as they are meant.

As in CommonMark: three or more backticks or tildes, any info string, a closing fence of the same sign that is at least
as long; the indentation of the opening fence is taken off every line, and a closing fence may be indented by three
columns more, so that a fence inside of an indented docstring is text. Block quotes and list marks before a fence belong
to its indentation.

Beyond CommonMark: a fence opens a block at any depth; a block does not end with the list item that it began in; a
closing fence may have text or a special token behind it. Where a block ends is then ambiguous, and `usable` decides:
the nearest fence counts that makes the code usable. A parser of CommonMark cannot be asked for that, because it has
thrown away the lines that would make a block usable; the tests compare this module with one.

Guaranteed: the work is bounded for any text (MOST_TRIES, MOST_CHARS).
"""

from __future__ import annotations

import re
import textwrap
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import NamedTuple

MOST_TRIES = 1_000  # pairs of fences that are looked at
MOST_CHARS = 500_000  # characters of blocks that are handed to `usable`
_REACH = 64  # fences behind an opening one that may close it
_TAB = 4
_QUOTES = 50  # marks of block quotes that are taken off a line
_FENCE = re.compile(r"((?:[ \t>]|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t]))*)(`{3,}|~{3,})(.*)\Z")
_INLINE = re.compile(r"([^`]*[^`\s][^`]*)(`{3,})([^`]*)\Z")
_INFO = re.compile(r"[ \t]*[{.\w][\w+#.{}=\"' :/-]*\Z")
_TOKEN = re.compile(r"\s*(?:<\|[^|\n]{1,40}\|>|<｜[^｜\n]{1,40}｜>|</?s>|<eos>|<end_of_turn>|<EOT>|\[/INST\])")


class Fence(NamedTuple):
    """A line that may open or close a block: number, sign run, text behind, and what stands before it."""

    line: int
    mark: str
    rest: str
    quotes: int  # marks of block quotes
    indent: int  # columns behind them
    in_list: bool  # a list mark stands before it
    head: str = ""  # text before a fence that does not stand at the beginning of a line

    @property
    def opens(self) -> bool:
        """A fence of backticks has none in its info string."""
        return not (self.mark[0] == "`" and "`" in self.rest)

    @property
    def bare(self) -> bool:
        """Nothing stands behind it."""
        return not self.rest.strip()

    @property
    def ends_the_reply(self) -> bool:
        """A special token stands behind it: what follows is no part of the reply."""
        return _TOKEN.match(self.rest) is not None

    def may_close(self, opener: Fence) -> bool:
        """Same sign, as long at least, and no list mark before it."""
        return self.mark.startswith(opener.mark) and not self.in_list

    def is_shallow(self, opener: Fence) -> bool:
        """Indented as CommonMark asks of a closing fence."""
        return self.indent < opener.indent + _TAB


class Reply:
    """A reply's lines and fences."""

    def __init__(self, text: str) -> None:
        self.lines = without_tokens(text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
        marked = [(number, line) for number, line in enumerate(self.lines) if "```" in line or "~~~" in line]
        self.fences = [fence for number, line in marked if (fence := _fence(number, line)) is not None]
        self.inline = [fence for number, line in marked if (fence := _inline(number, line)) is not None]

    def blocks(self) -> list[str]:
        """Contents that are not empty, in order, each up to the first fence that closes it or the end."""
        found, place = [], 0
        while place < len(self.fences):
            opener = self.fences[place]
            place += 1
            if opener.opens:
                end = self._usual_end(place - 1)
                found.append(self.content(opener, self.fences[end] if end is not None else None))
                place = len(self.fences) if end is None else end + 1
        return [code for code in found if code.strip()]

    def usable_blocks(self, needed: str, usable: Callable[[str], bool]) -> list[str]:
        """Contents that hold the text `needed` and are usable, in order.

        Fences in the middle of a line are looked at only where those at the beginning give nothing.
        """
        search = _Search(self, needed, usable)
        return list(search.run(self.fences)) or (
            list(search.run(sorted(self.fences + self.inline))) if self.inline else []
        )

    def _usual_end(self, place: int) -> int | None:
        """The fence that closes the one at `place`: a bare one, unless a special token stands behind an earlier one."""
        spoken = None
        for number in _closers(self.fences, place):
            fence = self.fences[number]
            if not fence.is_shallow(self.fences[place]):
                continue
            if fence.bare or fence.ends_the_reply:
                return number
            if spoken is None and not _INFO.match(fence.rest):
                spoken = number
        return spoken

    def content(self, opener: Fence, closer: Fence | None) -> str:
        """The text between two fences, without the indentation of the first."""
        return "\n".join(_outdented(line, opener.indent) for line in self.between(opener, closer))

    def between(self, opener: Fence, closer: Fence | None) -> list[str]:
        """The lines between two fences, without marks of block quotes."""
        lines = self.lines[opener.line + 1 : None if closer is None else closer.line]
        if closer is not None and closer.head:
            lines.append(closer.head)
        return [_unquoted(line, opener.quotes) for line in lines] if opener.quotes else lines


class _Search:
    """Tries ends for every opening fence, within the bounds."""

    def __init__(self, reply: Reply, needed: str, usable: Callable[[str], bool]) -> None:
        self.reply, self.usable = reply, usable
        self.tries, self.chars = MOST_TRIES, MOST_CHARS
        self.needed = [number for number, line in enumerate(reply.lines) if needed in line]

    def run(self, fences: list[Fence]) -> Iterator[str]:
        place = 0
        while place < len(fences) and min(self.tries, self.chars) > 0:
            code, end = self._first_usable(fences, place)
            if code is None:
                place += 1
                continue
            yield code
            if end is None or fences[end].ends_the_reply:
                return
            place = end if _INFO.match(fences[end].rest) else end + 1  # "```python" closes and opens

    def _first_usable(self, fences: list[Fence], place: int) -> tuple[str | None, int | None]:
        opener = fences[place]
        if not opener.opens or (opener.head and not (opener.bare or _INFO.match(opener.rest))):
            return None, None
        deep = []
        for end in _closers(fences, place):
            if not fences[end].is_shallow(opener):
                deep.append(end)
            elif (code := self._usable_code(opener, fences[end])) is not None:
                return code, end
        for late in (None, *deep):
            if (code := self._usable_code(opener, None if late is None else fences[late])) is not None:
                return code, late
        return None, None

    def _usable_code(self, opener: Fence, closer: Fence | None) -> str | None:
        self.tries -= 1
        last = len(self.reply.lines) if closer is None else closer.line + bool(closer.head)
        first = bisect_left(self.needed, opener.line + 1)
        if min(self.tries, self.chars) < 0 or first == len(self.needed) or self.needed[first] >= last:
            return None
        for text in _readings(self.reply.between(opener, closer), opener.indent):
            self.chars -= len(text)
            if self.chars < 0:
                break
            if self.usable(text):
                return text
        return None


def _closers(fences: list[Fence], place: int) -> Iterator[int]:
    """Places of later fences that may close the one at `place`."""
    for number in range(place + 1, min(place + 1 + _REACH, len(fences))):
        if fences[number].may_close(fences[place]):
            yield number


def _readings(lines: list[str], indent: int) -> Iterator[str]:
    """What the lines of a block may be meant to be, the likeliest first."""
    text = "\n".join(lines)
    first = next((line for line in lines if line.strip()), "")
    if indent and any(line and not line[0].isspace() for line in lines):
        yield text  # not indented like the fence
    if indent:
        yield "\n".join(_outdented(line, indent) for line in lines)
    else:
        yield text
    if first[:1].isspace():
        yield textwrap.dedent(text)


def without_tokens(text: str) -> str:
    """The text without special tokens of a tokenizer at its end."""
    while True:
        stripped = text.rstrip()
        start = max(stripped.rfind("<", -50), stripped.rfind("[/", -50), 0) if stripped[-1:] in (">", "]") else -1
        match = _TOKEN.match(stripped, start) if start >= 0 else None
        if match is None or match.end() != len(stripped):
            return text
        text = stripped[:start]


def _fence(number: int, line: str) -> Fence | None:
    match = _FENCE.match(line)
    if match is None:
        return None
    before, mark, rest = match.groups()
    quoted, _, behind = before.rpartition(">")
    if quoted or before.startswith(">"):
        behind = behind.removeprefix(" ")
    return Fence(number, mark, rest, min(before.count(">"), _QUOTES), _columns(behind), bool(behind.strip()))


def _inline(number: int, line: str) -> Fence | None:
    match = _INLINE.match(line)
    if match is None or _FENCE.match(line):
        return None
    head, mark, rest = match.groups()
    return Fence(number, mark, rest, 0, 0, False, head)


def _columns(text: str) -> int:
    column = 0
    for sign in text:
        column += _TAB - column % _TAB if sign == "\t" else 1
    return column


def _unquoted(line: str, quotes: int) -> str:
    """Without up to so many marks of block quotes; a line that lacks them is kept."""
    for _ in range(quotes):
        inner = line.lstrip(" \t")
        if not inner.startswith(">"):
            break
        line = inner[1:].removeprefix(" ")
    return line


def _outdented(line: str, columns: int) -> str:
    """Without up to so many columns of space; what a tab is wider stays as spaces."""
    column = place = 0
    while place < len(line) and column < columns and line[place] in " \t":
        column += _TAB - column % _TAB if line[place] == "\t" else 1
        place += 1
    return " " * max(0, column - columns) + line[place:]
