"""Tests written as asserts, rewritten to (call, expected) so that expectations stay on the host.

Guaranteed: text of a test is parsed, never executed, on the host, and none makes this module raise;
the expected side is computed by `sandbox.constants`. A submission with a test that cannot be
expressed so is given the style "trusted", in which a process of its own runs the test
(sandbox/trusted.py); what that cannot do either is `unsupported_test`: ungraded, never wrong.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sandbox.constants import FAILURES, Evaluator, NotConstant
from sandbox.instrument import bound_names
from sandbox.nouns import Comparison, Limits, Submission, TestCase
from sandbox.values import ValueProblem, encode

MAX_TESTS = 2000
_MOST_REASONS = 20  # why a test is not unrolled: the first would do
_CHARACTERS_PER_STEP = 5  # of values that are written into calls, over and over in a loop
_BUILT_IN = frozenset(dir(builtins))
# Functions that may stand around a call where the candidate runs: what they give still has to equal a value that is
# known to the host alone. `bool` is none of them, since one of its two answers is easily guessed.
_WRAPPERS = frozenset({"set", "sorted", "tuple", "list", "len", "abs", "sum", "round", "str", "dict", "float", "int"})
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


class Rewritten(NamedTuple):
    """What became of a test text."""

    tests: tuple[TestCase, ...]
    unsupported: tuple[str, ...]


class _Expected(NamedTuple):
    """The host's half of one test."""

    value: Any
    comparison: Comparison = "exact"
    tolerance: float = 1e-6


def submission_from_humaneval(row: Mapping[str, Any], completion: str, limits: Limits | None = None) -> Submission:
    """A HumanEval row and a completion (a function body, or a whole program) as a submission."""
    entry = str(row["entry_point"])
    whole = re.search(rf"^(async\s+)?def\s+{re.escape(entry)}\b|^{re.escape(entry)}\s*=", completion, re.MULTILINE)
    code = f"{row['prompt']}\n\n{completion}" if whole else f"{row['prompt']}{completion}"
    submission = Submission(id=str(row["task_id"]), code=code, tests=(), entry_point=entry, limits=limits or Limits())
    tests, unsupported = rewrite_check(str(row["test"]), entry)
    if not unsupported:
        return submission.model_copy(update={"tests": tests})
    # The prompt defines what the test needs beside the function, whose body in it is only its docstring.
    definitions = f"{_complete(str(row['prompt']))}\n{row['test']}"
    return _trusted(submission, definitions, ["check(candidate)"], unsupported)


def _complete(prompt: str) -> str:
    """The prompt, with a body for a last function that has not even a docstring."""
    bodies = ("", "\n    pass", "\n        pass", "\n\tpass")
    return next((prompt + body for body in bodies if _parses(prompt + body)), prompt)


def submission_from_mbpp(row: Mapping[str, Any], completion: str, limits: Limits | None = None) -> Submission:
    """An MBPP row and a whole program as a submission."""
    lines = [str(line) for line in row["test_list"]]
    setup = str(row.get("test_setup_code") or "")
    imports = "\n".join(str(line) for line in row.get("test_imports") or ())
    submission = Submission(
        id=f"MBPP/{row['task_id']}",
        # The official programs run all in one namespace, in which a function finds what the tests import.
        code=f"{completion}\n\n{imports}" if imports else completion,
        tests=(),
        entry_point=tested_function(lines, f"{imports}\n{setup}"),
        limits=limits or Limits(),
    )
    tests, unsupported = rewrite_asserts(lines, setup=setup, imports=imports)
    if not unsupported:
        return submission.model_copy(update={"tests": tests})
    return _trusted(submission, f"import math\n{imports}\n{setup}", lines, unsupported)


