"""What a program printed, compared as a person would."""

from __future__ import annotations

import pytest

from sandbox.output import same_output


@pytest.mark.parametrize(
    ("printed", "expected", "comparison", "outcome"),
    [
        ("1 2\n3\n", "1 2\n3", "exact", True),
        ("1 2  \r\n3\n\n\n", "1 2\n3\n", "exact", True),
        ("1  2\n", "1 2\n", "exact", False),
        (" 1\n", "1\n", "exact", False),
        ("", "", "exact", True),
        ("\n1", "1", "exact", False),
        ("0.30000000000000004\n", "0.3\n", "exact", False),
        ("0.30000000000000004 a\n", "0.3 a\n", "float", True),
        ("0.31\n", "0.3\n", "float", False),
        ("nan\n", "0.3\n", "float", False),
        ("1 2\n", "1\n2\n", "float", False),
        ("1 b", "1 a", "float", False),
        ("b\na\na", "a\nb\na", "unordered", True),
        ("b\na\nb", "a\nb\na", "unordered", False),
    ],
)
def test_rules(printed: str, expected: str, comparison: str, outcome: bool) -> None:
    assert same_output(printed, expected, comparison) is outcome
