"""What may stand for a JSON list in rows of our own form, and what may not."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from sandbox.json_answers import as_in_json
from sandbox.rows import submission_from_row
from sandbox.values import encode, parse, same


def judged(got: Any, expected: Any, comparison: str) -> bool:
    one, other = as_in_json(parse(encode(got)), parse(encode(expected)), comparison)
    return same(one, other, comparison, 1e-6)


@pytest.mark.parametrize(
    ("got", "expected", "comparison", "outcome"),
    [
        ((0.1 + 0.2, 1), [0.3, 1], "float", True),
        ((1, 0.1 + 0.2), [0.3, 1], "float", False),
        ([(0.1 + 0.2, 1)], [[0.3, 1]], "float", True),
        ({"a": (0.1 + 0.2,)}, {"a": [0.3]}, "float", True),
        ({0.1 + 0.2, 1}, [1, 0.3], "float", True),
        ({1.0}, [1.0, 1.0], "float", False),
        ({1.0, 2.0}, [1.0], "float", False),
        ((2, 1, 1), [1, 2, 1], "unordered", True),
        ((2, 1, 2), [1, 2, 1], "unordered", False),
        ({1, 2}, [2, 1], "unordered", True),
        (frozenset({1, 2}), [2, 1], "unordered", True),
        ({1, 2}, [2, 1, 1], "unordered", False),
        ([(2, 1), (3, 4)], [[3, 4], [2, 1]], "unordered", True),
        ([(1, 2), (3, 4)], [[3, 4], [2, 1]], "unordered", False),
        ((1, 2), [1, 2], "exact", False),
        ({1, 2}, [1, 2], "exact", False),
        ((1, 2), [1, 2], "typed", False),
        ({1, 2}, [1, 2], "json", False),
        ("ab", ["a", "b"], "unordered", False),
        ({"a": 1}, ["a"], "unordered", False),
    ],
)
def test_a_json_list_is_answered_as_the_comparison_says(
    got: Any, expected: Any, comparison: str, outcome: bool
) -> None:
    assert judged(got, expected, comparison) is outcome


def test_a_deque_stands_for_a_list_only_where_order_or_distance_is_asked() -> None:
    got = parse("Xdeque,2:l2:i1;i2;N")
    assert deque([1, 2]) != [1, 2]
    for comparison, outcome in (("float", True), ("unordered", True), ("exact", False)):
        one, other = as_in_json(got, parse(encode([1, 2])), comparison)
        assert same(one, other, comparison, 1e-6) is outcome


def test_rows_say_that_their_lists_are_json() -> None:
    row = {"id": "a", "code": "", "entry_point": "f", "tests": [{"args": [], "expected": [1]}]}
    assert submission_from_row(row).tests[0].json_lists
