"""What is chosen on some of the gate's items is tested on the others."""

import pytest

from evaluation.gate import ConfirmGate
from evaluation.item_parts import edits_promise, item_parts
from graphs.settings import build_config


def parts(*overrides: str, items: int = 24):  # type: ignore[no-untyped-def]
    return item_parts(build_config({"domain": "scheduling", "validators": ["embedded"]}, overrides), items)


@pytest.mark.parametrize("items", [2, 4, 24, 300])
def test_under_confirm_the_parts_are_the_searchs_and_the_proofs(items: int) -> None:
    found = parts(items=items)
    gate = ConfirmGate()
    assert sorted((*found.choosing, *found.testing)) == list(range(items))
    assert set(found.choosing) == {place for batch in gate.batches(items, 0, 0) for place in batch}
    assert set(found.testing) == {place for batch in gate.proof_batches(items, 0) for place in batch}


def test_under_sequential_a_part_is_kept_for_choosing_only_where_something_is_chosen() -> None:
    plain = parts("gate.rule=sequential")
    assert len(plain.testing) == 24

    chosen = parts("gate.rule=sequential", "ablation.use=true")
    assert (len(chosen.choosing), len(chosen.testing)) == (8, 16)
    assert not set(chosen.choosing) & set(chosen.testing)


@pytest.mark.parametrize("rule", ["strict", "none"])
def test_a_rule_without_a_test_has_no_items_for_one(rule: str) -> None:
    found = parts(f"gate.rule={rule}")
    assert len(found.choosing) == 24
    assert not found.testing


def test_what_the_test_of_an_edit_can_show_is_said_before_anything_is_spent() -> None:
    def said(*overrides: str, approve: str = "ask") -> str:
        return edits_promise(build_config({"domain": "scheduling", "approve": approve}, overrides))

    assert said("sizes.gate=90").startswith("edits by people: the first is tested at 0.005 on 60 items")
    assert "bullets are left out on the 30 items" in said("sizes.gate=90", "ablation.use=true")
    assert "can show no gain" in said("sizes.gate=4")
    assert not said(approve="gate")
    assert not said("gate.rule=strict")
