"""Units of answers: centimetres against metres, minutes against hours, and words that are only labels.

A unit is a product of powers of base dimensions with an exact factor. A word that is not known
("apples") is a label: it can be compared with itself only.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from sandbox.maths_plain import words

F = Fraction
ONE = F(1)
Dimensions = tuple[tuple[str, int], ...]
_PREFIXES = {
    "p": F(1, 10**12), "n": F(1, 10**9), "u": F(1, 10**6), "m": F(1, 1000), "c": F(1, 100), "d": F(1, 10),
    "": ONE, "h": F(100), "k": F(1000), "M": F(10**6), "G": F(10**9), "T": F(10**12),
}  # fmt: skip
_PREFIX_NAMES = {
    "nano": "n", "micro": "u", "milli": "m", "centi": "c", "deci": "d", "": "", "hecto": "h", "kilo": "k",
    "mega": "M", "giga": "G", "tera": "T",
}  # fmt: skip
_LITRE = (("length", 3),)
_ENERGY = (("length", 2), ("mass", 1), ("time", -2))
# Symbol, names, dimensions, factor to the base unit, prefixes of its symbol. Capital letters matter: mg is no Mg.
_METRIC: tuple[tuple[str, tuple[str, ...], Dimensions, Fraction, str], ...] = (
    ("m", ("meter", "metre"), (("length", 1),), ONE, "pnumcdkM"),
    ("g", ("gram", "gramme"), (("mass", 1),), F(1, 1000), "numckMG"),
    ("s", ("second",), (("time", 1),), ONE, "numM"),
    ("L", ("liter", "litre"), _LITRE, F(1, 1000), "umcdhkM"),
    ("l", (), _LITRE, F(1, 1000), "umcdhkM"),
    ("W", ("watt",), (("length", 2), ("mass", 1), ("time", -3)), ONE, "mkMGT"),
    ("J", ("joule",), _ENERGY, ONE, "mkMGT"),
    ("N", ("newton",), (("length", 1), ("mass", 1), ("time", -2)), ONE, "mkM"),
    ("Hz", ("hertz",), (("time", -1),), ONE, "mkMGT"),
    ("Pa", ("pascal",), (("length", -1), ("mass", 1), ("time", -2)), ONE, "hkMG"),
    ("V", ("volt",), (("volt", 1),), ONE, "mkM"),
    ("A", ("ampere", "amp"), (("ampere", 1),), ONE, "umk"),
    ("mol", ("mole",), (("mole", 1),), ONE, "mk"),
    ("t", ("tonne",), (("mass", 1),), F(1000), ""),
)
# Names, each with its short forms, which have no prefixes.
_OTHERS: tuple[tuple[str, str, Fraction], ...] = (
    ("length", "inch inche in", F(254, 10000)), ("length", "foot feet ft", F(3048, 10000)),
    ("length", "yard yd", F(9144, 10000)), ("length", "mile mi", F(1609344, 1000)),
    ("mass", "pound lb", F(45359237, 10**8)), ("mass", "ounce oz", F(45359237, 16 * 10**8)),
    ("time", "minute min", F(60)), ("time", "hour hr h", F(3600)), ("time", "day", F(86400)),
    ("time", "week", F(604800)), ("time", "sec", ONE), ("month", "month", ONE), ("month", "year yr", F(12)),
    ("money", "dollar usd buck $", ONE), ("money", "cent ¢", F(1, 100)), ("euro", "euro eur €", ONE),
    ("sterling", "pound_sterling gbp £", ONE), ("yen", "yen jpy ¥", ONE), ("angle", "degree deg", ONE),
    ("radian", "radian rad", ONE),
)  # fmt: skip
# Written in capitals these have no second meaning.
_CAPITALS = frozenset(words("KM Km KG Kg CM Cm IN FT Ft LB LBS OZ HR HRS Hr Hrs MIN Min SEC Sec YD KPH MPH"))
_SYMBOLS: dict[str, tuple[Dimensions, Fraction]] = {}
_NAMES: dict[str, tuple[Dimensions, Fraction]] = {}


def _fill() -> None:
    for symbol, names, dimensions, factor, prefixes in _METRIC:
        for prefix in ("", *prefixes):
            _SYMBOLS[prefix + symbol] = dimensions, factor * _PREFIXES[prefix]
        for name in names:
            _NAMES.update({long + name: (dimensions, factor * _PREFIXES[p]) for long, p in _PREFIX_NAMES.items()})
    for dimension, synonyms, factor in _OTHERS:
        for name in words(synonyms):
            (_SYMBOLS if len(name) < 3 else _NAMES)[name] = ((dimension, 1),), factor


_fill()
_PLAIN_WORD = re.compile(r"[A-Za-z$€£¢¥]+")


@dataclass(frozen=True)
class Unit:
    """`dimensions` maps to powers; () with a `label` is a word that is not known."""

    dimensions: Dimensions
    factor: Fraction = ONE
    label: str = ""
    certain: bool = True  # False: words that may change the value of the number before them


def parse_unit(text: str) -> Unit | None:
    """The unit that a piece of text names; None for text that names none (`and`, an empty text)."""
    text = text.strip().strip(".")
    if not text:
        return None
    known = _known(text)
    if known is not None:
        return known
    words = re.sub(r"[^A-Za-z ]", " ", text).split()
    label = " ".join(_singular(word.lower()) if len(word) > 2 else word for word in words)
    return Unit((), label=label) if label else None


def is_known(text: str) -> bool:
    """Whether every word of the text is part of a unit of the table."""
    return _known(text.strip().strip(".")) is not None


def _known(text: str) -> Unit | None:
    text = re.sub(r"(?i)\bmph\b", "mile/hour", text)
    text = re.sub(r"(?i)\bkph\b", "km/hour", text)
    text = re.sub(r"\s+(?:per|a)\s+", "/", text)
    text = re.sub(r"[{}\\ ]*\^[{}\\ ]*", "^", text).replace("}", " ").replace("cdot", " ")
    powers: Counter[str] = Counter()
    factor, sign, power = F(1), 1, 1
    for part in re.findall(r"[A-Za-z$€£¢¥]+(?:\^-?\d)?|[*/]|[^\s]", text):
        if part == "/":
            sign = -1
            continue
        if part in ("square", "sq", "cubic"):
            power = 3 if part == "cubic" else 2
            continue
        step = _step(part)
        if step is None:
            return None
        dimensions, scale, own = step
        exponent = sign * (power if own == 1 else own)
        for name, times in dimensions:
            powers[name] += exponent * times
        factor *= scale**exponent
        power = 1
    found = tuple(sorted((name, exponent) for name, exponent in powers.items() if exponent))
    return Unit(found, factor, text) if found else None


def _step(part: str) -> tuple[Dimensions, Fraction, int] | None:
    name, _, exponent = part.partition("^")
    if not _PLAIN_WORD.fullmatch(name) or (exponent and not re.fullmatch(r"-?[1-9]", exponent)):
        return None
    known = _named(name)
    return (*known, int(exponent or 1)) if known else None


def _named(name: str) -> tuple[Dimensions, Fraction] | None:
    """A symbol as it is written, or a name in any letters."""
    if name in _CAPITALS:
        name = name.lower()
    for word in (name, _singular(name)):
        if known := _SYMBOLS.get(word) or (_NAMES.get(word.lower()) if len(word) > 2 else None):
            return known
    return None


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word
