"""Lean's messages are given to the theorems that they are about."""

import json

from benchmarks.proof_references import CONTROLS, faults, source
from domains.proofs_statements import STATEMENTS


def message(line: int, severity: str, kind: str = "[anonymous]") -> str:
    return json.dumps({"caption": "", "data": f"at {line}", "kind": kind, "pos": {"line": line}, "severity": severity})


def test_each_theorem_begins_where_it_is_said_to() -> None:
    text, places = source()
    lines = text.splitlines()
    assert len(places) == len(STATEMENTS) + len(CONTROLS)
    assert all(lines[line - 1].startswith(f"theorem {name} ") for line, name in places)


def test_errors_and_sorry_count_and_other_words_do_not() -> None:
    _, places = source()
    (first, name), (second, other), (third, _) = places[:3]
    output = [
        "[DEBUG:GO] chatter",
        message(first, "warning"),
        message(second - 2, "error"),  # the last line of the first theorem
        message(second, "warning", "hasSorry"),
        message(third, "information"),
    ]
    assert faults("\n".join(output), places) == {name: f"at {second - 2}", other: f"at {second}"}
