"""From a conversation to token ids, by a model's own chat template: the same for every way of running it.

Guaranteed: control tokens that occur inside a message are defused with a space, so that text cannot
pretend to be a turn of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from records.nouns import Message


def render(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids of a conversation, ending where the model's reply begins."""
    turns = [{"role": message.role, "content": defused(tokenizer, message.content)} for message in messages]
    return cast(list[int], tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False))


def defused(tokenizer: Any, text: str) -> str:
    """The text without control tokens."""
    for token in tokenizer.all_special_tokens:
        if len(token) > 1 and token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text
