"""How a family of mathematics problems is written down.

A family is a function from a random generator to a `Draft`: a question, worked steps of one equation
each, and the gold answer. Guaranteed: the gold answer is worked out by SymPy, apart from the steps,
so that a slip in the steps is found by the self-check; `wrong` holds answers that differ from it.
`params` holds what makes the problem different from its siblings.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sympy as sp
from pydantic import JsonValue

from domains import families
from records.nouns import Difficulty

Area = Literal["algebra", "number_theory", "combinatorics", "geometry", "calculus", "statistics"]
REPLY_FORMAT = "Work step by step, one equation a line. End with 'ANSWER:' and the result."
MARK = "ANSWER:"
x = sp.Symbol("x")


@dataclass(frozen=True)
class Draft:
    """One problem. `answer` is how the reference writes it, `gold` what the checker compares with."""

    question: str
    steps: tuple[str, ...]
    answer: str
    gold: str
    contract: str
    params: tuple[JsonValue, ...]
    wrong: tuple[str, ...]

    @property
    def reference(self) -> str:
        """The worked solution, as an ideal reply."""
        return "\n".join((*self.steps, f"{MARK} {self.answer}"))


Build = Callable[[random.Random], Draft]
Family = families.Family[Area, Draft]


def family(area: Area, difficulty: Difficulty, ood: bool = False) -> Callable[[Build], Family]:
    """Make a family of a builder; the builder's name is its id."""
    return lambda build: Family(build.__name__, area, difficulty, ood, build)


def draft(question: str, steps: Sequence[str], gold: Any, params: Iterable[JsonValue]) -> Draft:
    """A problem whose answer is a number or an expression of SymPy."""
    value = sp.sympify(gold) if isinstance(gold, int) else gold
    step = x if sp.Symbol("C") in value.free_symbols else 1  # a constant of integration swallows numbers
    wrong = [value + step, value - step, value * 2, -value, value + 2 * step]
    return Draft(
        question,
        tuple(steps),
        show(value),
        sp.latex(value),
        "auto",
        tuple(params),
        tuple(show(other) for other in wrong if sp.expand(other - value) != 0),
    )


def several(
    question: str, steps: Sequence[str], values: Sequence[Any], params: Iterable[JsonValue], kind: str
) -> Draft:
    """A problem whose answer is a tuple (in order) or a set (in any order) of numbers."""
    open_, close = ("(", ")") if kind == "tuple" else ("", "")
    changed = [[*values[:-1], values[-1] + 1], [values[0] - 1, *values[1:]], [value + 7 for value in values]]
    wrong = [other for other in changed if set(other) != set(values) or kind == "tuple"]

    def written(numbers: Sequence[Any]) -> str:
        return f"{open_}{', '.join(map(show, numbers))}{close}"

    gold = "\\{" + ", ".join(map(sp.latex, values)) + "\\}" if kind == "set" else written(values)
    return Draft(
        question, tuple(steps), written(values), gold, kind, tuple(params), tuple(written(other) for other in wrong)
    )


def relation(
    question: str, steps: Sequence[str], gold: str, wrong: Sequence[str], params: Iterable[JsonValue]
) -> Draft:
    """A problem whose answer is an inequality."""
    return Draft(question, tuple(steps), gold, gold, "interval", tuple(params), tuple(wrong))


def show(value: Any) -> str:
    """An expression as one writes it in a line of text: 3x^2 - 5/2."""
    text = str(sp.sympify(value) if isinstance(value, int) else value)
    text = text.replace("**", "^").replace("*pi", "pi").replace("pi", "\\pi")
    return re.sub(r"(?<=\d)\*(?=[a-zA-Z(])", "", text).replace("*", " * ")


def signed(value: int) -> str:
    """A term to be added: `+ 3` or `- 3`."""
    return f"+ {value}" if value >= 0 else f"- {-value}"


def term(coefficient: int, symbol: str) -> str:
    """`x`, `-x` or `3x`."""
    return {1: "", -1: "-"}.get(coefficient, str(coefficient)) + symbol


def bracket(value: int) -> str:
    """A negative number in brackets, so that it can follow a sign."""
    return str(value) if value >= 0 else f"({value})"


def integer(value: Any) -> int:
    """The int of a SymPy integer."""
    return int(value)
