"""The commands: run a transfer, resume, list, show, approve, cost, export, ui.

Exit codes: 0 for a run that ended or waits for a decision, 1 for an error that a resume may mend,
2 for bad input, 3 for a run that its budget has stopped, 130 for an interrupt.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from agents.llm_judge import JudgeRefused
from agents.teacher import TeacherError
from console import asking, composing, review
from console.deciding import answer_from_flags, submitted
from console.exporting import check_export
from console.money import batch_line, show_dry_run, show_preflight
from console.program import PROGRAM
from console.progress import make_events
from console.text import safe
from domains import DOMAINS, get_domain
from domains.base import DomainError
from evaluation.inspect_export import write_inspect
from evaluation.mlflow_export import write_mlflow
from graphs.approval import Answer
from graphs.context import StageError
from graphs.inbox import (
    exclude_row,
    exclusions,
    include_row,
    pending_decision,
)
from graphs.replay import COMPARED, differing, is_replay
from graphs.runner import (
    Held,
    Outcome,
    Stopped,
    Waiting,
    create_run,
    fork_run,
    list_runs,
    open_run,
    refuse_difference,
    replay_run,
    where_it_stands,
    work,
)
from graphs.settings import SettingsError, build_config, merged
from models.embedded import EmbeddedModelError
from models.export import FORMATS, ExportError, write_batch, write_calls
from models.gateway import CallRefused
from models.ledger import LedgerError
from models.prices import PriceError
from models.spec import SpecError
from prompts import PromptError
from records.config import FREE_SETTINGS, RunConfig
from records.rundir import RunDirectory, RunError
from sandbox import SandboxError

BAD_INPUT = 2
BUDGET_SPENT = 3
NO_ROOM_OR_RIGHTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EISDIR, errno.ENOTDIR)

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
errors = Console(stderr=True, highlight=False)

RunsOption = Annotated[Path, typer.Option("--runs", envvar="LRL_RUNS", help="Folder that holds the runs.")]
RunArgument = Annotated[str, typer.Argument(help="Name of the run, or `last`.", metavar="RUN")]
BudgetOption = Annotated[float | None, typer.Option("--budget", help="US dollars that the run may cost.")]
PricesOption = Annotated[
    Path | None, typer.Option("--prices", envvar="LRL_PRICES", help="TOML file of prices, over models/prices.toml.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait for a decision from elsewhere, where nobody decides here.")
]
ReviewDataOption = Annotated[
    bool, typer.Option("--review-data", help="Stop before the training, so that rows can be left out.")
]
RUNS = Path("runs")


@contextmanager
def friendly(run: RunDirectory | None = None) -> Iterator[None]:
    """Turn the errors that we know into one line and the way on; exit code 2 for bad input, 1 else."""
    try:
        yield
    except (
        SettingsError,
        SpecError,
        DomainError,
        RunError,
        PromptError,
        PriceError,
        ExportError,
        JudgeRefused,
    ) as error:
        _fail(str(error), BAD_INPUT, run)
    except (StageError, SandboxError, TeacherError, LedgerError, EmbeddedModelError, CallRefused) as error:
        _fail(str(error), 1, run)
    except KeyboardInterrupt:
        _fail("interrupted", 130, run)
    except OSError as error:
        if error.errno not in NO_ROOM_OR_RIGHTS:
            raise
        _fail(f"{error.strerror}: {error.filename or 'the run directory'}. Make room or rights, then resume.", 1, run)


def _fail(message: str, code: int, run: RunDirectory | None) -> None:
    errors.print(f"[red]error:[/red] {safe(message)}", soft_wrap=True)
    if run is not None and (run.path / "problems.jsonl").exists():
        errors.print(f"Nothing is lost. Go on with: {PROGRAM} resume {run.id}", soft_wrap=True)
    raise typer.Exit(code)


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
        flags = {"validators": validator, "serve": serve, **_money_flags(budget, prices)}
        with friendly():
            composing.refuse_flags(_flag(name) for name in context.params if _on_command_line(context, name))
            names = _last(compose[0], runs), _last(compose[1], runs)
            composing.compose(console, names, runs, run, flags, set_ or [], dry_run)
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
            batches={"use": True} if batch else None, **_money_flags(budget, prices),
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
        directory, config = replay_run(open_run(runs, _last(source, runs))[0], runs, run_id)
    go_on(directory, config)


def _flag(parameter: str) -> str:
    return parameter.strip("_").replace("_", "-")


def _on_command_line(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _money_flags(budget: float | None, prices: Path | None) -> dict[str, Any]:
    """The flags that may change when a run is resumed."""
    return {
        **({} if budget is None else {"budget": {"usd": budget}}),
        **({} if prices is None else {"prices": str(prices.expanduser().resolve())}),
    }


def _new_or_same(config: RunConfig, runs: Path, run_id: str | None) -> RunDirectory:
    if run_id and (runs / run_id / "run.json").exists():
        directory, _ = open_run(runs, run_id)
        refuse_difference(directory, config)
        return directory
    return create_run(config, runs, run_id)


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
        return asking.ask(console, run, payload) if _interactive() else None

    with friendly(None if is_replay(run) else run):
        if not (run.path / "problems.jsonl").exists() and not is_replay(run):
            show_preflight(console, config)
            console.print(safe(batch_line(config)), soft_wrap=True, end="\n" if config.batches.use else "")
        try:
            outcome = asyncio.run(work(run, config, events, reviewer, wait=wait, hold=hold))
        finally:
            events.close()
    _say_outcome(run, outcome)


def _interactive() -> bool:
    return sys.stdin.isatty() and console.is_terminal


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


@app.command()
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
        directory, config = open_run(runs, _last(run, runs))
        fixed = [text for text in set_ or [] if text.split("=")[0].split(".")[0].strip() not in FREE_SETTINGS]
        if fixed and not fork:
            raise SettingsError(
                f"--set {fixed[0]}: a run keeps its settings, but for {', '.join(FREE_SETTINGS)}; give --fork "
                "NEW_NAME to begin a new one with it"
            )
        given = merged(config.model_dump(mode="json"), _money_flags(budget, prices))
        config = build_config(given, set_ or [])
        if fork:
            directory = fork_run(directory, config, runs, fork)
    go_on(directory, config, wait=wait, hold=review_data)


@app.command()
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
        directory, config = open_run(runs, _last(run, runs))
        if directory.complete or _is_decided(directory):
            raise RunError(f"run '{directory.id}' does not wait for a decision; see: {PROGRAM} show {directory.id}")
        given = answer_from_flags(directory, decision, reason, file) if decision else None
        if not given and not _interactive():
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


@app.command()
def exclude(
    run: RunArgument,
    row: Annotated[str | None, typer.Argument(help="Id of the row; without it those left out are listed.")] = None,
    reason: Annotated[str, typer.Option(help="Part of the record; leaving a row out needs one.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take the row back.")] = False,
    runs: RunsOption = RUNS,
) -> None:
    """Leave a training row out, in every arm, before the training begins."""
    with friendly():
        directory, _ = open_run(runs, _last(run, runs))
        if row and undo:
            include_row(directory.path, row, asking.reviewer_name(), reason)
        elif row:
            exclude_row(directory.path, row, reason, asking.reviewer_name())
        left_out = exclusions(directory.path)
        console.print(f"{len(left_out)} problems are left out of the training.")
        for item in left_out:
            console.print(safe(f"  {item.row_id}: {item.reason} ({item.who}, {item.time})"), soft_wrap=True)


@app.command("runs")
def runs_(runs: RunsOption = RUNS) -> None:
    """List the runs."""
    from console.show import runs_table

    found = list_runs(runs)
    if not found:
        console.print(f"No runs in {safe(str(runs))} yet. Begin with: {PROGRAM} --domain python")
        return
    with friendly():
        console.print(runs_table([(run, where_it_stands(run)) for run in found]))


@app.command()
def show(
    run: RunArgument,
    stage: Annotated[str | None, typer.Option(help="reflections, strategy, attempts, calls or data.")] = None,
    limit: Annotated[int, typer.Option(help="Rows at most, for attempts, calls and data.", min=1)] = 20,
    runs: RunsOption = RUNS,
) -> None:
    """Read a run: its result, or one stage of it."""
    from console import show as views

    with friendly():
        directory, _ = open_run(runs, _last(run, runs))
        if stage is None:
            views.show_overview(console, directory, where_it_stands(directory))
            return
        view = views.STAGES.get(stage)
        if view is None:
            raise SettingsError(f"--stage {stage}: there are {', '.join(views.STAGES)}")
        view(console, directory, limit)


@app.command()
def cost(run: RunArgument, runs: RunsOption = RUNS) -> None:
    """What a run's model calls cost, by stage, agent and model."""
    from console.show import show_cost

    with friendly():
        directory, _ = open_run(runs, _last(run, runs))
        show_cost(console, directory)


