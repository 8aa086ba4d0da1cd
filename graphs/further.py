"""Rounds of the loop after the loop: for a validator that gains nothing, and after a student's training.

Each edit is decided by itself, on those of the gate's items on which nothing was chosen. Guaranteed by the default
rule: these rounds together accept an edit that changes nothing with a probability of at most their part of the run's
one error budget (`records.error_budget`).
"""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from evaluation.gate import GateRule, Round, SequentialGate, gate_rule
from graphs.context import RunContext
from graphs.gating import Comparison, decide, gate_model, put_to_test
from graphs.learning import solved_batch
from graphs.state import TransferState
from graphs.strategies import Status, load_strategy, save_strategy
from records.config import RunConfig
from records.nouns import GateResult, Reflection


async def solve_again(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The teacher's attempts at this round's batch, with the strategy at hand."""
    return await solved_batch(runtime.context, state["current"], state["round"] + 1)


async def gate_again(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Decide on the round's edit; the gain that counts is that of `focus`, or of the gate's own model."""
    context, number = runtime.context, state["round"] + 1
    proposal = next(p for p in context.run.read("proposals.jsonl", Reflection) if p.round == number)
    result: GateResult | None = None
    if name := proposal.candidate_hash:
        model = state.get("focus") or gate_model(context)
        compared = Comparison("further", state["current"], name, model, f"Round {number}: gate on {model}")
        result = await _compared(context, compared, _place(context, state["loop_ended"], number))
        status: Status = "accepted" if result.accepted else "rejected"
        save_strategy(context.run, load_strategy(context.run, name), status, gate=result)
        context.events.info(result.reason)
    accepted = bool(result and result.accepted)
    context.run.append("reflections.jsonl", [proposal.model_copy(update={"gate": result, "accepted": accepted})])
    return {"round": number, "current": proposal.candidate_hash if accepted else state["current"], "candidate": None}


async def _compared(context: RunContext, compared: Comparison, place: Round) -> GateResult:
    """A test on items that had no part in the choice; under a rule without a test, what that rule says of all items."""
    rule = rule_of(context.config)
    if isinstance(rule, SequentialGate):
        return await put_to_test(context, rule, place, compared)
    items = context.problems.open("validation", "gate")
    batches = rule.batches(len(items), place.index, context.config.seed)
    return await decide(context, rule, place, compared, [[items[i] for i in batch] for batch in batches])


def rule_of(config: RunConfig) -> GateRule:
    """The rule of these rounds: the run's own if it makes no test, else the sequential one."""
    gate = config.gate
    if gate.rule in ("strict", "none"):
        return gate_rule(config)
    return SequentialGate(config.error_budget.further, gate.looks, gate.futility, gate.repeats)


def _place(context: RunContext, first: int, number: int) -> Round:
    """Where these rounds stand, which began after round `first`; what the loop spent is not theirs."""
    ours = [r for r in context.run.read("reflections.jsonl", Reflection) if first < r.round < number]
    spent = sum(r.gate.alpha for r in ours if r.gate and r.gate.alpha_spent is not None)
    return Round(number - first - 1, context.config.further_rounds, spent)
