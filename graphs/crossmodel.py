"""Between the loop and the validation: the loop's candidates on every validator, and rounds for the neglected.

Candidates are compared on the gate's items on which things are chosen, and a round's edit is tested on the others,
so that a validator whose gain looked small by chance does not make the edit look good. The candidate whose worst
validator gains most is the one that is validated, on items that had no part in the choice. A validator named by
`reoptimise_for` that gains nothing from the strategy at hand gets further rounds of the loop in which its own gain
counts at the gate.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from evaluation.crossmodel import CANDIDATE, NONE, gains_nothing, selection
from graphs.context import RunContext
from graphs.further import gate_again, solve_again
from graphs.gating import gate_model
from graphs.item_ledger import choosing_items, record_use
from graphs.learning import reflect
from graphs.measuring import Shown, measure
from graphs.state import TransferState
from graphs.strategies import load_strategy
from records.nouns import EvaluationRow, Reflection


async def survey(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Every strategy that the loop has kept so far on every validator, with the problem alone as control."""
    context = runtime.context
    found = candidates(context, state)
    if _needed(context, found):
        models = list(dict.fromkeys(context.config.validators))
        shown = [Shown(f"{CANDIDATE}{i}", load_strategy(context.run, name), name) for i, name in enumerate(found)]
        items = choosing_items(context)
        title = f"{len(found)} candidate strategies on {len(models)} validators"
        await measure(context, title, "selection", [Shown(NONE, None), *shown], models, items)
        record_use(context, "selection", f"survey of {', '.join(found)}", items, found)
    return {"candidates": found, "focus": None, "loop_ended": state.get("loop_ended", state["round"])}


def candidates(context: RunContext, state: TransferState) -> list[str]:
    """Hashes in the order in which the loop came to them; a later survey only adds to the list."""
    reflections = sorted(context.run.read("reflections.jsonl", Reflection), key=lambda entry: entry.round)
    proved = [entry for entry in reflections if entry.accepted and entry.gate and entry.gate.policy != "confirm"]
    kept = [entry.candidate_hash for entry in proved if entry.candidate_hash]  # a search's steps are no candidates
    return list(dict.fromkeys([*state.get("candidates", []), state["draft"], *kept, state["current"]]))


def _needed(context: RunContext, candidates: list[str]) -> bool:
    settings = context.config.crossmodel
    return settings.surveys and (len(candidates) > 1 or bool(settings.reoptimise_for))


def _figures(context: RunContext) -> dict[str, Any] | None:
    return selection(context.run.read("evaluation/rows.jsonl", EvaluationRow))


def neglected(state: TransferState, context: RunContext) -> str | None:
    """The next validator that gains nothing and has not had its rounds yet."""
    waiting = [s for s in context.config.crossmodel.reoptimise_for if s not in state.get("focused", [])]
    found = _figures(context) if waiting else None
    if found is None:
        return None
    lifts = next(entry["lifts"] for entry in found["candidates"] if entry["hash"] == state["current"])
    return next((spec for spec in waiting if gains_nothing(lifts.get(spec))), None)


def route_survey(state: TransferState, runtime: Runtime[RunContext]) -> Literal["reoptimise", "select"]:
    """Rounds for a validator that gains nothing, or the choice."""
    return "reoptimise" if neglected(state, runtime.context) else "select"


async def focus(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """From here on the gain of one validator counts at the gate."""
    context = runtime.context
    spec = neglected(state, context)
    rounds = context.config.crossmodel.reoptimise_rounds
    context.events.stage(f"{spec} gains nothing: {rounds} rounds for it")
    return {"focus": spec, "focused": [*state.get("focused", []), str(spec)], "until": state["round"] + rounds}


def route_focus(state: TransferState) -> Literal["solve_again", "__end__"]:
    """Another round for the validator, or back to the survey."""
    return "solve_again" if state["round"] < state["until"] else "__end__"


def reoptimise_builder() -> StateGraph[TransferState, RunContext, TransferState, TransferState]:
    """Rounds of the loop whose gate asks one validator."""
    builder = StateGraph(TransferState, context_schema=RunContext)
    nodes: list[Any] = [focus, solve_again, reflect, gate_again]
    for node in nodes:
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "focus")
    builder.add_edge("focus", "solve_again")
    builder.add_edge("solve_again", "reflect")
    builder.add_edge("reflect", "gate_again")
    builder.add_conditional_edges("gate_again", route_focus, ["solve_again", END])
    return builder


async def select(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Take the candidate with the best worst lift; without a survey the loop's last one."""
    context = runtime.context
    found = _figures(context) if _needed(context, state["candidates"]) else None
    if found is None:
        return {}
    chosen = next(entry for entry in found["candidates"] if entry["hash"] == found["chosen"])
    if worst := chosen["worst"]:
        gain = f"worst lift {100 * worst['lift']:+.1f} points, on {worst['model']}"
        context.events.info(f"of {len(found['candidates'])} candidates {chosen['hash']} goes on: {gain}")
    return {"current": found["chosen"]}


async def measure_source(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """The lift on the model that the strategy was learned on, where it is no validator."""
    context = runtime.context
    source = gate_model(context)
    if context.config.crossmodel.source and source not in context.config.validators:
        strategy = load_strategy(context.run, state["current"])
        shown = [Shown(NONE, None, strategy.hash), Shown("learned", strategy, strategy.hash)]
        items = context.problems.open("validation", "validator")
        await measure(context, f"The strategy on its source, {source}", "source", shown, [source], items)
    return {}
