"""Are two values the same? Exact arithmetic, then 50 and 1000 digits, then random points.

Guaranteed: rational numbers are compared exactly; two constants that differ by more than one part
in 10**900 are told apart; expressions are compared at rational points drawn by a seed of both texts, on
both signs and at small whole numbers, and a difference at one point where both are real decides.
Returns None where nothing could be shown (no point at which both are defined).
Not guaranteed: a proof. Constants that agree in 1000 digits, and expressions that agree at every
point tried in 40 digits, are called equal.
"""

from __future__ import annotations

import random
from fractions import Fraction

import sympy as sp

from sandbox.maths_build import build, rational
from sandbox.maths_grammar import Node

FLOAT_DIGITS = 15  # a decimal with as many significant digits stands for the number that it rounds
_POINTS = 5
_SPECIAL = (0, 1, -1, 2)  # where functions differ that are the same almost everywhere
_CANCELLED = 300  # digits that may cancel before a difference counts as 0
_FINE = 36  # digits in which two functions agree at a point
_DIGITS = 50
_SURE = 1000


def same_value(gold: Node, answer: Node, digits: int | None = None, floats: bool = False) -> bool | None:
    """Whether two trees have the same value. Raises Refused.

    `digits`: decimal places that count. `floats`: a decimal of FLOAT_DIGITS digits may be a rounding.
    """
    left, right = rational(gold), rational(answer)
    if left is not None and right is not None and digits is None:
        return left == right or (floats and _rounded_float(answer, left))
    first, second = build(gold), build(answer)
    if digits is not None:
        return _close(first, second, digits)
    if right is not None and left is None and first.is_number and first.is_real:
        return same_expression(first, second) or (floats and _is_rounding(answer, first))
    return same_expression(first, second)


def _rounded_float(answer: Node, gold: Fraction) -> bool:
    return _is_rounding(answer, sp.Rational(gold.numerator, gold.denominator))


def _is_rounding(answer: Node, gold: sp.Basic) -> bool:
    """A decimal of FLOAT_DIGITS significant digits that is the correctly rounded gold."""
    negative = answer.kind == "neg"
    leaf = answer.parts[0] if negative else answer
    if leaf.kind != "num" or not leaf.parts or "." not in leaf.parts[0]:
        return False
    whole, _, tail = leaf.parts[0].partition(".")
    if len((whole + tail).lstrip("0")) < FLOAT_DIGITS:
        return False
    value = -leaf.value if negative else leaf.value
    gap = abs(gold - sp.Rational(value.numerator, value.denominator))
    return bool(gap.evalf(_DIGITS) <= sp.Rational(1, 10 ** len(tail)))


def _close(gold: sp.Basic, answer: sp.Basic, digits: int) -> bool | None:
    if not (gold.is_number and answer.is_number):
        return same_expression(gold, answer)
    gap = sp.Abs(gold - answer).evalf(_DIGITS + digits)
    if not gap.is_number or not gap.is_real:
        return None
    return bool(gap <= sp.Rational(1, 2 * 10**digits) * (1 + sp.Rational(1, 10**9)))


def same_expression(first: sp.Basic, second: sp.Basic) -> bool | None:
    """Whether two SymPy objects are the same value, function or matrix."""
    if isinstance(first, sp.MatrixBase) or isinstance(second, sp.MatrixBase):
        return _same_matrix(first, second)
    if first == second:
        return True
    if first.has(sp.oo, sp.zoo, sp.nan) or second.has(sp.oo, sp.zoo, sp.nan):
        return False if sp.nan not in (first, second) else None
    names = first.free_symbols | second.free_symbols
    applied = first.atoms(sp.core.function.AppliedUndef) | second.atoms(sp.core.function.AppliedUndef)
    if applied:
        return _with_names(first, second, applied)
    if names:
        return _same_function(first, second, sorted(names, key=str))
    return _same_constant(first, second)


def _with_names(first: sp.Basic, second: sp.Basic, applied: set[sp.Basic]) -> bool | None:
    """Values of unknown functions are names."""
    names = {call: sp.Symbol(f"call {call}") for call in sorted(applied, key=str)}
    return same_expression(first.subs(names), second.subs(names))


