"""How an answer is written: delimiters and wrapping, groups of digits, units at its ends.

Everything here works on the text of one answer, before its grammar is read, and removes or joins
characters only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sandbox.maths_nouns import is_noun_phrase
from sandbox.maths_plain import names_in
from sandbox.maths_units import Unit, is_known, parse_unit


@dataclass(frozen=True)
class Reading:
    """How ambiguous notation is read."""

    thousands: bool = True  # 1,234 is one number
    decimal_comma: bool = False  # 1,22 is 1.22
    letters_are_units: bool = False  # 5 m is five metres


PLAIN = Reading()
WRAP = re.compile(r"\\(?:text|mbox|mathrm|textbf|textit|textrm|mathbf|operatorname)\s*\{([^{}]*)\}")
_SYSTEM = re.compile(
    r"(?:\\left\s*)?\\\{\s*(?=\\begin)|\\(?:begin|end)\s*\{(?:cases|aligned|align|gathered|split)\*?\}"
)
_UNIT_TAIL = re.compile(
    r"((?:\s*(?:/|\\cdot|\\,|~|\\ )?\s*\\(?:text|mbox|mathrm|textbf|textrm|operatorname|rm)\s*\{[^{}]*\}"
    r"\s*(?:\^\s*(?:\{-?\d\}|\d))?)+)[\s.]*$"
)
_PLAIN_TAIL = re.compile(
    r"(?<=[\d)}\s.])\s*((?:[A-Za-z]+(?:\^\{?\d\}?)?)(?:(?:\s+|/)[A-Za-z]+(?:\^\{?\d\}?)?)*)[\s.]*$"
)
PERCENT = re.compile(r"\s*(?:\\?%|(?:\\text\s*\{)?\s*(?:percent(?:age)?|per cent|pct)\.?\s*\}?)[\s.]*$", re.IGNORECASE)
_CURRENCY = re.compile(
    r"^\s*(-?)\s*((?:US|CA|AU|NZ|HK|[AC])?\\\$|[€£¥]|(?:USD|EUR|GBP|JPY)\b|\\text\s*\{\s*\\?\$\s*\})\s*"
)
_SPACES = r"(?:(?<!\\)\\[,;:! ]|\\q?quad(?![a-z])|\\thinspace|~|\s)+"
_ENDS = re.compile(rf"^{_SPACES}|{_SPACES}$")
_COLOUR = re.compile(r"\\(?:textcolor|colorbox|color)\s*(?:\[\w*\]\s*)?\{[^{}]*\}")
_NUMBER_BEFORE = re.compile(r"\s*-?[\d.,\s{}\\a-z/]*\d\}?\s*")


def strip_wrapping(text: str) -> str:
    """The text without `$`, outer braces, `\\left`/`\\right` and a full stop at the end."""
    text = re.sub(r"\\(?:left|right)(?![a-z])\s*\.?(?=[\\|()\[\]{}.<>])", "", text).strip()
    text = _ENDS.sub("", _without_dollars(text))
    if "color" in text:
        text = _COLOUR.sub("", text)
    if _SYSTEM.search(text):
        text = re.sub(r"(?<!\\)&", " ", _SYSTEM.sub(" ", text))
    text = re.sub(r"^\\[(\[]|\\[)\]]$", "", text.strip())
    text = re.sub(r"\\[(\[]|\\[)\]](?=[\s.,]|$)", " ", text)
    for _ in range(4):
        text = re.sub(r"^(?:\*\*|=|:)\s*|\s*(?:\*\*|(?<![\\.])[.]|[,;:])$", "", text.strip()).strip()
        if text.startswith("{") and text.endswith("}") and _is_one_group(text):
            text = text[1:-1]
    return text


def _without_dollars(text: str) -> str:
    """Without the signs that delimit formulas. Of an odd number, one before a number is a currency."""
    signs = [match.start() for match in re.finditer(r"(?<!\\)\$", text)]
    if len(signs) % 2 and (money := re.match(r"^-?\$(?=\s*[\d.])", text)):
        return money[0].replace("$", r"\$") + re.sub(r"(?<!\\)\$", " ", text[money.end() :])
    return re.sub(r"(?<!\\)\$", " ", text)


def _is_one_group(text: str) -> bool:
    depth = 0
    for index, char in enumerate(text):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth == 0:
            return index == len(text) - 1 and text[index - 1] != "\\"
    return False


def joined_digits(text: str, reading: Reading) -> str:
    text = _other_marks(text, reading)
    text = re.sub(r"(?<=\d)(?:\{,\}|,\\!|\\,|\{\\,\}|,\\,)\s*(?=\d{3}(?!\d))", "", text)
    if reading.decimal_comma:
        text = re.sub(r"^(-?\d+),(\d{1,2}|\d{4,})$", r"\1.\2", text)
    if re.fullmatch(r"[^()\[\]{}]*", re.sub(r"\\[a-z]+\s*\{[^{}]*\}", "", text)) and reading.thousands:
        text = re.sub(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?![\d,])", lambda m: m[0].replace(",", ""), text)
    return re.sub(r"(?<![\d.,])(\d{1,3}(?: \d{3})+)(?![\d,/]| \d)", lambda m: m[0].replace(" ", ""), text)


def _other_marks(text: str, reading: Reading) -> str:
    """Marks and groups of other countries: 1.234.567, 1'234'567, and as a reading 1.234,56 and 12,34,567."""
    if re.fullmatch(r"-?\d{1,3}(?:(?:\.\d{3}){2,}|(?:'\d{3})+(?:\.\d+)?)", text):
        return text.replace("'", "") if "'" in text else text.replace(".", "")
    if reading.decimal_comma and re.fullmatch(r"-?\d{1,3}(?:[. ]\d{3})+,\d+", text):
        return re.sub(r"[. ]", "", text).replace(",", ".")
    if reading.decimal_comma and re.fullmatch(r"-?\d{1,2}(?:,\d\d)+,\d{3}(?:\.\d+)?", text):
        return text.replace(",", "")
    return text


def without_unit(text: str, reading: Reading) -> tuple[str, Unit | None]:
    currency = _CURRENCY.match(text)
    if currency:
        return _money(currency[1] + text[currency.end() :], currency[2])
    match = _UNIT_TAIL.search(text)
    if match and match.start() > 0 and not re.fullmatch(r".*[_^=<>+*/]\s*", text[: match.start()]):
        unit = _named_unit(WRAP.sub(r" \1 ", match[1]).strip())
        return (text[: match.start()], unit) if unit else (text, None)
    match = _PLAIN_TAIL.search(text)
    if match and match.start() > 0 and _is_unit_word(match[1], reading):
        unit = parse_unit(match[1])
        return text[: match.start(1)], replace(unit, certain=match[1] not in "WJNVA") if unit else None
    if match and _NUMBER_BEFORE.fullmatch(text, 0, match.start(1)) and not any(map(names_in, match[1].split())):
        return text[: match.start(1)], _named_unit(match[1])
    if text.endswith(("€", "£", "¥")):
        return text[:-1], parse_unit(text[-1])
    return text, None


def _money(text: str, sign: str) -> tuple[str, Unit | None]:
    """An amount, and its currency with what stands behind the amount: `$18 per day`."""
    names = {"€": "€", "£": "£", "¥": "¥", "EUR": "€", "GBP": "£", "JPY": "¥"}
    name = next((name for mark, name in names.items() if mark in sign), "$")
    bare = re.sub(r"\s*\\(?:text|mathrm)\s*\{([^{}]*)\}\s*$", r" \1", text)
    tail = _PLAIN_TAIL.search(bare)
    if tail is None or tail.start() == 0:
        return text, parse_unit(name)
    words = re.sub(r"^(?:dollars?|euros?|pounds?|yen|usd|eur|gbp)\b\s*", "", tail[1], flags=re.IGNORECASE)
    if not words or is_known(f"{name} {words}") or is_noun_phrase(f"dollars {words}"):
        known = parse_unit(f"{name} {words}") if is_known(f"{name} {words}") else parse_unit(name)
        return bare[: tail.start(1)], known
    return text, parse_unit(name)


def _named_unit(words: str) -> Unit | None:
    """The unit that words name; one that is not certain, where they may say something else."""
    unit = parse_unit(words)
    if unit is None or unit.dimensions:
        return unit
    if len(unit.label) < 2 or re.search(r"[\d,;:!?=<>]", words):
        return None
    return replace(unit, certain=is_noun_phrase(words.strip(" .").lower()))


def _is_unit_word(words: str, reading: Reading) -> bool:
    bare = re.sub(r"[\^{}\d]", "", words)
    if len(bare) > 1 and is_known(words):
        return True
    if reading.letters_are_units and words in "mgshlLWJNVA":
        return True
    return len(bare) > 3 and is_noun_phrase(bare)  # apples
