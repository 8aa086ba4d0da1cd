"""The gate's items in two parts: those on which something is chosen, and those that test what was chosen.

Under `gate.rule=confirm` the parts are the search's items and the proof's. Under `sequential` every round's edit is
tested on all items; only where bullets are left out or candidates are surveyed is a part kept for that, so that what
is chosen there can be tested on the others. The rules without a test choose on all items and test nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.gate import ConfirmGate, SequentialGate, gate_rule, item_order
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


def edits_promise(config: RunConfig) -> str:
    """What the test of a person's first edit can show, and what leaving bullets out costs; "" where no person is asked.

    One line to read before anything is spent.
    """
    level = config.error_budget.review(1)
    if not level or config.gate.rule in ("strict", "none"):
        return ""
    parts = item_parts(config, config.sizes.gate)
    gate = config.gate
    gain = SequentialGate(level, gate.looks, gate.futility, gate.repeats).detectable(len(parts.testing), level, None)
    shown = "can show no gain" if gain is None else f"can show a gain of {gain:.0%} with 80% probability"

    text = f"edits by people: the first is tested at {level:g} on {len(parts.testing)} items, which {shown}"
    if config.ablation.use:
        text += (
            f"; bullets are left out on the {len(parts.choosing)} items of the choosing part only, so that a deletion "
            "which that proposes is tested on items that had no part in it"
        )
    return text