@app.command()
def judge(
    run: RunArgument,
    model: Annotated[str, typer.Option("--judge", help="Model spec of the judge.")],
    items: Annotated[int, typer.Option(help="Recorded replies to judge, one per problem.", min=1)] = 100,
    runs: RunsOption = RUNS,
) -> None:
    """Measure how a model as judge agrees with the verifier of a run."""
    from console.judging import measure

    with friendly():
        directory, config = open_run(runs, _last(run, runs))
        measure(console, directory, config, model, items)


@app.command()
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
        directory, _ = open_run(runs, _last(run, runs))
        check_export(calls, batch_file, to, format_)
        ledger = directory.path / "ledger.sqlite"
        if calls is not None:
            _say_written(write_calls(ledger, calls), "calls", calls)
        if batch_file is not None:
            _say_written(write_batch(ledger, batch_file, format_ or ""), "requests", batch_file)
        if to is not None and format_ == "inspect":
            _say_written(len(write_inspect(directory, to)), "Inspect logs", to)
        if to is not None and format_ == "mlflow":
            console.print(f"MLflow run {write_mlflow(directory, to)} in {safe(str(to))}", soft_wrap=True)
            store = f"sqlite:///{to.resolve()}/mlflow.db"
            console.print(f"Look at it with: mlflow ui --backend-store-uri {safe(store)}", soft_wrap=True)


@app.command()
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
        _fail(f"port {port} on 127.0.0.1 cannot be used: {error.strerror}; take another with --port", BAD_INPUT, None)


def say(line: str) -> None:
    """One line, unbroken."""
    console.print(safe(line), soft_wrap=True)
    sys.stdout.flush()


def _say_written(count: int, what: str, file: Path) -> None:
    console.print(f"{count:,} {what} in {safe(str(file))}", soft_wrap=True)


def last_run(name: str, runs: Path) -> str:
    """The name itself; for `last` that of the newest run."""
    return _last(name, runs)


def _last(name: str, runs: Path) -> str:
    found = list_runs(runs)
    return found[-1].id if name == "last" and found else name


def quieten() -> None:
    """Keep the model libraries' bars and telemetry away; to be called before they are loaded."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # the bars here are ours
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def main() -> None:
    """Entry point of the program."""
    quieten()
    app(prog_name=PROGRAM)
