"""Cheats against what a test of code means: whatever form the test has, none of them passes it."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.nouns import RESULTS
from sandbox.nouns import UNGRADED as NOT_JUDGED
from sandbox.rows import submission_from_row
from tests.sandbox.conftest import require_some_tier
from tests.sandbox.test_code_labels import mbpp

WRONG = {"wrong_answer", "bad_result", "runtime_error", "early_exit"}
UNGRADED = {"unsupported_test"}

# An object that answers every question as a test would like it, and classes of it that are numbers, texts and so on.
AGREEABLE = """
class Agreeable({base}):
    def __eq__(self, other): return True
    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__
    def __ne__(self, other): return False
    def __bool__(self): return True
    def __hash__(self): return hash(9)
    def __len__(self): return 9
    def __iter__(self): return iter([9])
    def __getattr__(self, name): return self
    def __call__(self, *arguments): return self
    def __getitem__(self, key): return self
    def __index__(self): return 9
    __int__ = __index__
    def __float__(self): return 9.0
    def __add__(self, other): return other
    __radd__ = __sub__ = __rsub__ = __mul__ = __add__
    def __str__(self): return '9'
    __repr__ = __str__
    def __enter__(self): return self
    def __exit__(self, *error): return True


def f(*arguments): return Agreeable({value})
"""
BASES = {"object": "", "int": "0", "str": "'0'", "float": "0.0", "tuple": "(0,)", "dict": "{0: 0}", "set": "{0}"}
COMPARED = (
    "assert f(3) == 9",
    "assert 9 == f(3)",
    "assert not f(3) != 9",
    "assert f(3) in (9,)",
    "assert {f(3)} == {9}",
    "assert [f(3)] == [9]",
    "assert (f(3) == 9) == True",
    "assert (9).__eq__(f(3))",
    "assert all(f(x) == x * x for x in range(5))",
    "import operator\nassert operator.eq(f(3), 9)",
    "assert max(f(3), 9) == 9 and f(3) == 9",
    "assert [9].index(f(3)) == 0",
    "assert abs(f(3) - 9) < 1e-6",
    "assert 8 < f(3) < 10",
    "import math\nassert math.isclose(f(3), 9)",
    "import unittest\nunittest.TestCase().assertEqual(f(3), 9)",
    "if f(3) != 9:\n    raise ValueError",
    "match f(3):\n    case 9:\n        pass\n    case _:\n        assert False",
    "assert f(3).x == 9",
    "assert f(3)[0] == 9",
    "with f(3) as v:\n    assert v == 9",
    "assert isinstance(f(3), int) and f(3) == 9",
    "import functools\nassert functools.reduce(lambda a, b: a and b == 9, [f(3)], True)",
    "def same(a, b):\n    assert a == b\nsame(f(3), 9)",
)
EQUAL_TO_ALL = [
    mbpp(AGREEABLE.format(base=base, value=value), test) for base, value in BASES.items() for test in COMPARED
]

NEVER_RETURNS = ("StopIteration", "StopAsyncIteration", "GeneratorExit", "type('Own', (StopIteration,), {})")
WALKED = (
    "assert all(map(lambda c: f(c[0]) == c[1], [(1, 1), (2, 4)]))",
    "assert list(f(x) for x in [1]) == []",
    "def each():\n    yield f(1)\nassert list(each()) == []",
    "assert sum(map(f, [1, 2])) == 0",
    "assert next(map(f, [1]), 9) == 9",
    "assert list(iter(lambda: f(1), 3)) == []",
    "assert not any(f(x) for x in [1])",
    "for _ in map(f, [1]):\n    assert False",
    "assert max(map(f, [1]), default=9) == 9",
    "assert ''.join(map(f, [1])) == ''",
    "from itertools import takewhile\nassert list(takewhile(f, [1])) == []",
)
ENDINGS = [mbpp(f"def f(x): raise {ending}\n", test) for ending in NEVER_RETURNS for test in WALKED]

LOADED = b"L\0\0\0\0"
SAID = (
    *[kind + b"\x01\0\0\0x" for kind in (b"N", b"V", b"A", b"W", b"G", b"M", b"C", b"\xff")],
    *[LOADED + kind + b"\x01\0\0\0x" for kind in (b"N", b"V", b"A", b"W", b"G", b"L", b"E")],
    LOADED * 50,
    LOADED + b"N\xff\xff\xff\xff",
)
PLACES = ("import os\n{}\ndef f(x):\n    return x\n", "import os\ndef f(x):\n    {}\n    return x\n")
LISTS = (
    ("assert f(1) == 2",),
    ("assert f(1) == 2", "assert f(2) == 3", "assert f(3) == 4"),
    ("assert not f(1) != 2", "assert f(1) in [4]"),
)
FORGED = [
    mbpp(place.format(f"os.write(3, {said!r}); os._exit(0)"), *tests)
    for said in SAID
    for place in PLACES
    for tests in LISTS
]


async def words(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The result of each row and the words of its tests."""
    require_some_tier()
    async with Sandbox.open("auto", slots=2) as sandbox:
        submissions = [submission_from_row(row) for row in rows]
        verdicts = [verdict async for _, verdict in sandbox.judge_all(submissions, lambda one: one)]
    assert None not in verdicts
    return [(verdict.result, *verdict.tests) for verdict in verdicts if verdict is not None]


@pytest.mark.parametrize("rows", [EQUAL_TO_ALL, ENDINGS], ids=["an object equal to everything", "an end of iteration"])
async def test_no_form_of_a_test_is_passed(rows: list[dict[str, Any]]) -> None:
    found = await words(rows)
    assert [row for row, (result, *_) in zip(rows, found, strict=True) if result not in WRONG | UNGRADED] == []


async def test_forged_records_give_a_word_against_the_candidate() -> None:
    """None that says that nothing could be judged, and none that is no word at all."""
    found = await words(FORGED)
    assert all(result in RESULTS and {*tests} <= RESULTS | {"not_run"} for result, *tests in found)
    faults = RESULTS - {"pass"} - NOT_JUDGED  # which of them depends on what is noticed first
    assert [row for row, (result, *_) in zip(FORGED, found, strict=True) if result not in faults] == []