def _same_matrix(first: sp.Basic, second: sp.Basic) -> bool | None:
    if not (isinstance(first, sp.MatrixBase) and isinstance(second, sp.MatrixBase)) or first.shape != second.shape:
        return False
    cells = [same_expression(a, b) for a, b in zip(first, second, strict=True)]
    return False if False in cells else None if None in cells else True


def _same_constant(first: sp.Basic, second: sp.Basic) -> bool | None:
    for digits in (_DIGITS, _SURE):
        agree = _agree(first.evalf(digits), second.evalf(digits), digits * 9 // 10)
        if agree is not True:
            return agree
    return True


def _agree(first: sp.Basic, second: sp.Basic, digits: int) -> bool | None:
    """Equal up to a relative error of 10**-digits. None if one is no finite number."""
    if not (_is_finite(first) and _is_finite(second)):
        return None
    size = sp.Max(sp.Abs(first), sp.Abs(second))
    gap = sp.Abs(first - second)
    return bool(gap <= size * sp.Float(10, 15) ** -digits)


def _is_finite(value: sp.Basic) -> bool:
    return bool(
        value.is_number and value.is_finite and all(part.is_Float or part.is_Rational for part in value.as_real_imag())
    )


def _same_function(first: sp.Basic, second: sp.Basic, names: list[sp.Symbol]) -> bool | None:
    """Compare at random points: on both signs where both sides are real there, else where positive."""
    rng = random.Random(f"{first}|{second}")  # nobody can choose a function for the points at which it is tried
    seen = 0
    for number in _SPECIAL:
        if _agree_at(first, second, {name: sp.Rational(number + i, 1) for i, name in enumerate(names)}) is False:
            return False
    scales = (4, 300, 20_000, 1) if _grows_slowly(first) and _grows_slowly(second) else (4, 1)
    for scale, positive in [(scale, positive) for positive in (False, True) for scale in scales]:
        if positive and seen >= _POINTS // 2:
            break
        for _ in range(_POINTS):
            agree = _agree_at(first, second, {name: _draw(rng, scale, positive) for name in names})
            if agree is False:
                return False
            seen += agree is True
    return True if seen and not (_has_jumps(first) or _has_jumps(second)) else _proved(first, second)


def _has_jumps(expression: sp.Basic) -> bool:
    """It may differ from another at single points, which no random point finds: steps, and powers of 0."""
    zero = any(power.base.is_zero and power.exp.free_symbols for power in expression.atoms(sp.Pow))
    return zero or expression.has(sp.floor, sp.ceiling)


def _proved(first: sp.Basic, second: sp.Basic) -> bool | None:
    return True if sp.expand(sp.Add(first, sp.Mul(-1, second))) == 0 else None


def _grows_slowly(expression: sp.Basic) -> bool:
    """No name stands in an exponent or a factorial, so that large arguments are harmless."""
    powers = (power for power in expression.atoms(sp.Pow) if power.exp.free_symbols)
    return not expression.has(sp.exp, sp.factorial, sp.gamma, sp.binomial, sp.sinh, sp.cosh) and not any(powers)


def _draw(rng: random.Random, scale: int, positive: bool) -> sp.Rational:
    bottom = rng.getrandbits(190) | 1 << 190 | 1
    value = sp.Rational(rng.randint(bottom // 100, bottom) * scale, bottom)
    return value if positive or rng.random() < 0.5 else -value


def _agree_at(first: sp.Basic, second: sp.Basic, point: dict[sp.Symbol, sp.Rational]) -> bool | None:
    try:
        left, right = (side.evalf(_DIGITS, subs=point, maxn=_CANCELLED) for side in (first, second))
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):  # SymPy's words for a point that it cannot take
        return None
    if not (_is_finite(left) and _is_finite(right)):
        return None
    if not (first.has(sp.I) or second.has(sp.I) or (left.is_real and right.is_real)):
        return None
    gap, sizes = sp.Abs(left - right), (sp.Abs(left), sp.Abs(right))
    size = sizes[0] if sizes[0] > sizes[1] else sizes[1]
    if size < sp.Rational(1, 10 ** (_CANCELLED // 2)):  # both are 0, but for the rounding
        return True
    return bool(gap <= size * sp.Rational(1, 10**_FINE))
