"""The host's evaluator: what a hostile text would take is found before it is taken."""

from __future__ import annotations

import resource
import time

import pytest

from sandbox.rewrite import rewrite_asserts, rewrite_check

BIG, PRIME = "[0] * 400000", "(2 ** 61 - 1)"
LARGE = [
    "round(1, -1000000000)",
    "round(True, ndigits=-10 ** 8)",
    "round(10 ** 300000, -250000)",
    "'ab'.replace('', 'x' * 1000000)",
    "('a' * 1000).replace('a', 'b' * 1000).replace('b', 'c' * 1000)",
    "','.join(['a' * 100000] * 1000000)",
    "','.join(zip('a' * 999999, 'a' * 999999, 'a' * 999999))",
    "'%1000000000d' % 3",
    "'{:1000000000}'.format(3)",
    "f'{3:1000000000}'",
    "'a'.ljust(1000000000)",
    "str([[[0] * 900] * 900] * 900)",
    "[[[0] * 900] * 900] * 900 == [[[0] * 900] * 900] * 900",
    "sum([[0] * 100000] * 100000, [])",
    "sum([(0,) * 1000] * 9000, start=())",
    "[[0] * 1000000 for i in range(1000)]",
    "['a' * 1000000 for i in range(10000)]",
    "{i: [0] * 1000000 for i in range(100)}",
    "[str([0] * 900000) for i in range(1000)]",
    "[('a' * 900000).count('b') for i in range(100000)]",
    "[('a' * 900000).upper() for i in range(100000)]",
    "[2 ** 900000 // (2 ** 400000 + 1) for i in range(1000)]",
    "[3 ** 600000 for i in range(1000)]",
    "[0 in range(999999) for i in range(100000)]",
    f"len({{i * {PRIME} for i in range(20000)}})",
    f"len({{i * {PRIME}: 1 for i in range(20000)}})",
    f"len(set([i * {PRIME} for i in range(20000)]))",
    f"len(dict([(i * {PRIME}, 1) for i in range(20000)]))",
    f"len(set(zip([i * {PRIME} for i in range(20000)])))",
    "hash(('a',) * 10 ** 6)",
    "bytes(10 ** 9)",
    "list(range(10 ** 9))",
    "10 ** 6 in range(10 ** 30)",
    "list(zip(range(999999), range(999999), range(999999), range(999999)))",
    "int('9' * 900000)",
    "9 ** 9 ** 9 ** 9",
]
# Statements of a check, each of which is cheap by itself.
REPEATED = [
    f"x = {BIG}\nfor i in range(2000):\n    assert candidate(x, i) == 1",
    f"x = {BIG}\nfor i in range(2000):\n    assert candidate(i) == x",
    f"x = {BIG}\ny = [i in x for i in range(100000)]",
    f"x = {BIG}\ny = [x[:] for i in range(100000)]",
    f"x = {BIG}\ny = [x == x for i in range(100000)]",
    f"x = tuple({BIG})\nd = {{x: 1}}\ny = [d[x] for i in range(100000)]",
    f"x = tuple({BIG})\nd = {{x: i for i in range(100000)}}",
    "x = [0]\n" + "x = [x, x]\n" * 60,
    "x = [0]\n" + "x = x + x\n" * 60,
    "x = []\n" + "x = [x]\n" * 5000,
    f"s = set()\nfor j in range(60):\n    s = s | {{i * {PRIME} for i in range(j * 900, j * 900 + 900)}}",
    "for a in range(10000):\n    for b in range(10000):\n        pass",
]


def check(body: str) -> str:
    return "def check(candidate):\n" + "".join(f"    {line}\n" for line in body.splitlines())


@pytest.mark.parametrize("expected", LARGE)
def test_a_large_value_is_refused_before_it_is_made(expected: str) -> None:
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert rewrite_asserts([f"assert f(1) == {expected}"]).unsupported
    assert time.process_time() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 << 10


@pytest.mark.parametrize("body", REPEATED, ids=range(len(REPEATED)))
def test_what_is_done_over_and_over_is_counted(body: str) -> None:
    started = time.process_time()
    assert rewrite_check(check(body), "go").unsupported
    assert time.process_time() - started < 4


@pytest.mark.parametrize(
    "expected",
    [
        "round(2.567, 2)",
        "round(12345, -3)",
        "'a-b'.replace('-', 'xyz' * 100)",
        "', '.join(['a'] * 1000)",
        "''.join(reversed('abc'))",
        "sum([[1], [2]], [])",
        "dict(zip('ab', [1, 2]))",
        "set(enumerate('ab'))",
        "[0] * 300000",
        "[[0] * 100] * 100",
        "2 ** 1000 % 97",
        "sorted({i: str(i) for i in range(2000)})",
        "sum(range(100000))",
        f"len({{i * {PRIME} for i in range(900)}})",
    ],
)
def test_what_tests_usually_say_is_computed(expected: str) -> None:
    assert rewrite_asserts([f"assert f(1) == {expected}"]).unsupported == ()
