"""The rules by which the host compares what a program printed.

Space at the ends of lines and empty lines at the end never count; an error of layout that a person
would not see must not decide. Plain text in, plain text compared: nothing is evaluated.
"""

from __future__ import annotations

import math

from sandbox.values import RELATIVE


def same_output(printed: str, expected: str, comparison: str = "exact", tolerance: float = 1e-6) -> bool:
    """Whether `printed` satisfies the rule.

    "exact" (and "json"): equal lines. "float": equal words, numbers among them within `tolerance`
    (absolute, or 1e-9 relative). "unordered": equal lines in any order.
    """
    got, wanted = _lines(printed), _lines(expected)
    if comparison == "unordered":
        return sorted(got) == sorted(wanted)
    if comparison == "float":
        return _close([line.split() for line in got], [line.split() for line in wanted], tolerance)
    return got == wanted


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _close(got: list[list[str]], wanted: list[list[str]], tolerance: float) -> bool:
    if [len(line) for line in got] != [len(line) for line in wanted]:
        return False
    pairs = (pair for one, other in zip(got, wanted, strict=True) for pair in zip(one, other, strict=True))
    return all(one == other or _near(one, other, tolerance) for one, other in pairs)


def _near(one: str, other: str, tolerance: float) -> bool:
    try:
        return math.isclose(float(one), float(other), rel_tol=RELATIVE, abs_tol=tolerance)
    except ValueError:
        return False
