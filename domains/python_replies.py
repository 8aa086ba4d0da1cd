"""Finding the code in a model's reply.

Guaranteed: the code is a part of the reply, unchanged; what a reply means is not guessed, so text
without a fenced block that is not Python either has no code. A fence that was never closed (a
reply cut at the token limit) counts up to the end.
Not guaranteed: that the code is valid or harmless.
"""

from __future__ import annotations

import ast
import re
import warnings

_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_LONGEST_BARE = 20_000  # characters of a reply without a fence that are tried as Python


def extract_code(reply: str, entry: str) -> str | None:
    """The last fenced block that defines `entry`, else the first one, else a reply that is Python
    and defines it, else None."""
    blocks = fenced_blocks(reply)
    defining = [block for block in blocks if defines(block, entry)]
    if defining:
        return defining[-1]
    if blocks:
        return blocks[0]
    return reply if defines(reply, entry) and _is_python(reply) else None


def fenced_blocks(reply: str) -> list[str]:
    """Contents of the Markdown code blocks that are not empty; the last may be unclosed."""
    blocks: list[str] = []
    mark = ""
    lines: list[str] = []
    for line in reply.split("\n"):
        match = _FENCE.match(line)
        if not mark:
            mark = match[1] if match else ""
        elif match and match[1].startswith(mark) and not match[2].strip():
            blocks.append("\n".join(lines))
            mark, lines = "", []
        else:
            lines.append(line)
    if mark:
        blocks.append("\n".join(lines))
    return [block for block in blocks if block.strip()]


def defines(code: str, entry: str) -> bool:
    """Whether a function, class or variable of that name is defined at the top level."""
    name = re.escape(entry)
    return re.search(rf"^(?:(?:async[ \t]+)?def|class)[ \t]+{name}\b|^{name}[ \t]*=", code, re.MULTILINE) is not None


def _is_python(text: str) -> bool:
    if len(text) > _LONGEST_BARE:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
