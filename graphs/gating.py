"""The gate's calls: the current strategy and the candidate on the same validation items, batch after batch."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from agents.solver import Solver
from evaluation.gate import ONCE, ConfirmGate, GateRule, Round, gate_rule, mean_scores
from graphs.attempts import Job, attempt_all, passed
from graphs.context import RunContext
from graphs.strategies import load_strategy
from records.nouns import GateResult, Problem, Reflection

Scores = list[float | None]


async def compare_strategies(context: RunContext, current: str, candidate: str, number: int) -> GateResult:
    """What the gate's rule says of two strategies (hashes) in round `number`, counted from 1."""
    pair, label = (current, candidate), f"Round {number}: gate"
    return await decide(context, gate_rule(context.config), _place(context, number), pair, gate_model(context), label)


async def prove(context: RunContext, rule: ConfirmGate, start: str, final: str) -> GateResult:
    """The one test of the final strategy against the starting point, on items that no comparison used."""
    items = len(context.problems.open("validation", "gate"))
    batches, label = rule.proof_batches(items, context.config.seed), "Proof of the final strategy"
    return await decide(context, rule.proof, ONCE, (start, final), gate_model(context), label, batches)


async def decide(
    context: RunContext,
    rule: GateRule,
    place: Round,
    pair: tuple[str, str],
    model: str,
    label: str,
    batches: Sequence[Sequence[int]] | None = None,
) -> GateResult:
    """What a rule says of the current strategy and the candidate, when the gain of `model` counts.

    `batches`: places of the items to ask, by default those that the rule names.
    """
    problems = context.problems.open("validation", "gate")
    if batches is None:
        batches = rule.batches(len(problems), place.index, context.config.seed)
    planned = sum(map(len, batches))
    old, new = Scores(), Scores()
    for batch in batches:
        scores = await _scores(context, [problems[i] for i in batch], pair, model, label)
        old, new = old + scores[0], new + scores[1]
        if result := rule.stop(old, new, planned, place):
            return result
    return rule.decide(old, new, place)


def _place(context: RunContext, number: int) -> Round:
    """Where the loop stands: the alpha of a round is spent when its test was made, whatever came out."""
    tested = [r.gate for r in context.run.read("reflections.jsonl", Reflection) if r.gate and r.round < number]
    spent = sum(gate.alpha for gate in tested if gate.alpha_spent is not None)
    return Round(number - 1, context.config.loop.rounds, spent)


async def _scores(
    context: RunContext, problems: Sequence[Problem], strategies: Sequence[str], model: str, label: str
) -> list[Scores]:
    """Per strategy one score per problem; all calls are made together, and known ones are not repeated."""
    repeats = range(context.config.gate.repeats)
    jobs = [job for name in strategies for sample in repeats for job in _jobs(context, problems, name, sample, model)]
    replies = passed(await attempt_all(context, label, jobs))
    size = len(problems)
    rows = [replies[start : start + size] for start in range(0, len(replies), size)]
    each = [rows[start : start + len(repeats)] for start in range(0, len(rows), len(repeats))]
    return [mean_scores(list(zip(*samples, strict=True))) for samples in each]


def _jobs(context: RunContext, problems: Sequence[Problem], strategy_hash: str, sample: int, model: str) -> list[Job]:
    text = load_strategy(context.run, strategy_hash).text
    solver = Solver(context.gateway, model, "gate", context.config.decoding)
    return [
        (
            problem,
            functools.partial(
                solver.solve,
                problem,
                stage="gate",
                arm=arm_of(strategy_hash),
                context=text,
                strategy_hash=strategy_hash,
                sample=sample,
                max_tokens=context.reply_tokens,
            ),
        )
        for problem in problems
    ]


def arm_of(strategy_hash: str) -> str:
    """The arm of a strategy's attempts at the gate."""
    return f"strategy-{strategy_hash}"


def gate_model(context: RunContext) -> str:
    """Whose gain counts at the gate: that of the teacher who writes, or the student's if the teacher is scripted."""
    return context.teacher.writer if context.teacher.is_language_model else context.config.student
