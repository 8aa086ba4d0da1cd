"""The control arms have the learned strategy's length."""

import pytest

from agents.arms import STRATEGY_ARMS, arm_contexts, few_shot, fit_length
from tests.agents.addition import words

PLACEBO = "## Cooking\n" + "\n".join(f"- Advice number {n} about soups and stews and salt." for n in range(30))


def examples(count: int, length: int = 20) -> list[tuple[str, str]]:
    return [(f"task {n} " + "word " * length, f"reply {n}") for n in range(count)]


@pytest.mark.parametrize("target", [40, 100, 250, 900])
def test_a_placebo_is_cut_or_repeated_to_length(target: int) -> None:
    fitted = fit_length(PLACEBO, target, words)
    assert 0.95 * target <= words(fitted) <= target
    assert fitted.startswith("## Cooking\n- Advice number 0")


def test_a_placebo_ends_with_a_whole_line_where_that_is_near_enough() -> None:
    assert fit_length(PLACEBO, 205, words).endswith("salt.")


def test_few_shot_has_about_the_target_length() -> None:
    text = few_shot(examples(60), 300, words)
    assert text is not None
    assert 0.85 * 300 <= words(text) <= 1.05 * 300


def test_few_shot_is_deterministic_in_any_order_and_mixes() -> None:
    pairs = examples(60)
    assert few_shot(pairs, 300, words) == few_shot(pairs[::-1], 300, words)
    text = str(few_shot(pairs, 300, words))
    assert any(f"task {n} " in text for n in range(20, 60))


def test_few_shot_takes_the_shortest_example_if_none_fits_and_none_without_examples() -> None:
    text = str(few_shot([("long " * 400, "a"), ("long " * 300, "b")], 50, words))
    assert "Correct reply:\nb" in text and "Correct reply:\na" not in text
    assert few_shot([], 300, words) is None


def test_all_arms_get_their_context() -> None:
    learned = "## Method\n- " + "step " * 200
    contexts = arm_contexts(
        learned=learned, one_shot="- one", seed="- seed", placebo=PLACEBO, examples=examples(60), count_tokens=words
    )
    assert tuple(contexts) == STRATEGY_ARMS
    assert contexts["none"] is None
    assert (contexts["learned"], contexts["one_shot"], contexts["seed"]) == (learned, "- one", "- seed")
    lengths = {arm: words(str(contexts[arm])) for arm in ("placebo", "few_shot", "learned")}
    assert max(lengths.values()) <= 1.15 * min(lengths.values())
