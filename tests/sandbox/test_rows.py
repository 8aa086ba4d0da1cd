"""Rows of a file: three forms, and a clear word for each broken one."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from sandbox.rows import MAX_CODE, MAX_LINE, RowError, read_rows, submission_from_row
from sandbox.values import decode

OWN: dict[str, Any] = {
    "id": "a",
    "code": "def f(x): return x",
    "entry_point": "f",
    "tests": [{"args": [[1, None]], "expected": [1, None]}],
}


def test_our_own_form() -> None:
    row = OWN | {"limits": {"cpu_s": 1}, "id": 7}
    row["tests"] = [*row["tests"], {"args": [], "kwargs": {"x": 2}, "raises": "TypeError"}]
    submission = submission_from_row(row)
    assert (submission.id, submission.style, submission.limits.cpu_s) == ("7", "calls", 1)
    assert [decode(test.inputs or "") for test in submission.tests] == [(([1, None],), {}), ((), {"x": 2})]
    assert [test.raises for test in submission.tests] == [None, "TypeError"]
    assert submission.tests[1].expected is None


def test_programs() -> None:
    submission = submission_from_row(
        {"id": "p", "code": "print(input())", "tests": [{"stdin": "1\n", "expected": "1\n"}]}
    )
    assert (submission.style, submission.tests[0].stdin) == ("program", "1\n")


def test_humaneval_and_mbpp() -> None:
    humaneval = {
        **{"task_id": "H/1", "prompt": "def f(x):\n", "entry_point": "f", "completion": "    return x\n"},
        **{"test": "def check(candidate):\n    assert candidate(1) == 1\n", "canonical_solution": "ignored"},
    }
    assert submission_from_row(humaneval).tests[0].call == "f(1)"
    mbpp = {"task_id": 3, "test_list": ["assert f(1) == 1"], "completion": "def f(x): return x", "test_setup_code": ""}
    assert submission_from_row(mbpp).id == "MBPP/3"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"code": 5}, "field 'code'"),
        ({"code": None}, "field 'code'"),
        ({"code": "#" * (MAX_CODE + 1)}, "the code has"),
        ({"tests": []}, "field 'tests'"),
        ({"tests": [{"args": 5, "expected": 1}]}, "field 'tests.0.args'"),
        ({"tests": [{"args": [], "raises": ""}]}, "field 'tests.0.raises'"),
        ({"tests": [{"args": [], "raises": "?"}]}, "field 'tests', number 0: 'raises' must be the name"),
        ({"tests": [{"args": [], "raises": "A,ValueError"}]}, "field 'tests', number 0: 'raises' must be the name"),
        ({"tests": [{"expected": 1}]}, "'args' (a list) or 'stdin'"),
        ({"tests": [{"args": [], "stdin": "", "expected": 1}]}, "the text that it prints"),
        ({"tests": [{"args": []}, {"stdin": "", "expected": ""}]}, "some have 'stdin'"),
        ({"tests": [{"args": [], "expected": 1}, {"args": []}]}, "field 'tests', number 1: 'expected'"),
        ({"tests": [{"stdin": ""}]}, "field 'tests', number 0: 'expected'"),
        ({"tests": [{"args": ["\ud800"], "expected": 1}]}, "surrogate"),
        ({"entry_point": None}, "field 'entry_point'"),
        ({"entry_point": "f()"}, "field 'entry_point'"),
        ({"limits": {"cpu_s": -1}}, "field 'limits.cpu_s'"),
        ({"limits": {"memory_mb": 10**9}}, "field 'limits.memory_mb'"),
        ({"limit": {}}, "field 'limit'"),
        ({"\x1b[31m": 1}, r"field '\x1b[31m'"),
        ({"id": None}, "field 'id'"),
        ({"test": "def check(c): pass"}, "field 'task_id'"),
    ],
)
def test_a_broken_row_names_its_field(change: dict[str, Any], word: str) -> None:
    with pytest.raises(RowError) as caught:
        submission_from_row(OWN | change)
    assert word in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_no_line_of_a_file_ends_the_reading() -> None:
    deep = "[" * 200_000
    huge = json.dumps(OWN | {"code": "#" * (MAX_LINE + 10)})
    lines = [json.dumps(OWN), "", "{", "[1]", deep, huge, "\xff", json.dumps(OWN | {"id": "z"})]
    found = list(read_rows(io.BytesIO("\n".join(lines).encode("latin-1"))))
    assert [row.number for row in found] == [1, 3, 4, 5, 6, 7, 8]
    assert [row.submission is not None for row in found] == [True, False, False, False, False, False, True]
    assert "not a JSON object" in found[2].problem
    assert "16 MB" in found[4].problem
    assert found[-1].id == "z"
