"""Each bullet left out: lifts with intervals, harmful ones proposed for deletion, twins said to hide each other."""

from __future__ import annotations

import random

import pytest

from evaluation.ablation import ALL, WITHOUT, ablation, newest, without
from records.nouns import Bullet, EvaluationRow, Strategy
from tests.evaluation.rows import row

BULLETS = tuple(Bullet(id=f"b{i}", section="Method", text=f"advice {i}", round=i % 3) for i in range(1, 5))


def rows(full: int, reduced: dict[str, int], n: int = 30, model: str = "m") -> list[EvaluationRow]:
    """The first `full` items solved with all bullets, the first so many without each of them."""
    counts = {ALL: full, **{WITHOUT + name: count for name, count in reduced.items()}}
    return [
        row(arm, i, "pass" if i < count else "fail", split="validation", suite="ablation", model=model)
        for arm, count in counts.items()
        for i in range(n)
    ]


def test_the_lift_is_what_is_lost_without_the_bullet() -> None:
    found = ablation(rows(15, {"b1": 6, "b2": 15, "b3": 24}), BULLETS)
    assert found is not None
    lifts = {entry["id"]: entry["lifts"]["m"]["lift"] for entry in found["bullets"]}
    assert lifts == {"b1": pytest.approx(0.3), "b2": 0, "b3": pytest.approx(-0.3)}
    assert found["harmful"] == ["b3"] and found["unmeasured"] == ["b4"] and found["intervals"] == 3
    by_id = {entry["id"]: entry for entry in found["bullets"]}
    assert by_id["b3"]["harmful_to"] == ["m"] and by_id["b3"]["lifts"]["m"]["ci95"][1] < 0
    assert by_id["b1"]["lifts"]["m"]["ci95"][0] > 0 and by_id["b2"]["lifts"]["m"]["ci95"] == (0, 0)


def test_an_interval_that_reaches_zero_proposes_nothing() -> None:
    found = ablation(rows(15, {"b1": 17}), BULLETS)
    assert found is not None and found["harmful"] == []
    assert found["bullets"][0]["lifts"]["m"]["lift"] < 0 <= found["bullets"][0]["lifts"]["m"]["ci95"][1]


def test_harm_that_only_all_validators_together_show_is_proposed() -> None:
    """Two lost items on each of four validators, on different items."""
    found = []
    for place, model in enumerate("abcd"):
        for arm, hit in ((ALL, False), (WITHOUT + "b1", True)):
            for i in range(30):
                solved = hit and i // 2 == place
                found.append(
                    row(arm, i, "pass" if solved else "fail", split="validation", suite="ablation", model=model)
                )
    result = ablation(found, BULLETS)
    assert result is not None
    entry = result["bullets"][0]
    assert all(entry["lifts"][model]["ci95"][1] == 0 for model in "abcd")
    assert entry["pooled"]["lift"] == pytest.approx(-8 / 120) and entry["pooled"]["problems"] == 30
    assert entry["harmful_to"] == ["all together"] and result["harmful"] == ["b1"]


def test_useless_bullets_are_rarely_called_harmful_and_harmful_ones_are_found() -> None:
    """Simulated: 60 items, replies that change by themselves with every strategy."""
    rng, false, found = random.Random(5), 0, 0
    for _ in range(25):
        chances = {ALL: 0.5, WITHOUT + "b1": 0.5, WITHOUT + "b2": 0.85}
        made = [
            row(arm, i, "pass" if rng.random() < chance else "fail", split="validation", suite="ablation", model="m")
            for arm, chance in chances.items()
            for i in range(60)
        ]
        result = ablation(made, BULLETS)
        assert result is not None
        false += "b1" in result["harmful"]
        found += "b2" in result["harmful"]
    assert false <= 3 and found >= 22  # 2.5% of 25 is less than one


def test_nothing_was_left_out() -> None:
    assert ablation([], BULLETS) is None and ablation(rows(3, {}), BULLETS) is None


def test_a_strategy_without_a_bullet_is_the_rest_of_it_and_the_newest_are_measured_first() -> None:
    strategy = Strategy(name="s", bullets=BULLETS)
    rest = without(strategy, BULLETS[1])
    assert [bullet.id for bullet in rest.bullets] == ["b1", "b3", "b4"] and rest.parent == strategy.hash
    assert [bullet.id for bullet in newest(strategy, 3)] == ["b1", "b2", "b4"]
    assert newest(strategy, 9) == list(BULLETS)
