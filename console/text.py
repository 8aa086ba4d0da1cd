"""Model output on a terminal: every control and direction character is made visible."""

from __future__ import annotations

import unicodedata

from rich.markup import escape

_KEEP = {"\n", "\t"}


def plain(text: str, limit: int = 20_000) -> str:
    """Text without terminal escapes: control, format and surrogate characters become `\\x1b`-like codes."""
    shown = text[:limit]
    safe = "".join(c if c in _KEEP or not _dangerous(c) else c.encode("unicode_escape").decode() for c in shown)
    return safe + (f"\n… {len(text) - limit} characters more" if len(text) > limit else "")


def _dangerous(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def safe(text: str, limit: int = 20_000) -> str:
    """`plain`, and inert inside rich markup."""
    return escape(plain(text, limit))
