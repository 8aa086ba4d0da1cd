"""How a text reads to a person and to a model, whatever signs it is written with.

Used to compare strategies with held-out problems: a quotation written with look-alikes, marks, markup or
without spaces is a quotation. Guaranteed: plain text has no other reading than itself, but for names with
signs between their letters; equal texts have equal readings. Not guaranteed: other encodings (base64,
reversed text, filler words), and look-alikes beyond the table.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise

from agents.plain_text import without_diacritics, without_joiners

JOINED_CHARS = 16  # a shorter run of letters says too little
LONG_WORD, LONG_WORDS = 20, 12  # letters of one word, or of all in the mean, that only words without spaces have

# Small letters that are drawn like a Latin one, or whose capital is.
_ALIKE = (
    (
        "\u0430\u0432\u0433\u0435\u04bb\u043d\u0456\u043a\u043c\u043e\u043f\u0440\u0455\u0441\u0442\u0443",
        "abrehhikmonpscty",
    ),  # Cyrillic
    ("\u0445\u0458\u051b\u051d\u0501\u044c\u0475\u050d", "xjqwdbvg"),  # Cyrillic
    ("\u04af\u04cf", "yl"),  # Cyrillic
    (
        "\u03b1\u03b2\u03b3\u03b5\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03c9\u03c3",
        "abyenikuvoptuxwo",
    ),  # Greek
    ("\u03f2\u03f3", "cj"),  # Greek
    ("\u0585\u057d\u0578\u0570\u0581\u0584\u0566", "ounhgfq"),  # Armenian
    (
        "\u0131\u0251\u0261\u0269\u028b\u026a\u029f\u0274\u0280\u0299\u0262\u029c\u028f\u1d00\u1d04\u1d05",
        "iagivilnrbghyacd",
    ),  # Latin beyond ASCII
    (
        "\u1d07\u1d0a\u1d0b\u1d0d\u1d0f\u1d18\u1d1b\u1d1c\u1d20\u1d21\u1d22\ua731\ua730\u0142\u00f8\u0111",
        "ejkmoptuvwzsflod",
    ),  # Latin beyond ASCII
    ("\u0127\u0167\u0185\u01c0", "htbl"),  # Latin beyond ASCII
)
_TABLE = {ord(alike): latin for row in _ALIKE for alike, latin in zip(*row, strict=True)}
_CAPITALS = {0x397: "H", 0x39D: "N", 0x3A5: "Y"}  # Greek capitals unlike their small letters
_FLAGS = {0x1F1E6 + number: chr(97 + number) for number in range(26)}
_BOXED = {start + number: chr(97 + number) for start in (0x1F130, 0x1F150, 0x1F170) for number in range(26)}
_SIGNS = {**_CAPITALS, **_FLAGS, **_BOXED}

_TAG = re.compile(r"<!--.{0,200}?-->|</?[A-Za-z][^<>]{0,60}>", re.DOTALL)
_INNER_MARKUP = re.compile(r"(?<=[^\W\d_])[*~`_\\^|]+(?=[^\W\d_])|(?<=\w)(?:\*\*|__|~~|``)+(?=\w)")
_SPELLED = re.compile(r"(?<!\w)\w([-._·•*/ ])\w(?:\1\w){2,}(?!\w)")
_WORD = re.compile(r"[^\W_]+")


def normalise(text: str) -> str:
    """Text for comparison: NFKC, nothing that is not seen, case folded, single spaces."""
    visible = without_joiners(unicodedata.normalize("NFKC", text))
    return " ".join(visible.casefold().split())


def folded(text: str) -> str:
    """The same with look-alikes and marked letters as plain ones, and digits of every script as 0 to 9."""
    if text.isascii() and "&" not in text:
        return normalise(text)
    plain = without_joiners(html.unescape(text)).translate(_SIGNS)
    letters = normalise(without_diacritics(plain)).translate(_TABLE)
    return "".join(str(unicodedata.digit(c)) if unicodedata.category(c) == "Nd" else c for c in letters)


def readings(text: str) -> list[str]:
    """The ways in which words and names may be meant, each once, the plain one first."""
    unmarked = _INNER_MARKUP.sub("", folded(_TAG.sub("", text)))
    spelled = _SPELLED.sub(lambda match: _joined_letters(match[0]), unmarked)
    return list(dict.fromkeys([normalise(text), folded(text), unmarked, spelled]))


def _joined_letters(run: str) -> str:
    """Letters that were spelled one by one as a word; a short run of numbers stays one."""
    letters = run[::2]
    return letters if len(letters) >= 6 or not letters.isdigit() else run


def joined(text: str) -> str:
    """Letters and digits alone."""
    return "".join(_WORD.findall(_INNER_MARKUP.sub("", folded(_TAG.sub("", text)))))


class JoinedGrams:
    """Finds runs of words in a text that is written without spaces, or with other signs between its letters."""

    def __init__(self, grams: Mapping[str, object]) -> None:
        self._found: dict[str, list[tuple[str, str]]] = {}
        for gram in grams:
            letters = joined(gram)
            if len(letters) >= JOINED_CHARS:
                self._found.setdefault(letters[:JOINED_CHARS], []).append((letters, gram))

    def within(self, text: str) -> Iterator[str]:
        """The runs that stand in the text. One that begins or ends within an ordinary word is chance."""
        words = _WORD.findall(_INNER_MARKUP.sub("", folded(_TAG.sub("", text))))
        whole = "".join(words)
        borders = list(accumulate(map(len, words), initial=0))
        for start in range(len(whole) - JOINED_CHARS + 1):
            for letters, gram in self._found.get(whole[start : start + JOINED_CHARS], ()):
                if whole.startswith(letters, start) and _is_meant(borders, start, start + len(letters)):
                    yield gram


def _is_meant(borders: list[int], start: int, end: int) -> bool:
    """Whether a run of letters is whole words, or lies in words that are too long to be words."""
    if start in borders and end in borders:
        return True
    lengths = [b - a for a, b in pairwise(borders) if a < end and b > start]
    return max(lengths) >= LONG_WORD or sum(lengths) / len(lengths) >= LONG_WORDS
