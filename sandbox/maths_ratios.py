"""Ratios and times of day: what is a ratio, when two are the same, and which of both `2:10` is."""

from __future__ import annotations

import sympy as sp

from sandbox.maths_answer import Answer, Quantity, Ratio
from sandbox.maths_build import build, rational
from sandbox.maths_clock import Clock, same_time
from sandbox.maths_finding import Finding
from sandbox.maths_grammar import Node
from sandbox.maths_tokens import Refused
from sandbox.maths_values import same_value


def compare_ratios(gold: Answer, answer: Answer) -> Finding:
    """Compare where at least one side is a ratio or a time of day. Raises Refused for what is no ratio."""
    times = [_time(side) for side in (gold, answer)]
    certain = isinstance(gold, Clock) or isinstance(answer, Clock)
    if certain:
        return _times(*times) if all(times) else _hour(gold, answer)
    same = _proportional(_parts(gold), _parts(answer))
    if None not in times and _times(*times).equal:
        return Finding(True, "the same ratio, or time of day")
    if same and _time(gold) is not None:
        return Finding(None, "it may be a time of day, which is no ratio")
    reasons = {
        True: "the ratios are proportional",
        False: "the ratios are not proportional",
        None: "ratios not compared",
    }
    return Finding(same, reasons[same])


def _time(side: Answer) -> Clock | None:
    return side if isinstance(side, Clock) else side.clock if isinstance(side, Ratio) else None


def _times(gold: Clock | None, answer: Clock | None) -> Finding:
    assert gold is not None and answer is not None
    same = same_time(gold, answer)
    words = {True: "the same time of day", False: "another time of day", None: "before or after noon is not said"}
    return Finding(same, words[same])


def _hour(gold: Answer, answer: Answer) -> Finding:
    """A time against what is none; a number that is its hour may be meant as a time."""
    clock, other = (gold, answer) if isinstance(gold, Clock) else (answer, gold)
    assert isinstance(clock, Clock)
    value = rational(other.node) if isinstance(other, Quantity) and other.unit is None else None
    if value is not None and clock.seconds in (value * 3600, (value + 12) * 3600):
        return Finding(None, "a number against a time of day")
    return Finding(False, "a time of day against something else")


def _parts(side: Answer) -> tuple[Node, ...] | None:
    """The parts of a ratio or of a quotient; None for anything else. Raises Refused for no ratio."""
    if isinstance(side, Quantity) and side.unit is None and not side.percent:
        return side.node.parts if side.node.kind == "div" else None
    if not isinstance(side, Ratio):
        return None
    values = [build(part) for part in side.parts]
    if any(isinstance(value, sp.MatrixBase) or value.has(sp.oo, sp.zoo, sp.nan) for value in values):
        raise Refused("a ratio with a part that is no finite number")
    if all(_is_zero(value) for value in values):
        raise Refused("a ratio whose parts are all 0")
    return side.parts


def _is_zero(value: sp.Basic) -> bool:
    return bool(value == 0 or (value.is_number and abs(value.evalf(60)) < sp.Rational(1, 10**50)))


def _proportional(gold: tuple[Node, ...] | None, answer: tuple[Node, ...] | None) -> bool | None:
    """Whether all parts have one factor; compared by products with a part of the gold that is not 0."""
    if gold is None or answer is None or len(gold) != len(answer):
        return False
    first = next((place for place, part in enumerate(gold) if not _is_zero(build(part))), None)
    if first is None or _is_zero(build(answer[first])):
        return False
    found = [
        same_value(Node("mul", (gold[first], b)), Node("mul", (answer[first], a)))
        for a, b in zip(gold, answer, strict=True)
    ]
    return False if False in found else None if None in found else True
