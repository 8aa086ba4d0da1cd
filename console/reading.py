"""The commands that read a run: list, show, cost, the judge beside the verifier, export, ui.

Guaranteed: a run's result stays as it is. `judge` writes its own rows beside it, and through `ui` a person may
decide and leave rows out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.exporting import check_export
from console.options import RUNS, RunArgument, RunsOption, last_run
from console.program import PROGRAM
from console.terminal import BAD_INPUT, console, fail, friendly, say, say_written
from console.text import safe
from evaluation.inspect_export import write_inspect
from evaluation.mlflow_export import write_mlflow
from graphs.runner import list_runs, open_run, where_it_stands
from graphs.settings import SettingsError
from models.export import FORMATS, write_batch, write_calls


def runs_(runs: RunsOption = RUNS) -> None:
    """List the runs."""
    from console.show import runs_table

    found = list_runs(runs)
    if not found:
        console.print(f"No runs in {safe(str(runs))} yet. Begin with: {PROGRAM} --domain python")
        return
    with friendly():
        console.print(runs_table([(run, where_it_stands(run)) for run in found]))


def show(
    run: RunArgument,
    stage: Annotated[str | None, typer.Option(help="reflections, strategy, attempts, calls or data.")] = None,
    limit: Annotated[int, typer.Option(help="Rows at most, for attempts, calls and data.", min=1)] = 20,
    runs: RunsOption = RUNS,
) -> None:
    """Read a run: its result, or one stage of it."""
    from console import show as views

    with friendly():
        directory, _ = open_run(runs, last_run(run, runs))
        if stage is None:
            views.show_overview(console, directory, where_it_stands(directory))
            return
        view = views.STAGES.get(stage)
        if view is None:
            raise SettingsError(f"--stage {stage}: there are {', '.join(views.STAGES)}")
        view(console, directory, limit)


def cost(run: RunArgument, runs: RunsOption = RUNS) -> None:
    """What a run's model calls cost, by stage, agent and model."""
    from console.show import show_cost

    with friendly():
        directory, _ = open_run(runs, last_run(run, runs))
        show_cost(console, directory)


def judge(
    run: RunArgument,
    model: Annotated[str, typer.Option("--judge", help="Model spec of the judge.")],
    items: Annotated[int, typer.Option(help="Recorded replies to judge, one per problem.", min=1)] = 100,
    runs: RunsOption = RUNS,
) -> None:
    """Measure how a model as judge agrees with the verifier of a run."""
    from console.judging import measure

    with friendly():
        directory, config = open_run(runs, last_run(run, runs))
        measure(console, directory, config, model, items)


def export(
    run: RunArgument,
    calls: Annotated[Path | None, typer.Option(help="JSONL file for all calls with prompts and replies.")] = None,
    batch_file: Annotated[Path | None, typer.Option(help="JSONL file for the requests in a batch's form.")] = None,
    to: Annotated[Path | None, typer.Option(help="Folder for --format inspect or mlflow.")] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help=f"Of the batch file: {', '.join(FORMATS)}; of --to: inspect, mlflow.")
    ] = None,
    runs: RunsOption = RUNS,
) -> None:
    """Write a run for other programs: its model calls, Inspect logs, or an MLflow run."""
    with friendly():
        directory, _ = open_run(runs, last_run(run, runs))
        check_export(calls, batch_file, to, format_)
        ledger = directory.path / "ledger.sqlite"
        if calls is not None:
            say_written(write_calls(ledger, calls), "calls", calls)
        if batch_file is not None:
            say_written(write_batch(ledger, batch_file, format_ or ""), "requests", batch_file)
        if to is not None and format_ == "inspect":
            say_written(len(write_inspect(directory, to)), "Inspect logs", to)
        if to is not None and format_ == "mlflow":
            console.print(f"MLflow run {write_mlflow(directory, to)} in {safe(str(to))}", soft_wrap=True)
            store = f"sqlite:///{to.resolve()}/mlflow.db"
            console.print(f"Look at it with: mlflow ui --backend-store-uri {safe(store)}", soft_wrap=True)


def ui(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)] = 0,
    runs: RunsOption = RUNS,
) -> None:
    """Read runs and approve strategies in a browser."""
    start_ui(runs, port)


def start_ui(runs: Path, port: int) -> None:
    """Serve the pages until interrupted; the address with its token is printed."""
    from console.web.server import serve

    def tell(address: str) -> None:
        say(f"The console is at {address}")
        say("The address carries the token that lets you in; it holds until you stop the program with Ctrl-C.")

    try:
        serve(runs, port, tell)
    except OSError as error:
        fail(f"port {port} on 127.0.0.1 cannot be used: {error.strerror}; take another with --port", BAD_INPUT)
