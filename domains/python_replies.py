"""Finding the code in a model's reply.

The rule, in its order:

1. Of the fenced blocks that parse as Python and define the name, the last: the final answer. A block that only uses
   the name, compares it, or shows its signature without a body is no definition of it.
2. Else of the fenced blocks in which a definition seems to stand, the last; it does not parse, and its verdict says so.
3. Else the first fenced block.
4. Without any block: the reply itself, if it is Python and defines the name.
5. Else there is no code.

What a fenced block is, and how an ambiguous end of one is decided, stands in `domains.fenced_code`.

Guaranteed: the code is a part of the reply; only the indentation and the marks of block quotes that its lines share
with the fence are taken off, and line ends are made the same. Text without a fenced block that is not Python has no
code. A fence that was never closed (a reply cut at the token limit) counts up to the end.
Not guaranteed: that the code is valid or harmless.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterator

from domains.fenced_code import Reply, without_tokens

_LONGEST_BARE = 20_000  # characters of a reply without a fence that are tried as Python
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")  # of compound statements
_CALLABLE = (ast.Lambda, ast.Name, ast.Attribute, ast.Call, ast.IfExp, ast.Subscript, ast.NamedExpr, ast.BoolOp)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def extract_code(reply: str, entry: str) -> str | None:
    """The code of a reply that is to define `entry`, None if there is none. The module says by which rule."""
    found = Reply(reply)
    if usable := found.usable_blocks(entry, lambda code: defines(code, entry)):
        whole = [code for code in usable if not _is_stub(code, entry)]
        return (whole or usable)[-1]
    if blocks := found.blocks():
        return next((block for block in reversed(blocks) if _seems_to_define(block, entry)), blocks[0])
    bare = without_tokens(reply)
    return bare if len(bare) <= _LONGEST_BARE and defines(bare, entry) else None


def fenced_blocks(reply: str) -> list[str]:
    """Contents of the Markdown code blocks that are not empty; the last may be unclosed."""
    return Reply(reply).blocks()


def defines(code: str, entry: str) -> bool:
    """Whether the code parses and, at its top level, defines a function, class or variable that can be called.

    Definitions under `if`, `try`, `with` or a loop count, and names that are bound to a lambda or to another
    function; comparisons, calls, methods and values such as numbers do not.
    """
    return next(_definitions(code, entry), None) is not None


def _definitions(code: str, entry: str) -> Iterator[ast.stmt]:
    tree = _parsed(code)
    for statement in _top_level(tree) if tree is not None else ():
        if isinstance(statement, _Function | ast.ClassDef):
            if statement.name == entry:
                yield statement
        elif _binds(statement, entry):
            yield statement


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that run when the code is loaded, in order, those in compound statements too."""
    waiting: list[ast.AST] = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        if isinstance(node, _Function | ast.ClassDef):
            continue
        parts = [part for name in _BODIES for part in getattr(node, name, ())]
        if isinstance(node, ast.If) and _asks_for_main(node.test):
            parts = list(node.orelse)  # the code is loaded as a module
        waiting += reversed(parts)


def _asks_for_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _binds(statement: ast.stmt, entry: str) -> bool:
    """Whether the statement binds the name to something that can be called."""
    if isinstance(statement, ast.ImportFrom):
        library = (statement.module or "").partition(".")[0] in sys.stdlib_module_names and not statement.level
        return library and any((alias.asname or alias.name) == entry for alias in statement.names)
    pairs: list[tuple[ast.expr, ast.expr | None]]
    if isinstance(statement, ast.AnnAssign):
        pairs = [(statement.target, statement.value)]
    elif isinstance(statement, ast.Assign):
        pairs = [pair for target in statement.targets for pair in _pairs(target, statement.value)]
    else:
        return False
    return any(isinstance(target, ast.Name) and target.id == entry and _calls(value, entry) for target, value in pairs)


def _pairs(target: ast.expr, value: ast.expr | None) -> list[tuple[ast.expr, ast.expr | None]]:
    if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
        return list(zip(target.elts, value.elts, strict=False))
    return [(target, value)]


def _calls(value: ast.expr | None, entry: str) -> bool:
    """Whether the value may be callable and is not made of the name itself, which is then not defined here."""
    if isinstance(value, ast.Lambda):
        return True
    itself = value is not None and any(isinstance(node, ast.Name) and node.id == entry for node in ast.walk(value))
    return isinstance(value, _CALLABLE) and not itself


def _is_stub(code: str, entry: str) -> bool:
    """Whether every definition is a function without a body."""
    return all(isinstance(found, _Function) and all(map(_is_empty, found.body)) for found in _definitions(code, entry))


def _is_empty(statement: ast.stmt) -> bool:
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass)


def _seems_to_define(code: str, entry: str) -> bool:
    name = re.escape(entry)
    pattern = rf"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+{name}\b|^[ \t]*{name}[ \t]*(?::[^=\n]*)?=(?!=)"
    return re.search(pattern, code, re.MULTILINE) is not None


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
