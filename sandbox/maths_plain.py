"""Formulas without LaTeX: `sqrt(3)/3`, `2*pi`, `exp(2)`, `abs(x-1)`, `(-inf, 2)`, `3x10^5`.

A run of letters is the name of a function, of a Greek letter or of a constant; a product of single
letters only where it is short and no English word (`xy`, `2ab`), or names points (`ABCD`). Every other run
is a word that is not known, and a text with one is not read: nothing is shown by it.
"""

from __future__ import annotations

import re


def words(text: str, mark: str = " ") -> tuple[str, ...]:
    """The words of a text, in their order."""
    return tuple(text.split(mark))


NAMES = {
    "infinity": "infty", "infty": "infty", "inf": "infty", "oo": "infty", "ceil": "ceiling", "atan": "arctan",
    "asin": "arcsin", "acos": "arccos", "pi": "pi", "sqrt": "sqrt", "cbrt": "cbrt", "abs": "abs", "floor": "floor",
    "ceiling": "ceiling", "acot": "arccot", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
}  # fmt: skip
_FUNCTIONS = words(
    "arcsinh arccosh arctanh arcsin arccos arctan arccot sinh cosh tanh sin cos tan cot sec csc log exp ln lg"
)
_GREEK = words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu rho sigma tau phi chi psi omega "
    "Gamma Delta Theta Lambda Sigma Phi Psi Omega"
)
_KNOWN = {**NAMES, **{name: name for name in (*_FUNCTIONS, *_GREEK)}}
_WORDS = frozenset(
    words(
        "am an as at be by do go he if in is it me my no of on or so to up us we hi ok oh ah eh vs yo the and not"
        " per two one six ten red day all any for but can out nan max min gcd lcm mod det dim deg arg sup lim erf"
        " sgn sum its his her our are was has had did get got how who why yes nil you too now new old odd way off"
        " own few low let say see set she put ask bad big bit box boy car cat cut dog due eat end far fit fun hot"
        " ice job key law lot man men mix net pay pen run sad sit six sky ten tie top try use war wet win won yet"
        " nor far ago i'm pin pit tax buy bus cup fee hit leg add aid air age arm art bag bar bed cow ear egg eye"
        " fan gas god gun hat kid"
    )
)
_BESIDE = re.compile(r"[xyztnabrkXYZ]{0,2}")
_TIMES = re.compile(r"(?<=\d)\s?[xX]\s?(?=10\s*(?:\^|\*\*))|(?<=\d) x (?=\d)")
_ROOT = re.compile(r"(?<![\\A-Za-z])sqrt\s*(\d+(?:\.\d+)?)")
_EXPONENT = re.compile(r"\^(-?\d{2,})(?![\d}.])")
MAX_PRODUCT = 3
MAX_POINTS = 8


def with_signs(text: str) -> str:
    """Signs of plain formulas as LaTeX: `3x10^5` with its sign of multiplication, whole exponents in braces."""
    text = _TIMES.sub(r"\\times ", text)
    return _ROOT.sub(r"\\sqrt{\1}", text)


def names_in(word: str) -> list[str] | None:
    """A run of letters as names (longer than one letter) and single letters. None: an unknown word."""
    if word in _KNOWN:
        return [_KNOWN[word]]
    lower = word.lower() if not word.isupper() or len(word) > 2 else word
    if lower in ("infinity", "sin", "cos", "tan", "pi", "sqrt", "exp", "log", "abs") and word[1:].islower():
        return [_KNOWN[lower]]
    if lower in _WORDS:
        return None
    if (
        len(word) <= MAX_PRODUCT
        or (word.isupper() and len(word) <= MAX_POINTS)
        or lower in "abcdefghijklmnopqrstuvwxyz"
    ):
        return _with_function(word) or list(word)
    return _with_function(word)


def is_name(word: str) -> bool:
    """Whether a run of letters names a function, a Greek letter or a constant."""
    return word in _KNOWN


def _with_function(word: str) -> list[str] | None:
    """`xsinx`: a function's name between at most two usual letters on each side."""
    for name in (*_FUNCTIONS, "pi"):
        before, found, after = word.partition(name)
        if found and _BESIDE.fullmatch(before) and _BESIDE.fullmatch(after) and word not in ("cost", "sect", "tank"):
            return [*before, name, *after]
    return None
