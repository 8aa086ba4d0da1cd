"""After the loop: what each bullet is worth on the validators, found by leaving it out.

Costs (bullets + 1) × items × validators calls, on the gate's items on which things are chosen: those of the proof stay
unused, so that a deletion which is proposed here can be tested on them, and so do the validation items that the person
sees. An edit of the reviewer is not taken apart again.
"""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from evaluation.ablation import ALL, WITHOUT, ablation, newest, without
from graphs.context import RunContext
from graphs.item_ledger import choosing_items, record_use
from graphs.measuring import Shown, measure
from graphs.state import TransferState
from graphs.strategies import BulletLift, keep_lifts, load_version
from records.nouns import Strategy


async def ablate(state: TransferState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Measure each bullet's lift and keep it with the strategy's version."""
    context = runtime.context
    version = load_version(context.run, state["current"])
    if not context.config.ablation.use or version.status == "edited" or len(version.strategy.bullets) < 2:
        return {}
    strategy, models = version.strategy, list(dict.fromkeys(context.config.validators))
    items = choosing_items(context)
    rows = await measure(context, "Ablation: each bullet left out", "ablation", _arms(context, strategy), models, items)
    record_use(context, "ablation", f"ablation of {strategy.hash}", items, [strategy.hash])
    found = ablation(rows, strategy.bullets)
    if found is None:
        return {}
    keep_lifts(context.run, strategy.hash, _lifts(found))
    context.events.info(_said(found))
    return {}


def _arms(context: RunContext, strategy: Strategy) -> list[Shown]:
    bullets = newest(strategy, context.config.ablation.bullets)
    reduced = [Shown(WITHOUT + bullet.id, without(strategy, bullet), strategy.hash) for bullet in bullets]
    return [Shown(ALL, strategy, strategy.hash), *reduced]


def _lifts(found: dict[str, Any]) -> dict[str, dict[str, BulletLift]]:
    """Per bullet and validator, those that were graded."""
    return {
        entry["id"]: {
            model: BulletLift(lift=lift["lift"], low=lift["ci95"][0], high=lift["ci95"][1], n=lift["n"])
            for model, lift in entry["lifts"].items()
            if lift
        }
        for entry in found["bullets"]
    }


def _said(found: dict[str, Any]) -> str:
    count = len(found["bullets"])
    if not found["harmful"]:
        return f"{count} bullets left out one by one: none is shown to do harm"
    return f"{count} bullets left out one by one; proposed for deletion: {', '.join(found['harmful'])}"
