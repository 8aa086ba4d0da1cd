"""One question at a terminal, while somebody else may answer it.

Guaranteed: an answer from elsewhere (a web page, another terminal) ends the question within a second; no
answer, a closed input and `later` decide nothing. Not guaranteed: that a person is faster than another.
"""

from __future__ import annotations

import getpass
import os
import select
import sys
from typing import Any

import click
from rich.console import Console

from console.review import show_evidence
from console.text import safe
from graphs.approval import Answer
from graphs.inbox import DecisionRow, submitted_decision
from graphs.strategies import load_strategy
from records.rundir import RunDirectory, write_atomically

CHOICES = ("approve", "edit", "reject", "later")
LOOK_S = 0.5  # seconds between two looks for an answer from elsewhere


def ask(console: Console, run: RunDirectory, payload: dict[str, Any]) -> Answer | None:
    """Show the evidence and ask; None if the reviewer decides later or somebody else has decided."""
    show_evidence(console, run, payload)
    return question(console, run, payload["strategy_hash"])


def question(console: Console, run: RunDirectory, strategy_hash: str) -> Answer | None:
    """The question alone."""
    console.print(f"You decide as [bold]{safe(reviewer_name())}[/bold] (LRL_REVIEWER changes the name).")
    while submitted_decision(run.path) is None:
        typed = read_line(console, run, "Your decision [approve/edit/reject/later]: ")
        choice = next((name for name in CHOICES if typed and name.startswith(typed)), None)
        if typed in ("", None) or choice == "later":
            break
        if choice is None:
            console.print(f"'{safe(str(typed), 40)}' is none of these; type one of the words or its first letter.")
        elif answer := _answer(console, run, strategy_hash, choice):
            return answer
    if standing := submitted_decision(run.path):
        console.print(f"{safe(decided_words(standing))}. The run goes on with it.")
    return None


def read_line(console: Console, run: RunDirectory, question: str) -> str | None:
    """The line that is typed, stripped; None at the end of the input, or once somebody else has decided."""
    console.print(question, end="", markup=False)
    while submitted_decision(run.path) is None:
        ready, _, _ = select.select([sys.stdin], [], [], LOOK_S)
        if ready:
            line = sys.stdin.readline()
            return line.strip() if line else None
    console.print()
    return None


def _answer(console: Console, run: RunDirectory, strategy_hash: str, choice: str) -> Answer | None:
    text = None
    if choice == "edit":
        before = load_strategy(run, strategy_hash).text
        text = click.edit(before, extension=".md")
        if text is None or text.strip() == before.strip():
            console.print("Nothing was changed in the editor; the strategy is as it was.")
            return None
    needed = "a rejection needs one" if choice == "reject" else "may be empty"
    reason = read_line(console, run, f"Reason ({needed}): ")
    if reason is None:
        _keep_edit(console, run, text)
        return None
    if choice == "reject" and not reason:
        console.print("A rejection needs a reason: it is part of the record.")
        return None
    return make_answer(choice, strategy_hash, reason, text)


def _keep_edit(console: Console, run: RunDirectory, text: str | None) -> None:
    """An edit that somebody else's decision has overtaken is not lost."""
    if text is not None:
        file = run.path / "edit-not-used.md"
        write_atomically(file, text)
        console.print(f"Your edit was not used; it is kept in {safe(str(file))}.", soft_wrap=True)


def decided_words(row: DecisionRow) -> str:
    """Who has decided what, when and why."""
    reason = row.reason if row.action == "edit" else row.text
    return f"{row.who} has decided: {row.action}" + (f" ({reason})" if reason else "") + f", at {row.time}"


def make_answer(choice: str, strategy_hash: str, reason: str, text: str | None = None) -> Answer:
    """The answer in the name of the user of this machine."""
    return Answer.model_validate(
        {"action": choice, "strategy_hash": strategy_hash, "who": reviewer_name(), "reason": reason, "text": text}
    )


def reviewer_name() -> str:
    """LRL_REVIEWER, or the login name."""
    try:
        return os.environ.get("LRL_REVIEWER") or getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
