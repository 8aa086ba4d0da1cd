"""`--compose RUN_A RUN_B`: the approved strategies of two runs merged, and measured on both runs' items.

Guaranteed: the merge is deterministic and its strategy leaks no held-out problem of either run; merged, own,
other, padded and no strategy are measured on the same validation items, which no gate has used, with the same
decoding; finished calls are in the ledger, so that the same command goes on where it stopped.
Not guaranteed: that the items are new to the person who approved; both runs' strategies were shown on theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.arms import fit_length
from agents.composition import Composition, compose
from agents.oracle import OracleTeacher
from agents.playbook import EditError
from domains import get_domain
from evaluation.composition import ABOUT, ARMS, item_folder, write_composition
from evaluation.leakage import StrategyCheck
from graphs.context import Events, RunContext
from graphs.judging import judged
from graphs.money import check_prices, show_cost_live
from graphs.preflight import Part, measuring
from graphs.runner import open_run, safe_name
from graphs.strategies import load_strategy
from graphs.transfers import Contexts, measure, placebo_for
from models.gateway import Gateway
from models.spec import check_available, parse_spec
from models.tokens import count_tokens
from prompts import load_strategy_file
from records.config import RunConfig
from records.nouns import Decision, Problem, Strategy
from records.rundir import RunDirectory, RunError
from records.splits import ProblemSet


@dataclass(frozen=True)
class Source:
    """A run with its approved strategy."""

    run: RunDirectory
    config: RunConfig
    strategy: Strategy

    @property
    def problems(self) -> list[Problem]:
        """All problems of the run."""
        return self.run.read("problems.jsonl", Problem)

    @property
    def items(self) -> list[Problem]:
        """Validation problems that the run's gate did not use."""
        return ProblemSet(self.problems, self.config.sizes.gate).open("validation", "validator")


@dataclass(frozen=True)
class Plan:
    """What is merged and where it is measured."""

    sources: tuple[Source, Source]
    config: RunConfig
    composition: Composition

    @property
    def sets(self) -> list[tuple[Source, Source]]:
        """(own, other) per set of items; one only if both runs have the same items."""
        first, second = self.sources
        same = {problem.content_hash for problem in first.items} == {p.content_hash for p in second.items}
        return [(first, second)] if same else [(first, second), (second, first)]


def find_source(runs: Path, run_id: str) -> Source:
    """A run of which a strategy was approved. Raises RunError."""
    run, config = open_run(runs, run_id)
    decisions = run.read("decisions.jsonl", Decision)
    approved = decisions[-1].approved_hash if decisions else None
    if approved is None:
        raise RunError(f"run '{run.id}' has no approved strategy; merge runs in which one was approved")
    return Source(run, config, load_strategy(run, approved))


def make_plan(first: Source, second: Source, config: RunConfig) -> Plan:
    """Merge the strategies. Raises RunError if they cannot be merged."""
    if first.run.id == second.run.id:
        raise RunError(f"--compose takes two runs; '{first.run.id}' was named twice")
    check = [StrategyCheck(source.problems) for source in (first, second)]

    def refused(text: str) -> str:
        leaks = [leak for one in check for leak in one.leaks(text)]
        return f"it quotes a held-out problem: {leaks[0].excerpt}" if leaks else ""

    parts = [(source.run.id, source.strategy) for source in (first, second)]
    try:
        composition = compose(parts, count_tokens, refused)
    except EditError as error:
        raise RunError(str(error)) from error
    if leaks := refused(composition.strategy.text):
        raise RunError(f"the merged strategy cannot be used: {leaks}")
    return Plan((first, second), config, composition)


def measuring_config(config: RunConfig) -> RunConfig:
    """The settings with which nobody teaches and nobody learns: only the validators are called."""
    nobody: dict[str, Any] = {"teacher": "oracle", "more_teachers": (), "student": "oracle"}
    return config.model_copy(update={**nobody, "student_arms": (), "transfer_to": ()})


def estimate(plan: Plan, free: bool = False) -> list[Part]:
    """The calls of the measurement, by item set and validator; those of free models only if asked for."""
    sets = [(own.config.domain, own.items, len(_contexts(plan, own, other))) for own, other in plan.sets]
    return measuring(plan.config, sets, "compose", free)


