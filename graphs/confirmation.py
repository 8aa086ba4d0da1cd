"""The proof at the end of a search: the final strategy against the starting point, once.

Guaranteed: under `gate.rule=confirm` a run goes on with a learned strategy only if an exact one-sided paired test
at `loop.alpha` says that it is better than the draft, on items that no comparison of the search used; otherwise the
draft stands. What was tested is the final wording. Other rules prove each edit, or nothing; nothing happens then.
"""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from evaluation.gate import ConfirmGate, gate_rule
from graphs.context import RunContext
from graphs.gating import prove
from graphs.state import TransferState
from graphs.strategies import load_strategy, save_strategy
from records.nouns import Confirmation


async def confirm(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Keep the final strategy if it is proved, else the draft."""
    context, rule = runtime.context, gate_rule(runtime.context.config)
    draft, final = state["draft"], state["current"]
    if not isinstance(rule, ConfirmGate) or final == draft:
        return {}
    result = await prove(context, rule, draft, final)
    kept = final if result.accepted else draft
    entry = Confirmation(id="confirmation", final_hash=final, start_hash=draft, kept_hash=kept, gate=result)
    context.run.append("confirmation.jsonl", [entry])
    strategy = load_strategy(context.run, final)
    save_strategy(context.run, strategy, "proved" if result.accepted else "not proved", gate=result)
    context.events.info(result.reason + ("" if result.accepted else "; the first draft stands"))
    return {"current": kept}
