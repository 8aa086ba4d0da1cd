"""The equations in a worked solution, each checked for itself.

A step is a chain such as `3 * 4 = 12` or `2(x+1) = 2x + 2`: every equality of numbers is checked,
and of expressions with the same names. GSM8K's annotations (`<<3*4=12>>`) count as steps.
Guaranteed: a step is called wrong only if both sides were read and have different values.
Not guaranteed: that a solution without wrong steps is sound; an equation that defines or restricts
a name (`x = 5`, `2x + 1 = 7`) is true or not by context and is left alone (None).
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from sandbox.maths_answer import Relation, read_answer
from sandbox.maths_build import build, rational
from sandbox.maths_grammar import Node
from sandbox.maths_text import plain
from sandbox.maths_tokens import Refused
from sandbox.maths_values import same_value

MAX_STEPS = 200
_ANNOTATION = re.compile(r"<<([^<>]*)>>")
_FORMULA = re.compile(r"\$\$?([^$]+)\$\$?|\\\[(.+?)\\\]|\\\((.+?)\\\)")
_PLAIN_CHAIN = re.compile(
    r"(?<![\w.])(?=[-(\d.$€£])[-+*/()\d.,^%$€£ ]*(?:\\(?:times|cdot|div) ?[-+*/()\d.,^%$€£ ]*)*"
    r"(?:=(?:[-+*/()\d.,^%$€£ ]|\\(?:times|cdot|div) )*\d[%)]?)+"
)


class Step(NamedTuple):
    """`holds` None: nothing could be shown, or the equation states a condition."""

    line: int
    text: str
    holds: bool | None


def check_steps(solution: str) -> list[Step]:
    """The steps of a solution in order, at most MAX_STEPS of them."""
    steps: list[Step] = []
    for number, line in enumerate(solution.split("\n"), 1):
        for text in _chains(line):
            if len(steps) < MAX_STEPS:
                steps.append(Step(number, text, _holds(text)))
    return steps


def _chains(line: str) -> list[str]:
    """Texts of the equations in a line: annotations, formulas, and chains of plain arithmetic."""
    annotations = _ANNOTATION.findall(line)
    if annotations:
        return [text for text in annotations if "=" in text]
    text = re.sub(r"(?<=\d) ?x ?(?=[$\d])", " * ", plain(line)[:2_000])
    formulas = [next(group for group in match.groups() if group) for match in _FORMULA.finditer(text)]
    if any(re.search(r"[=+*/-]\s*$", formula) for formula in formulas):  # signs of money: $3 x 4 = $12
        text, formulas = text.replace("$", ""), []
    formulas = [formula for formula in formulas if "=" in formula]
    if formulas:
        return formulas
    whole = re.sub(r"^\s*(?:(?:step\s*)?\d+[.)]|[-*•])\s+|^\s*[A-Za-z ]{3,}:\s*|[.,;]\s*$", "", text).strip()
    if "=" in whole and not re.search(r"[A-Za-z]{3,}", re.sub(r"\\[a-z]+", "", whole)):
        return [whole]
    return [match[0].strip(" .,") for match in _PLAIN_CHAIN.finditer(text) if not _is_torn(text, match)]


def _is_torn(text: str, match: re.Match[str]) -> bool:
    """The left side goes on in words before it (`the price - 25 = 75`), or is a single number."""
    left = match[0].partition("=")[0]
    before = text[: match.start()].rstrip()[-1:]
    return (
        not re.search(r"\d\D*[-+*/^]|\\", left)
        or (left.lstrip()[0] in "-+*/" and before != "")
        or (before != "" and before in "-+*/^=")
    )


def _holds(text: str) -> bool | None:
    try:
        answer = read_answer(text)
    except (Refused, RecursionError):
        return None
    if not isinstance(answer, Relation) or answer.target is not None or "=" not in answer.signs:
        return None
    try:
        found = [
            _equal(left, right)
            for left, sign, right in zip(answer.parts, answer.signs, answer.parts[1:], strict=False)
            if sign == "="
        ]
    except (Refused, RecursionError):
        return None
    return False if False in found else True if True in found else None


def _equal(left: Node, right: Node) -> bool | None:
    """Whether an equality of numbers, or an identity, holds; None for a condition on a name."""
    first, second = rational(left), rational(right)
    if first is not None and second is not None:
        return first == second or _is_rounded(right, first)
    names = build(left).free_symbols, build(right).free_symbols
    if not names[0] and not names[1]:
        found = same_value(left, right, floats=True)
        return None if found is False and _has_decimals(right) else found
    if names[0] != names[1] or left.kind in ("sym", "apply") or right.kind in ("sym", "apply"):
        return None
    return same_value(left, right) or None


def _is_rounded(right: Node, value: Fraction) -> bool:
    """The right side is the left one rounded to its decimal places: usual, and no mistake."""
    if right.kind != "num" or not right.parts or "." not in right.parts[0]:
        return False
    places = len(right.parts[0].partition(".")[2])
    noise = 10 ** (places - 9) if places > 9 else 0  # of binary fractions, in long decimals
    return abs(value - right.value) * 2 * 10**places <= 1 + noise


def _has_decimals(node: Node) -> bool:
    return node.kind == "num" and bool(node.parts) and "." in node.parts[0]