def _trusted(submission: Submission, definitions: str, tests: list[str], unsupported: tuple[str, ...]) -> Submission:
    """The style for tests that cannot be rewritten; without a function to call it stays unsupported."""
    sources = [definitions, *tests]
    if submission.entry_point is None or not all(map(_parses, sources)):
        return submission.model_copy(update={"unsupported": unsupported})
    cases = tuple(TestCase(call=test) for test in tests)
    return submission.model_copy(update={"style": "trusted", "trusted": definitions, "tests": cases})


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except _UNREADABLE:
        return False
    return True


def rewrite_check(source: str, entry_point: str) -> Rewritten:
    """HumanEval's `check(candidate)`: the function's body, with `candidate` named `entry_point`.

    As in Python the last definition of that name counts. What it needs beside the candidate is not unrolled here.
    """
    try:
        module = ast.parse(source)
    except _UNREADABLE as error:
        return Rewritten((), (f"the test does not parse: {error}",))
    check = next((node for node in reversed(module.body) if "check" in bound_names([node])), None)
    match check:
        case ast.FunctionDef(args=ast.arguments(args=[argument], defaults=[], kwonlyargs=[]), decorator_list=[]):
            own = {argument.arg, entry_point}
        case None:
            return Rewritten((), ("there is no check(candidate) function",))
        case _:
            return Rewritten((), ("check is no function of one argument",))
    if unrolled := sorted(_bound_outside(module, check) & ({name.id for name in _names(check)} | own)):
        return Rewritten((), (f"the test defines {unrolled[0]} itself",))
    return _Rewriter(own, entry_point, "", own_names=False).run(check.body)


def _bound_outside(module: ast.Module, check: ast.stmt) -> set[str]:
    """Names that the test binds beside its function `check`, wherever in the other statements."""
    others = (inner for node in module.body if node is not check for inner in ast.walk(node))
    return set(bound_names(others))


def rewrite_asserts(lines: Iterable[str], setup: str = "", imports: str = "") -> Rewritten:
    """MBPP's list of asserts; `setup` runs before each in the candidate's namespace."""
    lines = list(lines)
    name = tested_function(lines, f"{imports}\n{setup}")
    try:
        body = [statement for line in (imports, *lines) for statement in ast.parse(line.strip()).body]
    except _UNREADABLE as error:
        return Rewritten((), (f"the test does not parse: {error}",))
    if name is None:
        return Rewritten((), ("no function of the candidate is called",))
    rewriter = _Rewriter({name}, name, setup)
    rewriter.evaluator.imported.update(("math", "sys"))  # which the programs import themselves
    return rewriter.run(body)


