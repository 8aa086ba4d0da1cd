"""Create, open, run, resume and fork runs.

Guaranteed: a run is worked on by one process at a time; it goes on where it stopped, after an
interrupt, an error or a SIGKILL; it is not resumed under another configuration, another graph or
another sandbox tier (the budget and the price table may change: they decide nothing of the results).
A run whose budget is used up stops with a partial report that says so, and can be resumed.
"""

from __future__ import annotations

import gc
import importlib.metadata
import itertools
import platform
import random
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Union

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command, Interrupt

import prompts
from agents.llm_judge import JudgeVerifier
from agents.oracle import OracleTeacher
from agents.panel import TeacherPanel
from agents.teacher import LLMTeacher, Teacher
from domains import get_domain
from domains.base import Domain, Verifier
from evaluation.composition import ABOUT as COMPOSITION
from evaluation.report import write_report
from evaluation.summary import STOPPED
from graphs.approval import Answer
from graphs.build import transfer_builder
from graphs.context import Events, RunContext, Silent, StageError
from graphs.exclusions import training_begun
from graphs.gepa_search import check_installed
from graphs.inbox import pending_decision, submitted_decision
from graphs.judging import verifier_for
from graphs.money import check_prices, show_cost_live
from graphs.replay import copy_finished, decided, is_replay, recorded_answer, start_replay
from graphs.reviewing import Reviewer, decided_answer
from graphs.state import TransferState
from graphs.times import StageClock
from graphs.transfers import check_targets
from graphs.usage import usage_rows
from models.budget import BudgetSpent
from models.gateway import Gateway
from models.spec import check_available, family, parse_spec
from models.trainable import training_problem
from records.config import FREE_SETTINGS, RunConfig
from records.nouns import Problem, content_hash
from records.rundir import RunDirectory, RunError

Outcome = Union["Finished", "Waiting", "Held", "Stopped"]
TRAINING = "train_arm"  # the node before which a run can be held
PACKAGES = ("langgraph", "langchain-core", "transformers", "torch", "peft", "trl", "scipy", "statsmodels", "sympy")


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The run stands at the approval interrupt."""

    payload: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Held:
    """The run stands before its training, so that people can leave out rows."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The run is complete."""

    summary: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The budget does not allow the next call; there is a partial report, and the run can be resumed."""

    reason: str


def graph_fingerprint() -> str:
    """Hash over the graph's nodes and edges, its state and the prompt files."""
    builder = transfer_builder()
    return content_hash(
        {
            "nodes": sorted(builder.nodes),
            "edges": sorted(map(list, builder.edges)),
            "branches": sorted((node, sorted(branches)) for node, branches in builder.branches.items()),
            "state": sorted(TransferState.__annotations__),
            "prompts": prompts.all_hashes(),
        }
    )


def new_run_id(config: RunConfig) -> str:
    """A readable name that sorts by time."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{config.domain}-{config.profile}-{stamp}-{random.SystemRandom().randrange(16**4):04x}"


def create_run(config: RunConfig, runs: Path, run_id: str | None = None) -> RunDirectory:
    """Make the directory of a new run. Raises RunError if the models cannot be used or the name is taken."""
    _check_models(config)
    _check_training(config)
    run = RunDirectory(runs / safe_name(run_id or new_run_id(config)))
    if any((run.path / name).exists() for name in ("run.json", COMPOSITION)):
        raise RunError(f"run '{run.id}' exists; resume it, or choose another --run name")
    run.path.mkdir(parents=True, exist_ok=True)
    run.write_json("run.json", _run_record(run, config))
    return run


def safe_name(name: str) -> str:
    """A name that can be a folder's. Raises RunError."""
    if not name or name.startswith(".") or not all(c.isalnum() or c in "-_." for c in name):
        raise RunError(f"run name {name!r}: use letters, digits, '-', '_' and '.'")
    return name


def obstacle(config: RunConfig) -> str:
    """Why a run with this configuration would be refused now, for example for want of a key; "" if it would not."""
    try:
        _check_models(config)
    except RunError as error:
        return str(error)
    return ""


