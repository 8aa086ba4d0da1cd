"""The context that each strategy arm gives to a model: the learned strategy and its controls.

Guaranteed: deterministic; placebo and few-shot contexts have about as many tokens as the learned
strategy (they never exceed it by more than 5%, unless the shortest example alone does), so that
an arm cannot win by length alone. Not guaranteed: equal length for `seed` and `one_shot`, which
are compared as they are; that examples of suitable length exist (`few_shot` then stays short).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import prompts
from records.nouns import content_hash

STRATEGY_ARMS = ("none", "seed", "placebo", "one_shot", "few_shot", "learned")
SLACK = 0.05  # share by which a control's length may differ from the learned strategy's

CountTokens = Callable[[str], int]


def arm_contexts(
    *,
    learned: str,
    one_shot: str,
    seed: str,
    placebo: str,
    examples: Sequence[tuple[str, str]],
    count_tokens: CountTokens,
) -> dict[str, str | None]:
    """The context of every arm of STRATEGY_ARMS; None means: the problem alone.

    `placebo` is the whole strategy of another domain, `examples` are (problem prompt, verified
    reply) pairs of train problems.
    """
    target = count_tokens(learned)
    return {
        "none": None,
        "seed": seed,
        "placebo": fit_length(placebo, target, count_tokens),
        "one_shot": one_shot,
        "few_shot": few_shot(examples, target, count_tokens),
        "learned": learned,
    }


def fit_length(text: str, target: int, count_tokens: CountTokens) -> str:
    """`text` cut or repeated to about `target` tokens: at a line's end if that is near enough, else at a word's."""
    if not text.strip():
        raise ValueError("a placebo needs a text")
    filled = text.strip()
    while count_tokens(filled) < target:
        filled = f"{filled}\n\n{text.strip()}"
    words = re.findall(r"\S+\s*", filled)
    kept = _longest(words, target, count_tokens)
    whole_lines = kept.rpartition("\n- ")[0].strip() if kept != filled else kept
    near = count_tokens(whole_lines) >= (1 - SLACK) * target
    return whole_lines if near else kept


def _longest(words: Sequence[str], target: int, count_tokens: CountTokens) -> str:
    """The longest beginning with at most `target` tokens, found by bisection; at least one word."""
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if count_tokens("".join(words[:middle]).strip()) <= target:
            low = middle
        else:
            high = middle - 1
    return "".join(words[:low]).strip()


def few_shot(examples: Sequence[tuple[str, str]], target: int, count_tokens: CountTokens) -> str | None:
    """Verified examples of about `target` tokens, in an order that mixes families; None without examples."""
    chosen: list[str] = []
    ordered = sorted(dict.fromkeys(examples), key=lambda pair: content_hash(list(pair)))
    for task, reply in ordered:
        candidate = [*chosen, _example(task, reply)]
        if count_tokens(_few_shot_text(candidate)) <= (1 + SLACK) * target:
            chosen = candidate
    if not chosen and ordered:
        chosen = [_example(*min(ordered, key=lambda pair: (count_tokens("\n".join(pair)), pair)))]
    return _few_shot_text(chosen) if chosen else None


def _example(task: str, reply: str) -> str:
    return prompts.load("few_shot_example").render(task=task, reply=reply)


def _few_shot_text(parts: Sequence[str]) -> str:
    return prompts.load("few_shot").render(examples="\n\n".join(parts))
