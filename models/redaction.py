"""Keys kept out of every text that is shown, logged or stored.

Guaranteed: the values of environment variables that are named like secrets, whole or as they stand in
URLs and JSON, and what has the shape of a key: providers' keys, bearer tokens, user names in URLs,
key-like query values. Not guaranteed: a secret of fewer than eight characters.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from urllib.parse import quote

SHORTEST = 8  # characters; shorter values are words of any text
_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?([_\d]|$)", re.IGNORECASE)
_SHAPES = (
    (re.compile(r"\bsk-[\w*.-]{4,}|\b(?:gsk_|hf_|xai-|AIza)[\w-]{16,}"), "[key]"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{16,}", re.IGNORECASE), r"\1 [key]"),
    (re.compile(r"://[^\s'\"]*@"), "://[user]@"),
    (re.compile(r"([?&][\w-]*(?:key|token|secret|password|auth|sig)[\w-]*=)[^&\s'\"]+", re.IGNORECASE), r"\1[key]"),
)


def without_secrets(text: str) -> str:
    """The text with each secret replaced by a word in brackets."""
    for value, name in sorted(_secrets(), key=lambda pair: -len(pair[0])):
        text = text.replace(value, f"[{name}]")
    for shape, word in _SHAPES:
        text = shape.sub(word, text)
    return text


def is_secret(name: str) -> bool:
    """Whether an environment variable is named like one that holds a secret."""
    return _NAMES.search(name) is not None


def _secrets() -> Iterator[tuple[str, str]]:
    """Secret values in all forms in which they may stand in a text, with their variables' names."""
    for name, value in os.environ.items():
        plain = value.strip()
        if is_secret(name) and len(plain) >= SHORTEST:
            for form in {plain, quote(plain, safe=""), json.dumps(plain)[1:-1], repr(plain)[1:-1]}:
                yield form, name
