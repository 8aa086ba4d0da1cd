"""Rows of a JSONL file as submissions: our own form, HumanEval's and MBPP's.

Guaranteed: a row that cannot be judged is a RowError that names the field; nothing is executed here;
a line is read up to MAX_LINE bytes and never kept beyond that.
Not guaranteed: that JSON can say all. It has no tuples and no integer keys: ask for the comparison
"json" where those may stand for lists and text keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from pydantic import Field, JsonValue, StrictInt, StrictStr, ValidationError

from records.nouns import Record
from sandbox.nouns import Comparison, Limits, Submission, TestCase
from sandbox.rewrite import submission_from_humaneval, submission_from_mbpp
from sandbox.values import ValueProblem, encode

MAX_LINE = 16 << 20
MAX_CODE = 1 << 20  # characters


class RowError(Exception):
    """A row that cannot be judged; the message says which field and why."""


class NumberedRow(NamedTuple):
    """One line of a file: its number, the id that it gave, and its submission or what is wrong with it."""

    number: int
    id: Any
    submission: Submission | None
    problem: str


class _Test(Record):
    """One test of our own form: a call, or a program's input and output."""

    args: tuple[JsonValue, ...] | None = None
    kwargs: dict[str, JsonValue] = Field(default_factory=dict)
    stdin: StrictStr | None = None
    expected: JsonValue = None
    raises: StrictStr | None = Field(default=None, min_length=1)
    comparison: Comparison = "exact"
    tolerance: float = Field(default=1e-6, ge=0)


class _Row(Record):
    id: StrictStr | StrictInt
    code: StrictStr
    entry_point: StrictStr | None = None
    tests: tuple[_Test, ...] = Field(min_length=1)
    limits: Limits = Limits()


class _HumanEval(Record, extra="ignore"):
    task_id: StrictStr | StrictInt
    prompt: StrictStr
    entry_point: StrictStr
    test: StrictStr
    completion: StrictStr
    limits: Limits = Limits()


class _Mbpp(Record, extra="ignore"):
    task_id: StrictStr | StrictInt
    test_setup_code: StrictStr | None = ""
    test_imports: tuple[StrictStr, ...] | None = ()
    test_list: tuple[StrictStr, ...] = Field(min_length=1)
    completion: StrictStr
    limits: Limits = Limits()


def read_rows(file: BinaryIO) -> Iterator[NumberedRow]:
    """Every line of a JSONL file that is not blank. Never raises for what a line says."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            size = len(line) + _skip_line(file)
            yield NumberedRow(number, None, None, f"the line has {size >> 20} MB; at most {MAX_LINE >> 20} are read")
        elif line.strip():
            yield _numbered(number, line)


def _skip_line(file: BinaryIO) -> int:
    skipped = 0
    while part := file.readline(1 << 20):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped


def _numbered(number: int, line: bytes) -> NumberedRow:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return NumberedRow(number, None, None, f"not JSON: {error}")
    if not isinstance(row, dict):
        return NumberedRow(number, None, None, "not a JSON object")
    identity = row.get("id", row.get("task_id"))
    try:
        return NumberedRow(number, identity, submission_from_row(row), "")
    except RowError as problem:
        return NumberedRow(number, identity, None, str(problem))


def submission_from_row(row: Mapping[str, Any]) -> Submission:
    """One row as a submission; its fields say which form it has. Raises RowError."""
    try:
        submission = _as_submission(row)
    except ValidationError as error:
        raise RowError("; ".join(dict.fromkeys(_explain(item) for item in error.errors()[:3]))) from None
    if len(submission.code) > MAX_CODE:
        raise RowError(f"the code has {len(submission.code)} characters; at most {MAX_CODE} are run")
    return submission


def _as_submission(row: Mapping[str, Any]) -> Submission:
    if "test_list" in row:
        mbpp = _Mbpp.model_validate(row)
        return submission_from_mbpp(mbpp.model_dump(), mbpp.completion, mbpp.limits)
    if "test" in row:
        humaneval = _HumanEval.model_validate(row)
        return submission_from_humaneval(humaneval.model_dump(), humaneval.completion, humaneval.limits)
    return _own(_Row.model_validate(row))


def _own(row: _Row) -> Submission:
    programs = [test.stdin is not None for test in row.tests]
    if any(programs) != all(programs):
        raise RowError("field 'tests': some have 'stdin' and some have not; a submission is a program or functions")
    tests = tuple(_case(row, number, test) for number, test in enumerate(row.tests))
    style = "program" if all(programs) else "calls"
    return Submission(
        id=str(row.id), code=row.code, tests=tests, entry_point=row.entry_point, style=style, limits=row.limits
    )


def _case(row: _Row, number: int, test: _Test) -> TestCase:
    where = f"field 'tests', number {number}"
    if test.raises is None and "expected" not in test.model_fields_set:
        raise RowError(f"{where}: 'expected' (a value, which may be null) or 'raises' (an exception's name) is missing")
    if test.raises is not None and not all(part.isidentifier() for part in test.raises.split(".")):
        raise RowError(f"{where}: 'raises' must be the name of an exception")
    given: dict[str, Any] = {"raises": test.raises, "comparison": test.comparison, "tolerance": test.tolerance}
    given["json_lists"] = True
    try:
        expected = encode(test.expected)
        inputs = encode((test.args or (), test.kwargs))
    except ValueProblem as problem:
        raise RowError(f"{where}: {problem}") from None
    if test.stdin is not None:
        if not isinstance(test.expected, str):
            raise RowError(f"{where}: 'expected' of a program must be the text that it prints")
        return TestCase(stdin=test.stdin, expected=expected, **given)
    if row.entry_point is None or not row.entry_point.isidentifier():
        raise RowError("field 'entry_point': the name of the function to call is missing")
    if test.args is None:
        raise RowError(f"{where}: 'args' (a list) or 'stdin' (a text) is missing")
    return TestCase(call=row.entry_point, inputs=inputs, expected=None if test.raises else expected, **given)


def _explain(item: Any) -> str:
    parts = [str(part) for part in item["loc"] if part not in ("str", "int")]  # names of a union's members
    place = ".".join(parts)[:80].encode("unicode_escape").decode()  # a key may hold terminal escapes
    return f"field '{place}': {item['msg']}"
