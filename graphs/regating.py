"""The gate's paired test of a text that a person edited, before it is measured on the validators.

Guaranteed: the edited text and the one before it solve the same items for the same model, items on which no edit,
candidate or bullet was chosen; each edit is tested at half of what the edits before it left of the error budget's
part for them, so that all edits of a run together pass a text that is no better with that probability at most. The
figures stand beside the text when the person is asked again. A person decides: the test informs and does not overrule.
"""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from evaluation.gate import ONCE, SequentialGate
from graphs.context import RunContext
from graphs.gating import Comparison, gate_model, put_to_test
from graphs.state import TransferState
from graphs.strategies import keep_gate, load_strategy
from records.config import RunConfig
from records.nouns import EditGate

FILE = "edit_gates.jsonl"


async def gate_edit(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Test the edit that `carry_out` took, at the level that is left for it; rules without a test test nothing."""
    context, edited = runtime.context, state["current"]
    rule = edit_rule(context.config, edits_before(context, edited) + 1)
    if rule is None:
        return {"notice": _notice(f"the gate `{context.config.gate.rule}` tests nothing")}

    before = str(load_strategy(context.run, edited).parent)
    compared = Comparison("edit", before, edited, gate_model(context), f"Gate: the edit of review {state['reviews']}")
    result = await put_to_test(context, rule, ONCE, compared)

    entry = EditGate(id=f"edit-{state['reviews']}", before_hash=before, edited_hash=edited, gate=result)
    context.run.append(FILE, [entry])
    keep_gate(context.run, edited, result)
    context.events.info(f"the edit at the gate: {result.reason}")
    return {"notice": _notice(f"at the gate {result.reason}")}


def _notice(said: str) -> str:
    return f"edited and measured again ({said}): approve it now, or edit further"


def edits_before(context: RunContext, edited: str) -> int:
    """How many edits by people were tested in this run before this one."""
    entries = context.run.read(FILE, EditGate)
    return sum(entry.gate.tested and entry.edited_hash != edited for entry in entries)


def edit_rule(config: RunConfig, number: int) -> SequentialGate | None:
    """The test of the run's edit `number` by a person, counted from 1; None under a rule that makes no test.

    Its level is the edit's own share of the error budget; a run in which a rule decides has none for edits.
    """
    gate = config.gate
    level = config.error_budget.review(number)
    if gate.rule in ("strict", "none") or not level:
        return None
    return SequentialGate(level, gate.looks, gate.futility, gate.repeats)
