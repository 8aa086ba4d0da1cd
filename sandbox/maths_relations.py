"""Equations, inequalities and regions of the real line.

Two equations are the same if one is a constant multiple of the other; two inequalities likewise,
with a positive constant. Regions are SymPy sets of intervals with exact ends, so the type of each
bracket counts.
"""

from __future__ import annotations

import sympy as sp

from sandbox.maths_answer import Answer, Items, Quantity, Region, Relation, Span
from sandbox.maths_build import build, rational
from sandbox.maths_grammar import Node
from sandbox.maths_tokens import Refused
from sandbox.maths_values import same_expression, same_value

_FLIP = {"<": ">", ">": "<", "le": "ge", "ge": "le", "=": "=", "ne": "ne"}
_ORDER = ("<", ">", "le", "ge")


def is_name(node: Node) -> bool:
    """Whether a left side names a quantity: x, a_3, f(x), |AB|, NO/BO, a product of points."""
    if node.kind in ("sym", "apply"):
        return True
    if node.kind == "call":
        return all(is_name(part) for part in node.parts)
    if node.kind in ("abs", "prime"):
        return is_name(node.parts[0])
    if node.kind == "matrix":
        return all(cell.kind == "sym" for row in node.parts for cell in row)
    if node.kind == "mul":
        return all(_is_points(part) for part in node.parts)
    return node.kind == "div" and all(_is_points(part) for part in node.parts)


def _is_points(node: Node) -> bool:
    if node.kind == "sym":
        return str(node.value)[:1].isupper() or str(node.value).startswith("bar")
    return node.kind == "mul" and all(_is_points(part) for part in node.parts)


def value_of(relation: Relation) -> Node | None:
    """What a chain says about its name: the last part before ≈. None where nothing is named."""
    signs = [sign for sign in relation.signs if sign != "approx"]
    if set(signs) != {"="} or relation.target is not None:
        return None
    last = relation.signs.index("approx") if "approx" in relation.signs else len(relation.signs)
    return relation.parts[last] if is_name(relation.parts[0]) and last > 0 else None


def chain_value(relation: Relation) -> Node | None:
    """The value of a chain of numbers that are all equal, such as 2+3=5. None for any other."""
    if set(relation.signs) - {"=", "approx"} or relation.target is not None:
        return None
    last = relation.signs.index("approx") if "approx" in relation.signs else len(relation.signs)
    parts = relation.parts[: last + 1]
    if not all(same_value(parts[0], part) for part in parts[1:]):
        return None
    if len(relation.parts) > last + 1 and not _is_near(parts[-1], relation.parts[last + 1]):
        return None
    return parts[-1]


def contradicts_itself(relation: Relation) -> bool:
    """Whether a chain that names a quantity gives it values that differ, as x = 1 = 2 does."""
    if relation.target is not None or not is_name(relation.parts[0]) or set(relation.signs) - {"=", "approx"}:
        return False
    values = relation.parts[1:]
    for left, sign, right in zip(values, relation.signs[1:], values[1:], strict=False):
        if sign == "=" and same_value(left, right) is False:
            return True
        if sign == "approx" and _is_exact(left) and same_value(left, right) is False:
            return True
    return False


def _is_exact(node: Node) -> bool:
    """A whole number or a decimal needs no approximation: what follows ≈ is another value."""
    value = rational(node)
    return value is not None and node.kind in ("num", "neg")


def _is_near(exact: Node, rounded: Node) -> bool:
    """Whether a value is rounded in its last place; anything that is no decimal has to be the same value."""
    leaf = rounded.parts[0] if rounded.kind == "neg" else rounded
    value = rational(rounded)
    if leaf.kind != "num" or not leaf.parts or value is None or _is_exact(exact):
        return same_value(exact, rounded) is not False
    places = len(leaf.parts[0].partition(".")[2])
    gap = abs(build(exact) - sp.Rational(value.numerator, value.denominator)).evalf(30)
    return bool(gap.is_number and gap.is_real and gap <= sp.Rational(11, 10) / 10**places)


def short(relation: Relation) -> Relation:
    """A chain of equalities as first = last."""
    if len(relation.parts) > 2 and set(relation.signs) == {"="}:
        return Relation((relation.parts[0], relation.parts[-1]), ("=",))
    return relation


def same_relation(gold: Relation, answer: Relation) -> bool | None:
    """Whether two relations without ∈ say the same. Raises Refused."""
    gold, answer = short(gold), short(answer)
    if len(gold.signs) != len(answer.signs):
        return _same_as_regions(gold, answer)
    if len(gold.signs) > 1:
        return _same_chain(gold, answer)
    left, right = _difference(gold), _difference(answer)
    if gold.signs[0] not in _FLIP or answer.signs[0] not in _FLIP:
        return None
    direct = _multiple(left, right)
    if direct is None:
        return _same_as_regions(gold, answer)
    if gold.signs[0] in ("=", "ne"):
        return answer.signs == gold.signs
    return answer.signs[0] == (gold.signs[0] if direct > 0 else _FLIP[gold.signs[0]])


def _difference(relation: Relation) -> sp.Basic:
    left, right = (build(part) for part in relation.parts)
    if isinstance(left, sp.MatrixBase) or isinstance(right, sp.MatrixBase):
        raise Refused("an equation of matrices")
    return sp.Add(left, sp.Mul(-1, right))


