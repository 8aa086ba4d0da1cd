"""The gate's items in two parts: those on which something is chosen, and those that test what was chosen.

Under `gate.rule=confirm` the parts are the search's items and the proof's. Under `sequential` every round's edit is
tested on all items; only where bullets are left out or candidates are surveyed is a part kept for that, so that what
is chosen there can be tested on the others. The rules without a test choose on all items and test nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.gate import ConfirmGate, gate_rule, item_order
from records.config import RunConfig


@dataclass(frozen=True)
class ItemParts:
    """Places in the list of the gate's items."""

    choosing: tuple[int, ...]
    testing: tuple[int, ...]


def item_parts(config: RunConfig, items: int) -> ItemParts:
    """The two parts of so many items, the same in every process of a run."""
    rule = gate_rule(config)
    if isinstance(rule, ConfirmGate):
        search, proof = rule.parts(items, config.seed)
        return ItemParts(tuple(search), tuple(proof))

    order = item_order(items, config.seed)
    if config.gate.rule != "sequential":
        return ItemParts(tuple(order), ())

    if chooses(config) and items > 1:
        kept = min(items - 1, max(1, round(items * config.gate.proof_share)))
        return ItemParts(tuple(order[: items - kept]), tuple(order[items - kept :]))
    return ItemParts(tuple(order), tuple(order))


def chooses(config: RunConfig) -> bool:
    """Something is chosen on the gate's items after the loop: bullets to delete, or a candidate."""
    return config.ablation.use or config.crossmodel.surveys
