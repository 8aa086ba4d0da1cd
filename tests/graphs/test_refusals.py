"""A change that a test has refused is not tested again in other words."""

from graphs.refusals import Change, change_of, reworded
from records.nouns import Bullet, Strategy


def strategy(*texts: str) -> Strategy:
    bullets = tuple(Bullet(id=f"b{i}", section="Method", text=text) for i, text in enumerate(texts, 1))
    return Strategy(name="s", bullets=bullets)


PARENT = strategy("Count the meetings that run at the same time.", "Answer YES or NO at the end.")
REFUSED = strategy(*(b.text for b in PARENT.bullets), "Write down each room and the hours in which it is taken.")


def change(*texts: str) -> Change:
    return change_of(strategy(*texts), PARENT)


def refused() -> dict[int, Change]:
    return {2: change_of(REFUSED, PARENT)}


def kept() -> list[str]:
    return [bullet.text for bullet in PARENT.bullets]


def test_the_same_change_in_other_words_shares_the_test_that_was_made() -> None:
    again = change(*kept(), "Write down every room and the hours in which it is taken up.")
    assert reworded(again, refused()) == "round 2 tested and refused this change in other words"


def test_another_change_is_tested() -> None:
    assert not reworded(change(*kept(), "Sort the meetings by their start before counting."), refused())


def test_a_deletion_is_compared_by_what_it_takes_away() -> None:
    first = {1: change(kept()[0])}
    assert reworded(change(kept()[0]), first)
    assert not reworded(change(kept()[1]), first)


def test_a_replacement_by_the_refused_text_is_another_change() -> None:
    replaced = change(kept()[0], "Write down each room and the hours in which it is taken.")
    assert not reworded(replaced, refused())
