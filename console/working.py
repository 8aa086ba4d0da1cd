"""Work on a run in this process until it ends, waits, is held or is stopped, and say which it was."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import typer

from console import asking, review
from console.money import batch_line, show_preflight
from console.program import PROGRAM
from console.progress import make_events
from console.terminal import BUDGET_SPENT, console, errors, friendly, interactive
from console.text import safe
from graphs.approval import Answer
from graphs.replay import COMPARED, differing, is_replay
from graphs.runner import Held, Outcome, Stopped, Waiting, work
from records.config import RunConfig
from records.rundir import RunDirectory, RunError


def go_on(
    run: RunDirectory, config: RunConfig, answer: Answer | None = None, *, wait: bool = False, hold: bool = False
) -> None:
    """Work on the run until it ends, waits or is held before training; at a terminal the approval is asked here."""
    console.print(f"Run [bold]{safe(run.id)}[/bold] in {safe(str(run.path))}", soft_wrap=True)
    if config.teacher == "oracle":
        console.print("The teacher is a scripted oracle, not a language model: it knows the reference solutions.")
    events = make_events(console)
    given = iter([answer] if answer else [])

    def reviewer(run: RunDirectory, payload: dict[str, object]) -> Answer | None:
        events.close()
        ready = next(given, None)
        if ready is not None:
            return ready
        return asking.ask(console, run, payload) if interactive() else None

    with friendly(None if is_replay(run) else run):
        if not (run.path / "problems.jsonl").exists() and not is_replay(run):
            show_preflight(console, config)
            console.print(safe(batch_line(config)), soft_wrap=True, end="\n" if config.batches.use else "")
        try:
            outcome = asyncio.run(work(run, config, events, reviewer, wait=wait, hold=hold))
        finally:
            events.close()
    _say_outcome(run, outcome)


def _say_outcome(run: RunDirectory, outcome: Outcome) -> None:
    if isinstance(outcome, Stopped):
        _say_stopped(run, outcome)
    if isinstance(outcome, Waiting):
        review.show_evidence(console, run, outcome.payload)
        console.print(f"The run waits for a decision about the strategy. Decide with: {PROGRAM} approve {run.id}")
        return
    if isinstance(outcome, Held):
        console.print(f"The training rows are in {safe(str(run.path / 'dataset'))}.", soft_wrap=True)
        console.print(f"Leave one out with: {PROGRAM} exclude {run.id} ROW --reason WHY", soft_wrap=True)
        console.print(f"Train with: {PROGRAM} resume {run.id}", soft_wrap=True)
        return
    from console.show import show_summary

    show_summary(console, run, outcome.summary)
    with friendly():
        if is_replay(run):
            _say_replayed(run)


def _say_replayed(run: RunDirectory) -> None:
    different = differing(run)
    if different:
        raise RunError(f"the replay has another result than its source: {', '.join(different)} differ")
    console.print(f"Replayed without a model: {' and '.join(COMPARED)} are the source's, byte for byte.")


def _say_stopped(run: RunDirectory, outcome: Stopped) -> NoReturn:
    errors.print(f"[yellow]stopped:[/yellow] {safe(outcome.reason)}.", soft_wrap=True)
    errors.print(
        f"All calls made are kept, and the report on them is {safe(str(run.path / 'report.md'))}.", soft_wrap=True
    )
    errors.print(
        f"Go on with a larger budget: {PROGRAM} resume {run.id} --budget DOLLARS (or --set budget.tokens=N)",
        soft_wrap=True,
    )
    raise typer.Exit(BUDGET_SPENT)
