"""What a model thought, apart from what it said: cut off once, where a reply arrives.

Guaranteed: the rules below and nothing else take text out of a reply; a reply without marks is returned as it is;
every rule takes time linear in the reply.

1. A mark opens a thought at the beginning of the reply or of a line outside of a fenced block. The thought ends with
   the first closing mark of its name, or else of any name, that is not quoted. Without one the thought was cut: all
   behind the mark is thought, and where nothing stands before it there is no answer.
2. A closing mark without an opening one, which is what servers send whose template opens the thought, ends a thought
   that began with the reply. Those in quotation marks and in closed fenced blocks do not; of others the last does.
3. Channel marks: what stands in the channel `final` is the answer, every other channel is thought.

So code that has "<think>" in a text, a fence or a regular expression stays whole.

Not guaranteed: thoughts without any mark. A reply that a server cut within a thought which its template opened has no
mark at all; only a model that is rendered here tells (`opens_thought`).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

_NAMES = r"(?:[a-z]{2,8}:)?(?:think(?:ing)?|thoughts?|reasoning|inner_monologue|scratchpad)"
_BRACKETED = rf"(?:<|&lt;)\s{{0,3}}(?P<slash>/?)\s{{0,3}}\|?(?P<name>{_NAMES})\|?(?:\s[^<>\n]{{0,80}})?(?:>|&gt;)"
_SQUARE = r"\[(?P<slash2>/?)(?P<name2>think|thinking|thought|reasoning)\]"
_SPECIAL = r"<\|(?P<side>begin|start|end)_(?:of_)?(?P<name3>thought|think|thinking|reasoning)\|>"
_KIMI = r"◁(?P<slash4>/?)(?P<name4>think)▷"
_GEMMA = r"(?P<gemma><\|channel>thought\b|<unused94>thought\b)|(?P<gemma_end><channel\|>|<unused95>)"
_MARK = re.compile("|".join((_BRACKETED, _SQUARE, _SPECIAL, _KIMI, _GEMMA)), re.IGNORECASE)
_CHANNEL = re.compile(
    r"(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*(\w+)[^<\n]{0,80}(?:<\|constrain\|>\s*\w*\s*)?<\|message\|>"
)
_CHANNEL_BEGINS = re.compile(r"[\s\ufeff\u200b]*(?:<\|start\|>|<\|channel\|>)")
_GLUED = re.compile(
    r"[\s\ufeff\u200b]*analysis.*?assistantfinal", re.DOTALL
)  # channels of which a server took the marks out
_ENDS = re.compile(r"<\|(?:return|end|call|START_RESPONSE|END_RESPONSE|(?:begin|end)_of_solution)\|>", re.IGNORECASE)
_SIGNS_AROUND = "\"'`\u201c\u201d\u2018\u2019"
_QUOTE_OPENS = re.compile(r"(?:^|[^\w'])[rbfu]{0,2}'[^']*$", re.IGNORECASE)  # not the apostrophe of "it's"
_QUOTE_CLOSES = re.compile(r"[^']*'(?!\w)")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_TOKENS = ("<|start|>", "<|channel|>", "<|message|>", "<|channel>", "<channel|>", "<unused94>", "<unused95>")
_BLANK = " \t\r\n\ufeff\u200b"
_NEAR = 120  # characters of a line on both sides of a mark that are looked at for quotation marks


@dataclass(frozen=True)
class Parted:
    """A reply in two. `cut`: its last thought was never closed."""

    text: str
    reasoning: str = ""
    cut: bool = False


@dataclass(frozen=True)
class _Mark:
    start: int
    end: int
    name: str
    closing: bool


def parted(reply: str, *, opened: bool = False) -> Parted:
    """The answer and the thoughts. `opened`: the prompt ended within a thought that its template had opened."""
    if _CHANNEL_BEGINS.match(reply) and (found := list(_CHANNEL.finditer(reply))):
        return _by_channels(reply, found)
    if found_glued := _GLUED.match(reply):
        return Parted(reply[found_glued.end() :], reply[: found_glued.end()].removesuffix("assistantfinal"))
    marks = list(_marks(reply))
    if not marks and not opened:
        return Parted(reply)
    return _by_marks(_Text(reply), marks, opened)


def opens_thought(prompt_end: str) -> bool:
    """Whether a rendered prompt ends with a mark that opens a thought."""
    end = prompt_end.rstrip()
    marks = list(_marks(end))
    if marks and marks[-1].end == len(end):
        return not marks[-1].closing
    channels = list(_CHANNEL.finditer(end))
    return bool(channels) and channels[-1].end() == len(end) and channels[-1][1].lower() != "final"


def is_mark(token: str) -> bool:
    """Whether a control token marks a thought or a channel, so that it must not be left out of a reply."""
    return token in _TOKENS or any(_marks(token))


def _marks(text: str) -> Iterator[_Mark]:
    for found in _MARK.finditer(text):
        fields = found.groupdict()
        name = fields["name"] or fields["name2"] or fields["name3"] or fields["name4"] or "channel"
        slash = fields["slash"] or fields["slash2"] or fields["slash4"] or fields["gemma_end"]
        closing = bool(slash) or (fields["side"] or "").lower() == "end"
        yield _Mark(found.start(), found.end(), name.lower(), closing)


class _Text:
    """A reply, and what stands around its marks."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.first = len(text) - len(text.lstrip(_BLANK))

    def begins_line(self, mark: _Mark) -> bool:
        """Nothing but spaces before it on its line."""
        return mark.start <= self.first or not self.text[self._line_start(mark) : mark.start].strip()

    def quoted(self, mark: _Mark) -> bool:
        """It stands in a quotation: between two equal signs of one line, or right beside one."""
        before = self.text[self._line_start(mark) : mark.start].replace('\\"', "").replace("\\'", "")
        newline = self.text.find("\n", mark.end, mark.end + _NEAR)
        after = self.text[mark.end : newline if newline >= 0 else mark.end + _NEAR]
        if before[-1:] in tuple(_SIGNS_AROUND) and after[:1] in tuple(_SIGNS_AROUND):
            return True
        if any(before.count(sign) % 2 and sign in after for sign in '"`'):
            return True
        if "'" not in before or "'" not in after:
            return False
        return bool(_QUOTE_OPENS.search(before) and _QUOTE_CLOSES.match(after))

    def fenced(self, mark: _Mark) -> bool:
        """It stands in a fenced block that is opened before it and closed behind it."""
        at = bisect_right(self._blocks, (mark.start, 0)) - 1
        return at >= 0 and mark.start < self._blocks[at][1]

    def _line_start(self, mark: _Mark) -> int:
        return self.text.rfind("\n", max(0, mark.start - _NEAR), mark.start) + 1 or max(0, mark.start - _NEAR)

    @cached_property
    def _blocks(self) -> Sequence[tuple[int, int]]:
        """Closed blocks. A fence with a word behind it opens one: a block before it was left open and is none."""
        blocks: list[tuple[int, int]] = []
        opened: tuple[int, str] | None = None
        for fence in _FENCE.finditer(self.text):
            sign, info = fence[1], fence[2].strip()
            if opened and not info and sign[0] == opened[1][0] and len(sign) >= len(opened[1]):
                blocks.append((opened[0], fence.start()))
                opened = None
            elif not opened or (info and sign[0] == opened[1][0]):
                opened = (fence.end(), sign)
        return blocks


