"""Reads the verdict out of a reply about meetings and rooms, honestly.

Guaranteed: a reply without a verdict gives None, never "NO"; the opening words do not decide when
the reply concludes otherwise; quoting the instruction ("YES or NO") is no verdict.
Not guaranteed: that a reply's reasoning agrees with its verdict.

Order of precedence:
1. the last explicit `ANSWER: YES` or `ANSWER: NO` (any case, markdown allowed);
2. the last stated verdict after the opening: "the answer is no", "therefore YES", "**NO**", a line
   that is only "Yes."; two different ones in the same line decide nothing;
3. the opening "YES." or "No, …";
4. a concluding sentence ("thus all meetings can be scheduled").
"""

from __future__ import annotations

import re

_OPEN = r"[\s*_`\"'(\[{\\]{0,12}"  # markdown and quotes before a word
_YES_NO = r"\b(yes|no)\b"
_ENDS = r"(?=\s{0,3}(?:[.,;:!*_`\"')\]}—–]|-\s|\n|$))"  # "No." and "No, …", but not "No meetings overlap"
_ECHO = re.compile(
    r"""\byes\b["'*`]{0,3}\s{0,3}(?:/|,?\s{0,3}\bor\b)\s{0,3}["'*`]{0,3}(?:answer\s{0,3}:\s{0,3})?\bno\b""",
    re.IGNORECASE,
)
_EXPLICIT = re.compile(rf"\banswer[*_`\"']{{0,4}}\s{{0,3}}[:=]{_OPEN}{_YES_NO}", re.IGNORECASE)
_STATED = re.compile(
    rf"\b(?:answer|verdict|conclusion|result)\b[^.\n]{{0,40}}?\b(?:is|remains|be|becomes)\b:?{_OPEN}{_YES_NO}{_ENDS}"
    rf"|\b(?:verdict|conclusion|result|output)\W{{0,4}}:{_OPEN}{_YES_NO}{_ENDS}"
    rf"|\b(?:therefore|thus|hence|so)\b[\s,:]{{0,4}}{_OPEN}{_YES_NO}{_ENDS}"
    rf"|\bstick (?:to|with)\b[^.\n]{{0,30}}?\b(?-i:(YES|NO))\b"
    rf"|(?:\*\*|__)\s{{0,3}}{_YES_NO}[\s.!]{{0,3}}(?:\*\*|__)"
    rf"|^[ \t>#*_`\"'(\[]{{0,12}}{_YES_NO}[ \t.!*_`\"')\]]{{0,12}}$"
    rf"|^[ \t>#*_`\"'(\[]{{0,12}}(?-i:\b(YES|NO)\b){_ENDS}",
    re.IGNORECASE | re.MULTILINE,
)
_OPENING = re.compile(rf"^[\s>#*_`\"'(\[-]{{0,40}}(?:(YES|NO)\b|{_YES_NO}{_ENDS})", re.IGNORECASE)
_MARKER = re.compile(r"\b(?:therefore|thus|hence|so|conclusion|conclude|in summary|as a result)\b", re.IGNORECASE)
_NEGATIVE = re.compile(
    r"\b(?:cannot|can't|can not|could not|not possible|impossible|not feasible|infeasible|not enough rooms?"
    r"|insufficient rooms?|not be (?:scheduled|held|accommodated))\b",
    re.IGNORECASE,
)
_POSITIVE = re.compile(
    r"\b(?:all|every|each|both|the|these)\b[^.\n]{0,30}\bmeetings?\b[^.\n]{0,20}\bcan\b[^.\n]{0,12}\bbe\b[^.\n]{0,20}"
    r"\b(?:scheduled|held|accommodated|assigned)\b"
    r"|\b(?:can|possible to) (?:schedule|accommodate|hold|fit) (?:all|every|both|the|these)\b",
    re.IGNORECASE,
)
MAX_READ = 20_000  # characters of a reply that are looked at: half from its start, half from its end


def read_answer(reply: str) -> str | None:
    """ "YES", "NO", or None where the reply has no verdict or contradicts itself."""
    if len(reply) > MAX_READ:
        reply = reply[: MAX_READ // 2] + "\n…\n" + reply[-MAX_READ // 2 :]
    text = _ECHO.sub(" ", reply)
    explicit = _EXPLICIT.findall(text)
    if explicit:
        return str(explicit[-1]).upper()
    opening, rest = _opening(text)
    found, stated = _last_line_with_verdict(rest)
    if found:
        return stated
    return opening or _concluding_sentence(rest)


def _opening(text: str) -> tuple[str | None, str]:
    """The verdict that the reply opens with, and the text after it."""
    match = _OPENING.match(text)
    if match is None:
        return None, text
    word = next(group for group in match.groups() if group)
    followed_by_prose = re.match(r" +[a-z]", text[match.end() :])
    if word not in ("YES", "NO") and followed_by_prose:
        return None, text
    return word.upper(), text[match.end() :]


def _last_line_with_verdict(text: str) -> tuple[bool, str | None]:
    """Whether any line states a verdict, and that of the last such line (None: it says both)."""
    matches = list(_STATED.finditer(text))
    if not matches:
        return False, None
    line_start = text.rfind("\n", 0, matches[-1].end() - 1) + 1
    words = {next(group for group in match.groups() if group).upper() for match in matches if match.end() > line_start}
    return True, words.pop() if len(words) == 1 else None


def _concluding_sentence(text: str) -> str | None:
    """YES or NO by the last sentence that concludes and says what can or cannot be scheduled."""
    for sentence in reversed(re.split(r"(?<=[.!?])\s+|\n+", text)):
        if not _MARKER.search(sentence):
            continue
        if _NEGATIVE.search(sentence):
            return "NO"
        if _POSITIVE.search(sentence):
            return "YES"
    return None
