"""Wrong solutions made from right ones, with the mistakes that small models make.

Guaranteed: the order of the candidates depends on the generator only; the last one always fails,
because it does not define the asked name. No candidate changes what makes a loop end.
Not guaranteed: that the others fail; their tests decide.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator

_BOUNDARY: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
MOST_CHARACTERS = 20_000  # a copy of the tree is made for each place
Mistake = Callable[[ast.AST], bool]


def wrong_constant(node: ast.AST) -> bool:
    """A number is one too large."""
    if not isinstance(node, ast.Constant) or type(node.value) is not int:
        return False
    node.value += 1
    return True


def wrong_comparison(node: ast.AST) -> bool:
    """The boundary of a comparison belongs to the other side, or a test is turned around."""
    if not isinstance(node, ast.Compare) or type(node.ops[0]) not in _BOUNDARY:
        return False
    node.ops[0] = _BOUNDARY[type(node.ops[0])]()
    return True


def forgotten_return(node: ast.AST) -> bool:
    """The result is worked out and not returned."""
    if not isinstance(node, ast.FunctionDef):
        return False
    last = node.body[-1]
    if not isinstance(last, ast.Return) or last.value is None:
        return False
    node.body[-1] = ast.Assign([ast.Name("result", ast.Store())], last.value, lineno=0)
    return True


def unknown_name(node: ast.AST) -> bool:
    """A variable is spelled in another way where it is used."""
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return False
    node.id += "_value"
    return True


MISTAKES: dict[str, Mistake] = {
    "wrong_constant": wrong_constant,
    "wrong_comparison": wrong_comparison,
    "forgotten_return": forgotten_return,
    "unknown_name": unknown_name,
}


def candidates(code: str, entry: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Kinds of mistake and wrong programs: kinds in random order, each at random places."""
    kinds = [*MISTAKES, "syntax_slip"]
    rng.shuffle(kinds)
    if not _is_program(code):
        kinds = ["syntax_slip"]
    for kind in kinds:
        if kind == "syntax_slip":
            yield kind, syntax_slip(code)
            continue
        yield from ((kind, wrong) for wrong in _mutants(code, MISTAKES[kind], rng))
    yield "wrong_entry", wrong_entry(code, entry)


def certain(code: str, entry: str, rng: random.Random) -> tuple[str, str]:
    """A mistake that fails whatever the tests are, for code that must not run here."""
    return rng.choice((("syntax_slip", syntax_slip(code)), ("wrong_entry", wrong_entry(code, entry))))


def syntax_slip(code: str) -> str:
    """The first line of a definition without its colon."""
    lines = code.split("\n")
    for index, line in enumerate(lines):
        if line.startswith(("def ", "class ")) and line.rstrip().endswith(":"):
            lines[index] = line.rstrip()[:-1]
            break
    else:
        lines[0] += " ("
    return "\n".join(lines)


def wrong_entry(code: str, entry: str) -> str:
    """The asked name is written in another way everywhere."""
    return code.replace(entry, f"my_{entry}")


def _is_program(code: str) -> bool:
    """Code that was read from a file may be no program, or one of a size that no reference has."""
    try:
        return len(code) <= MOST_CHARACTERS and bool(ast.parse(code).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _mutants(code: str, mistake: Mistake, rng: random.Random) -> Iterator[str]:
    tree = ast.parse(code)
    places = list(range(sum(1 for _ in ast.walk(tree))))
    rng.shuffle(places)
    for place in places:
        changed = copy.deepcopy(tree)
        node = next(node for index, node in enumerate(ast.walk(changed)) if index == place)
        if mistake(node):
            yield ast.unparse(changed)
