"""`--compose RUN_A RUN_B` at the terminal: the estimate, the measurement, the findings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from console.money import show_budget, show_parts
from console.progress import make_events
from console.terminal import BUDGET_SPENT
from console.text import safe
from evaluation.composition import REPORT, findings
from graphs.composing import (
    Plan,
    composed_settings,
    estimate,
    find_source,
    make_plan,
    measure_composition,
    measuring_config,
    open_composition,
)
from graphs.settings import SettingsError, build_config, merged
from models.budget import BudgetSpent
from records.rundir import RunDirectory

TAKEN = {"compose", "validator", "budget", "prices", "serve", "dry-run", "run", "runs", "set"}  # flags that it knows


def refuse_flags(given: Iterable[str]) -> None:
    """Raise SettingsError if a flag was given that only a run takes."""
    if foreign := sorted(set(given) - TAKEN):
        raise SettingsError(f"--compose takes its settings from the runs; leave out --{foreign[0]}")


def compose(
    console: Console,
    names: tuple[str, str],
    runs: Path,
    run_id: str | None,
    flags: Mapping[str, Any],
    overrides: Sequence[str],
    dry_run: bool,
) -> None:
    """Merge two strategies and measure them; the same command goes on with what was begun."""
    plan = plan_for(names, runs, flags, overrides)
    show_plan(console, plan, free=dry_run)
    if dry_run:
        return
    run = open_composition(plan, runs, run_id)
    try:
        measure_plan(console, plan, run)
    except BudgetSpent as error:
        console.print(f"[yellow]stopped:[/yellow] {safe(str(error))}. Nothing is lost.", soft_wrap=True)
        console.print(f"Give the same command again with --run {run.id} and a larger --budget", soft_wrap=True)
        raise typer.Exit(BUDGET_SPENT) from error


def plan_for(names: tuple[str, str], runs: Path, flags: Mapping[str, Any], overrides: Sequence[str]) -> Plan:
    """The merge of two runs with the flags' settings. Raises what bad names and settings raise."""
    first, second = (find_source(runs, name) for name in names)
    given = {key: value for key, value in flags.items() if value not in (None, (), [])}
    settings = merged(composed_settings(first, second, given), given)
    return make_plan(first, second, measuring_config(build_config(settings, overrides)))


def show_plan(console: Console, plan: Plan, free: bool) -> None:
    """What was merged, and what measuring it takes."""
    strategy, left_out = plan.composition.strategy, plan.composition.left_out
    names = " and ".join(source.run.id for source in plan.sources)
    console.print(
        f"Merged {safe(names)}: {len(strategy.bullets)} bullets, hash {strategy.hash}; {len(left_out)} left out.",
        soft_wrap=True,
    )
    for one in left_out:
        console.print(f"  left out: {safe(one.source)}:{safe(one.bullet_id)}, {safe(one.reason)}", soft_wrap=True)
    if parts := estimate(plan, free):
        show_parts(console, parts, "Calls of the measurement: at least – at most")
        show_budget(console, plan.config, parts)


def measure_plan(console: Console, plan: Plan, run: RunDirectory) -> None:
    """Measure, then say what was found and where it stands."""
    console.print(f"Measured in {safe(str(run.path))}", soft_wrap=True)
    events = make_events(console)
    try:
        summary = asyncio.run(measure_composition(run, plan, events))
    finally:
        events.close()
    for line in findings(summary):
        console.print(safe(line), soft_wrap=True)
    console.print(f"  {safe(str(run.path / REPORT))}", soft_wrap=True)
    console.print(f"Recompute every figure with: python -m evaluation {safe(str(run.path))} --check", soft_wrap=True)
