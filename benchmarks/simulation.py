"""SIMULATION with known truth: what are acceptance rules worth? No model is called.

    python -m benchmarks.simulation                       # tables, then all figures as JSON; about five minutes
    python -m benchmarks.simulation --trials 200 --json FILE

The validator is `benchmarks.known_truth`, the loops are those of `benchmarks.searches`. A rule sees replies only.
All rules get proposals from the same source, each of one to four bounded operations, at the same price, and the same
budget of calls; the gate's rules are the program's own classes.

Rules: `confirm, greedy` and `confirm, pareto`: `gate.rule=confirm` with `--search greedy` and `pareto`, the calls of
the proof included; they have 300 items (100 for the search, 200 others for the proof), the other rules 200, all for the
search. `sequential`, `strict` (GEPA's test on 3 items) and `none` as in `gate.rule`. `gepa`: GEPA's way with its test.
`skillopt`: SkillOpt's rule, a candidate must have a strictly larger score on all held-out items than the
remembered score of the current strategy and ties are refused (`gate.rule=strict` with all items as the
minibatch; without SkillOpt's slow update and its memory of refused edits).

Guaranteed: the same seed gives the same figures. Not guaranteed: that real teachers propose as this one
does, which is at random; how good the proposals are decides how much a gate is worth.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.known_truth import POPULATION, Bullets, Plan, Validator, World
from benchmarks.searches import RULES, Loop, decide
from evaluation.gate import ASKED, Round, SequentialGate
from evaluation.intervals import exact_mcnemar_greater, wilson
from evaluation.power import STEADY, items_needed
from records.nouns import GateResult

LABEL = "SIMULATION with known truth; no model was called"
LIFTS: Mapping[str, Sequence[float]] = {
    "mixed": [0.02, 0.03, 0.04, 0.06, 0.08, 0.1, *[0.0] * 12, -0.02, -0.03, -0.04, -0.06, -0.08, -0.1],
    "few good": [0.15, 0.1, *[0.0] * 14, *[-0.05] * 8],
    "many small": [*[0.02] * 10, *[0.0] * 8, *[-0.02] * 6],
    "twins": [0.1, 0.1, 0.08, 0.08, 0.06, 0.06, 0.04, 0.04, *[0.0] * 8, *[-0.06] * 8],
}
STRATEGY: Sequence[float] = [0.1, 0.08, 0.05, 0.0, 0.0, 0.0, -0.1, -0.1]  # to be taken apart, bullet by bullet
FOUND = 0.9  # share of the harmful bullets that is asked for
LEVEL = 0.05  # one-sided, per bullet
POWER_TRIALS = 10  # single edits per loop of the other experiments: cheap, and 80% is to be told from 82%


def world_of(name: str) -> World:
    """One of the worlds by name; bullets add up in log-odds, except in "twins"."""
    return World(LIFTS[name], twins=name == "twins")


def no_op_loops(loop: Loop, plan: Plan, trials: int) -> tuple[int, int]:
    """Whole loops of `plan.rounds` no-op edits: in how many was one accepted at all, and how many were accepted."""
    world, endless = World([0.0] * 24), replace(plan, budget=sys.maxsize)
    kept = [loop(world, endless, seed, plan.rounds).accepted for seed in range(trials)]
    return sum(count > 0 for count in kept), sum(kept)


@dataclass(frozen=True)
class PowerCase:
    """One printed number of items, tried out: `shown` of `trials` edits that gain 10 points were accepted.

    `noise`: true share of items that such an edit loses; `used` and `used_no_op`: items asked on average.
    """

    label: str
    rounds: int
    items: int
    noise: float
    shown: int
    trials: int
    used: float
    used_no_op: float


def power_case(label: str, noise: float | None, world: World, rounds: int, trials: int, part: float = 1.0) -> PowerCase:
    """An edit of +10 points against (a part of) the items that the preflight prints; bullet 0 gains, bullet 1 not."""
    rule, gain = SequentialGate(), Bullets([0])
    printed = items_needed(ASKED, rule.level(Round(0, rounds)), rule.goal, noise)
    items = round((printed or POPULATION) * part)

    def test(bullets: Bullets, seed: int) -> GateResult:
        validator = Validator(world, items, np.random.default_rng([seed, 3]))
        return decide(rule, validator, Bullets(), bullets, Round(0, rounds))

    real, no_op = ([test(bullets, seed) for seed in range(trials)] for bullets in (gain, Bullets([1])))
    lost = float((world.chances(Bullets()) * (1 - world.chances(gain))).mean())
    used = [sum(result.n for result in results) / trials for results in (real, no_op)]
    return PowerCase(label, rounds, items, lost, sum(result.accepted for result in real), trials, *used)


def power_cases(rounds: int, trials: int, part: float = 1.0) -> list[PowerCase]:
    """Replies that hardly vary (4.8% of the items are lost to chance), and the most noise that is possible."""
    steady, coin = World([ASKED, 0.0], spread=4.0), World([ASKED, 0.0], solved=0.45, spread=0.0)
    return [
        power_case("hardly vary", STEADY, steady, rounds, trials, part),
        power_case("vary as much as they can", None, coin, rounds, trials, part),
    ]


def harmful_case(trials: int) -> dict[str, Any]:
    """Leave-one-out: which bullets of a strategy are called harmful by a one-sided exact test at LEVEL?

    With as many items as show 10 points in 90% when replies vary as much as they can.
    """
    world, whole = World(STRATEGY), frozenset(range(len(STRATEGY)))
    items = items_needed(ASKED, LEVEL, FOUND, None) or POPULATION
    named = np.zeros(len(STRATEGY))
    for seed in range(trials):
        validator = Validator(world, items, np.random.default_rng([seed, 4]))
        with_all = np.array(validator.replies(whole, range(items)))
        for bullet in whole:
            without = np.array(validator.replies(whole - {bullet}, range(items)))
            wins, losses = int((without & ~with_all).sum()), int((with_all & ~without).sum())
            named[bullet] += exact_mcnemar_greater(wins, losses) <= LEVEL
    worth = [world.lift(whole) - world.lift(whole - {bullet}) for bullet in sorted(whole)]
    return {"items": items, "trials": trials, "true_lifts": worth, "named": (named / trials).tolist()}


def compare_rules(world: World, plan: Plan, trials: int) -> dict[str, dict[str, float]]:
    """Per rule the means over all loops, with the standard error of the true lift and its 5th percentile."""
    table = {}
    for name, loop in RULES.items():
        ends = [loop(world, plan, seed, None) for seed in range(trials)]
        lifts = np.array([end.lift for end in ends])
        accepted = sum(end.accepted for end in ends)
        table[name] = {
            "lift": float(lifts.mean()),
            "standard_error": float(lifts.std(ddof=1) / np.sqrt(trials)),
            "fifth_percentile": float(np.quantile(lifts, 0.05)),
            "worse_than_nothing": float((lifts < 0).mean()),
            "wrong": float(np.mean([end.wrong for end in ends])),
            "overclaimed": float(np.mean([end.measured for end in ends]) - lifts.mean()),
            "accepted": accepted / trials,
            "false": sum(end.false for end in ends) / trials,
            "proposals": float(np.mean([end.proposals for end in ends])),
            "calls": float(np.mean([end.calls for end in ends])),
        }
    return table


def simulate(plan: Plan, trials: int) -> dict[str, Any]:
    """All four experiments."""
    return {
        "label": LABEL,
        "plan": asdict(plan),
        "no_op": {name: _no_op(loop, plan, trials) for name, loop in RULES.items()},
        "power": [
            asdict(case) for rounds in (1, 2, plan.rounds) for case in power_cases(rounds, POWER_TRIALS * trials)
        ],
        "harmful": harmful_case(trials),
        "rules": {name: compare_rules(world_of(name), plan, trials) for name in LIFTS},
    }


def _no_op(loop: Loop, plan: Plan, trials: int) -> dict[str, Any]:
    loops, kept = no_op_loops(loop, plan, trials)
    edits = trials * plan.rounds
    return {"trials": trials, "loops": loops, "ci95": wilson(loops, trials), "edits": edits, "kept": kept}


def tables(found: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [LABEL, "", "| rule | loops of no-op edits that kept one | no-op edits kept |", "|---|---|---|"]
    for name, row in found["no_op"].items():
        low, high = row["ci95"]
        loops = f"{row['loops'] / row['trials']:.1%} of {row['trials']} [{low:.1%}, {high:.1%}]"
        lines.append(f"| {name} | {loops} | {row['kept'] / row['edits']:.2%} |")
    lines += ["", "| replies | rounds | items printed | +10 points shown | items asked, +10 points | no-op |"]
    lines.append("|---|---|---|---|---|---|")
    for case in found["power"]:
        shown = f"{case['shown'] / case['trials']:.1%} of {case['trials']}"
        asked = f"{case['used']:.0f} | {case['used_no_op']:.0f}"
        lines.append(f"| {case['label']} | {case['rounds']} | {case['items']} | {shown} | {asked} |")
    lines += ["", _harmful_line(found["harmful"])]
    for world, rules in found["rules"].items():
        lines += ["", f"World '{world}', {found['plan']['budget']} calls, {found['plan']['items']} held-out items:", ""]
        columns = ("rule", "true lift", "5th percentile", "below 0", "kept, no better", "overclaimed", "edits kept")
        columns += ("false", "rounds", "calls")
        lines += ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
        lines += [_rule_line(name, figures) for name, figures in rules.items()]
    return "\n".join(lines)


def _harmful_line(row: Mapping[str, Any]) -> str:
    """Bullets of a strategy, left out one by one."""
    named = [f"{100 * lift:+.1f}: {share:.1%}" for lift, share in zip(row["true_lifts"], row["named"], strict=True)]
    return (
        f"Called harmful by leave-one-out with {row['items']} items (lift in the strategy: share): {', '.join(named)}"
    )


def _rule_line(name: str, row: Mapping[str, float]) -> str:
    lift = f"{100 * row['lift']:+.1f} ± {196 * row['standard_error']:.1f}"
    shares = f"{100 * row['fifth_percentile']:+.1f} | {row['worse_than_nothing']:.0%} | {row['wrong']:.1%}"
    shares += f" | {100 * row['overclaimed']:+.1f}"
    counts = f"{row['accepted']:.1f} | {row['false']:.2f} | {row['proposals']:.0f} | {row['calls']:.0f}"
    return f"| {name} | {lift} | {shares} | {counts} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description="Acceptance rules against known truth (simulation)")
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--items", type=int, default=Plan.items)
    parser.add_argument("--budget", type=int, default=Plan.budget, help="calls per loop, proposals and gate")
    parser.add_argument("--rounds", type=int, default=Plan.rounds, help="rounds that alpha is spent over")
    parser.add_argument("--json", help="file for the figures; without it they follow the tables on one line")
    given = parser.parse_args(arguments)
    found = simulate(Plan(items=given.items, budget=given.budget, rounds=given.rounds), given.trials)
    print(tables(found))
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    else:
        print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
