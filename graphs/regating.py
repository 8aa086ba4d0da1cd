"""The gate's paired test of a text that a person edited, before it is measured on the validators.

Guaranteed: the edited text and the one before it solve the same gate items for the same model, and the figures
stand beside the text when the person is asked again. A person decides: the test informs and does not overrule.
"""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from evaluation.gate import ONCE, ConfirmGate, GateRule, OpenGate, gate_rule
from graphs.context import RunContext
from graphs.gating import decide, gate_model
from graphs.state import TransferState
from graphs.strategies import keep_gate, load_strategy
from records.config import RunConfig
from records.nouns import EditGate

FILE = "edit_gates.jsonl"


async def gate_edit(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Test the edit that `carry_out` took; nothing under the rule `none`, which tests nothing."""
    context, edited = runtime.context, state["current"]
    rule = edit_rule(context.config)
    if isinstance(rule, OpenGate):
        return {"notice": _notice("the gate `none` tests nothing")}
    before = str(load_strategy(context.run, edited).parent)
    result = await decide(context, rule, ONCE, (before, edited), gate_model(context), "Gate: the edited strategy")
    entry = EditGate(id=f"edit-{state['reviews']}", before_hash=before, edited_hash=edited, gate=result)
    context.run.append(FILE, [entry])
    keep_gate(context.run, edited, result)
    context.events.info(f"the edit at the gate: {result.reason}")
    return {"notice": _notice(f"at the gate {result.reason}")}


def _notice(said: str) -> str:
    return f"edited and measured again ({said}): approve it now, or edit further"


def edit_rule(config: RunConfig) -> GateRule:
    """The run's rule for one test on all items of the gate: under `confirm` that of its proof."""
    rule = gate_rule(config)
    return rule.proof if isinstance(rule, ConfirmGate) else rule