def _multiple(left: sp.Basic, right: sp.Basic) -> sp.Basic | None:
    """The real constant c with right = c · left, if there is one and it is not 0."""
    names = sorted(left.free_symbols | right.free_symbols, key=str)
    if left.free_symbols != right.free_symbols:
        return None
    for number in (3, 5, 7, 11):
        point = {name: sp.Rational(number + 2 * index, 13 + index) for index, name in enumerate(names)}
        bottom, top = left.subs(point), right.subs(point)
        if bottom.is_number and top.is_number and bottom.evalf(20) and top.evalf(20):
            constant = (
                sp.nsimplify(sp.Mul(top, sp.Pow(bottom, -1)))
                if top.is_Rational and bottom.is_Rational
                else top / bottom
            )
            if not constant.is_real:
                return None
            return constant if same_expression(sp.Mul(constant, left), right) else None
    return None


def _same_chain(gold: Relation, answer: Relation) -> bool | None:
    for parts, signs in (
        (answer.parts, answer.signs),
        (answer.parts[::-1], tuple(_FLIP.get(sign, "") for sign in reversed(answer.signs))),
    ):
        if signs == gold.signs and all(same_value(g, a) for g, a in zip(gold.parts, parts, strict=True)):
            return True
    return _same_as_regions(gold, answer)


def _same_as_regions(gold: Relation, answer: Relation) -> bool | None:
    if variable(gold) != variable(answer):
        return False
    if all(relation.signs == ("=",) for relation in (gold, answer)):
        return False
    try:
        return region(gold) == region(answer)
    except Refused:
        return False if gold.signs != answer.signs else None


def variable(relation: Relation) -> str | None:
    """The name that a relation is about, if it is one."""
    names = {str(symbol) for part in relation.parts for symbol in build(part).free_symbols}
    return names.pop() if len(names) == 1 else None


def region(answer: Answer) -> sp.Set:
    """The set of real numbers that an answer describes. Raises Refused if it describes none."""
    if isinstance(answer, Span):
        return _interval(answer)
    if isinstance(answer, Items):
        return _of_items(answer)
    if isinstance(answer, Relation):
        return _of_relation(answer)
    if isinstance(answer, Region):
        return _of_region(answer)
    raise Refused("no region of the real line")


def _interval(span: Span) -> sp.Set:
    low, high = _end(span.low), _end(span.high)
    return sp.Interval(low, high, not span.low_closed, not span.high_closed)


def _end(node: Node) -> sp.Basic:
    value = sp.nsimplify(build(node)) if node.kind == "num" else build(node)
    if not value.is_extended_real:
        raise Refused("an end of an interval that is not a number")
    return sp.radsimp(value) if value.is_finite else value


def _of_items(answer: Items) -> sp.Set:
    if answer.kind == "tuple" and len(answer.items) == 2:
        nodes = [item.node for item in answer.items if isinstance(item, Quantity)]
        if len(nodes) == 2:
            return sp.Interval.open(*(_end(node) for node in nodes))
    if answer.kind == "tuple":
        raise Refused("a tuple is no region")
    if all(isinstance(item, Quantity) for item in answer.items):
        return sp.FiniteSet(*(_end(item.node) for item in answer.items if isinstance(item, Quantity)))
    return _of_several([region(item) for item in answer.items], answer.joiner)


def _of_several(parts: list[sp.Set], joiner: str) -> sp.Set:
    """`or` is a union; `and` or a comma too, if the parts have nothing in common."""
    common = sp.Intersection(*parts)
    if joiner == "or" or common == sp.S.EmptySet:
        return sp.Union(*parts)
    return common


def _of_region(answer: Region) -> sp.Set:
    if answer.operation == "reals":
        return sp.S.Reals
    if answer.operation == "empty":
        return sp.S.EmptySet
    parts = [region(part) for part in answer.parts]
    if answer.operation == "cup":
        return sp.Union(*parts)
    if answer.operation == "cap":
        return sp.Intersection(*parts)
    return parts[0] - sp.Union(*parts[1:])


def _of_relation(answer: Relation) -> sp.Set:
    if answer.target is not None:
        return region(answer.target)
    parts = []
    for left, sign, right in zip(answer.parts, answer.signs, answer.parts[1:], strict=False):
        parts.append(_half_line(left, sign, right))
    return sp.Intersection(*parts) if len(parts) > 1 else parts[0]


def _half_line(left: Node, sign: str, right: Node) -> sp.Set:
    if right.kind == "sym" and left.kind != "sym":
        left, sign, right = right, _FLIP.get(sign, ""), left
    bound = build(right)
    if left.kind != "sym" or left.value in ("e", "i") or not bound.is_extended_real or sign not in _FLIP:
        return _solved(left, sign, right)
    bound = _end(right)
    if sign == "=":
        return sp.FiniteSet(bound)
    if sign == "ne":
        return sp.S.Reals - sp.FiniteSet(bound)
    if sign in ("<", "le"):
        return sp.Interval(-sp.oo, bound, True, sign == "<" or bound == sp.oo)
    return sp.Interval(bound, sp.oo, sign == ">" or bound == -sp.oo, True)


def _solved(left: Node, sign: str, right: Node) -> sp.Set:
    """Linear and quadratic inequalities in one name, solved exactly."""
    difference = sp.expand(sp.Add(build(left), sp.Mul(-1, build(right))))
    names = list(difference.free_symbols)
    polynomial = difference.replace(sp.Abs, lambda inner: inner)
    if len(names) != 1 or sign not in (*_ORDER, "ne", "=") or not polynomial.is_polynomial(*names):
        raise Refused("a relation that is not solved here")
    if sp.degree(polynomial, names[0]) > 2:
        raise Refused("a relation of a degree above 2")
    makers = {"<": sp.Lt, ">": sp.Gt, "le": sp.Le, "ge": sp.Ge, "ne": sp.Ne, "=": sp.Eq}
    real = sp.Symbol("t", real=True)
    return makers[sign](difference.subs(names[0], real), 0).as_set()
