"""The program: begin a run, replay one or compose two; the other commands stand in `steering` and `reading`.

Exit codes: 0 for a run that ended or waits for a decision, 1 for an error that a resume may mend,
2 for bad input, 3 for a run that its budget has stopped, 130 for an interrupt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from console import composing, reading, steering
from console.money import show_dry_run
from console.options import (
    RUNS,
    BudgetOption,
    PricesOption,
    ReviewDataOption,
    RunsOption,
    WaitOption,
    last_run,
    money_flags,
)
from console.program import PROGRAM, quieten
from console.terminal import console, friendly
from console.working import go_on
from domains import DOMAINS, get_domain
from graphs.runner import create_run, open_run, refuse_difference, replay_run
from graphs.settings import SettingsError, build_config
from records.config import RunConfig
from records.rundir import RunDirectory

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
COMMANDS: Mapping[str, Callable[..., None]] = {  # in the order of --help
    "resume": steering.resume,
    "approve": steering.approve,
    "exclude": steering.exclude,
    "runs": reading.runs_,
    "show": reading.show,
    "cost": reading.cost,
    "judge": reading.judge,
    "export": reading.export,
    "ui": reading.ui,
}


@app.callback(invoke_without_command=True)
def transfer(
    context: typer.Context,
    domain: Annotated[str | None, typer.Option(help=f"What is learned: {', '.join(DOMAINS)}.")] = None,
    teacher: Annotated[
        list[str] | None, typer.Option(help="Model spec; `oracle` needs no model. Several share the problems.")
    ] = None,
    student: Annotated[str | None, typer.Option(help="Model spec of the student.")] = None,
    validator: Annotated[list[str] | None, typer.Option(help="Model spec; may be given several times.")] = None,
    profile: Annotated[str | None, typer.Option(help="quick or full.")] = None,
    problems: Annotated[str | None, typer.Option(help="JSONL file or data set name.")] = None,
    search: Annotated[str | None, typer.Option(help="How strategies are searched: greedy, pareto or gepa.")] = None,
    approve: Annotated[str | None, typer.Option(help="ask, gate, always or never.")] = None,
    require_sound_steps: Annotated[
        bool | None, typer.Option("--require-sound-steps", help="Train on no solution with a wrong step.")
    ] = None,
    transfer_to: Annotated[
        list[str] | None, typer.Option(help="Also test the strategy on this domain; may be given several times.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of problems, order and training.")] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Times that the student is trained; its failures go back to the teacher.")
    ] = None,
    reoptimise_for: Annotated[
        list[str] | None,
        typer.Option(help="Validator that gets rounds of its own if it gains nothing; may be given several times."),
    ] = None,
    run: Annotated[str | None, typer.Option(help="Name of the run; an unfinished one goes on.")] = None,
    budget: BudgetOption = None,
    prices: PricesOption = None,
    serve: Annotated[
        str | None, typer.Option(help="What runs local models: transformers, or vllm (a server of its own).")
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Send calls that can wait in the providers' batches, at half the price.")
    ] = False,
    replay: Annotated[
        str | None, typer.Option(metavar="RUN", help="Do a complete run again from its ledger, without any model.")
    ] = None,
    compose: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="RUN_A RUN_B", help="Merge the approved strategies of two runs and measure the result."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print calls, tokens, cost and what the gate can show; call nothing.")
    ] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, e.g. loop.rounds=3.")] = None,
    wait: WaitOption = False,
    review_data: ReviewDataOption = False,
    runs: RunsOption = RUNS,
) -> None:
    """Move a capability from a teacher to a small student, in language, and prove it.

    Models are named [bold]provider:model[/bold]: embedded, hf:PATH-or-ID, anthropic:NAME,
    openai:NAME, vllm:NAME@URL. Without a key the teacher is a scripted oracle.
    """
    if context.invoked_subcommand:
        return
    if replay is not None:
        _replay(context, replay, runs, run)
        return
    if compose is not None:
        flags = {"validators": validator, "serve": serve, **money_flags(budget, prices)}
        _compose(context, compose, runs, run, flags, set_ or [], dry_run)
        return
    with friendly():
        if domain is None:
            raise SettingsError(f"--domain is missing; there are: {', '.join(DOMAINS)}")
        get_domain(domain)
        first, *more = teacher or [""]
        flags = dict(
            domain=domain, teacher=first or None, more_teachers=more, student=student, validators=validator,
            profile=profile, problems=problems, search=search, approve=approve, seed=seed, serve=serve, rounds=rounds,
            crossmodel={"reoptimise_for": reoptimise_for} if reoptimise_for else None,
            require_sound_steps=require_sound_steps, transfer_to=transfer_to,
            batches={"use": True} if batch else None, **money_flags(budget, prices),
        )  # fmt: skip
        config = build_config(flags, set_ or [])
        if dry_run:
            show_dry_run(console, config)
            return
        directory = _new_or_same(config, runs, run)
    go_on(directory, config, wait=wait, hold=review_data)


def _replay(context: typer.Context, source: str, runs: Path, run_id: str | None) -> None:
    """Replay a run and compare the results; exit code 1 if they differ."""
    with friendly():
        given = {name for name in context.params if _on_command_line(context, name)} - {"replay", "run", "runs"}
        if given:
            raise SettingsError(f"--replay takes its settings from the run; leave out --{_flag(min(given))}")
        directory, config = replay_run(open_run(runs, last_run(source, runs))[0], runs, run_id)
    go_on(directory, config)


def _compose(
    context: typer.Context,
    sources: tuple[str, str],
    runs: Path,
    run_id: str | None,
    flags: Mapping[str, Any],
    overrides: Sequence[str],
    dry_run: bool,
) -> None:
    """Merge the strategies of two runs and measure the result; only an estimate if `dry_run`."""
    with friendly():
        composing.refuse_flags(_flag(name) for name in context.params if _on_command_line(context, name))
        names = last_run(sources[0], runs), last_run(sources[1], runs)
        composing.compose(console, names, runs, run_id, flags, overrides, dry_run)


def _flag(parameter: str) -> str:
    return parameter.strip("_").replace("_", "-")


def _on_command_line(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _new_or_same(config: RunConfig, runs: Path, run_id: str | None) -> RunDirectory:
    if run_id and (runs / run_id / "run.json").exists():
        directory, _ = open_run(runs, run_id)
        refuse_difference(directory, config)
        return directory
    return create_run(config, runs, run_id)


for _name, _command in COMMANDS.items():
    app.command(_name)(_command)


def main() -> None:
    """Entry point of the program."""
    quieten()
    app(prog_name=PROGRAM)
