"""Faults for programs: small changes of the syntax tree, of the kinds that people and models make.

Guaranteed: a changed program parses, differs from the original in the named places only (both as
`ast.unparse` writes them), and depends on the program, the places and nothing else. `Runaway` ends
code of ours that loops or grows: after MOST_LINES lines, or when a local value has over MOST_ELEMENTS
elements.
Not guaranteed: that a change is a fault; the caller's tests decide. Nothing here is for foreign code.
"""

from __future__ import annotations

import ast
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from types import FrameType
from typing import Any

MOST_LINES = 5_000
MOST_ELEMENTS = 10_000
LATER = {"missing_return": 0.5}  # possible in nearly every program and always seen, so that it would come up most

Change = Callable[[], None]  # puts one fault into the tree that it was found in
Sites = list[tuple[ast.AST, Change]]

_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.FloorDiv,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_BOUNDARIES: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
_CALLS = {
    **{"min": "max", "max": "min", "any": "all", "all": "any", "int": "float", "float": "int"},
    **{"upper": "lower", "lower": "upper", "startswith": "endswith", "endswith": "startswith", "strip": "lstrip"},
    **{"lstrip": "rstrip", "rstrip": "lstrip", "ljust": "rjust", "rjust": "ljust", "keys": "values", "values": "keys"},
}
_EXCEPTIONS = {
    **{"ValueError": "TypeError", "TypeError": "ValueError", "KeyError": "IndexError", "IndexError": "KeyError"},
    **{"ZeroDivisionError": "ValueError", "FileNotFoundError": "KeyError", "LookupError": "ArithmeticError"},
    **{"ArithmeticError": "LookupError", "RuntimeError": "ValueError", "OSError": "ValueError"},
}


@dataclass(frozen=True)
class Place:
    """Where a fault of a kind can be put, counted in the order of the tree."""

    kind: str
    index: int
    position: tuple[int, int]  # line and column of the node that changes


@dataclass(frozen=True)
class Faulty:
    """A program with faults in it, and their kinds."""

    code: str
    kinds: tuple[str, ...]
    places: tuple[Place, ...]


def wrong_operator(tree: ast.AST) -> Iterator[tuple[ast.AST, Change]]:
    """`+` for `-`, `and` for `or`, `==` for `!=`, and so on."""
    yield from _exchanged(tree, _OPERATORS)


def wrong_boundary(tree: ast.AST) -> Iterator[tuple[ast.AST, Change]]:
    """`<` for `<=`, `>=` for `>`."""
    yield from _exchanged(tree, _BOUNDARIES)


def off_by_one(tree: ast.AST) -> Iterator[tuple[ast.AST, Change]]:
    """A whole number is one too large or one too small."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            for value in (node.value + 1, node.value - 1):
                yield node, _set(node, "value", value)


def wrong_variable(tree: ast.AST) -> Iterator[tuple[ast.AST, Change]]:
    """Another variable of the function, or another attribute of the object.

    Never the one that the statement assigns, and never in the head of a loop: that could run on for ever.
    """
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            yield from _exchanged_names(function, "id", _variables(function))
    for owner in ast.walk(tree):
        if isinstance(owner, ast.ClassDef):
            yield from _exchanged_names(owner, "attr", _attributes(owner))


def missing_return(tree: ast.AST) -> Iterator[tuple[ast.AST, Change]]:
    """The result is worked out and not returned."""
    for node in ast.walk(tree):
        found = [getattr(node, name, None) for name in ("body", "orelse", "finalbody")]
        for body in [lines for lines in found if isinstance(lines, list)]:
            for index, line in enumerate(body):
                if isinstance(line, ast.Return) and line.value is not None:
                    yield line, _replace(body, index, ast.Expr(line.value))


def wrong_exception(tree: ast.AST) -> Iterator[tuple[ast.AST, Change]]:
    """Another exception is caught or raised; of several that are caught, only the first."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple):
            yield node, _set(node, "type", node.type.elts[0])
        named = node.type if isinstance(node, ast.ExceptHandler) else _raised(node)
        if isinstance(named, ast.Name):
            yield named, _set(named, "id", _EXCEPTIONS.get(named.id, "ValueError"))


def wrong_call(tree: ast.AST) -> Iterator[tuple[ast.AST, Change]]:
    """`min` for `max`, `upper` for `lower`, and so on."""
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        field = {ast.Name: "id", ast.Attribute: "attr"}.get(type(called), "")
        if called is not None and getattr(called, field, "") in _CALLS:
            yield called, _set(called, field, _CALLS[getattr(called, field)])


KINDS: dict[str, Callable[[ast.AST], Iterator[tuple[ast.AST, Change]]]] = {
    finder.__name__: finder
    for finder in (
        *(wrong_operator, wrong_boundary, off_by_one, wrong_variable),
        *(missing_return, wrong_exception, wrong_call),
    )
}


def places(code: str) -> dict[str, list[Place]]:
    """Every place for a fault, by kind."""
    tree = ast.parse(code)
    return {kind: [_place(kind, i, node) for i, (node, _) in enumerate(find(tree))] for kind, find in KINDS.items()}


