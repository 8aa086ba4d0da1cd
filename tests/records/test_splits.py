"""The reflector and the gate cannot reach test and ood; the halves of validation do not meet."""

import pytest

from records.nouns import Problem, Split
from records.splits import ProblemSet, Role, SplitViolation


def problem(split: Split, number: int) -> Problem:
    return Problem(
        id=f"{split}-{number}",
        domain="d",
        split=split,
        family="f",
        difficulty="easy",
        prompt="p",
        reference="r",
        content_hash=f"{split}{number}",
    )


@pytest.fixture
def problems() -> ProblemSet:
    splits: tuple[Split, ...] = ("train", "validation", "test", "ood")
    return ProblemSet([problem(split, number) for split in splits for number in range(6)], gate_items=4)


@pytest.mark.parametrize("role", ["reflector", "curator", "gate", "validator", "feedback"])
@pytest.mark.parametrize("split", ["test", "ood"])
def test_held_out_splits_are_closed(problems: ProblemSet, role: Role, split: Split) -> None:
    with pytest.raises(SplitViolation, match=role):
        problems.open(split, role)
    with pytest.raises(SplitViolation):
        problems.get(f"{split}-1", role)


def test_evaluator_cannot_open_what_was_trained_or_selected_on(problems: ProblemSet) -> None:
    for split in ("train", "validation"):
        with pytest.raises(SplitViolation):
            problems.open(split, "evaluator")
    assert len(problems.open("test", "evaluator")) == 6


def test_gate_and_validator_share_no_item(problems: ProblemSet) -> None:
    gate = {p.id for p in problems.open("validation", "gate")}
    transfer = {p.id for p in problems.open("validation", "validator")}
    assert len(gate) == 4 and len(transfer) == 2 and not gate & transfer
    with pytest.raises(SplitViolation):
        problems.get(next(iter(transfer)), "gate")