def open_composition(plan: Plan, runs: Path, name: str | None) -> RunDirectory:
    """The directory of this composition, a new one or one that is to go on.

    Raises RunError if the name is taken or a validator cannot be used.
    """
    for spec in plan.config.validators:
        parsed = parse_spec(spec)
        if problem := "the oracle is no language model" if parsed.provider == "oracle" else check_available(parsed):
            raise RunError(f"validator '{spec}': {problem}")
    check_prices(plan.config)
    run = RunDirectory(runs / safe_name(name or _new_name(plan)))
    about = _about(plan)
    if not run.path.exists():
        run.write_json(ABOUT, about)
    elif not (run.path / ABOUT).exists() or run.read_json(ABOUT) != about:
        raise RunError(f"'{run.id}' exists and is not this composition with these settings; choose another --run name")
    return run


def _new_name(plan: Plan) -> str:
    domains = "-".join(dict.fromkeys(source.config.domain for source in plan.sources))
    return f"compose-{domains}-{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}"


def _about(plan: Plan) -> dict[str, Any]:
    merged = plan.composition.strategy
    return {
        "sources": {source.run.id: _source(source) for source in plan.sources},
        "measured_on": {own.run.id: own.config.domain for own, _ in plan.sets},
        "merged": merged.hash,
        "tokens": count_tokens(merged.text),
        "text": merged.text,
        "strategy": merged.model_dump(mode="json"),
        "left_out": [one.model_dump(mode="json") for one in plan.composition.left_out],
        "validators": list(plan.config.validators),
        "decoding": plan.config.decoding.model_dump(mode="json"),
    }


def _source(source: Source) -> dict[str, Any]:
    strategy = source.strategy
    about = {"domain": source.config.domain, "hash": strategy.hash, "items": len(source.items)}
    return {**about, "tokens": count_tokens(strategy.text), "bullets": len(strategy.bullets)}


async def measure_composition(run: RunDirectory, plan: Plan, events: Events) -> dict[str, Any]:
    """Ask the validators, write the figures and the report. Raises what the gateway and the stages raise."""
    with run.lock():
        async with Gateway.open(run.file("ledger.sqlite"), plan.config) as gateway:
            gateway.on_info = events.info
            show_cost_live(gateway, plan.config, events)
            for own, other in plan.sets:
                await _measure_on(run, plan, own, other, gateway, events)
        return write_composition(run)


async def _measure_on(
    run: RunDirectory, plan: Plan, own: Source, other: Source, gateway: Gateway, events: Events
) -> None:
    domain, folder = get_domain(own.config.domain), item_folder(run, own.run.id)
    tier = own.run.read_json("run.json")["tier"] or plan.config.sandbox_tier
    config = plan.config.model_copy(
        update={"domain": domain.name, "sizes": own.config.sizes, "seed": own.config.seed, "sandbox_tier": tier}
    )
    folder.append("problems.jsonl", own.problems)
    contexts, version = _contexts(plan, own, other), plan.composition.strategy.hash
    async with domain.verifier(config) as verifier:
        context = RunContext(
            run=folder, config=config, domain=domain, verifier=judged(config, verifier, gateway), gateway=gateway,
            teacher=OracleTeacher(domain), events=events,
        )  # fmt: skip
        for spec in dict.fromkeys(config.validators):
            title = f"On {domain.name}, items of {own.run.id}: {spec}"
            folder.append("rows.jsonl", await measure(context, spec, contexts, title, version, "compose"))


def _contexts(plan: Plan, own: Source, other: Source) -> Contexts:
    """The text of each arm; the padded one is left out where there is nothing to fill up."""
    merged, mine = plan.composition.strategy.text, own.strategy.text
    texts = {"none": None, "own": mine, "other": other.strategy.text, "merged": merged}
    missing = count_tokens(merged) - count_tokens(mine)
    if missing > 0:
        unrelated = load_strategy_file(placebo_for(other.config.domain, get_domain(own.config.domain)))
        texts["own_padded"] = f"{mine}\n\n{fit_length(unrelated, missing, count_tokens)}"
    return {arm: texts[arm] for arm in ARMS if arm in texts}


def composed_settings(first: Source, second: Source, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the first run, with the validators of both unless others are given."""
    validators: Sequence[str] = given.get("validators") or [*first.config.validators, *second.config.validators]
    return {**first.config.model_dump(mode="json"), "validators": list(dict.fromkeys(validators))}
