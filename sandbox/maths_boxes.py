r"""The boxes of a reply: where each is, and whether it holds the whole answer or is a part of a formula.

`2\cdot\boxed{18}` is 36: a box with an operator beside it, or in the argument of a command, is no answer by
itself. Guaranteed: linear time.
"""

from __future__ import annotations

import re

_BOX = re.compile(r"\\{1,4}(?:boxed|fbox)\b\s*")
_LOOK = 200  # characters beside a box that are looked at
_OPERATOR_BEFORE = re.compile(
    r"(?:\\(?:cdot|times|div|pm|mp|ast|[lr]?vert|frac|dfrac|tfrac|sqrt|neq?|not)(?![a-z])\s*(?:\d|\{[^{}]*\}|\[[^\[\]]*\])?\s*\{?"
    r"|[*/^_+|!]\s*\{?|(?<![\\])\}\s*\{|[\d)\]]|(?<![A-Za-z\\])[a-zA-Z])$"
)
_MINUS_BEFORE = re.compile(r"(?:^|[\d)}\]=$(\[{,])\s*-\s*$|\S-$|\s-$(?<=[\d)}=]\s-)")
_HARMLESS = re.compile(
    r"\\(?:textcolor|colorbox)\s*\{[^{}]*\}\s*\{$|\\(?:text|mathbf|textbf|underline|bm|boldsymbol)\s*\{$|\*\*$"
)
# The box of `\\frac{8}{2} = 7 - \boxed{3}` is the blank of an equation between numbers, which has no value of its own.
_BLANK = re.compile(r"(?:\$|\\\[|\\\()[^$a-zA-Z=]*(?:\\frac|\d\s*[-+*/])[^$=]*=[^$]*[\d)}]\s*[-+]$")
_OPERATOR_AFTER = re.compile(
    r"\}?\s*(?:\\(?:cdot|times|div|pm|mp|ast)(?![a-z])|[*/+](?!\*|\s*$)\s*[\d\\({a-zA-Z]|-\s?[\d\\({]|_[\d{]"
    r"|\^(?!\s*\{?\s*\\circ)|!(?=\s*(?:\$|\\[)\]]))|[\d(|](?!\w*\s[a-z]))"
)


def boxes(text: str) -> list[tuple[int, int, str]]:
    """Start, end and content of each outermost box. One that is never closed ends with the text."""
    found: list[tuple[int, int, str]] = []
    position = 0
    while match := _BOX.search(text, position):
        start = match.end()
        if start >= len(text) or text[start] != "{":
            end = start + 1
            found.append((match.start(), end, text[start:end]))
        else:
            end = _closing(text, start)
            found.append((match.start(), end, text[start + 1 : end - 1 if text[end - 1 : end] == "}" else end]))
        position = max(end, position + 1)
    return found


def in_formula(text: str, start: int, end: int) -> bool:
    """Whether the box from `start` to `end` is an operand of a larger formula."""
    before, after = text[max(0, start - _LOOK) : start].rstrip(" "), text[end : end + _LOOK]
    if _HARMLESS.search(before) or _BLANK.search(before):
        return False
    return bool(_OPERATOR_BEFORE.search(before) or _MINUS_BEFORE.search(before) or _OPERATOR_AFTER.match(after))


def _closing(text: str, start: int) -> int:
    depth = 0
    escaped = False
    for index in range(start, len(text)):
        char = text[index]
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in "{}":
            depth += 1 if char == "{" else -1
            if depth == 0:
                return index + 1
    return len(text)