def tested_function(lines: Iterable[str], definitions: str = "") -> str | None:
    """The function that the asserts call: the first name that neither Python nor the tests themselves define.

    Where all names are Python's own, the candidate has one of them (`sum`), rather not one that is a usual wrapper.
    """
    nodes = [node for line in lines for node in _nodes(line)]
    defined = set(bound_names([*_nodes(definitions), *nodes]))
    called = [node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    used = [node.id for node in nodes if isinstance(node, ast.Name)]  # such as f in map(f, [1, 2])
    own = [name for name in (*called, *used) if name not in _BUILT_IN and name not in defined]
    return next(iter(own or [name for name in called if name not in _WRAPPERS] or called), None)


def _nodes(source: str) -> list[ast.AST]:
    try:
        return list(ast.walk(ast.parse(source.strip())))
    except _UNREADABLE:
        return []


class _Rewriter:
    """Walks the statements of one test, keeping the host's names."""

    def __init__(self, candidate: set[str], entry_point: str, setup: str, own_names: bool = True) -> None:
        self.candidate = candidate
        self.own_names = own_names  # may a call use other functions of the candidate's namespace?
        self.entry_point = entry_point
        self.setup = setup
        self.evaluator = Evaluator()
        self.tests: list[TestCase] = []
        self.unsupported: list[str] = []

    def run(self, body: list[ast.stmt]) -> Rewritten:
        for statement in body:
            if len(self.unsupported) == _MOST_REASONS:
                break
            try:
                self._statement(statement)
            except (NotConstant, ValueProblem, *FAILURES) as problem:
                self.unsupported.append(f"{_shown(statement)} ({str(problem) or type(problem).__name__})")
        return Rewritten(tuple(self.tests), tuple(self.unsupported))

    def _statement(self, node: ast.stmt) -> None:
        self.evaluator.spend()
        match node:
            case ast.Assert():
                self._assert(node.test)
            case ast.Import() | ast.ImportFrom():
                self.evaluator.import_(node)
            case ast.Assign(targets=[target]):
                self.evaluator.assign(target, self.evaluator.value(node.value))
            case ast.For(orelse=[]):
                self._loop(node)
            case ast.Expr(value=ast.Constant() | ast.Name()):
                pass  # a docstring, or a stray name
            case ast.Pass():
                pass
            case _:
                raise NotConstant(type(node).__name__)

    def _loop(self, node: ast.For) -> None:
        for item in _iterable(self.evaluator.value(node.iter)):
            self.evaluator.assign(node.target, item)
            for statement in node.body:
                self._statement(statement)

    def _assert(self, test: ast.expr) -> None:
        if isinstance(test, ast.Constant) and test.value:
            return  # `assert True`
        left, expected = self._split(test)
        bound = _Bind(self.evaluator, self.candidate, self.entry_point).expression(left)
        call = ast.unparse(bound)
        if not self.own_names and (others := _foreign_names(bound) - {self.entry_point}):
            raise NotConstant(f"the name {min(others)}, which the candidate could redefine")
        if len(self.tests) >= MAX_TESTS:
            raise NotConstant("too many tests")
        comparison, tolerance = expected.comparison, expected.tolerance
        text = encode(expected.value)
        self.evaluator.spend((len(call) + len(text)) // _CHARACTERS_PER_STEP)
        self.tests.append(
            TestCase(call=call, setup=self.setup, expected=text, comparison=comparison, tolerance=tolerance)
        )

    def _split(self, test: ast.expr) -> tuple[ast.expr, _Expected]:
        """The candidate's half, which is a call alone, and the host's half of an assertion."""
        match test:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                return self._equality(left, right)
            case ast.Compare(left=left, ops=[ast.Is()], comparators=[ast.Constant(value=None) as none]):
                return self._equality(left, none)
            case ast.Compare(left=left, ops=[ast.Lt() | ast.LtE()], comparators=[bound]):
                return self._distance(left, bound)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="math"), attr="isclose"), args=[left, right]):
                return self._isclose(left, right, test.keywords)
        raise NotConstant("this form of assertion")

    def _equality(self, left: ast.expr, right: ast.expr) -> tuple[ast.expr, _Expected]:
        match self._mine(left), self._mine(right):
            case True, False:
                call, other = left, right
            case False, True:
                call, other = right, left
            case True, True:
                raise NotConstant("the candidate on both sides")
            case _:
                raise NotConstant("the candidate is not called")
        if not self._is_call(call):
            raise NotConstant("more than a call of the candidate")
        return call, _Expected(self.evaluator.value(other))

    def _is_call(self, node: ast.expr) -> bool:
        """Whether nothing is asked of the candidate's process but a call, perhaps within one of the wrappers.

        Its arguments may be calls as well. A comparison, an operation or a test of what the candidate gave is not
        made where the candidate runs, since nothing there can be trusted.
        """
        match node:
            case ast.Call(func=ast.Name(id=name), args=[inner, *rest]) if name in _WRAPPERS - self.candidate:
                parts = [*rest, *(word.value for word in node.keywords)]
                return self._is_call(inner) and not any(map(self._mine, parts))
            case ast.Call(func=ast.Name(id=name)) if name in self.candidate:
                parts = [*node.args, *(word.value for word in node.keywords)]
                return all(not self._mine(part) or self._is_call(part) for part in parts)
        return False

    def _distance(self, left: ast.expr, bound: ast.expr) -> tuple[ast.expr, _Expected]:
        """`abs(f(x) - y) < tolerance`."""
        match left:
            case ast.Call(
                func=ast.Name(id="abs") | ast.Attribute(value=ast.Name(id="math"), attr="fabs"),
                args=[ast.BinOp(left=one, op=ast.Sub(), right=other)],
            ):
                call, expected = self._equality(one, other)
                tolerance = float(self.evaluator.value(bound))
                return call, _Expected(expected.value, "float", tolerance)
        raise NotConstant("an inequality")

    def _isclose(self, left: ast.expr, right: ast.expr, keywords: list[ast.keyword]) -> tuple[ast.expr, _Expected]:
        call, expected = self._equality(left, right)
        if not isinstance(expected.value, int | float):
            raise NotConstant("isclose of these")
        bounds = {word.arg: float(self.evaluator.value(word.value)) for word in keywords}
        relative = bounds.get("rel_tol", 1e-9) * abs(expected.value)
        return call, _Expected(expected.value, "float", max(relative, bounds.get("abs_tol", 0.0)))

    def _mine(self, node: ast.expr) -> bool:
        """Whether the expression calls the candidate."""
        return any(name.id in self.candidate for name in _names(node))


