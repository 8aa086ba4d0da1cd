"""The ledger of items: which of them may test which choice."""

import pytest

from records.item_uses import PART_IN_CHOICE, WORDS, ItemUse, Use, looks, spent, unused
from records.nouns import Problem


def problem(name: str) -> Problem:
    return Problem(
        id=name, domain="d", split="validation", family="f", difficulty="easy", prompt=name, reference=name,
        content_hash=name,
    )  # fmt: skip


ITEMS = [problem(name) for name in "abcd"]


def used(use: Use, *names: str, level: float | None = None) -> ItemUse:
    return ItemUse(id=f"{use} {names}", use=use, problem_ids=names, level=level)


@pytest.mark.parametrize("choice", ["search", "selection", "ablation"])
@pytest.mark.parametrize("judged", ["proof", "further", "edit"])
def test_a_test_gets_no_item_that_had_a_part_in_its_choice(choice: Use, judged: Use) -> None:
    found = unused(ITEMS, [used(choice, "a", "c")], judged)
    assert [item.id for item in found] == ["b", "d"]


def test_items_of_a_proof_may_test_the_edit_of_what_was_proved() -> None:
    assert unused(ITEMS, [used("proof", "a", "b", "c", "d")], "edit") == ITEMS


def test_the_validation_is_made_on_items_that_nothing_else_has_used() -> None:
    others = sorted(set(WORDS) - {"validation", "approval"})
    assert PART_IN_CHOICE["validation"] == set(others)
    assert unused(ITEMS, [used("validation", "a"), used("approval", "a")], "validation") == ITEMS


def test_looks_are_counted_per_item_and_use() -> None:
    found = looks([used("search", "a", "b"), used("proof", "c"), used("search", "a")])
    assert found["a"] == {"search": 2}
    assert found["b"] == {"search": 1}
    assert found["c"] == {"proof": 1}
    assert "d" not in found


def test_only_tests_spend_the_budget() -> None:
    assert spent([used("search", "a"), used("proof", "b", level=0.04), used("edit", "c", level=0.005)]) == 0.045
