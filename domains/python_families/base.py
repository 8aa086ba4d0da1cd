"""How a family of programming tasks is written down.

A family is a function from a random generator to a `Draft`: one task with its reference solution
and its test calls. `Draft.params` holds what makes the task different from its siblings (constants,
separators, comparisons, field names); names of functions are drawn beside it and are not part of
it, so two drafts with equal params are the same task in other words.

Guaranteed: the expected values of the tests and of the example come from running the reference.
Not guaranteed: anything about foreign code; `outcome` runs programs that a family drew in this process only,
never text that was read from a file.
"""

from __future__ import annotations

import builtins
import random
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any, Literal

from pydantic import JsonValue

from domains import families
from records.nouns import Difficulty
from sandbox.nouns import Comparison

Area = Literal["strings", "containers", "algorithms", "files", "classes", "errors"]
REPLY_FORMAT = "Reply with one Python code block."
COMPARISONS = {"greater than": ">", "less than": "<", "at least": ">=", "at most": "<="}


@dataclass(frozen=True)
class Case:
    """One call in the candidate's namespace, after `setup`. `raises`: an exception is expected."""

    call: str
    setup: str = ""
    raises: bool = False


@dataclass(frozen=True)
class Draft:
    """One task: `task` is the wording, `entry` the name that must be defined, `code` the reference."""

    entry: str
    task: str
    code: str
    params: tuple[JsonValue, ...]
    cases: tuple[Case, ...]
    example: Case | None = None
    comparison: Comparison = "exact"


Build = Callable[[random.Random], Draft]
Family = families.Family[Area, Draft]


def family(area: Area, difficulty: Difficulty, ood: bool = False) -> Callable[[Build], Family]:
    """Make a family of a builder; the builder's name is its id."""
    return lambda build: Family(build.__name__, area, difficulty, ood, build)


def call(name: str, *args: Any, setup: str = "", raises: bool = False) -> Case:
    """The call `name(*args)`, arguments written as literals."""
    return Case(f"{name}({', '.join(map(repr, args))})", setup, raises)


def function(
    name: str,
    args: str,
    does: str,
    body: str,
    params: Iterable[JsonValue],
    inputs: Sequence[tuple[Any, ...]],
    comparison: Comparison = "exact",
    before: str = "",
) -> Draft:
    """A draft of one function. The first of `inputs` becomes the example, the others the tests."""
    example, *others = dict.fromkeys(call(name, *values) for values in inputs)
    code = f"{before}def {name}({args}):\n" + textwrap.indent(body, "    ")
    task = f"Write a Python function `{name}({args})` that {does}."
    return Draft(name, task, code, tuple(params), tuple(others), example, comparison)


def each(*values: Any) -> list[tuple[Any, ...]]:
    """Inputs for a function of one argument."""
    return [(value,) for value in values]


def compare(rng: random.Random) -> tuple[str, str]:
    """A comparison in words and as an operator."""
    return rng.choice(sorted(COMPARISONS.items()))


class Raised(str):
    """The name of the exception that a call raised."""


def outcome(code: str, case: Case) -> Any:
    """Value of a case under our own code, or `Raised` with the exception's name.

    Files go to a temporary folder: `open` is bound to it, the process's folder is not changed.
    """
    with ExitStack() as stack:
        namespace: dict[str, Any] = {"__name__": "reference", "open": _open_apart(stack)}
        try:
            exec(_compiled(code, "exec"), namespace)
            exec(_compiled(case.setup, "exec"), namespace)
            return eval(_compiled(case.call, "eval"), namespace)
        except Exception as error:  # whatever the reference raises is its result
            return Raised(type(error).__name__)


@lru_cache(maxsize=512)
def _compiled(source: str, mode: str) -> CodeType:
    return compile(source, "<reference>", mode)


def _open_apart(stack: ExitStack) -> Callable[..., Any]:
    """An `open` for relative paths in a folder that is made at the first call."""
    folders: list[Path] = []

    def bound(path: str, *args: Any, **kwargs: Any) -> Any:
        if not folders:
            folders.append(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        return builtins.open(folders[0] / path, *args, **kwargs)

    return bound
