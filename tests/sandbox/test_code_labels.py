"""What a row of code is labelled: forms of tests whose right verdict is known, judged in the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.rows import submission_from_row
from tests.sandbox.conftest import require_some_tier

IDENTITY = "def f(x):\n    return x\n"
WRONG = ("wrong_answer", "bad_result", "runtime_error")
UNSUPPORTED = ("unsupported_test",)
PASS = ("pass",)


def humaneval(body: str, test: str, entry: str = "inc") -> dict[str, Any]:
    """A row of HumanEval's form. Its prompt has no docstring, so that it does not even parse alone."""
    return {"task_id": 7, "prompt": f"def {entry}(x):\n", "entry_point": entry, "completion": body, "test": test}


def mbpp(code: str, *tests: str, imports: tuple[str, ...] = ()) -> dict[str, Any]:
    """A row of MBPP's form."""
    return {"task_id": "t", "test_imports": imports, "test_list": tests, "completion": code}


HELPED = "{}\n\ndef check(candidate):\n    {}\n    assert candidate(1) == 2\n"
ZERO, RIGHT = "    return 0\n", "    return x + 1\n"
CHECK_BY_NAME = [
    (humaneval(ZERO, HELPED.format("def repeatable(f):\n    assert f(1) == f(1)", "repeatable(candidate)")), WRONG),
    (humaneval(ZERO, HELPED.format("def is_function(f):\n    assert callable(f)", "is_function(candidate)")), WRONG),
    (humaneval(ZERO, HELPED.format("def check_type(candidate):\n    assert isinstance(candidate(0), int)", "")), WRONG),
    (humaneval(RIGHT, HELPED.format("def note(msg): pass", "note('a')")), PASS),
    (humaneval(RIGHT, HELPED.format("def same(a, b):\n    assert a == b", "same(candidate(2), 3)")), PASS),
    (humaneval(ZERO, HELPED.format("def same(a, b):\n    assert a == b", "same(candidate(2), 3)")), WRONG),
    (humaneval(ZERO, HELPED.format("def check(candidate):\n    assert True", "")), WRONG),
    (humaneval(RIGHT, HELPED.format("def check(candidate):\n    assert False", "")), PASS),
    (humaneval(RIGHT, HELPED.format("LIMIT = 3", "assert candidate(2) <= LIMIT")), PASS),
]
EQUAL_TO_ALL = "class E(int):\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n"
TRUTH_IS_NOT_THE_CANDIDATES = [
    (
        humaneval(
            "    class E(int):\n        def __eq__(s, o): return True\n    return E(0)\n",
            "def check(candidate):\n    assert all(candidate(x) == x*x for x in range(5))\n",
        ),
        WRONG,
    ),
    (mbpp(f"{EQUAL_TO_ALL}def f(x): return E(0)\n", "assert not f(3) != 9"), WRONG),
    (mbpp(f"{EQUAL_TO_ALL}def f(x): return E(0)\n", "assert (f(3) == 9) == True"), WRONG),
    (mbpp(f"{EQUAL_TO_ALL}def f(x): return E(0)\n", "assert f(3) in [9]"), WRONG),
    (mbpp("bool = lambda *_: True\ndef f(x): return 0\n", "assert (9).__eq__(f(3))"), WRONG),
    (mbpp("bool = lambda *_: True\ndef f(x): return 0\n", "assert f(3)"), WRONG),
    (mbpp("isinstance = lambda *_: True\ndef f(x): return 0\n", "assert isinstance(f(3), str)"), WRONG),
    (mbpp(IDENTITY, "assert f(1) == f(2)"), WRONG),
    (mbpp("def f(x):\n    return 7\n", "assert f(1) == f(2)"), PASS),
    (mbpp("def f(x):\n    return 7\n", "assert f(1) != f(2)"), WRONG),
    (mbpp("def f(x):\n    return 7\n", "assert f(1) + 1 == f(2)"), WRONG),
    (mbpp(IDENTITY, "assert f(3) is True"), WRONG),
    (mbpp("def f(x):\n    return 1\n", "assert f(3) is True"), WRONG),
    (mbpp("def f(x):\n    return True\n", "assert f(3) is True"), PASS),
]
THROUGH_BUILTINS = [
    *[
        (mbpp(IDENTITY, f"assert {test}"), PASS)
        for test in (
            "isinstance(f(1), int)",
            "any([f(1)])",
            "all([f(1)])",
            "min([f(1), 2]) == 1",
            "max(f([1, 3])) == 3",
            "type(f(1)) == int",
            "list(zip(f([1]), [2])) == [(1, 2)]",
            "next(iter(f([1]))) == 1",
            "repr(f(1)) == '1'",
            "list(enumerate(f([3]))) == [(0, 3)]",
            "list(filter(None, f([0, 1]))) == [1]",
            "list(reversed(f([1, 2]))) == [2, 1]",
            "list(map(f, [1, 2])) == [1, 2]",
            "frozenset(f([1])) == frozenset([1])",
            "pow(f(2), 2) == 4",
            "hash(f(1)) == 1",
            "divmod(f(5), 2) == (2, 1)",
        )
    ],
    (mbpp(IDENTITY, "assert isinstance(f(1), str)"), WRONG),
    (mbpp(IDENTITY, "assert any([f(0)])"), WRONG),
    (mbpp("def sum(a, b):\n    return a + b\n", "assert sum(1, 2) == 3"), PASS),
]
STACK = (
    "class Stack:\n    def __init__(self):\n        self.a = []\n    def push(self, x):\n        self.a.append(x)\n"
    "    def pop(self):\n        return self.a.pop()\n"
)
CLOSURE = "def check(candidate):\n    {0} = candidate(3)\n    assert {0}(4) == 7\n"
OBJECTS_OF_THE_CANDIDATE = [
    (mbpp(STACK, "s = Stack()\ns.push(1)\nassert s.pop() == 1"), PASS),
    (mbpp(STACK, "s = Stack()\ns.push(1)\nassert s.pop() == 2"), WRONG),
    (mbpp("def gen(n):\n    yield from range(n)\n", "g = gen(2)\nassert list(g) == [0, 1]"), PASS),
    (mbpp("def gen(n):\n    yield from range(n)\n", "g = gen(2)\nassert list(g) == [0, 2]"), WRONG),
    *[(humaneval("    return lambda y: x + y\n", CLOSURE.format(name), "f"), PASS) for name in ("f", "g")],
    *[(humaneval("    return lambda y: 0\n", CLOSURE.format(name), "f"), WRONG) for name in ("f", "g")],
]
POINT = "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\ndef make(x): return Point(x)\n"
OPENED = (
    "class Opened:\n    def __enter__(self): return 3\n    def __exit__(self, *error): return True\n"
    "def f(): return Opened()\n"
)
OBJECTS_OF_THE_CANDIDATE += [
    (mbpp(POINT, "assert make(1) == Point(1)"), UNSUPPORTED),
    (mbpp(POINT, "assert make(1).x == 1"), PASS),
    (mbpp(POINT, "assert make(1).x == 2"), WRONG),
    (mbpp(OPENED, "with f() as value:\n    assert value == 3"), PASS),
    (mbpp(OPENED, "with f() as value:\n    assert value == 4"), WRONG),  # though it swallows what is raised in it
]
STANDARD = """from decimal import Decimal
from fractions import Fraction
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from enum import Enum, IntEnum
Pair = namedtuple('Pair', 'a b')
class Number(IntEnum):
    ONE = 1
class Plain(Enum):
    ONE = 1
class Letter(str, Enum):
    A = 'a'
"""
STANDARD_VALUES = [
    (mbpp(f"{STANDARD}def f(): return {value}\n", f"assert f() == {expected}"), right)
    for value, expected, right in (
        ("Decimal('0.5')", "0.5", PASS),
        ("Decimal('0.1')", "0.1", WRONG),
        ("Fraction(1, 2)", "0.5", PASS),
        ("OrderedDict(a=1)", "{'a': 1}", PASS),
        ("Counter('aab')", "{'a': 2, 'b': 1}", PASS),
        ("defaultdict(int, {1: 2})", "{1: 2}", PASS),
        ("{1: 2}.keys()", "{1}", PASS),
        ("{1: 2}.keys()", "[1]", WRONG),
        ("{1: 2}.items()", "{(1, 2)}", PASS),
        ("{1: 2}.values()", "[2]", WRONG),
        ("bytearray(b'a')", "b'a'", PASS),
        ("deque([1])", "[1]", WRONG),
        ("Pair(1, 2)", "(1, 2)", PASS),
        ("Pair(1, 2)", "[1, 2]", WRONG),
        ("Number.ONE", "1", PASS),
        ("Plain.ONE", "1", WRONG),
        ("Letter.A", "'a'", PASS),
        ("[Decimal('0.5')]", "[0.5]", PASS),
    )
]
SWALLOWED = "    try:\n        assert candidate(1) == 2\n    except AssertionError:\n        pass\n"
CANNOT_FAIL = [
    *[
        (humaneval(ZERO, f"def check(candidate):\n{body}"), UNSUPPORTED)
        for body in (
            "    pass\n",
            "    yield from []\n    assert candidate(1) == 2\n",
            "    def inner():\n        assert candidate(1) == 2\n",
            "    return candidate(1) == 2\n",
            "    if False:\n        assert candidate(1) == 2\n",
            "    for x in []:\n        assert candidate(x) == 2\n",
            "    assert candidate(1) == 2 or True\n",
            "    assert (candidate(x) == 2 for x in [1])\n",
            "    candidate(1)\n    assert 2 == 2\n",
            SWALLOWED,
        )
    ],
    (humaneval(ZERO, "async def check(candidate):\n    assert candidate(1) == 2\n"), UNSUPPORTED),
    (humaneval(ZERO, "def check(candidate):\n    yield\n    assert candidate(1) == 2\n"), UNSUPPORTED),
    (humaneval(ZERO, "def check(candidate):\n    assert callable(candidate)\n"), UNSUPPORTED),
    (mbpp(IDENTITY, "assert (f(1) == 2, 'message')"), UNSUPPORTED),
    (mbpp(IDENTITY, "f(1) == 2"), UNSUPPORTED),
]
IMPORTS = [
    (mbpp("def f():\n    return float('nan')\n", "assert math.isnan(f())", imports=("import math",)), PASS),
    (mbpp("def f():\n    return 1.0\n", "assert math.isnan(f())", imports=("import math",)), WRONG),
    (
        mbpp(
            "def f():\n    return [1, 1]\n",
            "assert Counter(f()) == Counter([1, 1])",
            imports=("from collections import Counter",),
        ),
        PASS,
    ),
    (mbpp("def f(x):\n    return math.floor(x)\n", "assert f(1.5) == 1", imports=("import math",)), PASS),
]
CLAIMED = "type('A,ValueError,TypeError', (Exception,), {})"
ENDS_NO_LOOP = [
    *[
        (mbpp(f"def f(x): raise {kind}\n", f"try:\n    f(1)\n    assert False\nexcept {wanted}:\n    pass"), right)
        for kind, wanted, right in (
            ("StopIteration", "StopIteration", PASS),
            ("type('Own', (ValueError,), {})", "ValueError", PASS),
            ("type('ValueError', (Exception,), {})", "ValueError", WRONG),
            (CLAIMED, "ValueError", WRONG),
            ("KeyError", "LookupError", PASS),
        )
    ],
    (
        humaneval(
            "    raise StopIteration\n",
            "def check(candidate):\n    ok = all(map(lambda c: candidate(c[0]) == c[1], [(1, 1), (2, 4)]))\n"
            "    assert ok\n",
        ),
        WRONG,
    ),
]
FORGED = "import os; os.write(3, b'N\\x01\\0\\0\\0x'); os._exit(0)\ndef f(x): return 0\n"
FLOOD = "import os; os.write(3, b'a'*60000)\ndef f(x): return 0\n"
TAKES_ITSELF_OUT = [
    (mbpp(FORGED, "assert f(1) == 2"), ("bad_result", "crash", "early_exit")),
    (mbpp(FORGED, "assert f(1) == 2", "assert f(2) == 3"), ("bad_result", "crash", "early_exit")),
    ({**mbpp(FLOOD, "assert f(1) == 2"), "limits": {"result_kb": 16}}, ("result_limit",)),
]


