"""Everyday notations: no wrong `equal`, no wrong `different`."""

import pytest

from sandbox.maths_contracts import Contract
from sandbox.maths_judge import judge_pair
from tests.sandbox.maths_notations import DIFFERENT, EQUAL, NOT_DIFFERENT, NOT_EQUAL
from tests.sandbox.maths_pairs import pairs


def verdict(gold: str, answer: str) -> tuple[str, str]:
    """Verdict and reason; a line break is written \\n in the lists."""
    return judge_pair(gold, answer.replace(r"\nANSWER", "\nANSWER").replace(r"\nThe", "\nThe"), Contract())


@pytest.mark.parametrize(("gold", "answer"), pairs(EQUAL))
def test_the_same_value_is_equal(gold: str, answer: str) -> None:
    found, reason = verdict(gold, answer)
    assert found == "equal", reason


@pytest.mark.parametrize(("gold", "answer"), pairs(NOT_EQUAL))
def test_another_value_is_never_equal(gold: str, answer: str) -> None:
    found, reason = verdict(gold, answer)
    assert found in ("different", "unknown"), reason


@pytest.mark.parametrize(("gold", "answer"), pairs(NOT_DIFFERENT))
def test_what_cannot_be_shown_is_never_different(gold: str, answer: str) -> None:
    found, reason = verdict(gold, answer)
    assert found in ("equal", "unknown"), reason


@pytest.mark.parametrize(("gold", "answer"), pairs(DIFFERENT))
def test_what_is_wrong_is_shown_to_be(gold: str, answer: str) -> None:
    found, reason = verdict(gold, answer)
    assert found == "different", reason
