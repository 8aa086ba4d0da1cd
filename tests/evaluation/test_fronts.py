"""Who wins on which items, and from whom the next edit starts."""

import pytest

from evaluation.fronts import best_of, parent_chances, score_table


def test_chances_go_by_items_won_and_ties_count_for_both() -> None:
    chances = parent_chances([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    assert chances.tolist() == pytest.approx([3 / 6, 2 / 6, 1 / 6])  # all three share the last item


def test_who_wins_only_where_nobody_else_looks_is_still_drawn_unless_the_mean_is_low() -> None:
    specialist = [0] * 9 + [1]
    assert parent_chances([[1] * 9 + [0], specialist])[1] == pytest.approx(0.1)
    better = [[1] * n + [0] * (10 - n) for n in (5, 6, 7, 8, 9)]
    assert parent_chances([*better, specialist])[5] == 0.0
    assert parent_chances([*better, specialist], top=6)[5] > 0


def test_only_common_items_count() -> None:
    table = score_table([[1.0, None, 0.0], [0.0, 1.0, 1.0]])
    assert table.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert best_of([[1.0, None, 0.0], [1.0, 1.0, 1.0]]) == 1
    assert best_of([[1.0, 0.0], [0.0, 1.0]]) == 0  # the earliest of equals
    assert parent_chances([[None], [1.0]]).tolist() == [0.5, 0.5] and best_of([[None], [1.0]]) == 0
    with pytest.raises(ValueError):
        score_table([[1.0], [1.0, 0.0]])