def _check_models(config: RunConfig) -> None:
    """All specs are usable now, before anything is paid."""
    check_targets(config)
    _check_teachers(config)
    for role, spec in [
        *(("teacher", spec) for spec in config.teachers),
        ("student", config.student),
        *(("validator", spec) for spec in config.validators),
        *(("judge", spec) for spec in filter(None, [config.judge])),
    ]:
        parsed = parse_spec(spec)
        if parsed.provider == "oracle" and role != "teacher":
            raise RunError(f"{role} '{spec}': only a teacher can be the oracle; use `embedded` or another model")
        if problem := check_available(parsed):
            raise RunError(f"{role} '{spec}': {problem}")
    if _trains(config) and parse_spec(config.student).provider not in ("embedded", "hf"):
        raise RunError(
            f"student '{config.student}' cannot be trained here; use `embedded` or hf:PATH-or-ID, or measure it "
            "untrained with --set 'student_arms=[base, base+strategy]'"
        )
    check_prices(config)
    if missing := check_installed(config):
        raise RunError(missing)


def _trains(config: RunConfig) -> bool:
    return any(arm.startswith("lora_") for arm in config.student_arms)


def _check_training(config: RunConfig) -> None:
    """A student that is to be trained can be, as far as one row shows."""
    if _trains(config) and (problem := training_problem(parse_spec(config.student))):
        raise RunError(f"student '{config.student}' cannot be trained: {problem}")


def _check_teachers(config: RunConfig) -> None:
    """Several teachers are different language models."""
    teachers = [parse_spec(spec) for spec in config.teachers]
    if len(teachers) > 1 and any(teacher.provider == "oracle" for teacher in teachers):
        raise RunError(
            "the oracle teaches alone: it knows the reference solutions, and any other teacher would not count"
        )
    if twice := [str(teacher) for teacher in set(teachers) if teachers.count(teacher) > 1]:
        raise RunError(f"teacher '{twice[0]}' is named twice; name each teacher once")


def _run_record(run: RunDirectory, config: RunConfig) -> dict[str, Any]:
    return {
        "id": run.id,
        "config": config.model_dump(mode="json"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": graph_fingerprint(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "git": _git_commit(),
        "machine": f"{platform.system()} {platform.machine()}",
        "tier": None,
        "models": {
            "teacher": {"spec": ", ".join(config.teachers), "is_language_model": None, "description": ""},
            "student": {"spec": config.student, "family": family(parse_spec(config.student))},
            "validators": [{"spec": spec, "family": family(parse_spec(spec))} for spec in config.validators],
        },
    }


def _git_commit() -> str | None:
    root = Path(__file__).resolve().parents[1]
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, timeout=10, check=False
        )
    except OSError:
        return None
    return result.stdout.strip() or None


def open_run(runs: Path, run_id: str) -> tuple[RunDirectory, RunConfig]:
    """An existing run and its configuration. Raises RunError listing the runs that there are."""
    run = RunDirectory(runs / safe_name(run_id))
    if not (run.path / "run.json").exists():
        names = ", ".join(sorted(p.parent.name for p in runs.glob("*/run.json"))[-8:]) or "none yet"
        raise RunError(f"there is no run '{run_id}' in {runs}; there are: {names}")
    return run, RunConfig.model_validate(run.read_json("run.json")["config"])


def refuse_difference(run: RunDirectory, config: RunConfig) -> None:
    """Raise RunError, with the difference, if the run was begun under another config or graph."""
    record = run.read_json("run.json")
    begun = RunConfig.model_validate(record["config"])  # settings that did not exist then have their defaults
    old, new = _deciding(begun.model_dump(mode="json")), _deciding(config.model_dump(mode="json"))
    differences = [f"  {line}" for line in _differences(old, new, "")]
    if record["fingerprint"] != graph_fingerprint():
        differences.append("  the graph, its state or its prompts have changed since the run began")
    if differences:
        raise RunError(
            f"run '{run.id}' cannot go on under other settings:\n" + "\n".join(differences) + "\nStart a new run from "
            f"its finished calls with: resume {run.id} --fork NEW_NAME"
        )


