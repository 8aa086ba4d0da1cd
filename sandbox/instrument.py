"""The test's code as the trusted process runs it, made on the host without running any of it.

Guaranteed: what a test compares is compared by the trusted process's own functions: the truth of an assertion, `is`,
`type(x)`, and special methods that compare when called by name. An `except` also catches what stands for the
candidate's own StopIteration and the like; what the test raises itself is told from an error of its own.
Not guaranteed: that a test can be run. What does not parse, or uses names of ours, is None.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

PREFIX = "_sandbox_"
ENDINGS = frozenset({"StopIteration", "StopAsyncIteration", "GeneratorExit", "KeyboardInterrupt", "SystemExit"})
BUILT_IN = frozenset(dir(builtins)) | {"__name__", "__file__"}
_ANY = "*"  # in place of a name of the candidate's: what a function of the test was given
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
_PLAIN_ATTRIBUTES = frozenset(
    name for kind in (str, list, dict, set, tuple, int, float, bytes, complex, frozenset) for name in dir(kind)
)
_COMPARING: dict[str, type[ast.cmpop]] = {
    **{"__eq__": ast.Eq, "__ne__": ast.NotEq, "__lt__": ast.Lt, "__le__": ast.LtE},
    **{"__gt__": ast.Gt, "__ge__": ast.GtE, "__contains__": ast.In},
}


class Instrumented(NamedTuple):
    """Sources (None for one that cannot be run), and what they say about the candidate.

    `names` are those that only the candidate can define, beside its entry point; `objects` those whose values the
    tests use as objects; `looked_at` the exceptions of ENDINGS that are named beyond `except` and `raise`.
    """

    definitions: str | None
    tests: tuple[str | None, ...]
    names: tuple[str, ...]
    objects: tuple[str, ...]
    looked_at: tuple[str, ...]


def instrumented(definitions: str, tests: Sequence[str], entry: str) -> Instrumented:
    """What the trusted process is told. Never raises for what a test says."""
    trees = [_parsed(source) for source in (definitions, *tests)]
    whole = ast.Module([statement for tree in trees if tree is not None for statement in tree.body], [])
    try:
        own = free_names(whole) - {entry, "candidate"}
        objects = _objects(whole, own | {entry, "candidate"})
        looked_at = _looked_at(whole)
    except RecursionError:
        return Instrumented(None, (None,) * len(tests), (), (), ())
    sources = [None if tree is None else _rewritten(tree) for tree in trees]
    return Instrumented(sources[0], tuple(sources[1:]), tuple(sorted(own)), tuple(sorted(objects)), looked_at)


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except _UNREADABLE:
        return None


def _rewritten(tree: ast.Module) -> str | None:
    try:
        return ast.unparse(ast.fix_missing_locations(_Instrument().visit(tree)))
    except _UNREADABLE:
        return None


def free_names(tree: ast.AST) -> set[str]:
    """Names that a source uses and neither it nor Python defines."""
    nodes = list(ast.walk(tree))
    loaded = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return loaded - set(bound_names(nodes)) - BUILT_IN


def bound_names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Names that any of these nodes binds, wherever it stands."""
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]


def _looked_at(tree: ast.AST) -> tuple[str, ...]:
    expected = [node.type for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.type is not None]
    thrown = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]
    harmless = {id(inner) for node in (*expected, *thrown) for inner in ast.walk(node)}
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in harmless)
    return tuple(sorted({name.id for name in names} & ENDINGS))


def _objects(tree: ast.AST, own: set[str]) -> set[str]:
    """Names of the candidate's whose values the tests call, look at, step through or enter."""
    nodes = list(ast.walk(tree))
    given = {node.arg for node in nodes if isinstance(node, ast.arg)} - {"self", "cls"} - own
    roots = dict.fromkeys(given, _ANY)
    for _ in range(3):  # names of names of values
        for target, value in _bindings(nodes):
            if (root := _root(value, own, roots)) is not None:
                roots.update((name.id, root) for name in ast.walk(target) if isinstance(name, ast.Name))
    rebound = {name.id for target, _ in _bindings(nodes) for name in ast.walk(target) if isinstance(name, ast.Name)}
    functions = (own | given) - rebound  # a test may give a value the name of the function that made it
    found = {root for node in nodes if (root := _used(node, own, roots, functions)) is not None}
    found |= {name for name in own if name.lstrip("_")[:1].isupper()}
    return own | found if _ANY in found else found


def _bindings(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((target, value) for target in targets)
            case ast.NamedExpr(target=target, value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                yield target, value
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                yield target, value
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                yield target, value


def _root(node: ast.AST, own: set[str], roots: dict[str, str]) -> str | None:
    """The name of the candidate's whose value, or part of a value, an expression is."""
    while not isinstance(node, ast.Name):
        match node:
            case ast.Call(
                func=ast.Name(id="iter" | "enumerate" | "zip" | "reversed" | "list" | "map"), args=[*_, inner]
            ):
                node = inner
            case ast.Call(func=inner) | ast.Attribute(value=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.Await(value=inner) | ast.Starred(value=inner):
                node = inner
            case _:
                return None
    return node.id if node.id in own else roots.get(node.id)


def _used(node: ast.AST, own: set[str], roots: dict[str, str], functions: set[str]) -> str | None:
    """The root of a value that this node uses as an object, if it does."""
    match node:
        case ast.Call(func=ast.Name(id="next"), args=[inner, *_]):
            return _root(inner, own, roots)
        case ast.Call(func=ast.Name(id=name) as inner) if name not in functions:
            return _root(inner, own, roots)
        case ast.Call(func=ast.Call() | ast.Subscript() as inner):
            return _root(inner, own, roots)
        case ast.Attribute(value=inner, attr=name) if name not in _PLAIN_ATTRIBUTES:
            return _root(inner, own, roots)
        case ast.withitem(context_expr=inner) | ast.Await(value=inner):
            return _root(inner, own, roots)
    return None


class _Instrument(ast.NodeTransformer):
    """Puts the trusted process's functions in."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id.startswith(PREFIX):
            raise ValueError("a name of ours")
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        self.generic_visit(node)
        node.test = _ours("holds", node.test)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if not any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            return node
        if len(node.ops) > 1:
            raise ValueError("'is' in a chain")
        if isinstance(node.comparators[0], ast.Constant) and node.comparators[0].value in (None, True, False):
            return node
        same = _ours("identical", node.left, node.comparators[0])
        return same if isinstance(node.ops[0], ast.Is) else ast.UnaryOp(op=ast.Not(), operand=same)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Name(id="type"), args=[value], keywords=[]):
                return _ours("kind_of", value)
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")))):
                return node
            case ast.Call(func=ast.Attribute(value=left, attr=name), args=[right], keywords=[]) if name in _COMPARING:
                return _comparison(name, left, right)
            case ast.Call(func=ast.Attribute(attr=name), args=[left, right], keywords=[]) if name in _COMPARING:
                return _comparison(name, left, right)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        self.generic_visit(node)
        if node.type is not None:
            node.type = _ours("kinds", node.type)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        self.generic_visit(node)
        if node.exc is not None:
            node.exc = _ours("thrown", node.exc)
        return node


def _comparison(name: str, left: ast.expr, right: ast.expr) -> ast.expr:
    if name == "__contains__":
        left, right = right, left
    return ast.Compare(left=left, ops=[_COMPARING[name]()], comparators=[right])


def _ours(name: str, *arguments: Any) -> ast.Call:
    return ast.Call(func=ast.Name(id=PREFIX + name, ctx=ast.Load()), args=list(arguments), keywords=[])
