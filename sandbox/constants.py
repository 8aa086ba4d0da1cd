"""A small evaluator for the host: constants, arithmetic, comprehensions, a few pure functions.

It computes the expected side of a test. Guaranteed: no name outside its lists can be reached, no
attribute but those listed; sizes are measured before an operation is made, and what it takes is
taken from a number of steps, so a hostile text costs little.
Not guaranteed: all of Python. What it does not know is NotConstant.
"""

from __future__ import annotations

import ast
import copy
import math
import operator
import random
import string
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sandbox.constant_costs import (
    MAX_SIZE,
    call_explodes,
    crowded,
    operation_explodes,
    operation_steps,
    read_at_once,
    weight,
)

MAX_STEPS = 200_000
_WEIGHT_PER_STEP = 50

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, box: item in box,
    ast.NotIn: lambda item, box: item not in box,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (abs, all, any, bool, complex, dict, enumerate, float, frozenset, int, len, list)},
    **{f.__name__: f for f in (max, min, range, reversed, round, set, sorted, str, sum, tuple, zip, bytes, chr, ord)},
}
_METHODS = frozenset({"join", "lower", "upper", "replace", "split", "strip", "items", "keys", "values", "count"})
_MODULES: dict[str, dict[str, Any]] = {
    "math": {n: getattr(math, n) for n in ("sqrt", "floor", "ceil", "fabs", "pi", "e", "inf", "nan", "log", "sin")},
    "string": {n: getattr(string, n) for n in ("ascii_lowercase", "ascii_uppercase", "ascii_letters", "digits")},
    "copy": {"copy": copy.copy, "deepcopy": copy.deepcopy},
    "sys": {"getsizeof": sys.getsizeof, "maxsize": sys.maxsize},
}
# What an expression of somebody else's may raise.
FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, MemoryError, RecursionError)


class NotConstant(Exception):
    """The expression uses something that this evaluator does not know or allow."""


