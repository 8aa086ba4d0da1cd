"""From a conversation to token ids, by a model's own chat template: the same for training and every way of running.

Guaranteed: control tokens that occur inside a message are defused with a space, so that text cannot
pretend to be a turn of its own. A template that takes no system message, or wants turns of two roles in
turn, gets the conversation in the form that it takes, with every text in it. A training row begins with the
very prompt that the model is asked with, also where a template opens a thought or strips one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, cast

from jinja2 import TemplateError

from models.system_role import SEPARATOR, has_system, merged_system
from models.thoughts import is_mark, opens_thought
from records.nouns import Message

# What templates and tokenizers of strangers raise on a conversation that they do not take.
TEMPLATE_FAULTS = (TemplateError, ValueError, TypeError, LookupError, AttributeError)

_THOUGHTS = {"<think>": "</think>", "<thinking>": "</thinking>", "<reasoning>": "</reasoning>", "[THINK]": "[/THINK]"}
_TAIL = 16  # tokens at a prompt's end that are looked at for the mark of a thought
_SYSTEM, _ASKED, _REPLY = "Be short, 7391.", "Say yes, 2846.", "Yes, 5170."


class ChatError(Exception):
    """A chat template cannot render what is needed of it; the message says what."""


def render(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids of a conversation, ending where the model's reply begins."""
    turns = [
        {"role": message.role, "content": defused(tokenizer, message.content)}
        for message in fitted(tokenizer, messages)
    ]
    return cast(list[int], tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False))


def defused(tokenizer: Any, text: str) -> str:
    """The text without control tokens."""
    for token in tokenizer.all_special_tokens:
        if len(token) > 1 and token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def fitted(tokenizer: Any, messages: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation as the template takes it: without a system message, or with neighbours of one role joined."""
    turns = tuple(messages)
    if has_system(turns) and not takes_system(tokenizer):
        turns = merged_system(turns)
    roles = [turn.role for turn in turns]
    if any(a == b for a, b in pairwise(roles)) and _text_or_none(tokenizer, turns) is None:
        return tuple(_alternating(turns))
    return turns


def takes_system(tokenizer: Any) -> bool:
    """Whether the template renders a system message; some raise an error, others leave it out without a word."""
    asked = (Message(role="system", content=_SYSTEM), Message(role="user", content=_ASKED))
    return _SYSTEM in (_text_or_none(tokenizer, asked) or "")


def row_texts(tokenizer: Any, prompt: Sequence[Message], completion: Sequence[Message]) -> tuple[str, str]:
    """A training row: the prompt as the model is asked with it, and what it is to write, its turn's end included.

    Raises ChatError where the template renders the prompt differently once the reply follows.
    """
    turns = fitted(tokenizer, prompt)
    try:
        asked = _text(tokenizer, turns, generation=True)
        whole = _text(tokenizer, (*turns, *completion))
        written = whole[len(asked) :] if whole.startswith(asked) else ""
        if written and all(message.content.strip() in written for message in completion):
            return asked, written
        return asked, _after_thought(tokenizer, turns, completion, asked, whole)
    except TEMPLATE_FAULTS as error:
        raise ChatError(f"the chat template fails on a training row: {' '.join(str(error).split())[:200]}") from error


def _after_thought(
    tokenizer: Any, turns: Sequence[Message], completion: Sequence[Message], asked: str, whole: str
) -> str:
    """What is to be written where the template opens a thought, or strips what stands in one."""
    before = _text(tokenizer, turns)
    head, found, end = _text(tokenizer, (*turns, Message(role="assistant", content=_REPLY))).rpartition(_REPLY)
    if not (found and whole.startswith(before) and asked.startswith(before)) or len(completion) != 1:
        raise ChatError(
            "the chat template renders the prompt differently once the reply follows, "
            "so the model would be trained on a prompt that it never sees"
        )
    opened = next((mark for mark in _THOUGHTS if asked.rstrip().endswith(mark)), None)
    if opened:
        return f"\n{_THOUGHTS[opened]}\n\n{completion[0].content}{end}"
    return (head[len(asked) :] if head.startswith(asked) else "") + completion[0].content + end


def reply_text(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The text of a reply without control tokens, but with those that mark thoughts and channels."""
    if not has_special_marks(tokenizer):
        return str(tokenizer.decode(tokens, skip_special_tokens=True))
    special = set(tokenizer.all_special_ids)
    kept = [n for n in tokens if n not in special or is_mark(tokenizer.convert_ids_to_tokens(n))]
    return str(tokenizer.decode(kept, skip_special_tokens=False))


def has_special_marks(tokenizer: Any) -> bool:
    """Whether marks of thoughts are control tokens, which are usually left out of a reply."""
    return any(map(is_mark, tokenizer.all_special_tokens))


def opens_a_thought(tokenizer: Any, prompt: Sequence[int]) -> bool:
    """Whether a rendered prompt ends within a thought that the chat template has opened."""
    return opens_thought(str(tokenizer.decode(prompt[-_TAIL:])))


def end_tokens(tokenizer: Any, *configs: Any) -> frozenset[int]:
    """All tokens at which a reply ends: of the tokenizer, of configurations (`eos_token_id`, one or a list), of the
    template, if it ends a reply with a control token."""
    found: set[int | None] = {tokenizer.eos_token_id, _turn_end(tokenizer)}
    for config in configs:
        value = getattr(config, "eos_token_id", None)
        found.update(value if isinstance(value, list | tuple) else [value])
    return frozenset(token for token in found if isinstance(token, int))


def _turn_end(tokenizer: Any) -> int | None:
    """The control token that the template writes right behind a reply."""
    if not tokenizer.chat_template:
        return None
    turns = (Message(role="user", content=_ASKED), Message(role="assistant", content=_REPLY))
    end = (_text_or_none(tokenizer, turns) or "").rpartition(_REPLY)[2].lstrip()
    for token in sorted(tokenizer.all_special_tokens, key=len, reverse=True):
        if end.startswith(token) and token != tokenizer.bos_token:
            return cast(int, tokenizer.convert_tokens_to_ids(token))
    return None


def _text(tokenizer: Any, turns: Sequence[Message], generation: bool = False) -> str:
    chat = [message.model_dump() for message in turns]
    return str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=generation))


def _text_or_none(tokenizer: Any, turns: Sequence[Message]) -> str | None:
    try:
        return _text(tokenizer, turns)
    except TEMPLATE_FAULTS:
        return None


def _alternating(turns: Sequence[Message]) -> Iterator[Message]:
    """Neighbours of one role as one turn."""
    held: Message | None = None
    for turn in turns:
        if held is not None and held.role == turn.role:
            held = Message(role=held.role, content=held.content + SEPARATOR + turn.content)
            continue
        if held is not None:
            yield held
        held = turn
    if held is not None:
        yield held
