"""One strategy out of several, by what each bullet seems to be worth."""

from agents.merging import merge_by_effects
from records.nouns import Bullet, Strategy


def bullet(identity: str, text: str, created: int = 0) -> Bullet:
    return Bullet(id=identity, section="Method", text=text, origin=(f"t/{text}",), round=created, created=created)


def strategy(*bullets: Bullet) -> Strategy:
    return Strategy(name="s", bullets=bullets)


A, B = bullet("b1", "a"), bullet("b2", "b")
BASE = strategy(A, B)


def merged(lifts: dict[str, float], *others: Strategy, room: int = 99) -> list[tuple[str, str]] | None:
    found = merge_by_effects(BASE, [BASE, *others], lifts, 4, lambda text: text.count("- ") <= room)
    if found is None:
        return None
    assert (found.parent, found.round) == (BASE.hash, 4)
    return [(one.id, one.text) for one in found.bullets]


def test_what_helps_comes_in_and_what_harms_goes() -> None:
    other = strategy(A, B, bullet("b3", "helps", 1), bullet("b4", "harms", 1))
    assert merged({"helps": 0.1, "harms": -0.1, "b": -0.05}, other) == [("b1", "a"), ("b3", "helps")]


def test_bullets_of_two_branches_get_different_ids_and_keep_their_origin() -> None:
    first, second = strategy(A, B, bullet("b3", "one", 1)), strategy(A, B, bullet("b3", "two", 2))
    assert merged({"one": 0.1, "two": 0.2}, first, second) == [("b1", "a"), ("b2", "b"), ("b3", "two"), ("b4", "one")]
    found = merge_by_effects(BASE, [first, second], {"one": 0.1, "two": 0.2}, 4, lambda text: True)
    assert found is not None and [one.origin for one in found.bullets[2:]] == [("t/two",), ("t/one",)]


def test_of_two_wordings_of_a_bullet_the_better_one_is_taken() -> None:
    reworded = strategy(A.model_copy(update={"text": "a, better", "round": 3}), B)
    assert merged({"a, better": 0.1, "a": 0.02}, reworded) == [("b1", "a, better"), ("b2", "b")]
    assert merged({"a, better": 0.1, "a": 0.2}, reworded) is None


def test_what_does_not_fit_is_left_out_and_nothing_new_is_nothing() -> None:
    other = strategy(A, B, bullet("b3", "good", 1), bullet("b4", "best", 1))
    assert merged({"good": 0.1, "best": 0.2}, other, room=3) == [("b1", "a"), ("b2", "b"), ("b4", "best")]
    assert merged({"good": 0.0, "best": -0.2}, other) is None
    assert merged({"a": -0.1, "b": -0.1}) is None  # something has to be left
