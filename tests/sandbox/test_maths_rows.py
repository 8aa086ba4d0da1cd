"""`python -m sandbox math` and its file of pairs."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.__main__ import app
from sandbox.maths_checker import MathChecker
from sandbox.maths_rows import judge_rows


@pytest.fixture(scope="module")
def checker() -> Iterator[MathChecker]:
    with MathChecker(workers=2) as checker:
        yield checker


def test_rows_are_judged_in_order_and_bad_ones_named(checker: MathChecker) -> None:
    lines = [
        b'{"id": "a", "gold": "3/8", "pred": "0.375"}\n',
        b"\n",
        b'{"id": 2, "gold": 3, "pred": "4", "more": 1}\n',
        b"not json\n",
        b"[]\n",
        b'{"id": "b", "gold": "1"}\n',
        b'{"gold": "1", "pred": "1", "contract": "odd"}\n',
        b'{"gold": "3.14", "pred": "\\\\pi", "contract": "decimal(2)"}\n',
        b'{"gold": "3", "pred": ""}',
    ]
    found = list(judge_rows(lines, checker, 2))
    assert [row["verdict"] for row in found] == [
        "equal",
        "different",
        "error",
        "error",
        "error",
        "error",
        "equal",
        "unknown",
    ]
    assert [row["id"] for row in found] == ["a", 2, None, None, "b", None, None, None]
    assert found[2]["reason"] == "row 4: not JSON"
    assert "row 6: field 'pred'" in found[4]["reason"] and "decimal(DIGITS)" in found[5]["reason"]
    assert all(set(row) == {"id", "verdict", "reason", "seconds"} for row in found)


def test_order_is_kept_over_many_rows(checker: MathChecker) -> None:
    lines = [json.dumps({"id": n, "gold": str(n), "pred": f"{2 * n}/2"}).encode() for n in range(300)]
    found = list(judge_rows(io.BytesIO(b"\n".join(lines)), checker, 4))
    assert [row["id"] for row in found] == list(range(300))
    assert {row["verdict"] for row in found} == {"equal"}


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["3/8", "0.375"], 0, "equal: "),
        (["-5", "−5"], 0, "equal: "),
        (["3.14", r"\pi", "--contract", "decimal(2)"], 0, "equal: "),
        (["1", "2"], 0, "different: "),
        (["1", ""], 1, "unknown: the answer is empty"),
        (["1"], 2, "Give GOLD and ANSWER, or --file"),
        (["1", "1", "--contract", "odd"], 2, "is no answer contract"),
        (["--file", "nowhere.jsonl"], 2, "nowhere.jsonl: no such file"),
    ],
)
def test_command_line(arguments: list[str], code: int, text: str) -> None:
    result = CliRunner().invoke(app, ["math", *arguments])
    assert result.exit_code == code
    assert text in result.output


def test_file(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"id": 1, "gold": "1", "pred": "1"}\n{"id": 2, "gold": "1", "pred": "("}\n')
    result = CliRunner().invoke(app, ["math", "--file", str(file), "--workers", "1"])
    assert result.exit_code == 1
    rows = [json.loads(line) for line in result.stdout.strip().split("\n")]
    assert [(row["id"], row["verdict"]) for row in rows] == [(1, "equal"), (2, "unknown")]
    assert "2 rows in" in result.stderr
