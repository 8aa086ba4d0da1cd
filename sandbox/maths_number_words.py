"""Numbers in words: `twelve`, `1.5 million`, `2 dozen`, `three quarters`, `18 squared`.

`in_digits` writes them in digits and signs, before the grammar reads them. A word that multiplies
is never a unit that may be left out: 5 million is not 5.
Not guaranteed: every way to say a number; what is not read here stays a word, and is judged as one.
"""

from __future__ import annotations

import re

from sandbox.maths_plain import words

_SMALL = {
    word: value
    for value, word in enumerate(
        words(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen"
        )
    )
}
_TENS = {
    word: 10 * value for value, word in enumerate(words("twenty thirty forty fifty sixty seventy eighty ninety"), 2)
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "quadrillion": 10**15}
_GROUPS = {"dozen": 12, "score": 20, "hundred": 100, "gross": 144, "lakh": 10**5, "crore": 10**7, "bn": 10**9}
MULTIPLIERS = {**_SCALES, **_GROUPS}
_PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "twelfth": 12, "twentieth": 20, "hundredth": 100, "thousandth": 1000, "millionth": 10**6,
    "billionth": 10**9,
}  # fmt: skip
_COUNTED = "|".join((*_SMALL, *_TENS, *_SCALES, "hundred"))
_PHRASE = re.compile(
    rf"(?P<sign>(?:minus|negative)\s+)?(?P<words>(?:{_COUNTED})(?:(?:[\s-]+|\s+and\s+)(?:{_COUNTED}))*)\b", re.I
)
_OPENS = re.compile(
    rf"(?:(?:minus|negative|a|an)\s+)?(?:{'|'.join((_COUNTED, 'dozen', 'half', 'third', 'quarter'))})\b", re.I
)
_PART_WORD = "|".join((*_PARTS, "halve"))
_TEXT = r"(?:\\(?:text|mathrm|mbox|textrm)\s*\{\s*)"
_MULTIPLIER = re.compile(rf"(?<=[\d)}}\s.])\s*({_TEXT})?\s*\b({'|'.join(MULTIPLIERS)})s?\b\s*", re.I)
_SPELLED_PART = re.compile(rf"^(-?\d+)[\s-]+({_PART_WORD})s?$", re.I)
_DIGIT_PART = re.compile(
    r"^(-?\d[\d.,]*)\s*(?:\\text\s*\{\s*)?((?:tenth|hundredth|thousandth|millionth|billionth)s?)\s*\}?$", re.I
)
_RAISED = re.compile(rf"(?<=[\d)}}])\s*({_TEXT})?\s*\b(squared|cubed|factorial)\b\s*(\}}(?!\}}))?", re.I)
_RAISED_SIGN = {"squared": "^{2}", "cubed": "^{3}", "factorial": "!"}
_ANY = re.compile(
    rf"\b(?:{'|'.join((*_SMALL, *_TENS, *MULTIPLIERS))})s?\b|\b(?:{_PART_WORD})s?\b|squared|cubed|factorial",
    re.IGNORECASE,
)


def names_number(text: str) -> bool:
    """Whether a word for a number stands in the text."""
    return bool(_ANY.search(text))


def in_digits(text: str) -> str:
    """The text with its words for numbers in digits: `1.5 million` is `1.5\\cdot 1000000`."""
    if not _ANY.search(text):
        return text
    text = _unwrapped(text)
    spelled = False
    if _OPENS.match(text):
        text, spelled = (
            _spelled(re.sub(r"^an?\s+(?=dozen|hundred|thousand|million|half|third|quarter)", "one ", text)),
            True,
        )
    part = (_SPELLED_PART if spelled else _DIGIT_PART).match(text)
    if part:
        name = part[2].lower().removesuffix("s")
        return rf"\frac{{{part[1].replace(',', '')}}}{{{_PARTS['half' if name == 'halve' else name]}}}"
    text = _MULTIPLIER.sub(lambda m: rf"\cdot {MULTIPLIERS[m[2].lower()]} " + (r"\text{" if m[1] else ""), text)
    text = _RAISED.sub(lambda m: _RAISED_SIGN[m[2].lower()] if bool(m[1]) == bool(m[3]) else m[0], text)
    return re.sub(r"\\text\s*\{\s*\}", "", text).strip()


def _unwrapped(text: str) -> str:
    r"""`\text{twelve}` without its command."""
    inner = re.fullmatch(r"\\(?:text|mbox|mathrm|textbf)\s*\{([A-Za-z\s-]+)\}", text)
    return inner[1].strip() if inner else text


def _spelled(text: str) -> str:
    """The phrase at the beginning in digits, if it is a number."""
    found = _PHRASE.match(text)
    if found is None:
        return text
    value = _value(re.split(r"[\s-]+", found["words"].lower()))
    if value is None:
        return text
    return f"{'-' if found['sign'] else ''}{value}{text[found.end() :]}"


def _value(words: list[str]) -> int | None:
    """`two thousand one hundred and five` is 2105. None where the words are no number, as `one two`."""
    total, below, last = 0, 0, 10**18
    room = 10**18  # the next number has to be smaller than this
    for word in words:
        if word == "and":
            continue
        if word in _SCALES:
            if not below or _SCALES[word] >= last:
                return None
            total, below, last, room = total + below * _SCALES[word], 0, _SCALES[word], 1000
        elif word == "hundred":
            if not 0 < below < 100:
                return None
            below, room = 100 * below, 100
        else:
            value = _TENS.get(word) or _SMALL[word]
            if value >= room or (value == 0 and len(words) > 1):
                return None
            below, room = below + value, 10 if word in _TENS else 0
    return total + below
