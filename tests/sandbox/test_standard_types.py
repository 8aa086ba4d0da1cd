"""Exact standard types are judged as Python's `==` would; what only claims to be one is not."""

from __future__ import annotations

import functools

from sandbox import Sandbox, Submission, TestCase
from sandbox.values import encode
from tests.sandbox.conftest import require_tier

RIGHT = {
    "decimal": ("from decimal import Decimal\ndef f(): return Decimal('0.5')", 0.5),
    "decimal_list": (
        "import decimal\ndef f(): return [decimal.Decimal(3), {'a': decimal.Decimal('2.50')}]",
        [3, {"a": 2.5}],
    ),
    "fraction": ("from fractions import Fraction\ndef f(): return Fraction(6, 2)", 3),
    "int_enum": ("import enum\nclass C(enum.IntEnum):\n    A = 7\ndef f(): return C.A", 7),
    "str_enum": ("from enum import Enum\nclass C(str, Enum):\n    A = 'x'\ndef f(): return (C.A,)", ("x",)),
    "keys": ("def f(): return {1: 2, 3: 4}.keys()", {1, 3}),
    "items": ("def f(): return {1: 2}.items()", {(1, 2)}),
    "bytearray": ("def f(): return bytearray(b'ab')", b"ab"),
    "named_tuple": (
        "from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef f(): return [P(1, 2)]",
        [(1, 2)],
    ),
    "counter": ("from collections import Counter\ndef f(): return Counter('aab')", {"a": 2, "b": 1}),
    "ordered": ("from collections import OrderedDict\ndef f(): return OrderedDict(b=1, a=2)", {"a": 2, "b": 1}),
    "default": (
        "from collections import defaultdict\ndef f():\n    d = defaultdict(list)\n    d[1].append(2)\n    return d",
        {1: [2]},
    ),
}
WRONG = {
    "decimal_of_a_tenth": ("from decimal import Decimal\ndef f(): return Decimal('0.1')", 0.1),
    "another_decimal": ("from decimal import Decimal\ndef f(): return Decimal('0.25')", 0.5),
    "decimal_as_text": ("from decimal import Decimal\ndef f(): return Decimal('1')", "1"),
    "plain_enum": ("import enum\nclass C(enum.Enum):\n    A = 7\ndef f(): return C.A", 7),
    "values_view": ("def f(): return {1: 2}.values()", [2]),
    "deque": ("from collections import deque\ndef f(): return deque([1])", [1]),
    "range": ("def f(): return range(3)", [0, 1, 2]),
    "keys_as_list": ("def f(): return {1: 2}.keys()", [1]),
    "lying_decimal": (
        "import decimal\nclass D(decimal.Decimal):\n    def __eq__(s, o): return True\ndef f(): return D(1)",
        5,
    ),
    "lying_enum": (
        "import enum\nclass C(enum.IntEnum):\n    A = 1\n"
        "    def __eq__(s, o): return True\n    def __hash__(s): return 0\ndef f(): return C.A",
        5,
    ),
    "lying_bytearray": (
        "class B(bytearray):\n    def __eq__(s, o): return True\n"
        "    def __iter__(s): return iter(b'ab')\ndef f(): return B(b'zz')",
        b"ab",
    ),
    "lying_class": (
        "import decimal\nclass D:\n"
        "    __class__ = decimal.Decimal\n    def as_tuple(s): return (0, (5,), 0)\ndef f(): return D()",
        5,
    ),
    "another_decimal_module": (
        "import decimal\nclass D(int): pass\ndecimal.Decimal = D\ndef f(): return decimal.Decimal(4)",
        5,
    ),
    "deep_views": ("def f():\n    v = [1]\n    for _ in range(200): v = {0: v}.values()\n    return v", [1]),
    "huge_exponent": ("from decimal import Decimal\ndef f(): return Decimal('1e999999')", 1),
    "huge_fraction": ("from fractions import Fraction\ndef f(): return Fraction(1 << 3000000, 3)", 1),
}


@functools.cache
def skip_without_jail() -> None:
    require_tier("jail")


async def test_values_pass_exactly_where_python_says_equal() -> None:
    skip_without_jail()
    passed = {}
    async with Sandbox.open("jail", slots=1) as sandbox:
        for name, (code, expected) in (RIGHT | WRONG).items():
            tests = (TestCase(call="f()", expected=encode(expected)),)
            verdict = await sandbox.judge(Submission(id=name, code=code, tests=tests, entry_point="f"))
            assert verdict.graded, verdict
            passed[name] = verdict.passed
    assert {name for name, ok in passed.items() if ok} == set(RIGHT)