def script(code: str) -> dict[str, Any]:
    """A program that is to print 2."""
    return {"id": "t", "code": code, "tests": [{"stdin": "1\n", "expected": "2\n"}]}


AS_A_SCRIPT = [
    (script("print(int(input()) + 1)\nexit()"), PASS),
    (script("print(int(input()) + 1)\nquit(0)"), PASS),
    (script("import sys\nif __name__ == '__main__':\n    print(2)\n    sys.exit()"), PASS),
    (script("print(2)\nexit(3)"), ("runtime_error",)),
    (script("print(2)\nraise SystemExit('no')"), ("runtime_error",)),
    (script("print(2)\ncopyright, credits, license, help"), PASS),
    (mbpp("def f(x):\n    if x > 5:\n        quit()\n    return x\n", "assert f(1) == 1"), PASS),
]
TABLES = {
    "a program runs as a script does": AS_A_SCRIPT,
    "a candidate cannot take itself out of the count": TAKES_ITSELF_OUT,
    "HumanEval's check is found by its name, and helpers run as helpers": CHECK_BY_NAME,
    "no comparison is made where the candidate runs": TRUTH_IS_NOT_THE_CANDIDATES,
    "the function under test is found through built-in functions": THROUGH_BUILTINS,
    "tests may work with the candidate's objects": OBJECTS_OF_THE_CANDIDATE,
    "standard types are compared by their exact values": STANDARD_VALUES,
    "a test that cannot fail is no test": CANNOT_FAIL,
    "what the tests import is there": IMPORTS,
    "what the candidate raises ends no loop of the test": ENDS_NO_LOOP,
}


@pytest.mark.parametrize("table", TABLES)
async def test_labels(table: str) -> None:
    require_some_tier()
    async with Sandbox.open("auto") as sandbox:
        found = [await sandbox.judge(submission_from_row(row)) for row, _ in TABLES[table]]
    wrong = [
        (row["completion"], row.get("test_list", row.get("test")), verdict.result, verdict.evidence)
        for (row, right), verdict in zip(TABLES[table], found, strict=True)
        if verdict.result not in right
    ]
    assert wrong == []
