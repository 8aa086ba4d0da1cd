"""Whether a test can fail at all: it is run again with answers that no candidate gave.

Standard library only; copied into the image. A test that looks at an answer fails for one of these: an object that
equals nothing, one that equals everything, one that comes back while the arguments are changed, plain values of every
kind. A test that holds for all of them (`assert f`, `f(1) == 2` without an assert, a generator that nobody runs)
compares nothing, so that it would pass any code.

Only an assertion that does not hold, or an exception that the test itself raises, counts as failing.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MOST_STEPS = 20_000  # of one test with one control


class Enough(BaseException):
    """The control was asked too often: the test may wait for an answer that it never gives."""


class Control:
    """An answer of which everything can be asked. `equal` is what every comparison and its truth say."""

    def __init__(self, run: Run, equal: bool) -> None:
        self.__dict__.update(_run=run, _equal=equal)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._run.answer(self, (*arguments, *named.values()))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return self._again()

    def __setattr__(self, name: str, value: Any) -> None:
        self._again()

    def __iter__(self) -> Iterator[Any]:
        return iter([self._again()])

    def __len__(self) -> int:
        self._again()
        return int(self._equal)

    def __bool__(self) -> bool:
        self._again()
        return bool(self._equal)

    def __hash__(self) -> int:
        return 1

    def __str__(self) -> str:
        return "control"

    def __enter__(self) -> Any:
        return self._again()

    def __exit__(self, *error: Any) -> None:
        self._again()

    def __next__(self) -> Any:
        return self._again()

    def __int__(self) -> int:
        return 0

    __index__ = __int__

    def __float__(self) -> float:
        return 0.0

    def _again(self, *_: Any) -> Any:
        self._run.step()
        return self

    def _says(self, *_: Any) -> bool:
        self._run.step()
        return bool(self._equal)

    def _denies(self, *_: Any) -> bool:
        self._run.step()
        return not self._equal

    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _says
    __ne__ = _denies


_ARITHMETIC = (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
)
for _name in [*_ARITHMETIC, *(f"r{name}" for name in _ARITHMETIC), "neg", "pos", "abs", "invert", "round", "getitem"]:
    setattr(Control, f"__{_name}__", Control._again)
for _name in ("setitem", "delitem"):
    setattr(Control, f"__{_name}__", Control._again)


class Run:
    """One control, and the tests that were run with it so far."""

    def __init__(self, value: Any, changes: bool = False) -> None:
        self.value = Control(self, value) if type(value) is bool and not changes else value
        self.function = Control(self, False) if changes or type(value) is not bool else self.value
        self.changes = changes
        self.space: dict[str, Any] | None = None
        self.done = 0
        self.steps = MOST_STEPS

    def step(self) -> None:
        """Count one question. Raises Enough."""
        self.steps -= 1
        if self.steps < 0:
            raise Enough

    def answer(self, asked: Control, arguments: tuple[Any, ...]) -> Any:
        """What a call gives; with `changes` its arguments are changed in place."""
        self.step()
        for value in arguments if self.changes else ():
            if isinstance(value, list):
                value[:] = [asked, asked]
            elif isinstance(value, dict | set):
                value.clear()
        return self.value


# The plain values come last: they are needed only where a function of the library takes no object for a value.
_PLAIN: tuple[Any, ...] = (None, 0, 7, 0.5, "", "control", [], [7], {}, (), set(), b"")


class Controls:
    """Runs of one submission's tests with controls in the candidate's place."""

    def __init__(
        self, definitions: str, tests: Sequence[str], names: Sequence[str], space: Callable[[], dict[str, Any]]
    ) -> None:
        self.definitions, self.tests, self.names, self.space = definitions, tests, names, space
        self.runs = [Run(False), Run(True), Run(None, changes=True), *map(Run, _PLAIN)]

    def can_fail(self, number: int) -> bool:
        """Whether test `number` fails for one of the controls."""
        return any(self._fails(run, number) for run in self.runs)

    def _fails(self, run: Run, number: int) -> bool:
        if run.space is None:
            run.space = self.space()
            run.space.update(dict.fromkeys(self.names, run.function))
            _ends(run, self.definitions)
            run.space.update(dict.fromkeys(self.names, run.function))
        for earlier in range(run.done, number):  # what a test leaves behind may be needed by the next
            _ends(run, self.tests[earlier])
        run.done = number + 1
        return _ends(run, self.tests[number])


def _ends(run: Run, source: str | None) -> bool:
    """Run statements; whether they end with an assertion that does not hold or an exception of the test's own."""
    if source is None:
        return False
    run.steps = MOST_STEPS
    random.seed(0)
    try:
        exec(compile(source, "control.py", "exec", dont_inherit=True), run.space)
    except BaseException as error:
        return isinstance(error, AssertionError) or getattr(error, "raised_by_test", False)
    return False
