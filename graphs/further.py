"""Rounds of the loop after the loop: for a validator that gains nothing, and after a student's training.

Each edit is decided by itself, on the gate's items. Guaranteed by the default rule: these rounds together
accept an edit that changes nothing with a probability of at most `loop.alpha`. It is a budget of their own,
beside the loop's: a run with further rounds may err with twice that probability.
"""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from evaluation.gate import GateRule, Round, SequentialGate, gate_rule
from graphs.context import RunContext
from graphs.gating import decide, gate_model
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
        model, pair = state.get("focus") or gate_model(context), (state["current"], name)
        rule, place = rule_of(context.config), _place(context, state["loop_ended"], number)
        result = await decide(context, rule, place, pair, model, f"Round {number}: gate on {model}")
        status: Status = "accepted" if result.accepted else "rejected"
        save_strategy(context.run, load_strategy(context.run, name), status, gate=result)
        context.events.info(result.reason)
    accepted = bool(result and result.accepted)
    context.run.append("reflections.jsonl", [proposal.model_copy(update={"gate": result, "accepted": accepted})])
    return {"round": number, "current": proposal.candidate_hash if accepted else state["current"], "candidate": None}


def rule_of(config: RunConfig) -> GateRule:
    """The rule of these rounds: the run's own if it makes no test, else the sequential one."""
    gate = config.gate
    if gate.rule in ("strict", "none"):
        return gate_rule(config)
    return SequentialGate(config.loop.alpha, gate.looks, gate.futility, gate.repeats)


def _place(context: RunContext, first: int, number: int) -> Round:
    """Where these rounds stand, which began after round `first`; what the loop spent is not theirs."""
    ours = [r for r in context.run.read("reflections.jsonl", Reflection) if first < r.round < number]
    spent = sum(r.gate.alpha for r in ours if r.gate and r.gate.alpha_spent is not None)
    return Round(number - first - 1, context.config.further_rounds, spent)