def _shown(statement: ast.stmt) -> str:
    """The beginning of a statement, on one line."""
    try:
        return " ".join(ast.unparse(statement).split())[:120]
    except (RecursionError, ValueError):  # nested too deeply, or with an integer of too many digits
        return f"line {statement.lineno}"


def _names(node: ast.AST) -> Iterator[ast.Name]:
    """All names in an expression, in no order; in a third of the time of `ast.walk`."""
    waiting: list[Any] = [node]
    while waiting:
        value = waiting.pop()
        if isinstance(value, ast.Name):
            yield value
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, ast.AST):
            waiting += [inner for inner in vars(value).values() if isinstance(inner, ast.AST | list)]


def _foreign_names(call: ast.expr) -> set[str]:
    """Names in a call that neither it nor Python defines."""
    names = list(_names(call))
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return {node.id for node in names} - bound - _BUILT_IN


def _iterable(value: Any) -> Iterable[Any]:
    if isinstance(value, range | list | tuple | dict | str | enumerate | zip | reversed):
        return value
    raise NotConstant("a loop over this")


class _Bind:
    """Puts the host's values into a copy of the call, and the entry point in place of `candidate`.

    Any other name is left to the candidate's namespace (wrappers such as set, the task's classes).
    """

    def __init__(self, evaluator: Evaluator, candidate: set[str], entry_point: str) -> None:
        self.evaluator, self.candidate, self.entry_point = evaluator, candidate, entry_point

    def expression(self, node: ast.expr) -> ast.expr:
        """The expression with its names replaced; `node` stays as it is, since a loop comes back to it."""
        bound: ast.expr = self._copied(node)
        return bound

    def _copied(self, value: Any) -> Any:
        if isinstance(value, ast.Name):
            return self._name(value)
        if isinstance(value, ast.AST):
            return type(value)(**{field: self._copied(inner) for field, inner in ast.iter_fields(value)})
        if isinstance(value, list):
            return [self._copied(inner) for inner in value]
        return value

    def _name(self, node: ast.Name) -> ast.expr:
        if node.id in self.candidate:
            return ast.Name(id=self.entry_point, ctx=ast.Load())
        if node.id in self.evaluator.names:
            return self._literal(self.evaluator.names[node.id])
        return node

    def _literal(self, value: Any) -> ast.expr:
        self.evaluator.spend(len(encode(value)) // _CHARACTERS_PER_STEP)  # plain data only
        text = re.sub(r"\b(inf|nan)\b", r"float('\1')", repr(value)) if isinstance(value, float) else repr(value)
        return ast.parse(text, mode="eval").body
