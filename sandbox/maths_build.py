"""From a tree to SymPy, after its size has been bounded.

Guaranteed: no text reaches SymPy other than the names of symbols; no integer of more than MAX_BITS
bits is made: powers, factorials and binomials are measured before they are worked out (TooLarge).
"""

from __future__ import annotations

import math
from fractions import Fraction

import sympy as sp

from sandbox.maths_grammar import Node
from sandbox.maths_tokens import Refused, TooLarge

MAX_BITS = 100_000
MAX_FACTORIAL = 1_500
_ORDER = 40
_CALLS = {
    "sin": sp.sin, "cos": sp.cos, "tan": sp.tan, "cot": sp.cot, "sec": sp.sec, "csc": sp.csc,
    "arcsin": sp.asin, "arccos": sp.acos, "arctan": sp.atan, "arccot": sp.acot, "arcsec": sp.asec, "arccsc": sp.acsc,
    "sinh": sp.sinh, "cosh": sp.cosh, "tanh": sp.tanh, "arcsinh": sp.asinh, "arccosh": sp.acosh, "arctanh": sp.atanh,
    "ln": sp.log, "exp": sp.exp, "floor": sp.floor, "ceiling": sp.ceiling,
}  # fmt: skip
_NAMES = {"e": sp.E, "i": sp.I}


def rational(node: Node) -> Fraction | None:
    """Exact value of a tree that has only numbers and + - · / and small powers; None for others."""
    if node.kind == "num":
        return Fraction(node.value)
    if node.kind not in ("neg", "add", "mul", "div", "pow"):
        return None
    parts = [rational(part) for part in node.parts]
    values = [part for part in parts if part is not None]
    if len(values) != len(parts):
        return None
    return _arithmetic(node.kind, values)


def _arithmetic(kind: str, values: list[Fraction]) -> Fraction | None:
    if kind == "neg":
        return -values[0]
    if kind == "add":
        return sum(values, Fraction(0))
    if kind == "mul":
        return values[0] * values[1]
    if kind == "div":
        return values[0] / values[1] if values[1] else None
    base, exponent = values
    if exponent.denominator != 1 or abs(exponent) * max(_bits(base), 1) > MAX_BITS or (base == 0 and exponent <= 0):
        return None
    return base ** int(exponent)


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def log10(node: Node) -> float | None:
    """A lower bound of log10 of a positive number that may be far too large to work out, else None."""
    value = rational(node)
    if value is not None:
        return math.log10(value.numerator) - math.log10(value.denominator) if value > 0 else None
    if node.kind not in ("fact", "pow", "mul"):
        return None
    sizes = [log10(part) for part in node.parts]
    known = [size for size in sizes if size is not None]
    return _log_of(node.kind, known) if len(known) == len(sizes) else None


def _log_of(kind: str, sizes: list[float]) -> float | None:
    if kind == "fact":
        return math.inf if sizes[0] > 300 else _log_factorial(10.0 ** sizes[0])
    if kind == "mul":
        return sum(sizes)
    base, exponent = sizes
    if base <= 0:
        return None
    return math.inf if exponent > 300 else base * 10.0**exponent


def _log_factorial(n: float) -> float:
    return math.lgamma(n + 1) / math.log(10) if n < 1e300 else math.inf


def build(node: Node) -> sp.Basic:
    """The SymPy object of a tree. Raises TooLarge, Refused."""
    value = rational(node)
    if value is not None:
        return sp.Rational(value.numerator, value.denominator)
    if node.kind in ("sym", "const"):
        return _leaf(node)
    if node.kind == "matrix":
        return sp.ImmutableMatrix([[build(cell) for cell in row] for row in node.parts])
    if node.kind in ("add", "mul", "div", "neg"):
        return _combined(node)
    if node.kind == "apply":
        return sp.Function(node.value)(*(build(part) for part in node.parts))
    makers = {
        "pow": _power, "fact": _factorial, "binom": _binomial, "root": _root, "call": _call, "degree": _degree,
        "abs": _absolute, "det": _determinant,
    }  # fmt: skip
    if node.kind not in makers:
        raise Refused({"pm": "± stands inside an expression", "prime": "a derivative"}.get(node.kind, node.kind))
    return makers[node.kind](node)


def _leaf(node: Node) -> sp.Basic:
    if node.kind == "const":
        return sp.pi if node.value == "pi" else sp.oo
    return _NAMES.get(node.value) or sp.Symbol(node.value)


