"""The gate's calls: the current strategy and the candidate on the same validation items, batch after batch."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from agents.solver import Solver
from evaluation.gate import ONCE, ConfirmGate, GateRule, Round, SequentialGate, gate_rule, mean_scores, untested
from graphs.attempts import Job, attempt_all, passed
from graphs.context import RunContext
from graphs.item_ledger import record_use, testing_items
from graphs.strategies import load_strategy
from records.item_uses import Use
from records.nouns import GateResult, Problem, Reflection

Scores = list[float | None]


@dataclass(frozen=True)
class Comparison:
    """Two strategies (hashes) that are to be compared: for what, on which model, and the name of the step."""

    use: Use
    current: str
    candidate: str
    model: str
    label: str

    @property
    def pair(self) -> tuple[str, str]:
        """The current strategy and the candidate."""
        return self.current, self.candidate


async def compare_strategies(context: RunContext, current: str, candidate: str, number: int) -> GateResult:
    """What the gate's rule says of two strategies (hashes) in round `number`, counted from 1."""
    rule = gate_rule(context.config)
    problems = context.problems.open("validation", "gate")
    place = _place(context, number)
    batches = rule.batches(len(problems), place.index, context.config.seed)

    use: Use = "round" if isinstance(rule, SequentialGate) else "search"
    compared = Comparison(use, current, candidate, gate_model(context), f"Round {number}: gate")
    return await decide(context, rule, place, compared, [[problems[i] for i in batch] for batch in batches])


async def prove(context: RunContext, rule: ConfirmGate, start: str, final: str) -> GateResult:
    """The one test of the final strategy against the starting point, on items that no comparison used."""
    compared = Comparison("proof", start, final, gate_model(context), "Proof of the final strategy")
    return await put_to_test(context, rule.proof, ONCE, compared)


async def put_to_test(context: RunContext, rule: SequentialGate, place: Round, compared: Comparison) -> GateResult:
    """The rule's test on the items that had no part in the choice which it judges; none is made without such items."""
    items = testing_items(context, compared.use)
    if not items:
        return untested(rule, place)
    order = rule.batches(len(items), place.index, context.config.seed)
    return await decide(context, rule, place, compared, [[items[i] for i in batch] for batch in order])


async def decide(
    context: RunContext,
    rule: GateRule,
    place: Round,
    compared: Comparison,
    batches: Sequence[Sequence[Problem]],
) -> GateResult:
    """What a rule says of two strategies on these items, batch after batch; the items that were asked are recorded."""
    planned = sum(map(len, batches))
    asked = list[Problem]()
    old, new = Scores(), Scores()
    result: GateResult | None = None

    for batch in batches:
        scores = await _scores(context, batch, compared.pair, compared.model, compared.label)
        asked += batch
        old, new = old + scores[0], new + scores[1]
        result = rule.stop(old, new, planned, place)
        if result:
            break

    result = result or rule.decide(old, new, place)
    name = f"{compared.use}: {compared.label}, {compared.current} and {compared.candidate} on {compared.model}"
    level = result.alpha if result.alpha_spent is not None else None
    record_use(context, compared.use, name, asked, compared.pair, level)
    return result


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
