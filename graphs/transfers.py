"""Does the strategy help in another domain? The run's strategy on other domains' validation problems.

Guaranteed: the arms, the models, the decoding and the tests are those of the run's own validation; the
strategy is checked for held-out problems of the other domain first, and with a leak nothing is called;
everything stands in RUN/transfers/DOMAIN apart from the run's own records, and the calls in its ledger.
Not guaranteed: that other domains have the same difficulty for the validators.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from langgraph.runtime import Runtime

from agents.arms import arm_contexts
from agents.solver import Solver
from domains import DOMAINS, get_domain
from domains.base import Domain
from evaluation.summary import strategy_suites
from evaluation.transfers import ABOUT, TRANSFERS, arm_leaks
from graphs.attempts import Job, attempt_all, evaluation_row
from graphs.context import RunContext
from graphs.judging import judged
from graphs.state import TransferState
from graphs.strategies import load_strategy
from graphs.validation import verified_examples
from models.tokens import count_tokens
from prompts import load_strategy_file
from records.config import RunConfig
from records.nouns import EvaluationRow, Problem, content_hash
from records.rundir import RunDirectory, RunError
from records.splits import ProblemSet

Contexts = Mapping[str, str | None]  # arm -> what the model is given beside the problem
UNRELATED = ("mathematics", "scheduling", "python")  # where a placebo is looked for
ALIKE = {"debugging": "python", "python": "debugging"}  # about programs, both of them


def check_targets(config: RunConfig) -> None:
    """Raise RunError for a target that is no other domain, or is named twice."""
    for name in config.transfer_to:
        if name not in DOMAINS or name == config.domain:
            others = ", ".join(other for other in DOMAINS if other != config.domain)
            raise RunError(f"--transfer-to {name}: it takes another domain than the run's own; there are: {others}")
    if len(set(config.transfer_to)) < len(config.transfer_to):
        raise RunError("--transfer-to: name each domain once")


def target_problems(config: RunConfig, name: str) -> ProblemSet:
    """The other domain's problems, of the run's sizes and seed. Raises DomainError."""
    loaded = get_domain(name).load(None, config.problem_sizes, config.seed)
    return ProblemSet(loaded, config.sizes.gate, config.feedback_items)


async def other_domains(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The approved strategy, or the final one if none is, on each of the domains that were asked for."""
    context = runtime.context
    version = str(state.get("approved") or state["current"])
    for name in context.config.transfer_to:
        contexts, placebo = _arms(context, get_domain(name), version, state["draft"])
        about = {
            "hash": version,
            "approved": bool(state.get("approved")),
            "placebo": placebo,
            "contexts": dict(contexts),
        }
        await _test(context, name, about)
    return {}


async def _test(context: RunContext, name: str, about: dict[str, Any]) -> None:
    """All arms on all validators. Rows that are there are not made again."""
    folder = RunDirectory(context.run.path / TRANSFERS / name)
    folder.append("problems.jsonl", get_domain(name).load(None, context.config.problem_sizes, context.config.seed))
    leaks = arm_leaks(about["contexts"], folder.read("problems.jsonl", Problem)).get("learned")
    if leaks:
        folder.write_json(ABOUT, {**about, "tier": None})
        context.events.info(f"{name}: not tested, the strategy quotes a held-out problem of it: {leaks[0]['excerpt']}")
        return
    async with elsewhere(context, name, folder) as there:
        folder.write_json(ABOUT, {**about, "tier": there.verifier.tier})
        for spec in dict.fromkeys(context.config.validators):
            rows = await measure(there, spec, about["contexts"], f"The strategy on {name}: {spec}", about["hash"])
            folder.append("rows.jsonl", rows)
            suite = strategy_suites(rows)[spec]
            there.events.info(f"{name}, {spec}: {suite['verdict']} ({suite['verdict_reason']})")


@asynccontextmanager
async def elsewhere(context: RunContext, name: str, folder: RunDirectory) -> AsyncIterator[RunContext]:
    """The same run in another domain: its records go to `folder`, where its problems are. The sandbox tier stays."""
    domain = get_domain(name)
    before = folder.read_json(ABOUT)["tier"] if (folder.path / ABOUT).exists() else None
    tier = before or context.verifier.tier or context.config.sandbox_tier
    async with domain.verifier(context.config.model_copy(update={"sandbox_tier": tier})) as verifier:
        judge = judged(context.config.model_copy(update={"domain": name}), verifier, context.gateway)
        yield dataclasses.replace(context, run=folder, domain=domain, verifier=judge, _problems=None)


async def measure(
    context: RunContext, spec: str, contexts: Contexts, title: str, version: str, stage: str = "transfer"
) -> list[EvaluationRow]:
    """Every arm on the context's validation problems that no gate saw: rows of suite "strategy" about `version`."""
    solver = Solver(context.gateway, spec, "validator", context.config.decoding)
    problems = context.problems.open("validation", "validator")
    pairs = [(arm, problem) for arm in contexts for problem in problems]
    jobs: list[Job] = [
        (
            problem,
            functools.partial(
                solver.solve,
                problem,
                stage=stage,
                arm=f"{arm}-{content_hash(contexts[arm])}" if contexts[arm] else arm,
                context=contexts[arm],
                max_tokens=context.reply_tokens,
            ),
        )
        for arm, problem in pairs
    ]
    graded = await attempt_all(context, title, jobs)
    return [
        evaluation_row(item, "strategy", arm, spec, version=version)
        for item, (arm, _) in zip(graded, pairs, strict=True)
    ]


def _arms(context: RunContext, target: Domain, version: str, draft: str) -> tuple[Contexts, str]:
    """The arms' texts, and the name of the domain that the placebo comes from."""
    placebo = placebo_for(context.domain.name, target)
    texts = arm_contexts(
        learned=load_strategy(context.run, version).text,
        one_shot=load_strategy(context.run, draft).text,
        seed=load_strategy_file(target.name),
        placebo=load_strategy_file(placebo),
        examples=verified_examples(context),
        count_tokens=count_tokens,
    )
    return texts, placebo


def placebo_for(own: str, target: Domain) -> str:
    """A domain that is neither of the two and like neither of them."""
    near = {own, target.name, ALIKE.get(own), ALIKE.get(target.name)}
    return next(name for name in (target.placebo, *UNRELATED) if name not in near)