def _combined(node: Node) -> sp.Basic:
    parts = [build(part) for part in node.parts]
    if any(isinstance(part, sp.MatrixBase) for part in parts):
        return _of_matrices(node.kind, parts)
    if node.kind == "add":
        return sp.Add(*parts)
    if node.kind == "mul":
        return sp.Mul(*parts)
    if node.kind == "neg":
        return sp.Mul(-1, parts[0])
    return sp.Mul(parts[0], sp.Pow(parts[1], -1))


def _of_matrices(kind: str, parts: list[sp.Basic]) -> sp.Basic:
    if kind == "neg":
        return -1 * parts[0]
    if kind == "div" and not isinstance(parts[1], sp.MatrixBase):
        return parts[0] * sp.Pow(parts[1], -1)
    try:
        return parts[0] + parts[1] if kind == "add" else parts[0] * parts[1]
    except (sp.matrices.exceptions.ShapeError, TypeError) as error:
        raise Refused("matrices that do not fit together") from error


def _power(node: Node) -> sp.Basic:
    exponent = build(node.parts[1])
    if exponent.is_Rational and abs(exponent) > 100_000:
        raise TooLarge("an exponent above 100000", log10(node))
    base = build(node.parts[0])
    if isinstance(base, sp.MatrixBase):
        if exponent == sp.Symbol("T"):
            return base.T
        if not exponent.is_Integer or abs(exponent) > _ORDER:
            raise Refused("a power of a matrix that is not a small whole number")
        return base ** int(exponent)
    if base.is_number and exponent.is_number:
        power = abs(sp.re(exponent.evalf(15)))
        if power.is_number and (power > 100_000 or _size(base) * power > MAX_BITS):
            raise TooLarge(f"a power of more than {MAX_BITS} bits", log10(node))
    return sp.Pow(base, exponent)


def _size(base: sp.Basic) -> float:
    if base.is_Rational:
        return max(int(base.p).bit_length(), int(base.q).bit_length()) if base not in (0, 1, -1) else 0
    if not base.is_number or base in (sp.E, sp.pi, sp.I):
        return 0
    return sum(_size(part) for part in base.args if part.is_Rational) + 1


def _factorial(node: Node) -> sp.Basic:
    value = build(node.parts[0])
    if value.is_Integer:
        if value > MAX_FACTORIAL:
            raise TooLarge(f"a factorial above {MAX_FACTORIAL}!", log10(node))
        return sp.factorial(value)
    if value.is_number:
        raise Refused("the factorial of something that is not a whole number")
    return sp.factorial(value)


def _binomial(node: Node) -> sp.Basic:
    top, bottom = (build(part) for part in node.parts)
    if top.is_Integer and bottom.is_Integer and (abs(top) > 10_000 or abs(bottom) > MAX_FACTORIAL):
        raise TooLarge("a binomial coefficient of large numbers")
    return sp.binomial(top, bottom)


def _root(node: Node) -> sp.Basic:
    inner, index = (build(part) for part in node.parts)
    if index == 0 or (index.is_Rational and abs(index) > 1000):
        raise Refused("the index of a root is too large or zero")
    if index.is_Integer and index % 2 == 1 and inner.is_Rational and inner < 0:
        return sp.Mul(-1, sp.Pow(-inner, sp.Pow(index, -1)))
    return sp.Pow(inner, sp.Pow(index, -1))


def _call(node: Node) -> sp.Basic:
    argument = build(node.parts[0])
    if node.value in ("log", "lg"):
        base = build(node.parts[1]) if len(node.parts) > 1 else sp.Integer(10) if node.value == "lg" else None
        return sp.log(argument) if base is None else sp.Mul(sp.log(argument), sp.Pow(sp.log(base), -1))
    if node.value not in _CALLS:
        raise Refused(f"the function {node.value} is not read")
    if node.value == "exp" and argument.is_Rational and abs(argument) > 100_000:
        raise TooLarge("an exponent above 100000")
    if argument.is_Rational and max(int(argument.p).bit_length(), int(argument.q).bit_length()) > 2000:
        raise TooLarge("a function of a very large number")
    return _CALLS[node.value](argument)


def _degree(node: Node) -> sp.Basic:
    return sp.Mul(build(node.parts[0]), sp.pi, sp.Rational(1, 180))


def _absolute(node: Node) -> sp.Basic:
    inner = build(node.parts[0])
    return inner.det() if isinstance(inner, sp.MatrixBase) else sp.Abs(inner)


def _determinant(node: Node) -> sp.Basic:
    inner = build(node.parts[0])
    return inner.det()