def put(code: str, chosen: Sequence[Place]) -> str:
    """The program with a fault at each of the places."""
    tree = ast.parse(code)
    changes = [list(KINDS[place.kind](tree))[place.index][1] for place in chosen]  # found before any is made
    for change in changes:
        change()
    return ast.unparse(ast.fix_missing_locations(tree))


def mutants(code: str, fails: Callable[[str], bool], rng: random.Random, faults: int = 1) -> Iterator[Faulty]:
    """Different faulty programs in random order; each fails, and would with any one of its faults alone.

    A program that has no place for so many faults gets none with fewer.
    """
    seen = {tidy(code)}
    failing: list[Place] = []
    for place in _in_turn(code, rng):
        single = put(code, [place])
        if single in seen or not fails(single):
            continue
        seen.add(single)
        chosen = (place,) if faults == 1 else _apart([place, *failing], faults)
        failing.append(place)
        text = single if faults == 1 else put(code, chosen)
        if len(chosen) == faults and (faults == 1 or (text not in seen and fails(text))):
            seen.add(text)
            yield Faulty(text, tuple(one.kind for one in chosen), tuple(chosen))


def tidy(code: str) -> str:
    """The program as `ast.unparse` writes it, so that a faulty one differs from it in its faults alone."""
    return ast.unparse(ast.parse(code))


class Runaway(BaseException):
    """Code of ours ran on or grew; no `Exception`, so that no handler in it catches this."""


@contextmanager
def bounded(filename: str) -> Iterator[None]:
    """Raise Runaway out of code that was compiled under this file name, in this thread."""
    before, lines = sys.gettrace(), 0

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        if lines > MOST_LINES or (event == "line" and any(map(_is_large, frame.f_locals.values()))):
            raise Runaway
        return watch

    sys.settrace(lambda frame, event, _: watch if frame.f_code.co_filename == filename else None)
    try:
        yield
    finally:
        sys.settrace(before)


def _is_large(value: object) -> bool:
    if isinstance(value, int):
        return value.bit_length() > MOST_ELEMENTS
    return isinstance(value, str | bytes | list | tuple | dict | set) and len(value) > MOST_ELEMENTS


def _in_turn(code: str, rng: random.Random) -> list[Place]:
    """The places in random order, the kinds taking turns."""
    rows = {kind: rng.sample(found, len(found)) for kind, found in places(code).items()}
    order = sorted(rows, key=lambda kind: rng.random() + LATER.get(kind, 0.0))
    return [place for row in zip_longest(*(rows[kind] for kind in order)) for place in row if place is not None]


def _apart(found: Sequence[Place], count: int) -> tuple[Place, ...]:
    """The first places that stand apart from each other, at most `count`."""
    chosen: list[Place] = []
    for place in found:
        if len(chosen) < count and all(place.position != other.position for other in chosen):
            chosen.append(place)
    return tuple(chosen)


def _place(kind: str, index: int, node: ast.AST) -> Place:
    return Place(kind, index, (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))


def _set(node: ast.AST, field: str, value: Any) -> Change:
    return lambda: setattr(node, field, value)


def _replace(body: list[Any], index: int, node: ast.stmt) -> Change:
    def change() -> None:
        body[index] = node

    return change


def _exchanged(tree: ast.AST, other: dict[type[ast.AST], type[ast.AST]]) -> Iterator[tuple[ast.AST, Change]]:
    """Operators of a table exchanged for their partners."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in other:
            yield node, _set(node, "op", other[type(node.op)]())
        if isinstance(node, ast.Compare) and type(node.ops[0]) in other:
            yield node, _set(node, "ops", [other[type(node.ops[0])](), *node.ops[1:]])


def _exchanged_names(owner: ast.AST, field: str, names: Sequence[str]) -> Iterator[tuple[ast.AST, Change]]:
    """Uses of one of the names replaced by another one, statement by statement."""
    for statement in ast.walk(owner):
        if not isinstance(statement, ast.stmt) or isinstance(statement, ast.For | ast.While):
            continue
        own = list(_own_nodes(statement))
        assigned = {getattr(node, field, "") for node in own if isinstance(getattr(node, "ctx", None), ast.Store)}
        for node in own:
            used = getattr(node, field, "") if isinstance(getattr(node, "ctx", None), ast.Load) else ""
            for name in names if used in names else ():
                if name != used and name not in assigned:
                    yield node, _set(node, field, name)


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement, without those of the statements inside it."""
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt | ast.excepthandler):
            yield from ast.walk(child)


def _variables(function: ast.FunctionDef) -> list[str]:
    """Parameters and local variables of a function, without `self` and those of comprehensions."""
    inner = {
        name.id
        for node in ast.walk(function)
        if isinstance(node, ast.comprehension)
        for name in ast.walk(node.target)
        if isinstance(name, ast.Name)
    }
    stored = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return sorted(({argument.arg for argument in function.args.args} | stored) - inner - {"self"})


def _attributes(owner: ast.ClassDef) -> list[str]:
    """Attributes that the class assigns."""
    nodes = [node for node in ast.walk(owner) if isinstance(node, ast.Attribute)]
    return sorted({node.attr for node in nodes if isinstance(node.ctx, ast.Store)})


def _raised(node: ast.AST) -> ast.expr | None:
    """The exception's name in a raise statement."""
    if not isinstance(node, ast.Raise):
        return None
    return node.exc.func if isinstance(node.exc, ast.Call) else node.exc
