"""Conversations for models that take no system message: its text goes to the front of the user's turn.

Guaranteed: the same text at the same place wherever such a model is asked, behind an API, in this process and
in its training rows, so that it is tested on what it was trained on; a conversation without a system message is
left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from records.nouns import Message

SEPARATOR = "\n\n"
REFUSAL = re.compile(
    r"system (?:role|message|prompt|instruction|turn)s?\b[^.\n]{0,40}"
    r"(?:\bnot|n't|\bun)[ -]?(?:supported|support|allowed|permitted|accepted|available|enabled)"
    r"|(?:\bnot|n't|\bonly|\bun)[ -]?(?:support|supported|allow|allowed|accept|accepted|permit|permitted|recogni[sz]ed)"
    r"[^.\n]{0,30}\bsystem\b"
    r"|(?:unknown|invalid|unsupported|unexpected|developer instruction)[^.\n]{0,30}\b(?:role\b[^.\n]{0,12})?system\b"
    r"|developer instruction is not enabled"
    r"|\bonly user(?:,| and| or)[^.\n]{0,30}\broles? (?:are|is) (?:supported|allowed)"
    r"|roles must alternate\b",
    re.IGNORECASE,
)  # in the words of chat templates (Gemma, Mistral) and of servers


def has_system(messages: Sequence[Message]) -> bool:
    """Whether there is a system message."""
    return any(message.role == "system" for message in messages)


def merged_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation without system messages, their text before the first user's turn, an empty line between.

    Where there is no user's turn the text is one.
    """
    texts = [message.content for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    if not texts:
        return tuple(turns)
    place = next((index for index, turn in enumerate(turns) if turn.role == "user"), None)
    if place is None:
        return (Message(role="user", content=SEPARATOR.join(texts)), *turns)
    content = SEPARATOR.join([*texts, turns[place].content])
    return (*turns[:place], Message(role="user", content=content), *turns[place + 1 :])


def refuses_system(words: str) -> bool:
    """Whether an error's words say that a system message is what was refused."""
    return REFUSAL.search(words) is not None


def system_notice(model: str) -> str:
    """What the run says of a model that takes no system message."""
    return (
        f"'{model}' takes no system message: what would stand there, the strategy included, goes to the front of the "
        "user's turn, in training and in testing alike"
    )
