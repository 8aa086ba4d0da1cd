"""Units of answers: centimetres against metres, minutes against hours, and words that are only labels.

A unit is a product of powers of base dimensions with an exact factor. A word that is not known
("apples") is a label: it can be compared with itself only.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

F = Fraction
ONE = F(1)
_BASE: dict[str, tuple[str, Fraction]] = {}


def _define(dimension: str, **factors: Fraction | int) -> None:
    _BASE.update({name: (dimension, F(factor)) for name, factor in factors.items()})


_define("length", mm=F(1, 1000), cm=F(1, 100), dm=F(1, 10), m=1, km=1000, inch=F(254, 10000), ft=F(3048, 10000))
_define("length", yd=F(9144, 10000), mile=F(1609344, 1000), nm=F(1, 10**9))
_define("mass", mg=F(1, 10**6), g=F(1, 1000), kg=1, lb=F(45359237, 10**8), oz=F(45359237, 16 * 10**8))
_define("time", ms=F(1, 1000), s=1, minute=60, hour=3600, day=86400, week=604800)
_define("money", dollar=1, cent=F(1, 100))
_define("angle", degree=1)
_define("euro", euro=1)
_define("sterling", pound_sterling=1)
_VOLUME = {"litre": F(1, 1000), "ml": F(1, 10**6)}
_ALIASES = {
    "millimeter": "mm", "millimetre": "mm", "centimeter": "cm", "centimetre": "cm", "meter": "m", "metre": "m",
    "kilometer": "km", "kilometre": "km", "in": "inch", "inche": "inch", "foot": "ft", "feet": "ft", "yard": "yd",
    "mi": "mile", "gram": "g", "kilogram": "kg", "milligram": "mg", "pound": "lb", "ounce": "oz", "sec": "s",
    "second": "s", "min": "minute", "h": "hour", "hr": "hour", "dollars": "dollar", "usd": "dollar", "buck": "dollar",
    "deg": "degree", "l": "litre", "liter": "litre", "milliliter": "ml", "millilitre": "ml", "millisecond": "ms",
    "decimeter": "dm", "decimetre": "dm", "$": "dollar", "€": "euro", "£": "pound_sterling", "¢": "cent",
    "lbs": "lb", "hrs": "hour", "mins": "minute", "secs": "s", "eur": "euro",
}  # fmt: skip
_PLAIN_WORD = re.compile(r"[A-Za-z$€£¢]+")


@dataclass(frozen=True)
class Unit:
    """`dimensions` maps to powers; () with a `label` is a word that is not known."""

    dimensions: tuple[tuple[str, int], ...]
    factor: Fraction = ONE
    label: str = ""


def parse_unit(text: str) -> Unit | None:
    """The unit that a piece of text names; None for text that names none (`and`, an empty text)."""
    text = text.strip().strip(".")
    if not text:
        return None
    known = _known(text)
    if known is not None:
        return known
    words = re.sub(r"[^A-Za-z ]", " ", text).lower().split()
    label = " ".join(_singular(word) for word in words)
    return Unit((), label=label) if label else None


def is_known(text: str) -> bool:
    """Whether every word of the text is part of a unit of the table."""
    return _known(text.strip().strip(".")) is not None


def _known(text: str) -> Unit | None:
    text = re.sub(r"\bmph\b", "mile/hour", text)
    text = re.sub(r"\bkph\b", "km/hour", text)
    text = re.sub(r"\s+(?:per|a)\s+", "/", text)
    text = re.sub(r"[{}\\ ]*\^[{}\\ ]*", "^", text).replace("}", " ").replace("cdot", " ")
    powers: Counter[str] = Counter()
    factor, sign, power = F(1), 1, 1
    for part in re.findall(r"[A-Za-z$€£¢]+(?:\^-?\d)?|[*/]|[^\s]", text):
        if part == "/":
            sign = -1
            continue
        if part in ("square", "sq", "cubic"):
            power = 3 if part == "cubic" else 2
            continue
        step = _step(part)
        if step is None:
            return None
        dimension, scale, own = step
        exponent = sign * (power if own == 1 else own)
        powers[dimension] += exponent * (3 if dimension == "volume" else 1)
        factor *= scale**exponent
        power = 1
    dimensions = Counter[str]()
    for name, exponent in powers.items():
        dimensions["length" if name == "volume" else name] += exponent
    found = tuple(sorted((name, exponent) for name, exponent in dimensions.items() if exponent))
    return Unit(found, factor, text) if found else None


def _step(part: str) -> tuple[str, Fraction, int] | None:
    name, _, exponent = part.partition("^")
    if not _PLAIN_WORD.fullmatch(name) or (exponent and not re.fullmatch(r"-?[1-9]", exponent)):
        return None
    key = _key(name)
    if key is None:
        return None
    power = int(exponent or 1)
    if key in _VOLUME:
        return "volume", _VOLUME[key], power
    return *_BASE[key], power


def _key(name: str) -> str | None:
    low = name if name in ("$", "€", "£", "¢") else name.lower()
    for word in (low, _singular(low)):
        key = _ALIASES.get(word, word)
        if key in _BASE or key in _VOLUME:
            return key
    return None


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word