class Evaluator:
    """Evaluates expressions in a namespace of plain data. Its `random` is seeded: tests repeat."""

    def __init__(self, names: Mapping[str, Any] | None = None) -> None:
        self.names: dict[str, Any] = dict(names or {})
        self.functions: dict[str, Any] = dict(_FUNCTIONS)
        generator = random.Random(0)
        drawing = {n: getattr(generator, n) for n in ("randint", "choice", "random", "uniform", "randrange")}
        self.modules = _MODULES | {"random": drawing}
        self.imported: set[str] = set()
        self.steps = MAX_STEPS

    def import_(self, statement: ast.Import | ast.ImportFrom) -> None:
        """Make a known module, or known members of one, available. Raises NotConstant."""
        for alias in statement.names:
            if isinstance(statement, ast.Import):
                if alias.name not in self.modules or alias.asname:
                    raise NotConstant(f"import {alias.name}")
                self.imported.add(alias.name)
                continue
            member = self.modules.get(statement.module or "", {}).get(alias.name)
            if member is None:
                raise NotConstant(f"from {statement.module} import {alias.name}")
            self.functions[alias.asname or alias.name] = member

    def value(self, node: ast.expr) -> Any:
        """The value of an expression. Raises NotConstant."""
        try:
            return self._value(node)
        except FAILURES as error:
            raise NotConstant(f"{type(error).__name__}: {error}") from None

    def assign(self, target: ast.expr, value: Any) -> None:
        """Bind a name or a tuple of names. Raises NotConstant."""
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            try:
                pairs = list(zip(target.elts, value, strict=True))
            except (TypeError, ValueError) as error:
                raise NotConstant(str(error)) from None
            for inner, item in pairs:
                self.assign(inner, item)
        else:
            raise NotConstant("assignment to something but a name")

    def spend(self, steps: int = 1) -> None:
        """Count steps. Raises NotConstant when there were too many."""
        self.steps -= steps
        if self.steps < 0:
            raise NotConstant("too many steps")

    def _charged(self, value: Any) -> Any:
        """The value, after its size was paid for: it is new, or an operation goes through it."""
        size = weight(value)
        if size > MAX_SIZE or (isinstance(value, set | frozenset | dict) and crowded(value)):
            raise NotConstant("too large a value")
        self.spend(size // _WEIGHT_PER_STEP)
        return value

    def _keys(self, keys: list[Any]) -> list[Any]:
        """Keys of which a set or a dict can be made."""
        if crowded(keys):
            raise NotConstant("keys that all have one hash")
        return keys

    def _paid(self, node: ast.expr) -> Any:
        """The value of an expression that is gone through: an operand, an argument, a key."""
        return self._charged(self._value(node))

    def _value(self, node: ast.expr) -> Any:
        self.spend()
        method = getattr(self, f"_do_{type(node).__name__}", None)
        if method is None:
            raise NotConstant(type(node).__name__)
        return method(node)

    def _do_Constant(self, node: ast.Constant) -> Any:
        return node.value

    def _do_Name(self, node: ast.Name) -> Any:
        if node.id in self.names:
            return self.names[node.id]
        raise NotConstant(f"the name {node.id}")

    def _do_Tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        return tuple(self._items(node.elts))

    def _do_List(self, node: ast.List) -> list[Any]:
        return self._items(node.elts)

    def _items(self, nodes: list[ast.expr]) -> list[Any]:
        items = [self._value(node) for node in nodes]
        return items if all(isinstance(node, ast.Constant) for node in nodes) else self._charged(items)

    def _do_Set(self, node: ast.Set) -> set[Any]:
        return set(self._keys([self._paid(item) for item in node.elts]))

    def _do_Dict(self, node: ast.Dict) -> dict[Any, Any]:
        if None in node.keys:
            raise NotConstant("** in a dict")
        pairs = zip(node.keys, node.values, strict=True)
        return self._charged({self._paid(k): self._value(v) for k, v in pairs if k is not None})

    def _do_UnaryOp(self, node: ast.UnaryOp) -> Any:
        return _UNARY[type(node.op)](self._value(node.operand))

    def _do_BinOp(self, node: ast.BinOp) -> Any:
        left, right = self._paid(node.left), self._paid(node.right)
        if type(node.op) not in _BINARY or operation_explodes(node.op, left, right):
            raise NotConstant(f"{type(node.op).__name__} with these operands")
        self.spend(operation_steps(left, right))
        return self._charged(_BINARY[type(node.op)](left, right))

    def _do_BoolOp(self, node: ast.BoolOp) -> Any:
        wanted = isinstance(node.op, ast.Or)
        result = None
        for part in node.values:
            result = self._value(part)
            if bool(result) is wanted:
                break
        return result

    def _do_Compare(self, node: ast.Compare) -> bool:
        left = self._paid(node.left)
        for kind, part in zip(node.ops, node.comparators, strict=True):
            right = self._paid(part)
            if type(kind) not in _COMPARE:
                raise NotConstant(type(kind).__name__)
            if not _COMPARE[type(kind)](left, right):
                return False
            left = right
        return True

    def _do_IfExp(self, node: ast.IfExp) -> Any:
        return self._value(node.body if self._value(node.test) else node.orelse)

    def _do_Subscript(self, node: ast.Subscript) -> Any:
        return self._charged(self._value(node.value)[self._paid(node.slice)])

    def _do_Slice(self, node: ast.Slice) -> slice:
        return slice(*(self._value(part) if part else None for part in (node.lower, node.upper, node.step)))

    def _do_Attribute(self, node: ast.Attribute) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id in self.imported:
            members = self.modules[node.value.id]
            if node.attr in members:
                return members[node.attr]
        raise NotConstant(f"the attribute {node.attr}")

    def _do_Call(self, node: ast.Call) -> Any:
        function = self._function(node.func)
        arguments = [self._charged(read_at_once(function, self._paid(part))) for part in node.args]
        named = {part.arg: self._paid(part.value) for part in node.keywords if part.arg}
        if len(named) != len(node.keywords) or "key" in named:
            raise NotConstant("this kind of argument")
        if call_explodes(function, arguments, named):
            raise NotConstant(f"{getattr(function, '__name__', 'a call')} of this size")
        return self._charged(function(*arguments, **named))

    def _function(self, node: ast.expr) -> Callable[..., Any]:
        if isinstance(node, ast.Name) and node.id in self.functions and node.id not in self.names:
            return self.functions[node.id]
        if isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name) and node.value.id in self.imported
        ):
            owner = self._paid(node.value)
            if node.attr in _METHODS and isinstance(owner, str | list | tuple | dict):
                return getattr(owner, node.attr)
        if isinstance(node, ast.Attribute):
            return self._do_Attribute(node)
        raise NotConstant("this function")

    def _do_ListComp(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        made: list[Any] = self._charged([self._value(node.elt) for _ in self._each(node.generators)])
        return made

    _do_GeneratorExp = _do_ListComp

    def _do_SetComp(self, node: ast.SetComp) -> set[Any]:
        return set(self._keys([self._paid(node.elt) for _ in self._each(node.generators)]))

    def _do_DictComp(self, node: ast.DictComp) -> dict[Any, Any]:
        pairs = [(self._paid(node.key), self._value(node.value)) for _ in self._each(node.generators)]
        self._keys([key for key, _ in pairs])
        made: dict[Any, Any] = self._charged(dict(pairs))
        return made

    def _each(self, generators: list[ast.comprehension]) -> Iterator[None]:
        if not generators:
            yield
            return
        outer = dict(self.names)
        for item in self._value(generators[0].iter):
            self.spend()
            self.assign(generators[0].target, item)
            if all(self._value(test) for test in generators[0].ifs):
                yield from self._each(generators[1:])
        self.names = outer
