"""Compound measures: `3 hours and 30 minutes`, `5 feet 6 inches`, `3 dollars and 50 cents`.

They are one value, written in units of the same kind that become smaller. Without a unit on the
other side, they are counted in the smallest of them.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

from sandbox.maths_units import Unit, parse_unit

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)\.?")
_JOINED = re.compile(r"\s*(?:,|and|,\s*and)?\s*")
MAX_PARTS = 5


def read_compound(text: str) -> tuple[Fraction, Unit] | None:
    """The value in the smallest unit, and that unit; None where a text is no compound measure."""
    if not text[:1].isdigit() or not re.search(r"[A-Za-z.}]\W*(?:and\W*|,\s*)?\d", text):
        return None
    bare = re.sub(r"\\(?:text|mathrm|mbox|textrm)\s*\{([^{}]*)\}", r" \1 ", text)
    bare = re.sub(r"\\[,;!: ]|\\quad|~", " ", bare).strip()
    parts = _parts(bare)
    if len(parts) < 2:
        return None
    units = [unit for _, unit in parts]
    if len({unit.dimensions for unit in units}) != 1 or any(
        before.factor <= after.factor for before, after in pairwise(units)
    ):
        return None
    smallest = units[-1]
    return sum((size * unit.factor for size, unit in parts), Fraction(0)) / smallest.factor, smallest


def _parts(text: str) -> list[tuple[Fraction, Unit]]:
    """Number and unit of each part; none, where anything else stands in the text."""
    found: list[tuple[Fraction, Unit]] = []
    position = 0
    while position < len(text) and len(found) < MAX_PARTS:
        match = _PART.match(text, position)
        unit = parse_unit(match[2]) if match else None
        if match is None or unit is None or not unit.dimensions:
            return []
        found.append((Fraction(match[1]), unit))
        joined = _JOINED.match(text, match.end())
        position = joined.end() if joined else match.end()
    return found if position >= len(text) else []
