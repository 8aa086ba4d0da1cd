"""A small run of the simulation: the gate keeps its promises there, and rules that promise nothing break them."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.known_truth import Bullets, Plan, Validator, World, propose
from benchmarks.searches import GATES, RULES, gated, run_loop
from benchmarks.simulation import (
    LIFTS,
    STRATEGY,
    compare_rules,
    harmful_case,
    main,
    no_op_loops,
    power_cases,
    world_of,
)
from evaluation.gate import GateRule, SequentialGate

SURE = 0.999  # of the binomial margins
SMALL = Plan(items=100, rounds=6)


def test_bullets_have_the_lifts_that_were_asked_for() -> None:
    world = World([0.1, 0.0, -0.05])
    assert [world.lift(Bullets([i])) for i in range(3)] == pytest.approx([0.1, 0.0, -0.05], abs=1e-6)
    assert world.lift(Bullets([0, 1])) == pytest.approx(0.1, abs=1e-6)
    assert world.lift(Bullets([0, 2])) < world.lift(Bullets([0]))
    twins = World([0.1, 0.1, -0.05], twins=True)
    assert twins.lift(Bullets([0, 1])) == pytest.approx(twins.lift(Bullets([0])))


def test_a_known_reply_costs_nothing_and_does_not_change() -> None:
    validator = Validator(World([0.1]), 50, np.random.default_rng(1))
    first = validator.replies(Bullets([0]), range(30))
    assert validator.calls == 30
    assert validator.replies(Bullets([0]), range(50))[:30] == first and validator.calls == 50


def test_proposals_are_bounded_and_lead_everywhere() -> None:
    rng, bullets, seen = np.random.default_rng(2), Bullets(), set()
    for _ in range(300):
        after = propose(bullets, 24, rng)
        assert len(after ^ bullets) <= 4 and len(after) <= 12
        bullets, seen = after, seen | after
    assert seen == set(range(24))


def test_loops_of_no_op_edits_keep_one_in_at_most_five_percent() -> None:
    """300 whole loops. The same loops without the test, or with a tenth of its strictness, are far above."""
    trials = 300
    loops, kept = no_op_loops(RULES["sequential"], SMALL, trials)
    assert loops <= 0.05 * trials and kept <= 0.05 * trials
    far_above = stats.binom.ppf(SURE, trials, 0.05)
    assert no_op_loops(gated(SequentialGate(alpha=0.5)), SMALL, 100)[0] > far_above * 100 / trials
    assert no_op_loops(RULES["strict"], SMALL, 100)[0] > far_above
    assert no_op_loops(RULES["skillopt"], SMALL, 100)[0] > far_above


@pytest.mark.parametrize("name", ["confirm, greedy", "confirm, pareto"])
def test_a_search_over_no_op_edits_is_proved_in_at_most_five_percent(name: str) -> None:
    """Every edit of these loops may be kept on the way; the proof lets hardly any end be one of them."""
    trials = 100
    assert no_op_loops(RULES[name], SMALL, trials)[0] <= stats.binom.ppf(SURE, trials, 0.05)


@pytest.mark.parametrize("rounds", [1, 2])  # one round is the proof of gate.rule=confirm
def test_ten_points_are_shown_with_the_printed_number_of_items_and_not_with_half_of_it(rounds: int) -> None:
    trials = 300
    least = stats.binom.ppf(1 - SURE, trials, 0.8)
    for whole, half in zip(power_cases(rounds, trials), power_cases(rounds, trials, part=0.5), strict=True):
        assert whole.shown >= least > half.shown
        assert whole.used_no_op < 0.87 * whole.items  # futility saves calls


def test_leave_one_out_names_the_harmful_bullets() -> None:
    found = harmful_case(40)
    harmful = [place for place, lift in enumerate(STRATEGY) if lift < 0]
    assert [lift < 0 for lift in found["true_lifts"]] == [place in harmful for place in range(len(STRATEGY))]
    assert sum(found["named"][place] for place in harmful) / len(harmful) >= 0.85  # 90%, less three standard errors
    assert max(found["named"][place] for place in range(len(STRATEGY)) if place not in harmful) < 0.2


def end(rule: GateRule, seed: int) -> tuple[float, int]:
    found = run_loop(rule, World(LIFTS["few good"]), Plan(items=100, budget=600, rounds=5), seed)
    assert found.calls < 600 + 226  # a round that was begun is ended
    return found.lift, found.accepted


def test_the_same_seed_gives_the_same_loop_and_another_one_another() -> None:
    rule = GATES["skillopt"]
    assert end(rule, 1) == end(rule, 1)
    assert len({end(rule, seed) for seed in range(4)}) > 1


def test_what_the_readme_says_of_the_rules() -> None:
    """One proof at the end costs no lift against the rules without one; a test of each edit does."""
    table = compare_rules(world_of("mixed"), Plan(), 40)
    pareto, greedy, sequential = table["confirm, pareto"], table["confirm, greedy"], table["sequential"]
    held_out = table["skillopt"]
    margin = 3 * (pareto["standard_error"] ** 2 + held_out["standard_error"] ** 2) ** 0.5
    assert pareto["lift"] > held_out["lift"] + margin and greedy["lift"] > held_out["lift"] > sequential["lift"]
    assert pareto["lift"] > greedy["lift"] and pareto["calls"] < 1.05 * held_out["calls"]
    assert sequential["lift"] > 3 * sequential["standard_error"]
    assert sequential["false"] < 0.1 and held_out["false"] > 1
    assert held_out["false"] < table["strict"]["false"] < table["none"]["false"]
    assert sequential["worse_than_nothing"] < 0.05 < table["none"]["worse_than_nothing"]
    assert pareto["worse_than_nothing"] < 0.05 and abs(pareto["overclaimed"]) < 3 * pareto["standard_error"]
    assert abs(table["none"]["lift"]) < 3 * table["none"]["standard_error"]


def test_the_program_prints_tables_and_writes_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    main(["--trials", "4", "--rounds", "3", "--items", "60", "--budget", "500", "--json", str(file)])
    printed, figures = capsys.readouterr().out, json.loads(file.read_text("utf-8"))
    assert printed.startswith("SIMULATION") and figures["label"].startswith("SIMULATION")
    assert set(figures["rules"]) == set(LIFTS) and set(figures["no_op"]) == set(RULES)
    assert f"| {figures['power'][0]['items']} |" in printed
