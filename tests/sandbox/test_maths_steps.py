"""The equations of worked solutions."""

import pytest

from sandbox.maths_steps import check_steps


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("3 * 4 = 12", True),
        ("3 * 4 = 13", False),
        ("16 - 3 = <<16-3=13>>13 ducks", True),
        ("16 - 3 = <<16-3=12>>13 ducks", False),
        ("So she pays $3 x 4 = $12 in all.", True),
        ("2 + 3 = 5 + 1 = 6", False),
        ("1/3 = 0.33", True),
        ("1/3 = 0.34", False),
        ("4.20+9.45+1.35=14.999999999999998", True),
        ("$2(x+1) = 2x + 2$", True),
        ("2x + 1 = 7", None),
        ("x = 5", None),
        ("x^2 - 5x + 6 = (x - 2)(x - 3)", True),
        (r"\frac{6}{36} = \frac16", True),
        (r"\sqrt{2} = 1.41", None),
        (r"\sqrt{8} = 2\sqrt{2}", True),
        (r"\sqrt{8} = 3\sqrt{2}", False),
        ("the price - 25% = 19.50", None),
    ],
)
def test_a_step(line: str, holds: bool | None) -> None:
    found = [step.holds for step in check_steps(line)]
    assert found == [holds] or (holds is None and not found)


def test_lines_are_counted_and_prose_has_no_steps() -> None:
    text = "First we count.\n2 + 2 = 4\nNo equation here, just 7 ducks.\n4 * 3 = 11\nANSWER: 11"
    assert [(step.line, step.holds) for step in check_steps(text)] == [(2, True), (4, False)]


def test_the_number_of_steps_is_limited() -> None:
    assert len(check_steps("1 + 1 = 2\n" * 1000)) == 200
