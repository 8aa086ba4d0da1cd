"""Model output as harmless text: every control and direction character is made visible."""

from __future__ import annotations

import re
import unicodedata

from rich.markup import escape

_SUSPECT = re.compile(r"[^\n\t\x20-\x7e]")


def plain(text: str, limit: int = 20_000) -> str:
    """Text without terminal escapes: control, format and surrogate characters become `\\x1b`-like codes."""
    safe = _SUSPECT.sub(_visible, text[:limit])
    return safe + (f"\n… {len(text) - limit} characters more" if len(text) > limit else "")


def _visible(match: re.Match[str]) -> str:
    character = match[0]
    return character.encode("unicode_escape").decode() if _dangerous(character) else character


def _dangerous(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def safe(text: str, limit: int = 20_000) -> str:
    """`plain`, and inert inside rich markup."""
    return escape(plain(text, limit))
