"""How an answer is written: delimiters and wrapping, groups of digits, units at its ends.

Everything here works on the text of one answer, before its grammar is read, and removes or joins
characters only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
_CURRENCY = re.compile(r"^\s*(-?)\s*(\\\$|[€£¥]|\\text\s*\{\s*\\?\$\s*\})\s*")


def strip_wrapping(text: str) -> str:
    """The text without `$`, outer braces, `\\left`/`\\right` and a full stop at the end."""
    text = re.sub(r"\\(?:left|right)(?![a-z])\s*\.?(?=[\\|()\[\]{}.<>])", "", text).strip()
    text = _without_dollars(text)
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
    text = re.sub(r"(?<=\d)(?:\{,\}|,\\!|\\,|\{\\,\}|,\\,)\s*(?=\d{3}(?!\d))", "", text)
    if reading.decimal_comma:
        text = re.sub(r"^(-?\d+),(\d{1,2}|\d{4,})$", r"\1.\2", text)
    if re.fullmatch(r"[^()\[\]{}]*", re.sub(r"\\[a-z]+\s*\{[^{}]*\}", "", text)) and reading.thousands:
        text = re.sub(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?![\d,])", lambda m: m[0].replace(",", ""), text)
    return re.sub(r"(?<![\d.,])(\d{1,3}(?: \d{3})+)(?![\d,/]| \d)", lambda m: m[0].replace(" ", ""), text)


def without_unit(text: str, reading: Reading) -> tuple[str, Unit | None]:
    currency = _CURRENCY.match(text)
    if currency:
        sign = "€" if "€" in currency[2] else "£" if "£" in currency[2] else "¥" if "¥" in currency[2] else "$"
        return currency[1] + text[currency.end() :], parse_unit(sign)
    match = _UNIT_TAIL.search(text)
    if match and match.start() > 0 and not re.fullmatch(r".*[_^=<>+*/]\s*", text[: match.start()]):
        unit = parse_unit(WRAP.sub(r" \1 ", match[1]))
        return (text[: match.start()], unit) if unit else (text, None)
    match = _PLAIN_TAIL.search(text)
    if match and match.start() > 0 and _is_unit_word(match[1], reading):
        return text[: match.start(1)], parse_unit(match[1])
    if text.endswith(("€", "£")):
        return text[:-1], parse_unit(text[-1])
    return text, None


def _is_unit_word(words: str, reading: Reading) -> bool:
    bare = re.sub(r"[\^{}\d]", "", words)
    if len(bare) > 1 and is_known(words):
        return True
    if reading.letters_are_units and is_known(words):
        return True
    return len(bare) > 3 and re.fullmatch(r"[a-z ]+", bare) is not None  # apples