def _by_marks(reply: _Text, marks: Sequence[_Mark], opened: bool) -> Parted:
    """By the first two rules."""
    kept: list[str] = []
    thoughts: list[str] = []
    position, cut = 0, False
    closings = _Closings(reply, marks)
    if opened and not (marks and marks[0].start <= reply.first and not marks[0].closing):
        closing = closings.after(0, "")
        if closing is None:
            return Parted("", reply.text, cut=True)
        thoughts.append(reply.text[: closing.start])
        position = closing.end
    for mark in marks:
        if mark.closing or mark.start < position or not _opens(reply, mark, position):
            continue
        kept.append(reply.text[position : mark.start])
        closing = closings.after(mark.end, mark.name)
        position = closing.end if closing else len(reply.text)
        thoughts.append(reply.text[mark.end : closing.start if closing else position])
        if closing is None:
            cut = True
            break
    kept.append(reply.text[position:])
    answer = _without_lone(kept, thoughts)
    return Parted(answer if thoughts else reply.text, _joined(thoughts), cut and not answer.strip())


def _opens(reply: _Text, mark: _Mark, position: int) -> bool:
    """At the beginning of the reply or right behind another thought; or of a line outside of a block."""
    first = reply.first if position == 0 else position
    between = reply.text[first : mark.start]
    return not between.strip(_BLANK) or (reply.begins_line(mark) and not reply.fenced(mark))


class _Closings:
    """Closing marks that are not quoted, found in one pass over the reply."""

    def __init__(self, reply: _Text, marks: Sequence[_Mark]) -> None:
        self._all = [mark for mark in marks if mark.closing and not reply.quoted(mark)]
        self._named: dict[str, list[_Mark]] = defaultdict(list)
        for mark in self._all:
            self._named[mark.name].append(mark)

    def after(self, place: int, name: str) -> _Mark | None:
        """The first one behind the place of this name, else of any."""
        for marks in (self._named.get(name, []), self._all):
            at = bisect_left(marks, place, key=lambda mark: mark.start)
            if at < len(marks):
                return marks[at]
        return None


def _without_lone(kept: Sequence[str], thoughts: list[str]) -> str:
    """By the second rule; what stands before the last lone closing mark joins the thoughts."""
    text = _joined(kept)
    reply = _Text(text)
    last, balance = None, 0
    for mark in _marks(text):
        if not mark.closing:
            balance += 1
        elif balance:
            balance -= 1
        elif not reply.quoted(mark) and not reply.fenced(mark):
            last = mark
    if last is None:
        return _trimmed(text) if thoughts else text
    thoughts.append(_MARK.sub("", text[: last.start]))
    return _trimmed(text[last.end :])


def _by_channels(reply: str, found: Sequence[re.Match[str]]) -> Parted:
    """By the third rule."""
    ends = [*(one.start() for one in found[1:]), len(reply)]
    parts = [(one[1].lower(), _ENDS.sub("", reply[one.end() : end])) for one, end in zip(found, ends, strict=True)]
    answer = _joined([text for channel, text in parts if channel == "final"])
    thoughts = _joined([text for channel, text in parts if channel != "final"])
    return Parted(answer, thoughts, cut=not any(channel == "final" for channel, _ in parts))


def _joined(parts: Sequence[str]) -> str:
    """The parts without empty ones, each on lines of its own."""
    return "\n".join(part for part in parts if part.strip(_BLANK)) if len(parts) > 1 else "".join(parts)


def _trimmed(answer: str) -> str:
    """Without the empty lines at its beginning and the marks around it; an indented first line stays indented."""
    answer = _ENDS.sub("", answer)
    lines = re.match(r"(?:[ \t]*\r?\n)+", answer)
    return answer[lines.end() :] if lines else answer.lstrip(" \t")
