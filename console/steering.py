"""The commands of a person about a run that has begun: resume it, decide about its strategy, leave rows out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console import asking
from console.deciding import answer_from_flags, submitted
from console.options import (
    RUNS,
    BudgetOption,
    PricesOption,
    ReviewDataOption,
    RunArgument,
    RunsOption,
    WaitOption,
    last_run,
    money_flags,
)
from console.program import PROGRAM
from console.terminal import console, friendly, interactive
from console.text import safe
from console.working import go_on
from graphs.inbox import exclude_row, exclusions, include_row, pending_decision
from graphs.runner import fork_run, open_run
from graphs.settings import SettingsError, build_config, merged
from records.config import FREE_SETTINGS
from records.rundir import RunDirectory, RunError


def resume(
    run: RunArgument,
    fork: Annotated[str | None, typer.Option(help="Name of a new run that reuses this run's calls.")] = None,
    budget: BudgetOption = None,
    prices: PricesOption = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="key=value; without --fork only budget.usd, batches.use and others that decide no result."
        ),
    ] = None,
    wait: WaitOption = False,
    review_data: ReviewDataOption = False,
    runs: RunsOption = RUNS,
) -> None:
    """Go on with a run where it stopped."""
    with friendly():
        directory, config = open_run(runs, last_run(run, runs))
        fixed = [text for text in set_ or [] if text.split("=")[0].split(".")[0].strip() not in FREE_SETTINGS]
        if fixed and not fork:
            raise SettingsError(
                f"--set {fixed[0]}: a run keeps its settings, but for {', '.join(FREE_SETTINGS)}; give --fork "
                "NEW_NAME to begin a new one with it"
            )
        given = merged(config.model_dump(mode="json"), money_flags(budget, prices))
        config = build_config(given, set_ or [])
        if fork:
            directory = fork_run(directory, config, runs, fork)
    go_on(directory, config, wait=wait, hold=review_data)


def approve(
    run: RunArgument,
    decision: Annotated[str | None, typer.Option(help="approve, edit or reject; without it you are asked.")] = None,
    reason: Annotated[str, typer.Option(help="Part of the record; a rejection needs one.")] = "",
    file: Annotated[Path | None, typer.Option(help="With --decision edit: the edited strategy.")] = None,
    wait: WaitOption = False,
    review_data: ReviewDataOption = False,
    runs: RunsOption = RUNS,
) -> None:
    """Decide about the strategy of a waiting run; the run then goes on."""
    with friendly():
        directory, config = open_run(runs, last_run(run, runs))
        if directory.complete or _is_decided(directory):
            raise RunError(f"run '{directory.id}' does not wait for a decision; see: {PROGRAM} show {directory.id}")
        given = answer_from_flags(directory, decision, reason, file) if decision else None
        if not given and not interactive():
            raise SettingsError("there is no terminal to ask at; give --decision approve, edit or reject")
        waits = pending_decision(directory.path) is not None
        if not submitted(console, directory, given):
            return
    go_on(directory, config, None if waits else given, wait=wait, hold=review_data)  # a decision counts once


def _is_decided(run: RunDirectory) -> bool:
    """The strategy that was measured last has its decision, so that no other is waiting."""
    decided = {row["strategy_hash"] for row in run.rows("decisions.jsonl") if row["action"] != "edit"}
    measured = [row["strategy_hash"] for row in run.rows("evaluation/rows.jsonl") if row["suite"] == "strategy"]
    return bool(measured) and measured[-1] in decided


def exclude(
    run: RunArgument,
    row: Annotated[str | None, typer.Argument(help="Id of the row; without it those left out are listed.")] = None,
    reason: Annotated[str, typer.Option(help="Part of the record; leaving a row out needs one.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take the row back.")] = False,
    runs: RunsOption = RUNS,
) -> None:
    """Leave a training row out, in every arm, before the training begins."""
    with friendly():
        directory, _ = open_run(runs, last_run(run, runs))
        if row and undo:
            include_row(directory.path, row, asking.reviewer_name(), reason)
        elif row:
            exclude_row(directory.path, row, reason, asking.reviewer_name())
        left_out = exclusions(directory.path)
        console.print(f"{len(left_out)} problems are left out of the training.")
        for item in left_out:
            console.print(safe(f"  {item.row_id}: {item.reason} ({item.who}, {item.time})"), soft_wrap=True)
