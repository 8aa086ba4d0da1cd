"""Verdicts from what came out of the sandbox, where no program can bring it about at will."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Limits, Submission, TestCase
from sandbox.assess import assess
from sandbox.link import Ended
from sandbox.nouns import RESULTS
from sandbox.values import RECORD, encode

PRINTS_ONE = TestCase(stdin="", expected=encode("1"))


def ended(**report: Any) -> Ended:
    """A program that printed 1 and ended well."""
    usual = {"killed": None, "oom": False, "status": 0, "cpu_s": 0.1, "wall_s": 0.1, "peak_kb": 9000, "leftovers": 0}
    return Ended({**usual, **report}, RECORD.pack(b"B", 0), b"1\n")


@pytest.mark.parametrize(
    ("used", "word"), [({"cpu_s": 0.51}, "timeout_cpu"), ({"cpu_s": 0.2, "wall_s": 2.01}, "timeout_wall")]
)
def test_time_used_up_between_two_runs_of_a_program_is_a_timeout(used: dict[str, float], word: str) -> None:
    limits = Limits(cpu_s=0.5, wall_s=2.0)
    submission = Submission(id="p", code="print(1)", tests=(PRINTS_ONE,) * 3, style="program", limits=limits)
    verdict = assess(submission, [ended(**used)])
    assert verdict.tests == ("pass", word, "not_run")
    assert (verdict.result, verdict.passed) == (word, False)
    assert verdict.result in RESULTS
