"""Whole answers in words that mean the same: all real numbers, no solution; and words that only hedge."""

from __future__ import annotations

import re

from sandbox.maths_plain import words

REALS = "all real numbers"
NO_SOLUTION = "no solution"
_MEANINGS = {
    **dict.fromkeys(
        words(
            "all reals|all real numbers|the real numbers|real numbers|every real number|any real number|all real valu"
            "es|the set of all real numbers|the set of real numbers|the reals|reals|all real x|all real values of x",
            "|",
        ),
        REALS,
    ),
    **dict.fromkeys(
        words(
            "no solution|no solutions|there is no solution|there are no solutions|none exist|has no solution|there is"
            " no such solution|the equation has no solution|the equation has no solutions|no solution exists|no solut"
            "ions exist|has no solutions|there exist no solutions|there exists no solution",
            "|",
        ),
        NO_SOLUTION,
    ),
}
_HEDGE = re.compile(
    r"^\s*(?:(?P<rough>about|approximately|approx\.?|around|roughly|circa|\\approx|\\sim(?![a-z])|~)"
    r"|exactly|precisely|simply|just|equal to|equals)\s*(?=[-$\\\d(.])",
    re.IGNORECASE,
)
_OR_SO = re.compile(r"\s+or so\s*\.?\s*$", re.IGNORECASE)


def phrase(text: str) -> str:
    """The meaning of a whole answer in words, "" where it has none that is known."""
    bare = re.sub(r"\\(?:text|textrm|mathrm|mbox)\s*\{([^{}]*)\}", r"\1", text)
    return _MEANINGS.get(" ".join(bare.lower().rstrip(" .!").split()), "") if len(bare) < 60 else ""


def without_hedge(text: str) -> tuple[str, bool]:
    """The answer without a word that only introduces it, and whether it is said to be approximate."""
    found = _HEDGE.match(text)
    bare = text[found.end() :] if found else text
    bare, times = _OR_SO.subn("", bare)
    return bare, bool(times or (found and found["rough"]))
