"""Faults: each kind can be put in, changes one place, parses, and cannot hang the process."""

import ast
from itertools import islice
from random import Random

import pytest

from domains.debugging_faults import KINDS, Runaway, bounded, mutants, places, put, tidy

CODE = """
class Shelf:
    def __init__(self, size, items):
        self.size = size
        self.items = items

    def room(self, wanted):
        left = self.size - len(self.items)
        try:
            if left >= wanted and wanted > 0:
                return min(left, 10)
            return self.items[left + 1]
        except (IndexError, KeyError):
            raise ValueError("full")
"""


def changed_lines(code: str) -> list[tuple[str, str]]:
    old, new = tidy(CODE).splitlines(), code.splitlines()
    assert len(old) == len(new)
    return [(a.strip(), b.strip()) for a, b in zip(old, new, strict=True) if a != b]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("wrong_operator", ("left = self.size - len(self.items)", "left = self.size + len(self.items)")),
        ("wrong_boundary", ("if left >= wanted and wanted > 0:", "if left > wanted and wanted > 0:")),
        ("off_by_one", ("return min(left, 10)", "return min(left, 11)")),
        ("wrong_variable", ("return min(left, 10)", "return min(wanted, 10)")),
        ("wrong_variable", ("left = self.size - len(self.items)", "left = self.items - len(self.items)")),
        ("missing_return", ("return min(left, 10)", "min(left, 10)")),
        ("wrong_exception", ("except (IndexError, KeyError):", "except IndexError:")),
        ("wrong_exception", ("raise ValueError('full')", "raise TypeError('full')")),
        ("wrong_call", ("return min(left, 10)", "return max(left, 10)")),
    ],
)
def test_each_kind_changes_one_line_as_people_do(kind: str, expected: tuple[str, str]) -> None:
    found = [changed_lines(put(CODE, [place])) for place in places(CODE)[kind]]
    assert [expected] in found
    assert all(len(lines) == 1 for lines in found)


def test_every_mutant_parses_and_differs_and_none_comes_twice() -> None:
    found = list(mutants(CODE, lambda code: True, Random(1)))
    texts = [faulty.code for faulty in found]
    assert len(set(texts)) == len(texts) > 20 and tidy(CODE) not in texts
    assert {kind for faulty in found for kind in faulty.kinds} == set(KINDS)
    for text in texts:
        ast.parse(text)


def test_order_depends_on_the_generator_alone() -> None:
    first, again, other = ([m.code for m in mutants(CODE, lambda code: True, Random(s))] for s in (3, 3, 4))
    assert first == again != other and set(first) == set(other)


def test_two_faults_stand_in_two_places_and_each_fails_alone() -> None:
    asked: list[str] = []

    def fails(code: str) -> bool:
        asked.append(code)
        return "10" in code  # a program without this number passes

    found = list(islice(mutants(CODE, fails, Random(0), faults=2), 12))
    assert len(found) == 12
    for faulty in found:
        assert len(faulty.kinds) == 2 and len({place.position for place in faulty.places}) == 2
        assert faulty.code == put(CODE, faulty.places) and faulty.code in asked
        assert all("10" in put(CODE, [place]) for place in faulty.places)


def test_a_program_without_a_place_has_no_mutant() -> None:
    assert list(mutants("def f(text):\n    pass", lambda code: True, Random(0))) == []
    assert list(mutants("def f(n):\n    return n", lambda code: True, Random(0), faults=2)) == []


@pytest.mark.parametrize(
    "body",
    [
        "while True: n += 1",
        "while True: n = n * n + 2",
        "text = 'ab'\nwhile True: text = text + text",
        "items = [1]\nfor item in items: items.append(item)",
        "try:\n    while True: n += 1\nexcept Exception: pass",
    ],
)
def test_code_that_runs_on_or_grows_is_ended(body: str) -> None:
    with pytest.raises(Runaway), bounded("mutant.py"):
        exec(compile(f"n = 1\n{body}", "mutant.py", "exec"), {})


def test_other_code_is_not_counted_and_the_tracer_is_put_back() -> None:
    import sys

    before = sys.gettrace()
    with bounded("mutant.py"):
        assert sum(1 for _ in range(20_000)) == 20_000
    assert sys.gettrace() is before
