"""The estimate before a run that costs money, as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from console.text import safe
from evaluation.gate import promise
from graphs.money import paid_models
from graphs.preflight import Part, Range, preflight, validation_promise
from graphs.runner import obstacle
from models.batches import supports_batches
from models.budget import Spending, budget_line, exceeded, money
from models.spec import parse_spec
from records.config import RunConfig


def show_preflight(console: Console, config: RunConfig) -> None:
    """Calls, tokens and dollars by stage and model, with the budget beside; nothing for a free run."""
    parts = preflight(config)
    if parts:
        show_parts(console, parts, "Before the first paid call: at least – at most")
        console.print(promise(config), soft_wrap=True)
        show_budget(console, config, parts)


def show_dry_run(console: Console, config: RunConfig) -> None:
    """The same for all models, the free ones too, with what the run trains and can show. Makes no call."""
    parts = preflight(config, free=True)
    show_parts(console, parts, "What the run would call: at least – at most")
    console.print(promise(config), soft_wrap=True)
    show_budget(console, config, parts)
    if parse_spec(config.teacher).provider == "oracle":
        console.print("The scripted teacher makes no call.")
    console.print("Arms that end up with the same text share their calls: then fewer are made.")
    console.print(validation_promise(config), soft_wrap=True)
    adapters = [arm for arm in config.student_arms if arm.startswith("lora_")]
    if adapters and parse_spec(config.student).local:
        runs = len(adapters) * config.training_seeds
        console.print(f"It would train {runs} adapters on at most {config.examples:,} examples each.")
    if problem := obstacle(config):
        console.print(f"[yellow]As things are it would not start:[/yellow] {safe(problem)}", soft_wrap=True)
    console.print("Nothing was called, nothing was written.")


def show_parts(console: Console, parts: Sequence[Part], title: str) -> None:
    """One row per stage and model, and the total."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("stage", no_wrap=True)
    table.add_column("model", overflow="fold")
    for column in ("calls", "prompt tokens", "reply tokens", "US dollars"):
        table.add_column(column, justify="right", no_wrap=True)
    agents = {part.stage: {other.agent for other in parts if other.stage == part.stage} for part in parts}
    for part in parts:
        stage = part.stage if len(agents[part.stage]) == 1 else f"{part.stage}, {part.agent}"
        table.add_row(safe(stage), safe(part.model), *_cells([part]))
    table.add_row("[bold]total[/bold]", "", *_cells(parts))
    console.print(table)


def show_budget(console: Console, config: RunConfig, parts: Sequence[Part]) -> None:
    """The budget, and whether it is enough at all."""
    limit = budget_line(config.budget)
    console.print(f"Budget: {limit or 'none; give one with --budget DOLLARS'}")
    if exceeded(config.budget, _least(parts)):
        console.print("[yellow]The budget is below the estimate's lower end: the run will stop early.[/yellow]")


def batch_line(config: RunConfig) -> str:
    """What --batch will do to this run, "" without it."""
    if not config.batches.use:
        return ""
    names = [str(spec) for spec in dict.fromkeys(spec for _, spec in paid_models(config)) if supports_batches(spec)]
    if not names:
        return "--batch changes nothing: only anthropic: and openai: models have batches."
    stages = ", ".join(config.batches.stages)
    return f"Calls of {' and '.join(names)} in the stages {stages} wait in batches: up to 24 hours each time."


def _least(parts: Sequence[Part]) -> Spending:
    """What the run uses at least."""
    tokens = sum(part.prompt_tokens[0] + part.reply_tokens[0] for part in parts)
    usd = sum(part.usd[0] for part in parts if part.usd)
    return Spending(calls=round(sum(part.calls[0] for part in parts)), tokens=round(tokens), usd=usd)


def _cells(parts: Sequence[Part]) -> list[str]:
    counts = [_sum([part.calls for part in parts]), _sum([part.prompt_tokens for part in parts])]
    counts.append(_sum([part.reply_tokens for part in parts]))
    known = [part.usd for part in parts if part.usd is not None]
    dollars = _span(_sum(known), money) if len(known) == len(parts) else "unknown"
    return [*(_span(values, lambda value: f"{value:,.0f}") for values in counts), dollars]


def _sum(values: Sequence[Range]) -> Range:
    return sum(low for low, _ in values), sum(high for _, high in values)


def _span(values: Range, words: Callable[[float], str]) -> str:
    low, high = map(words, values)
    return low if low == high else f"{low} – {high}"
