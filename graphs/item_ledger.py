"""Which validation items a stage may use, and the record that it used them.

Guaranteed: what is chosen among (candidates, bullets) is measured on the choosing part of the gate's items, and a
test of that choice is made on the others; a test gets no item that had a part in its choice, whatever wrote the run.
"""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.item_parts import item_parts
from graphs.context import RunContext
from records.item_uses import FILE, ItemUse, Use, unused
from records.nouns import Problem


def choosing_items(context: RunContext) -> list[Problem]:
    """The gate's items on which candidates and bullets are chosen among; never empty."""
    problems = context.problems.open("validation", "gate")
    return [problems[place] for place in item_parts(context.config, len(problems)).choosing]


def testing_items(context: RunContext, judged: Use) -> list[Problem]:
    """The gate's items that may test a choice of this kind; empty if all had a part in it."""
    problems = context.problems.open("validation", "gate")
    kept = [problems[place] for place in item_parts(context.config, len(problems)).testing]
    return unused(kept, uses(context), judged)


def uses(context: RunContext) -> list[ItemUse]:
    """The ledger so far."""
    return context.run.read(FILE, ItemUse)


def record_use(
    context: RunContext,
    use: Use,
    name: str,
    items: Sequence[Problem],
    strategies: Sequence[str] = (),
    level: float | None = None,
) -> None:
    """Write one use; a repeated step, which has the same `name`, writes nothing."""
    entry = ItemUse(
        id=name,
        use=use,
        problem_ids=tuple(item.id for item in items),
        strategy_hashes=tuple(strategies),
        level=level,
    )
    context.run.append(FILE, [entry])
