"""Text of a model as one plain line: what nobody sees is taken out, what a script needs stays.

Guaranteed: no control, private, unassigned or invisible sign is left, no blank letter, and a letter
has at most two diacritical marks. A joiner stays where a script is written with it (after a virama,
between Arabic letters, between the parts of an emoji), so it never stands between Latin letters.
"""

from __future__ import annotations

import re
import unicodedata

TEXT_CHARS = 700
MARKS_PER_LETTER = 2

CHAT_MARKER = re.compile(r"<\|[^|>]{0,40}\|>|\[/?INST\]|<<\s*/?SYS\s*>>|</?s>|<(?:start|end)_of_turn>")
_MARKUP = re.compile(r"^(?:(?:[-*•]|\d{1,3}[.)]|#{1,6})\s+)+")

_JOINERS = "\u200c\u200d"
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")
_VIRAMA = 9  # its canonical combining class

# Letters, marks and symbols that are drawn as nothing: Hangul fillers, the Braille blank, Khmer's inherent vowels,
# the grapheme joiner, the null note head, and selectors of a variant.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0100-\U000e01ef]"
)
_DIACRITICAL = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_TOO_MANY_MARKS = re.compile(rf"([{_DIACRITICAL}]{{{MARKS_PER_LETTER}}})[{_DIACRITICAL}]+")
_DIACRITICAL_MARK = re.compile(f"[{_DIACRITICAL}]")
_PICTURE = re.compile("[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f300-\U0001faff]")


def clean_text(text: str, limit: int = TEXT_CHARS) -> str:
    """One line without invisible signs, chat markers and list markup at its beginning; cut at `limit`."""
    visible = without_invisible(text[: 8 * limit])
    while CHAT_MARKER.search(visible):
        visible = CHAT_MARKER.sub(" ", visible)
    line = " ".join(visible.split())
    return _MARKUP.sub("", line)[:limit].strip()


def without_invisible(text: str) -> str:
    """The text as it is seen, composed (NFC). Spaces and line ends stay."""
    if text.isascii():
        return "".join(c for c in text if c.isprintable() or c.isspace())
    kept: list[str] = []
    for index, sign in enumerate(text):
        before = kept[-1] if kept else ""
        if _is_seen(sign) or _is_needed(sign, before, text[index + 1 : index + 2]):
            kept.append(sign)
    return _TOO_MANY_MARKS.sub(r"\1", unicodedata.normalize("NFC", "".join(kept)))


def without_joiners(text: str) -> str:
    """The text without any sign that is not seen, those that a script needs included."""
    return text if text.isascii() and text.isprintable() else "".join(filter(_is_seen, text))


def without_diacritics(text: str) -> str:
    """Letters without their diacritical marks; marks that are letters of their script (vowel signs) stay."""
    return unicodedata.normalize("NFKC", _DIACRITICAL_MARK.sub("", unicodedata.normalize("NFKD", text)))


def _is_seen(sign: str) -> bool:
    return sign.isspace() or (unicodedata.category(sign) not in _UNSEEN and not _BLANK.match(sign))


def _is_needed(sign: str, before: str, after: str) -> bool:
    """Whether an unseen sign is part of how its neighbours are written."""
    if sign in "\ufe0e\ufe0f":  # how a picture is to be drawn
        return bool(_PICTURE.match(before))
    if sign not in _JOINERS or not before:
        return False
    joins_pictures = sign == "\u200d" and _PICTURE.match(after) and (_PICTURE.match(before) or before == "\ufe0f")
    return bool(joins_pictures or _joins_letters(before, after))


def _joins_letters(before: str, after: str) -> bool:
    """Whether a script writes a joiner between these two signs."""
    if unicodedata.combining(before) == _VIRAMA:
        return True
    if not after:
        return False
    before_virama = unicodedata.combining(after) == _VIRAMA and unicodedata.category(before) == "Lo"
    return before_virama or (_is_arabic(before) and _is_arabic(after))


def _is_arabic(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LM" and unicodedata.name(sign, "").startswith(("ARABIC ", "SYRIAC "))
