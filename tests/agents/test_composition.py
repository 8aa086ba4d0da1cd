"""Merging two strategies: deterministic, with origins, within the limit, and nothing lost in silence."""

from __future__ import annotations

import pytest

from agents.composition import NO_ROOM, compose
from agents.playbook import EditError
from records.nouns import Bullet, Strategy


def words(text: str) -> int:
    return len(text.split())


def bullet(number: int, text: str, section: str = "Method", origin: tuple[str, ...] = ()) -> Bullet:
    return Bullet(id=f"b{number}", section=section, text=text, origin=origin, round=1)


def strategy(name: str, count: int, size: int = 20, learned: int = 0) -> Strategy:
    """Bullets of `size` words that share no word between strategies; the last `learned` have an origin."""
    made = []
    for number in range(count):
        text = " ".join(f"{name}{number}x{'abcdefghij'[k % 10] * (k + 1)}" for k in range(size))
        origin = (f"lrl/learning/{number}",) if number >= count - learned else ()
        made.append(bullet(number + 1, text, "Checks" if number % 2 else "Method", origin))
    return Strategy(name=name, bullets=tuple(made))


A, B = strategy("coding", 10, 20), strategy("repair", 10, 20)


def test_every_bullet_is_there_once_with_its_run_its_id_and_its_attempts() -> None:
    learned = strategy("repair", 10, 20, learned=3)
    found = compose([("run-a", A), ("run-b", learned)], words).strategy
    assert found.name == "coding + repair" and len(found.bullets) == 20
    origins = {b.text: b.origin for b in found.bullets}
    assert origins[A.bullets[4].text] == ("run-a:b5",)
    assert origins[learned.bullets[9].text] == ("run-b:b10", "run-b:lrl/learning/9")
    assert [b.id for b in found.bullets] == [f"b{n}" for n in range(1, 21)]
    assert {b.round for b in found.bullets} == {1}


def test_the_order_is_the_old_one_and_sections_stand_together() -> None:
    found = compose([("a", A), ("b", B)], words).strategy
    assert [b.section for b in found.bullets] == ["Method"] * 10 + ["Checks"] * 10
    texts = [b.text for b in found.bullets]
    for one in (A, B):
        for section in ("Method", "Checks"):
            own = [b.text for b in one.bullets if b.section == section]
            assert [text for text in texts if text in own] == own


def test_the_same_input_gives_the_same_hash_and_the_order_of_the_runs_counts() -> None:
    pairs = [("a", A), ("b", B)]
    assert compose(pairs, words) == compose(pairs, words)
    assert compose(pairs, words).strategy.hash != compose(pairs[::-1], words).strategy.hash


def test_advice_that_both_give_is_there_once_with_both_origins() -> None:
    twin = bullet(1, A.bullets[2].text.upper() + ".", origin=("x/1",))
    found = compose([("a", A), ("b", B.model_copy(update={"bullets": (twin, *B.bullets[1:])}))], words)
    assert len(found.strategy.bullets) == 19 and found.left_out == ()
    (joined,) = [b for b in found.strategy.bullets if "b:b1" in b.origin]
    assert set(joined.origin) == {"a:b3", "b:b1", "b:x/1"}


def test_where_there_is_no_room_learned_advice_stays_and_both_strategies_have_a_share() -> None:
    full = [strategy(name, 20, 95, learned=5) for name in ("coding", "repair")]
    found = compose([("a", full[0]), ("b", full[1])], words)
    assert 1_800 < words(found.strategy.text) <= 2_000
    kept = [b.origin for b in found.strategy.bullets]
    assert sum(len(origin) > 1 for origin in kept) == 10  # all that was learned
    counts = [sum(origin[0].startswith(name) for origin in kept) for name in ("a:", "b:")]
    assert abs(counts[0] - counts[1]) <= 1
    assert {one.reason for one in found.left_out} == {NO_ROOM}
    assert len(found.left_out) + len(kept) == 40


def test_what_is_refused_is_named_with_the_reason() -> None:
    bad = B.bullets[3].text
    found = compose([("a", A), ("b", B)], words, lambda text: "it leaks" if text == bad else "")
    (left,) = found.left_out
    assert (left.source, left.bullet_id, left.text, left.reason) == ("b", "b4", bad, "it leaks")
    assert bad not in found.strategy.text


def test_too_little_is_an_error() -> None:
    with pytest.raises(EditError, match="cannot be merged: the strategy has"):
        compose([("a", strategy("coding", 2)), ("b", strategy("repair", 2))], words)
