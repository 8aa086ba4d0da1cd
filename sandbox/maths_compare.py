"""Compare two typed answers. The gold answer's type says how the other one is read.

`compare` gives a Finding: True (equal), False (different) or None (not shown), with the reason.
Types do not mix: a tuple is no set, an open interval no closed one, a list of two no single value.
A unit, a per cent sign, a degree sign or the name before `=` may be missing on one side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from sandbox.maths_answer import Answer, Items, Quantity, Ratio, Region, Relation, Span, Word
from sandbox.maths_build import build, log10
from sandbox.maths_clock import Clock
from sandbox.maths_contracts import Contract
from sandbox.maths_finding import Finding
from sandbox.maths_grammar import Node, number
from sandbox.maths_phrases import NO_SOLUTION
from sandbox.maths_ratios import compare_ratios
from sandbox.maths_relations import chain_value, contradicts_itself, is_name, region, same_relation, value_of
from sandbox.maths_tokens import Refused, TooLarge
from sandbox.maths_units import Unit, parse_unit
from sandbox.maths_values import same_expression, same_value

_CONSTANTS = frozenset(("C", "K", "c", "k", "C_1", "c_1", "C_0", "D", "const"))
_HUGE = 2000.0  # log10 from which a number is larger than any that is worked out


@dataclass(frozen=True)
class _Sides:
    gold: Answer
    answer: Answer
    contract: Contract


def compare(gold: Answer, answer: Answer, contract: Contract) -> Finding:
    """Compare an answer with the gold answer. Raises Refused where one is too large or has no meaning."""
    sides = _Sides(gold, answer, contract)
    if isinstance(gold, Word) or isinstance(answer, Word):
        return _words(gold, answer)
    if isinstance(gold, (Ratio, Clock)) or isinstance(answer, (Ratio, Clock)):
        return compare_ratios(_valued(gold), _valued(answer))
    if isinstance(gold, Relation) or isinstance(answer, Relation):
        return _relations(sides)
    if isinstance(gold, (Span, Region)) or isinstance(answer, (Span, Region)):
        return _regions(gold, answer)
    if isinstance(gold, Items) or isinstance(answer, Items):
        return _lists(sides)
    return _quantities(gold, answer, contract)


def _words(gold: Answer, answer: Answer) -> Finding:
    if isinstance(gold, Word) and isinstance(answer, Word):
        same = plain_words(gold.text) == plain_words(answer.text)
        return Finding(same, "the same words" if same else "other words")
    if any(isinstance(side, Region) and side.operation == "empty" for side in (gold, answer)) and any(
        isinstance(side, Word) and side.text == NO_SOLUTION for side in (gold, answer)
    ):
        return Finding(True, "there is no solution")
    return Finding(False, "one is text, the other a formula")


def plain_words(text: str) -> str:
    """Small letters, digits and signs of arithmetic."""
    return "".join(char for char in text.lower() if char.isalnum() or char in "+-*/^=<>")


def _valued(answer: Answer) -> Answer:
    """What stands behind a name and a sign of equality."""
    value = value_of(answer) if isinstance(answer, Relation) else None
    return quantity(value) if value is not None else answer


def quantity(node: Node) -> Quantity:
    """The value of a tree; degrees are its unit, as where they stand alone."""
    return Quantity(node.parts[0], parse_unit("degree")) if node.kind == "degree" else Quantity(node)


def _all(found: Sequence[bool | None], yes: str, no: str) -> Finding:
    if all(found):
        return Finding(True, yes)
    return Finding(False, no) if False in found else Finding(None, "some parts could not be compared")


def _relations(sides: _Sides) -> Finding:
    gold, answer = sides.gold, sides.answer
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        return _two_relations(gold, answer, sides.contract)
    if isinstance(gold, Relation):
        return _gold_relation(gold, answer, sides.contract)
    assert isinstance(answer, Relation)
    return _answer_relation(gold, answer, sides.contract)


def _two_relations(gold: Relation, answer: Relation, contract: Contract) -> Finding:
    if gold.target is not None and answer.target is not None:
        if gold.signs[0] == "in" and len(gold.parts) == len(answer.parts) and _other_names(gold, answer):
            return Finding(False, "another name")
        return compare(gold.target, answer.target, contract)
    if gold.target is not None or answer.target is not None:
        return _regions(gold, answer)
    named, other = value_of(gold), value_of(answer)
    if gold != answer and contradicts_itself(answer) and _starts_and_ends_otherwise(answer):
        return Finding(None, "the answer gives several values that differ")
    same_name = gold.parts[0] == answer.parts[0] or _same_shape(gold.parts[0], answer.parts[0])
    if named is not None and other is not None and same_name:
        return _quantities(quantity(named), quantity(other), contract)
    found = same_relation(gold, answer)
    return Finding(found, {True: "the same relation", False: "another relation", None: "relations not compared"}[found])


def _starts_and_ends_otherwise(relation: Relation) -> bool:
    """Two plain values are two answers; a slip between a calculation and its result is none."""
    return relation.parts[1].kind in ("num", "neg") and same_value(relation.parts[1], relation.parts[-1]) is False


def _same_shape(gold: Node, answer: Node) -> bool:
    """`W(n) = 1` and `W(x) = 1` name the same constant function; the values decide the rest."""
    if gold.kind != "apply" or answer.kind != "apply" or gold.value != answer.value:
        return False
    return len(gold.parts) == len(answer.parts) and all(part.kind == "sym" for part in (*gold.parts, *answer.parts))


def _other_names(gold: Relation, answer: Relation) -> bool:
    return any(a.kind == b.kind == "sym" and a != b for a, b in zip(gold.parts, answer.parts, strict=True))


def _gold_relation(gold: Relation, answer: Answer, contract: Contract) -> Finding:
    if gold.target is not None:
        return compare(gold.target, answer, contract)
    value = value_of(gold) or (chain_value(gold) if "approx" in gold.signs else None)
    if isinstance(answer, Quantity):
        if value is None:
            return Finding(False, "an equation is wanted, not a value")
        return _quantities(quantity(value), answer, contract)
    return _regions(gold, answer)


def _answer_relation(gold: Answer, answer: Relation, contract: Contract) -> Finding:
    if answer.target is not None:
        return compare(gold, answer.target, contract) if all(map(is_name, answer.parts)) else _regions(gold, answer)
    if isinstance(gold, Quantity):
        if contradicts_itself(answer):
            return Finding(None, "the answer gives several values that differ")
        value = value_of(answer)
        if value is None:
            value = chain_value(answer)
        if value is None:
            return Finding(False, "a value is wanted, not a relation")
        return _quantities(gold, quantity(value), contract)
    return _regions(gold, answer)


def _regions(gold: Answer, answer: Answer) -> Finding:
    if isinstance(gold, Items) and gold.kind == "tuple" and isinstance(answer, Region):
        return Finding(False, "a tuple is wanted")
    symbolic = _symbolic_spans(gold, answer)
    if symbolic is not None:
        return symbolic
    try:
        wanted = region(gold)
        got = region(answer)
    except (NotImplementedError, TypeError, ValueError) as error:  # SymPy's words for sets that it cannot compare
        return Finding(None, f"regions not compared: {error}"[:200])
    except Refused:
        if isinstance(answer, Quantity) or isinstance(gold, Quantity):
            return Finding(False, "a region against a value")
        raise
    if wanted == got or sp.SymmetricDifference(wanted, got) == sp.S.EmptySet:
        return Finding(True, "the same region")
    return Finding(False, "another region or bracket")


def _symbolic_spans(gold: Answer, answer: Answer) -> Finding | None:
    """Intervals compare end by end, so that ends with names can be compared."""
    if not (isinstance(gold, Span) and isinstance(answer, Span)):
        return None
    if (gold.low_closed, gold.high_closed) != (answer.low_closed, answer.high_closed):
        return Finding(False, "another kind of bracket")
    ends = [same_value(gold.low, answer.low), same_value(gold.high, answer.high)]
    return _all(ends, "the same interval", "other ends")


def _lists(sides: _Sides) -> Finding:
    gold, answer = sides.gold, sides.answer
    if not isinstance(gold, Items) or not isinstance(answer, Items):
        return _single_and_list(gold, answer, sides.contract)
    kinds = (gold.kind, answer.kind)
    if "tuple" in kinds and (_inequalities(gold) or _inequalities(answer)):
        return _regions(gold, answer)
    if "tuple" in kinds and "set" in kinds:
        return Finding(False, "a tuple is no set")
    relations = [any(isinstance(item, Relation) for item in side.items) for side in (gold, answer)]
    assigned = relations[0] != relations[1] and not _one_name(gold) and not _one_name(answer)
    if "tuple" in kinds or assigned or sides.contract.kind == "tuple":
        return _in_order(gold, answer, sides.contract)
    if all(relations) and _inequalities(gold) and _inequalities(answer):
        return _regions(gold, answer)
    return _any_order(gold, answer, sides.contract)


def _one_name(side: Items) -> bool:
    """All items say something about the same name, as roots do."""
    names = {str(item.parts[0]) for item in side.items if isinstance(item, Relation)}
    return len(names) == 1 and all(isinstance(item, Relation) for item in side.items)


def _inequalities(side: Items) -> bool:
    return all(isinstance(item, Relation) and set(item.signs) <= {"<", ">", "le", "ge", "ne"} for item in side.items)


def _single_and_list(gold: Answer, answer: Answer, contract: Contract) -> Finding:
    many = gold if isinstance(gold, Items) else answer
    assert isinstance(many, Items)
    if len(many.items) == 1:
        return compare(*((many.items[0], answer) if many is gold else (gold, many.items[0])), contract)
    return Finding(False, f"{len(many.items)} values against one")


def _in_order(gold: Items, answer: Items, contract: Contract) -> Finding:
    if len(gold.items) != len(answer.items):
        return Finding(False, f"{len(answer.items)} parts, not {len(gold.items)}")
    names = [str(item.parts[0].value) for item in answer.items if isinstance(item, Relation)]
    if names != sorted(names) and not any(isinstance(item, Relation) for item in gold.items):
        return Finding(None, "the order of the names is not that of the alphabet")
    found = [compare(a, b, contract).equal for a, b in zip(gold.items, answer.items, strict=True)]
    return _all(found, "the same parts in the same order", "a part differs")


def _any_order(gold: Items, answer: Items, contract: Contract) -> Finding:
    """Lists of values item by item, however often one is in them; as sets what is written as a set, and solutions."""
    solutions = all(isinstance(item, (Items, Relation)) for side in (gold, answer) for item in side.items)
    if "set" not in (gold.kind, answer.kind) and not solutions:
        return _matched(gold, answer, contract)
    if gold.kind == "list" and answer.kind == "set" and len(gold.items) > len(answer.items):
        return Finding(False, "values of the list are missing")
    each: Callable[[Answer, Answer], bool | None] = lambda a, b: compare(a, b, contract).equal  # noqa: E731
    found = [_best([each(a, b) for b in answer.items]) for a in gold.items]
    found += [_best([each(a, b) for a in gold.items]) for b in answer.items]
    return _all(found, "the same items", "an item is missing or too many")


def _matched(gold: Items, answer: Items, contract: Contract) -> Finding:
    """Each item of one list with one of the other. Equality is transitive, so that any equal item will do."""
    if len(gold.items) != len(answer.items):
        return Finding(False, f"{len(answer.items)} values, not {len(gold.items)}")
    left = list(answer.items)
    open_ = False
    for item in gold.items:
        found = [compare(item, other, contract).equal for other in left]
        if True in found:
            del left[found.index(True)]
        elif None in found:
            open_ = True
        else:
            return Finding(False, "an item is missing or too many")
    return Finding(None, "some parts could not be compared") if open_ else Finding(True, "the same items")


def _best(found: Sequence[bool | None]) -> bool | None:
    return True if True in found else None if None in found else False


def _quantities(gold: Answer, answer: Answer, contract: Contract) -> Finding:
    if not (isinstance(gold, Quantity) and isinstance(answer, Quantity)):
        return Finding(False, "other kinds of answer")
    if contract.kind == "unit" and gold.unit is not None and answer.unit is None:
        return Finding(False, "the unit is missing")
    try:
        return _with_units(gold, answer, contract)
    except TooLarge as error:
        return _far_apart(gold.node, answer.node, error)


def _with_units(gold: Quantity, answer: Quantity, contract: Contract) -> Finding:
    known = gold.unit and answer.unit and gold.unit.dimensions and answer.unit.dimensions
    if not known and any(unit is not None and not unit.certain for unit in (gold.unit, answer.unit)):
        return _uncertain(gold, answer, contract)
    if gold.percent != answer.percent and (gold.unit or answer.unit):
        return Finding(False, "per cent against a unit")
    if gold.unit is None or answer.unit is None:
        return _with_percent(gold, answer, contract)
    factors = _conversion(gold.unit, answer.unit)
    if factors is None:
        same = _rate_of(gold.unit, answer.unit) and _numbers(gold.node, answer.node, contract).equal
        return Finding(None if same else False, "units of different kinds")
    left, right = (Node("mul", (side.node, number(f))) for side, f in zip((gold, answer), factors, strict=True))
    if gold.unit.factor == answer.unit.factor:
        left, right = gold.node, answer.node
    found = _numbers(left, right, contract)
    known = gold.unit.dimensions and answer.unit.dimensions
    if found.equal and not known and gold.unit.label != answer.unit.label:
        return Finding(None, f"the units '{gold.unit.label}' and '{answer.unit.label}' are not known")
    return found


def _uncertain(gold: Quantity, answer: Quantity, contract: Contract) -> Finding:
    """Words behind a number that may change it: the same words make the same change, others show nothing."""
    if gold.unit is not None and answer.unit is not None and gold.unit.label == answer.unit.label:
        return _numbers(gold.node, answer.node, contract)
    label = next(u.label for u in (gold.unit, answer.unit) if u is not None and not u.certain)
    return Finding(None, f"'{label}' may change the value of the number before it")


def _rate_of(gold: Unit, answer: Unit) -> bool:
    """Dollars against dollars per day: what is measured per what may be left out."""
    left, right = ({pair for pair in unit.dimensions if pair[1] > 0} for unit in (gold, answer))
    return left == right and (len(gold.dimensions) == len(left) or len(answer.dimensions) == len(right))


def _conversion(gold: Unit, answer: Unit) -> tuple[int | Fraction, int | Fraction] | None:
    if gold.dimensions and answer.dimensions and gold.dimensions != answer.dimensions:
        return None
    if gold.dimensions and answer.dimensions:
        return gold.factor, answer.factor
    return 1, 1


def _with_percent(gold: Quantity, answer: Quantity, contract: Contract) -> Finding:
    found = _numbers(gold.node, answer.node, contract)
    if found.equal is False and (gold.compound or answer.compound):
        return Finding(None, "several units against none")
    if found.equal or gold.percent == answer.percent:
        return found if found.equal is not False else _as_radians(gold, answer, found)
    left, right = (Node("div", (q.node, number(100))) if q.percent else q.node for q in (gold, answer))
    return _numbers(left, right, contract)


def _as_radians(gold: Quantity, answer: Quantity, found: Finding) -> Finding:
    """60° is π/3 where the other side is written with π."""
    degrees = [q.unit is not None and q.unit.dimensions == (("angle", 1),) for q in (gold, answer)]
    if degrees[0] == degrees[1]:
        return found
    left, right = (Node("degree", (q.node,)) if d else q.node for q, d in zip((gold, answer), degrees, strict=True))
    if not build(right if degrees[0] else left).has(sp.pi):
        return found
    return Finding(same_value(left, right), "degrees against radians")


def _numbers(gold: Node, answer: Node, contract: Contract) -> Finding:
    found = same_value(gold, answer, contract.digits, contract.floats)
    if found is False and _differ_by_constant_name(gold, answer):
        return Finding(True, "antiderivatives with another name of the constant")
    words = {True: "the same value", False: "another value", None: "no point where both are defined"}
    return Finding(found, words[found])


def _differ_by_constant_name(gold: Node, answer: Node) -> bool:
    """F(x) + C and F(x) + K. The gold answer's constant has to be written as that of an antiderivative."""
    left, right = build(gold), build(answer)
    if isinstance(left, sp.MatrixBase) or isinstance(right, sp.MatrixBase):
        return False
    own, other = left.free_symbols - right.free_symbols, right.free_symbols - left.free_symbols
    if len(own) != 1 or len(other) != 1 or not left.free_symbols & right.free_symbols:
        return False
    first, second = own.pop(), other.pop()
    if str(first) not in ("C", "K", "C_1", "C_0", "C_2") or str(second) not in _CONSTANTS:
        return False
    if sp.diff(left, first) != 1 or sp.diff(right, second) != 1:
        return False
    return bool(same_expression(left, right.subs(second, first)))


def _far_apart(gold: Node, answer: Node, error: TooLarge) -> Finding:
    """A number too large to work out against one that is not: different, if it is known how large."""
    sizes = []
    for node in (gold, answer):
        size = log10(node)
        sizes.append(size if size is not None else _plain_size(node))
    if None in sizes:
        return Finding(None, str(error))
    small, large = sorted(size for size in sizes if size is not None)
    if large >= _HUGE and small < _HUGE / 2:
        return Finding(False, f"{error}: far larger than the other side")
    return Finding(None, str(error))


def _plain_size(node: Node) -> float | None:
    try:
        value = abs(build(node).evalf(15))
    except TooLarge:
        return None
    if not value.is_number or not value.is_finite:
        return None
    return float(sp.log(value, 10)) if value else 0.0
