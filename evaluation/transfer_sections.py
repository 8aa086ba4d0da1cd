"""The report's section on other domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.sections import Section, lift_table, transfer_matrix

Json = Mapping[str, Any]
FOLLOWED_BY = "Problems and data"


def with_transfers(found: Sequence[Section], summary: Json) -> list[Section]:
    """The sections, with that on other domains in its place if the strategy was tested on any."""
    tested = summary.get("transfers")
    if not tested:
        return list(found)
    place = next((i for i, section in enumerate(found) if section.title == FOLLOWED_BY), len(found))
    return [*found[:place], transfers_section(str(summary["domain"]), tested), *found[place:]]


def transfers_section(own: str, tested: Json) -> Section:
    """One matrix and the comparisons per other domain."""
    tables, paragraphs, leaks = [], [_RULE], list[str]()
    for name, figures in tested.items():
        paragraphs.append(_line(own, name, figures))
        if figures["validators"]:
            tables.append(transfer_matrix(figures["validators"], f"On {name}: problems solved, zero-shot"))
        tables += [
            lift_table(f"On {name}, {model}: the strategy of {own} against each arm", suite)
            for model, suite in figures["validators"].items()
        ]
        leaks += [_leak_line(name, arm, leak) for arm, items in figures["leaks"].items() for leak in items]
    return Section("The strategy on other domains", paragraphs, tables, leaks)


_RULE = (
    "The same arms and the same words as on the run's own domain: seed is the other domain's own strategy, one_shot "
    "and few_shot come from the run, placebo from a third domain. The validation problems are new to the teacher."
)


def _line(own: str, name: str, figures: Json) -> str:
    subject = f"{name}: the {'approved' if figures['approved'] else 'final, not approved'} strategy of {own}"
    if figures["reason"]:
        return f"{subject} was {figures['reason']}."
    words = ", ".join(f"{word} for {model}" for model, word in figures["verdict_by_validator"].items())
    leak = ", which it quotes, so that no gain counts" if "learned" in figures["leaks"] else ""
    return f"{subject} on {figures['items']} problems{leak}: {words} (placebo: {figures['placebo']})."


def _leak_line(name: str, arm: str, leak: Json) -> str:
    return f"Leak of {name} in {arm}: {leak['kind']} of {', '.join(leak['problem_ids'][:3])}: {leak['excerpt']}"
