"""Finding the answer in a reply."""

import pytest

from sandbox.maths_text import Ambiguous, boxed_answer, candidates, final_answer, plain


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (r"so \boxed{\frac{1}{\sqrt{2}}} is it", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed{3} and again \boxed{ 3 }", "3"),
        (r"\boxed{1}, \boxed{2} and \boxed{3}", "1, 2, 3"),
        (r"\boxed 7", "7"),
        (r"\fbox{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{x = 1", "x = 1"),
        ("2 + 2 = 4\nANSWER: 4", "4"),
        ("The final answer is 12. I hope it is correct.", "12"),
        ("<<2*3=6>>6\n#### 6", "6"),
        ("A: 26", "26"),
        (r"\boxed{200} then \boxed{255}. Final Answer: The final answer is $455$.", "$455$"),
        ("no idea", None),
        ("", None),
    ],
)
def test_final_answer(reply: str, answer: str | None) -> None:
    assert final_answer(reply) == answer


def test_different_boxes_are_ambiguous() -> None:
    with pytest.raises(Ambiguous, match="1 and 2"):
        boxed_answer(r"\boxed{1} no no no no no \boxed{2}")


@pytest.mark.parametrize(
    ("text", "found"), [("−５", "-5"), ("x²", "x^{2}"), ("√2", r"\sqrt{2}"), ("½", r"\frac{1}{2}"), ("a₁₂", "a_{12}")]
)
def test_unicode_signs(text: str, found: str) -> None:
    assert plain(text) == found


def test_the_last_number_of_prose() -> None:
    assert candidates("the number is not 10 which is 1,000.99€")[-1].text == "1,000.99"