def _deciding(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that decide the results of a run."""
    return {name: value for name, value in settings.items() if name not in FREE_SETTINGS}


def _differences(old: Any, new: Any, path: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = list(dict.fromkeys([*old, *new]))
        return [line for key in keys for line in _differences(old.get(key), new.get(key), f"{path}.{key}".strip("."))]
    return [] if old == new else [f"{path}: {old!r} -> {new!r}"]


def fork_run(old: RunDirectory, config: RunConfig, runs: Path, run_id: str) -> RunDirectory:
    """A new run that is served from the old run's ledger and adapters where they are the same.

    An adapter is only used again if its dataset and settings are the new run's: the trainer checks.
    """
    run = create_run(config, runs, run_id)
    copy_finished(old, run)
    return run


def replay_run(source: RunDirectory, runs: Path, run_id: str | None = None) -> tuple[RunDirectory, RunConfig]:
    """A new run that does a complete one again from its ledger, without a provider; `work` on it as on any.

    Raises RunError if the source cannot be replayed or the name is taken.
    """
    run = RunDirectory(runs / safe_name(run_id or _free_name(runs, f"{source.id}-replay")))
    if run.path.exists():
        raise RunError(f"run '{run.id}' exists; choose another --run name")
    return run, start_replay(source, run, graph_fingerprint())


def _free_name(runs: Path, stem: str) -> str:
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not (runs / name).exists())


async def work(
    run: RunDirectory,
    config: RunConfig,
    events: Events | None = None,
    reviewer: Reviewer | None = None,
    *,
    wait: bool = False,
    hold: bool = False,
) -> Outcome:
    """Take the run as far as it goes: to its end, to an approval that nobody answers, or to its budget.

    With `wait` an approval that the reviewer does not answer is waited for; with `hold` the run stops
    before its first training.
    Raises StageError or RunError with what happened; the run can be resumed afterwards.
    """
    if run.complete:
        return Finished(summary=run.read_json("evaluation/summary.json"))
    with run.lock():
        refuse_difference(run, config)
        check_prices(config)
        _keep_free_settings(run, config)
        (run.path / STOPPED).unlink(missing_ok=True)
        try:
            async with open_context(run, config, events or Silent()) as context, checkpointer(run) as saver:
                return await _drive(context, saver, reviewer, wait=wait, hold=hold)
        except BudgetSpent as error:
            return _partial_report(run, str(error))


def _keep_free_settings(run: RunDirectory, config: RunConfig) -> None:
    """What may change on resume is what the next resume begins with."""
    record = run.read_json("run.json")
    record["config"].update(config.model_dump(mode="json", include=set(FREE_SETTINGS)))
    run.write_json("run.json", record)


def _partial_report(run: RunDirectory, reason: str) -> Stopped:
    """The report on what there is, which says at its top that the run is not complete."""
    run.write_json(STOPPED, {"reason": reason})
    run.write_json("usage.json", usage_rows(run))
    write_report(run)
    return Stopped(reason=reason)


async def _drive(
    context: RunContext, saver: AsyncSqliteSaver, reviewer: Reviewer | None, *, wait: bool, hold: bool
) -> Outcome:
    graph = transfer_builder().compile(checkpointer=saver)
    settings: RunnableConfig = {"configurable": {"thread_id": context.run.id}, "recursion_limit": 10_000}
    stops = [TRAINING] if hold and not training_begun(context.run.path) else []
    state = await graph.aget_state(settings)
    given: Any = None if state.next or state.interrupts else {"reviews": 0}
    clock = StageClock(context.run)
    while not (stops and state.next == (TRAINING,)):
        if state.interrupts:
            pending = state.interrupts[0]
            asked = clock.begin("approval", "a person")
            answer = await _answer(context, pending, reviewer, wait=wait)
            clock.end(asked)
            if answer is None:
                return Waiting(payload=pending.value)
            given = Command(resume={pending.id: answer.model_dump(mode="json")})
        await _invoke(graph, given, settings, context, stops, clock)
        state = await graph.aget_state(settings)
        if not state.next:
            return Finished(summary=context.run.read_json("evaluation/summary.json"))
    return Held()


async def _invoke(
    graph: Any, given: Any, settings: RunnableConfig, context: RunContext, stops: list[str], clock: StageClock
) -> None:
    """Let the graph go on, and write when its nodes begin and end."""
    how: dict[str, Any] = {"context": context, "durability": "sync", "interrupt_before": stops}
    try:
        async for _, event in graph.astream(given, settings, stream_mode="tasks", subgraphs=True, **how):
            clock.hear(event)
    finally:
        clock.close()


async def _answer(context: RunContext, pending: Interrupt, reviewer: Reviewer | None, *, wait: bool) -> Answer | None:
    """A replay answers as its source was answered; any other run takes what stands in its inbox."""
    if is_replay(context.run):
        return recorded_answer(context.run, pending.value)
    return await decided_answer(context.run, pending, reviewer, context.events, wait=wait)


@asynccontextmanager
async def checkpointer(run: RunDirectory) -> AsyncIterator[AsyncSqliteSaver]:
    """The run's checkpoints, one database per run."""
    async with aiosqlite.connect(run.file("checkpoints.sqlite")) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=NORMAL")
        yield AsyncSqliteSaver(connection)


def spare_the_collector() -> None:
    """Let garbage collections pass over what is loaded by now: it stays, and each look at it takes 0.1 s."""
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def open_context(run: RunDirectory, config: RunConfig, events: Events) -> AsyncIterator[RunContext]:
    """Open the verifier, the gateway and the teacher, on the tier that the run began with."""
    record = run.read_json("run.json")
    domain = get_domain(config.domain)
    pinned = config.model_copy(update={"sandbox_tier": record["tier"] or config.sandbox_tier})
    async with (
        domain.verifier(pinned) as verifier,
        Gateway.open(run.file("ledger.sqlite"), config, replay=is_replay(run)) as gateway,
    ):
        gateway.on_info = events.info
        if gateway.notice:
            events.info(gateway.notice)
        if not is_replay(run):
            show_cost_live(gateway, config, events)
        judges = verifier_for(config, verifier, gateway)
        teacher = make_teacher(config, domain, gateway, lambda: run.read("problems.jsonl", Problem), verifier)
        record["tier"] = verifier.tier
        record["models"]["teacher"] = {
            "spec": teacher.spec,
            "is_language_model": teacher.is_language_model,
            "description": teacher.description,
            **_sharing(config),
        }
        if isinstance(judges, JudgeVerifier):
            record["models"]["judge"] = {**judges.agreement.model_dump(mode="json"), "n": judges.agreement.n}
        run.write_json("run.json", record)
        spare_the_collector()
        yield RunContext(
            run=run, config=config, domain=domain, verifier=judges, gateway=gateway, teacher=teacher, events=events,
            decided=decided(run),
        )  # fmt: skip


def _sharing(config: RunConfig) -> dict[str, Any]:
    """How several teachers share the work; nothing for one."""
    if not config.more_teachers:
        return {}
    return {"specs": list(config.teachers), "teaching": config.teaching, "writer": config.teacher}


def make_teacher(
    config: RunConfig,
    domain: Domain,
    gateway: Gateway,
    problems: Callable[[], Sequence[Problem]],
    verifier: Verifier,
) -> Teacher:
    """The oracle without a model, a language model, or several; `problems` reads those of the run.

    The `verifier` is the domain's own: it shows which of the oracle's mistakes fail.
    """
    if parse_spec(config.teacher).provider == "oracle":
        return OracleTeacher(domain, seed=config.seed, max_edits=config.loop.max_edits, verifier=verifier)
    members = [_language_teacher(spec, config, domain, gateway) for spec in config.teachers]
    return members[0] if len(members) == 1 else TeacherPanel(members, config.teaching, problems)


def _language_teacher(spec: str, config: RunConfig, domain: Domain, gateway: Gateway) -> LLMTeacher:
    tokens = config.decoding.max_tokens or domain.reply_tokens
    return LLMTeacher(
        gateway,
        spec,
        domain.name,
        config.decoding,
        reply_tokens=tokens,
        max_edits=config.loop.max_edits,
        seed=config.seed,
    )


def list_runs(runs: Path) -> Sequence[RunDirectory]:
    """All runs, the newest last."""
    files = sorted(runs.glob("*/run.json"), key=lambda file: file.stat().st_mtime)
    return [RunDirectory(file.parent) for file in files]


def where_it_stands(run: RunDirectory) -> str:
    """ "complete", or the last stage that left a record."""
    if run.complete:
        return "complete"
    if (run.path / STOPPED).exists():
        return "stopped by its budget"
    if waiting := _approval(run):
        return waiting
    marks = [
        ("evaluation", "adapters"),
        ("training", "dataset"),
        ("curation", "decisions.jsonl"),
        ("validation or approval", "evaluation/rows.jsonl"),
        ("splits", "problems.jsonl"),
    ]
    return next((stage for stage, name in marks if (run.path / name).exists()), "not begun")


def _approval(run: RunDirectory) -> str:
    """How far a decision is; "" if none is waited for."""
    try:
        if pending_decision(run.path):
            return "waits for a decision"
        return "decided, to be resumed" if submitted_decision(run.path) else ""
    except RunError:  # shown where the run is opened; the list of runs goes on
        return "its inbox cannot be read"


__all__ = [
    "Finished", "Held", "StageError", "Stopped", "Waiting", "create_run", "fork_run", "list_runs", "open_run", "work",
]  # fmt: skip
