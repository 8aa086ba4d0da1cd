"""Where the value ends in a sentence: `18 since 9 * 2 = 18`, `18, not 17`, `18 per day. That is all.`

Guaranteed: what follows a value is cut off only if it gives a reason or names what the answer is not;
a sentence that takes its value back (`18, no wait, 17`) is reported as ambiguous by `takes_back`.
"""

from __future__ import annotations

import re

from sandbox.maths_nouns import changes_value, is_noun_phrase
from sandbox.maths_units import is_known

_REASON = re.compile(
    r"\s*(?:[,;(–—]|\s-)?\s*"
    r"\b(?:since|because|as|where|which|when|given|due to|rather than|instead of|so that|after|by)\b"
    r"|\s*[,;]\s*(?:and\s+)?not\b|\s+and not\b|(?<![.\s])\.\s+(?=[A-Z])|\s+\((?=[a-z]{2,} )",
)
_BACK = re.compile(
    r"\b(?:no|wait|actually|wrong|sorry|mistake|mistaken|incorrect|correction|oops|hmm|however|should be|"
    r"instead(?! of)|isn't|maybe|perhaps|or)\b|\banswer is\b",
    re.IGNORECASE,
)
_VALUE = re.compile(r"(?=.*[\d\\^=+]|.{1,3}$).{1,300}")
_WORDS = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{2,}")
MAX_WORDS = 6


def first_value(line: str) -> str | None:
    """The value that a line begins with, where a reason, a denial or another sentence follows; else None."""
    found = _REASON.search(line)
    if found is None or not found.start():
        return None
    value = line[: found.start()].strip(" ,;*")
    return value if _VALUE.fullmatch(value) and len(_WORDS.findall(value)) <= MAX_WORDS else None


def takes_back(line: str, value: str) -> bool:
    """Whether what follows the value puts it in doubt."""
    return bool(_BACK.search(line, line.find(value) + len(value)))


_DENIED = re.compile(
    r"(?:\b(?:not|isn't|never|than|minus|plus|times|except|without)|n't be|[-+*/^_])\s*(?:equal to\s*)?\$?$",
    re.IGNORECASE,
)
_WORDS_BEFORE = re.compile(r"[A-Za-z']{2,}\W+[A-Za-z']+\W|[A-Za-z]+'s\s")
_OPERATOR = re.compile(r"\s*[a-z]{0,20}\s*[-+*/^=]\s*(?:[\d$(=]|$)")


def standing(text: str, start: int, end: int) -> str:
    """How a number stands in a text: "alone", "changed" by the words behind it, or "open" where a calculation goes on.

    A number that begins the text has to be followed by its unit or by what was counted; inside of a sentence
    any words may follow that do not change it.
    """
    if _DENIED.search(text[max(0, start - 40) : start]):
        return "open"
    behind = text[end : end + 200]
    if _OPERATOR.match(behind):
        return "open"
    sentence = re.split(r"[.;:!?\n]", behind, maxsplit=1)[0].strip(" $*€£¥\"')")
    if not sentence or re.fullmatch(r"\\?%|percent|pct", sentence):
        return "alone"
    if is_known(sentence) or is_noun_phrase(sentence.lower()) or _REASON.match(behind):
        return "alone"
    if not _WORDS_BEFORE.search(text[:start][-200:]):
        return "changed"
    return "changed" if changes_value(sentence) else "alone"
