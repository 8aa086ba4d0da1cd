"""System messages for models that take none."""

from __future__ import annotations

import pytest

from models.system_role import has_system, merged_system, refuses_system
from records.nouns import Message

SYSTEM, USER, REPLY = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="2+2?"),
    Message(role="assistant", content="4"),
)
MERGED = Message(role="user", content="Be brief.\n\n2+2?")


@pytest.mark.parametrize(
    ("given", "merged"),
    [
        ((SYSTEM, USER), (MERGED,)),
        ((SYSTEM, USER, REPLY, USER), (MERGED, REPLY, USER)),
        ((USER, REPLY), (USER, REPLY)),
        ((SYSTEM,), (Message(role="user", content="Be brief."),)),
        ((USER, SYSTEM), (MERGED,)),
        (
            (SYSTEM, Message(role="system", content="Be kind."), USER),
            (Message(role="user", content="Be brief.\n\nBe kind.\n\n2+2?"),),
        ),
    ],
)
def test_the_advice_goes_to_the_front_of_the_first_users_turn(
    given: tuple[Message, ...], merged: tuple[Message, ...]
) -> None:
    assert merged_system(given) == merged
    assert not has_system(merged_system(given))


REFUSALS = [
    "System role not supported",
    "System role not supported at line 1",
    "jinja2.exceptions.TemplateError: System role not supported",
    "system messages are not supported by this model",
    "This model does not support system messages.",
    "The system prompt isn't supported",
    "Developer instruction is not enabled for models/gemma-3-1b-it",
    "Only user and assistant roles are supported!",
    "Only user, assistant and tool roles are supported",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
    "Invalid role: system",
    "Unexpected message role: system",
    "system role is unsupported",
]
OTHERS = [
    "temperature is not supported",
    "The system is overloaded",
    "The operating system is not available",
    "invalid request",
    "max_tokens is not supported",
    "",
]


@pytest.mark.parametrize("words", REFUSALS)
def test_a_refused_system_message_is_known_by_its_words(words: str) -> None:
    assert refuses_system(words)


@pytest.mark.parametrize("words", OTHERS)
def test_other_refusals_are_not_taken_for_it(words: str) -> None:
    assert not refuses_system(words)
