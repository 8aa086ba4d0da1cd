"""Hostile text cannot steer the terminal or the markup."""

import pytest
from rich.console import Console

from console.text import plain, safe


@pytest.mark.parametrize("bad", ["\x1b[2J", "\x07", "\r", "\u202e", "\u200b", "\x9b31m", "\ud800"])
def test_control_and_direction_characters_become_visible(bad: str) -> None:
    shown = plain(f"a{bad}b")
    assert all(c.isprintable() for c in shown) and shown.startswith("a") and shown.endswith("b")


def test_lines_and_accents_stay() -> None:
    assert plain("é\n\tx") == "é\n\tx"


def test_markup_is_inert() -> None:
    console = Console(record=True, width=80, file=None)
    with console.capture() as capture:
        console.print(safe("[red]x[/red] [link=http://e]y[/link]"))
    assert "[red]x[/red]" in capture.get()


def test_long_text_is_cut_and_says_so() -> None:
    assert plain("x" * 30, limit=10) == "x" * 10 + "\n… 20 characters more"
