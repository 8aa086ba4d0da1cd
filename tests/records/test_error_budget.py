"""One error budget for a run: its parts add up, however many edits people try."""

import pytest

from records.config import RunConfig
from records.error_budget import error_budget


@pytest.mark.parametrize("further_rounds", [0, 1, 26])
@pytest.mark.parametrize("people_decide", [False, True])
def test_the_parts_add_up_to_alpha(further_rounds: int, people_decide: bool) -> None:
    budget = error_budget(0.05, further_rounds=further_rounds, people_decide=people_decide)
    assert budget.alpha == pytest.approx(0.05)
    assert budget.loop > budget.further
    assert (budget.further > 0) == bool(further_rounds)
    assert (budget.reviews > 0) == people_decide


def test_a_run_that_a_rule_decides_and_that_ends_with_its_loop_keeps_all_for_the_loop() -> None:
    assert error_budget(0.05, further_rounds=0, people_decide=False).loop == 0.05


def test_however_many_edits_are_tried_they_stay_within_their_part() -> None:
    budget = error_budget(0.05, further_rounds=0, people_decide=True)
    levels = [budget.review(number) for number in range(1, 200)]
    assert sum(levels) <= budget.reviews
    assert levels[0] == pytest.approx(budget.reviews / 2)
    assert budget.reviews_left(3) == pytest.approx(budget.reviews - sum(levels[:3]))


def test_edits_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        error_budget(0.05, further_rounds=0, people_decide=True).review(0)


def test_the_settings_name_the_budget() -> None:
    asked = RunConfig(domain="scheduling", approve="ask").error_budget
    ruled = RunConfig(domain="scheduling", approve="gate").error_budget
    assert asked.loop == pytest.approx(0.04)
    assert asked.reviews == pytest.approx(0.01)
    assert ruled.loop == pytest.approx(0.05)
