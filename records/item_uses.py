"""The ledger of items: what each validation problem was used for, how often it was looked at, at which level.

A test judges a choice honestly only on items that had no part in that choice. `PART_IN_CHOICE` says which earlier
uses are such a part; `unused` leaves out the items that had one. Not guaranteed: that a person who was shown the
figures of a test did not write the next edit by them; therefore every such test has a level of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from records.nouns import Problem, Record

FILE = "item_uses.jsonl"

Use = Literal["search", "round", "proof", "further", "edit", "selection", "ablation", "validation", "approval"]

WORDS: dict[Use, str] = {
    "search": "comparing edits in the search",
    "round": "the test of a round's edit",
    "proof": "the proof of the final strategy",
    "further": "the test of a later round's edit",
    "edit": "the test of a person's edit",
    "selection": "choosing among candidates on all validators",
    "ablation": "leaving bullets out",
    "validation": "the zero-shot validation",
    "approval": "shown to the person who decides",
}

# Uses whose outcomes chose the text that the test judges, or were shown to whoever wrote it.
PART_IN_CHOICE: dict[Use, frozenset[Use]] = {
    "proof": frozenset({"search", "selection", "ablation"}),
    "further": frozenset({"search", "selection", "ablation"}),
    "edit": frozenset({"search", "selection", "ablation"}),
    "validation": frozenset({"search", "round", "proof", "further", "edit", "selection", "ablation"}),
}


class ItemUse(Record):
    """One use of some items: for which test or choice, about which strategies, at which level (None: no test)."""

    id: str
    use: Use
    problem_ids: tuple[str, ...]
    strategy_hashes: tuple[str, ...] = ()
    level: float | None = None


def unused(items: Sequence[Problem], uses: Iterable[ItemUse], judged: Use) -> list[Problem]:
    """The items that had no part in the choice which a test of kind `judged` is about, in their order."""
    parts = PART_IN_CHOICE.get(judged, frozenset())
    taken = {problem for use in uses if use.use in parts for problem in use.problem_ids}
    return [item for item in items if item.id not in taken]


def looks(uses: Iterable[ItemUse]) -> dict[str, Counter[Use]]:
    """How often each item was used, by problem id and kind of use."""
    found: dict[str, Counter[Use]] = defaultdict(Counter)
    for use in uses:
        for problem in use.problem_ids:
            found[problem][use.use] += 1
    return dict(found)


def spent(uses: Iterable[ItemUse]) -> float:
    """The part of the error budget that the tests so far have used."""
    return sum(use.level or 0.0 for use in uses)
