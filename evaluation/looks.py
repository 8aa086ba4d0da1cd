"""How often the validation items were looked at, and what is left of the run's error budget.

Guaranteed: every number comes from the ledger of items (`item_uses.jsonl`) and the run's settings. A run of before
that ledger has none, which is said by leaving the section out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.layout import Section, Table
from records.config import RunConfig
from records.error_budget import ErrorBudget
from records.item_uses import WORDS, ItemUse, Use, looks, spent

Json = dict[str, Any]


def looks_figures(uses: Sequence[ItemUse], config: RunConfig | None) -> Json | None:
    """Per kind of use the items, the uses and the most looks at one item; the budget if the settings can be read."""
    if not uses:
        return None
    counted = looks(uses)
    kinds = [kind for kind in WORDS if any(use.use == kind for use in uses)]
    rows = [
        {
            "use": kind,
            "items": sum(kind in found for found in counted.values()),
            "uses": sum(use.use == kind for use in uses),
            "most": max(found[kind] for found in counted.values()),
        }
        for kind in kinds
    ]
    return {"uses": rows, "budget": budget_figures(uses, config.error_budget) if config else None}


def budget_figures(uses: Sequence[ItemUse], budget: ErrorBudget) -> Json:
    """The planned parts of the error budget, what is spent, and the level of the next edit by a person."""
    edits = sum(use.use == "edit" for use in uses)
    return {
        "alpha": budget.alpha,
        "loop": budget.loop,
        "further": budget.further,
        "reviews": budget.reviews,
        "spent": spent(uses),
        "edits": edits,
        "reviews_left": budget.reviews_left(edits),
        "next_edit": budget.review(edits + 1),
    }


def budget_text(found: Mapping[str, Any]) -> str:
    """One sentence on the budget, for the person who may edit."""
    parts = [f"{found['loop']:g} for the loop"]
    parts += [f"{found['further']:g} for the rounds after it"] if found["further"] else []
    parts += [f"{found['reviews']:g} for edits by people"] if found["reviews"] else []
    text = f"Error budget of this run: {found['alpha']:g} ({', '.join(parts)}); {found['spent']:g} is spent."
    if not found["reviews"]:
        return text
    tested = f"after {found['edits']} tested edits " if found["edits"] else ""
    left = f"{found['reviews_left']:g} is left for edits {tested}and the next one is tested at {found['next_edit']:g}"
    return f"{text} {left}."


def looks_section(summary: Mapping[str, Any]) -> Section | None:
    """What each validation item was used for."""
    found = summary.get("item_uses")
    if not found:
        return None
    rows = [[use_words(row["use"]), str(row["items"]), str(row["uses"]), str(row["most"])] for row in found["uses"]]
    table = Table("Validation items by use", ["used for", "items", "times", "most looks at one item"], rows)
    notes = [
        "A choice is tested on items that had no part in it. Each test by which a text can become the current strategy "
        "has its share of one error budget; the shares add up to the budget, however many edits are tried."
    ]
    notes += [budget_text(found["budget"])] if found["budget"] else []
    return Section("Items and looks", notes, [table])


def use_words(use: Use) -> str:
    """The use in words."""
    return WORDS[use]
