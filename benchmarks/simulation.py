"""SIMULATION with known truth: what are acceptance rules worth? No model is called.

    python -m benchmarks.simulation                       # tables, then all figures as JSON; about two minutes
    python -m benchmarks.simulation --trials 200 --json FILE

A simulated validator solves an item with a probability that depends on the bullets in its strategy:
each item has a difficulty, each bullet moves the log-odds of every item, so that alone it has the lift
that was asked for (useless ones 0, harmful ones below). The truth is the mean over the whole population
of items; a rule sees replies only. All rules get the same stream of proposals, each of one to four
bounded operations, the same price of a proposal and the same budget of calls, and the gate's rules are the
program's own classes.

Rules: `sequential`, `strict` (GEPA's test on 3 items) and `none` as in `gate.rule`. `gepa`: as GEPA uses its
test, on 3 fresh items for both strategies, then accepted candidates are measured on all validation items,
parents are drawn from the winners per item, and the best mean is kept (no merging, no removal of dominated
candidates). `skillopt`: SkillOpt's rule, a candidate must have a strictly larger score on all held-out items than the
remembered score of the current strategy and ties are refused (`gate.rule=strict` with all items as the
minibatch; without SkillOpt's slow update and its memory of refused edits).

Guaranteed: the same seed gives the same figures. Not guaranteed: that real teachers propose as this one
does, which is at random; how good the proposals are decides how much a gate is worth.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from evaluation.gate import ASKED, GateRule, OpenGate, Round, SequentialGate, StrictGate
from evaluation.intervals import wilson
from evaluation.power import STEADY, items_needed
from records.nouns import GateResult

LABEL = "SIMULATION with known truth; no model was called"
POPULATION = 4_000  # items; the truth is the mean over all of them
MOST_BULLETS = 12  # a strategy is bounded
MOST_OPERATIONS = 4
DELETION = 0.25  # share of operations that take a bullet out, where there is one

Bullets = frozenset[int]


class World:
    """Items with difficulties and bullets with known lifts."""

    def __init__(self, lifts: Sequence[float], *, solved: float = 0.4, spread: float = 1.5) -> None:
        """`lifts`: gain of each bullet alone (0.1 = 10 points). `solved`: accuracy without a strategy.

        `spread`: standard deviation of the items' log-odds; 0 makes all alike, which is the most noise.
        """
        shape = np.random.default_rng(0).normal(0.0, spread, POPULATION)
        centre = brentq(lambda c: expit(shape + c).mean() - solved, -30, 30)
        self.items, self.solved, self.lifts = shape + centre, solved, tuple(lifts)
        self.effects = [self._effect(lift) for lift in lifts]

    def _effect(self, lift: float) -> float:
        return float(brentq(lambda e: expit(self.items + e).mean() - self.solved - lift, -30, 30)) if lift else 0.0

    def chances(self, bullets: Bullets) -> np.ndarray:
        """(POPULATION,) probability that each item is solved."""
        return expit(self.items + sum(self.effects[i] for i in sorted(bullets)))

    def lift(self, bullets: Bullets) -> float:
        """True gain in accuracy over no strategy."""
        return float(self.chances(bullets).mean()) - self.solved


class Validator:
    """Replies in one loop: each strategy is asked once about each held-out item, and calls are counted."""

    def __init__(self, world: World, items: int, rng: np.random.Generator) -> None:
        self.world, self.rng, self.calls = world, rng, 0
        self.held_out = rng.choice(POPULATION, items, replace=False)
        self._replies: dict[Bullets, dict[int, bool]] = {}

    def replies(self, bullets: Bullets, places: Sequence[int]) -> list[bool]:
        """Outcomes on held-out items; known ones cost nothing."""
        known = self._replies.setdefault(bullets, {})
        new = [place for place in places if place not in known]
        known.update(zip(new, self._ask(bullets, self.held_out[new]), strict=True))
        return [known[place] for place in places]

    def fresh(self, bullets: Bullets, items: np.ndarray) -> list[bool]:
        """Outcomes on other items, asked anew each time."""
        return self._ask(bullets, items)

    def _ask(self, bullets: Bullets, items: np.ndarray) -> list[bool]:
        self.calls += len(items)
        return (self.rng.random(len(items)) < self.world.chances(bullets)[items]).tolist()


def propose(bullets: Bullets, count: int, rng: np.random.Generator) -> Bullets:
    """One to four operations at random: a deletion of what is there, or an addition of what is not."""
    found = set(bullets)
    for _ in range(rng.integers(1, MOST_OPERATIONS + 1)):
        absent = sorted(set(range(count)) - found)
        if found and (rng.random() < DELETION or len(found) >= MOST_BULLETS or not absent):
            found.remove(int(rng.choice(sorted(found))))
        elif absent:
            found.add(int(rng.choice(absent)))
    return frozenset(found)


@dataclass(frozen=True)
class Plan:
    """What every rule gets: held-out items, calls, the price of a proposal, and rounds to spend alpha over."""

    items: int = 200
    budget: int = 4_000
    proposal_calls: int = 26  # 12 problems, 2 attempts each, a reflection and its edits
    rounds: int = 26  # takes about as many calls as there are


@dataclass(frozen=True)
class Outcome:
    """The end of one loop. `false` counts accepted edits whose true gain was not above 0."""

    lift: float
    measured: float  # the gain that the held-out items claim; nan if they were not all asked
    accepted: int
    false: int
    proposals: int
    calls: int


def decide(rule: GateRule, validator: Validator, current: Bullets, candidate: Bullets, place: Round) -> GateResult:
    """What the program's gate does: batch after batch until the rule stops."""
    batches = rule.batches(len(validator.held_out), place.index, 0)
    planned, old, new = sum(map(len, batches)), list[float | None](), list[float | None]()
    for batch in batches:
        old += validator.replies(current, batch)
        new += validator.replies(candidate, batch)
        if result := rule.stop(old, new, planned, place):
            return result
    return rule.decide(old, new, place)


def run_loop(rule: GateRule, world: World, plan: Plan, seed: int, most: int | None = None) -> Outcome:
    """Propose, decide, keep or drop, until the calls or the rounds are used; a round that was begun is ended.

    `most` rounds, by default those that alpha is spent over, and as many as there are calls for other rules.
    """
    proposer, validator = np.random.default_rng([seed, 1]), _validator(world, plan, seed)
    current, spent, accepted, false, number = Bullets(), 0.0, 0, 0, 0
    most = most or (plan.rounds if isinstance(rule, SequentialGate) else plan.budget)
    while number < most and validator.calls + plan.proposal_calls <= plan.budget:
        validator.calls += plan.proposal_calls
        candidate = propose(current, len(world.lifts), proposer)
        if candidate != current:
            result = decide(rule, validator, current, candidate, Round(number, most, spent))
            spent = result.alpha_spent or 0.0
            if result.accepted:
                accepted, false = accepted + 1, false + (world.lift(candidate) <= world.lift(current) + 1e-12)
                current = candidate
        number += 1
    return Outcome(world.lift(current), _measured(validator, current), accepted, false, number, validator.calls)


def _validator(world: World, plan: Plan, seed: int) -> Validator:
    return Validator(world, plan.items, np.random.default_rng([seed, 2]))


def _measured(validator: Validator, bullets: Bullets) -> float:
    """The gain on the held-out items as a report would claim it; asking for it here costs the rule nothing."""
    calls, everything = validator.calls, range(len(validator.held_out))
    gain = np.mean(validator.replies(bullets, everything)) - np.mean(validator.replies(Bullets(), everything))
    validator.calls = calls
    return float(gain)


def gepa_loop(world: World, plan: Plan, seed: int, most: int | None = None) -> Outcome:
    """GEPA's way with its test: see the module's docstring."""
    proposer, validator = np.random.default_rng([seed, 1]), _validator(world, plan, seed)
    everything = range(plan.items)
    pool = [Bullets()]
    scores = [np.array(validator.replies(pool[0], everything))]
    accepted, false, number = 0, 0, 0
    while number < (most or plan.budget) and validator.calls + plan.proposal_calls <= plan.budget:
        validator.calls, number = validator.calls + plan.proposal_calls, number + 1
        parent = pool[_winner(scores, proposer)]
        candidate = propose(parent, len(world.lifts), proposer)
        minibatch = validator.rng.choice(POPULATION, 3, replace=False)
        before, after = (sum(validator.fresh(bullets, minibatch)) for bullets in (parent, candidate))
        if candidate in pool or after <= before:
            continue
        accepted, false = accepted + 1, false + (world.lift(candidate) <= world.lift(parent) + 1e-12)
        pool.append(candidate)
        scores.append(np.array(validator.replies(candidate, everything)))
    best = pool[int(np.argmax([score.mean() for score in scores]))]
    return Outcome(world.lift(best), _measured(validator, best), accepted, false, number, validator.calls)


def _winner(scores: Sequence[np.ndarray], rng: np.random.Generator) -> int:
    """A candidate, as likely as the number of items on which it is among the best."""
    table = np.array(scores, dtype=float)
    wins = (table == table.max(axis=0)).sum(axis=1)
    return int(rng.choice(len(scores), p=wins / wins.sum()))


Loop = Callable[[World, Plan, int, int | None], Outcome]


def gated(rule: GateRule) -> Loop:
    """The loop with one of the program's rules."""
    return lambda world, plan, seed, most: run_loop(rule, world, plan, seed, most)


GATES: Mapping[str, GateRule] = {
    "sequential": SequentialGate(),
    "strict": StrictGate(),
    "skillopt": StrictGate(minibatch=POPULATION),
    "none": OpenGate(),
}
RULES: Mapping[str, Loop] = {**{name: gated(rule) for name, rule in GATES.items()}, "gepa": gepa_loop}
LIFTS: Mapping[str, Sequence[float]] = {
    "mixed": [0.02, 0.03, 0.04, 0.06, 0.08, 0.1, *[0.0] * 12, -0.02, -0.03, -0.04, -0.06, -0.08, -0.1],
    "few good": [0.15, 0.1, *[0.0] * 14, *[-0.05] * 8],
    "many small": [*[0.02] * 10, *[0.0] * 8, *[-0.02] * 6],
}


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
            "overclaimed": float(np.mean([end.measured for end in ends]) - lifts.mean()),
            "accepted": accepted / trials,
            "false": sum(end.false for end in ends) / trials,
            "proposals": float(np.mean([end.proposals for end in ends])),
            "calls": float(np.mean([end.calls for end in ends])),
        }
    return table


def simulate(plan: Plan, trials: int) -> dict[str, Any]:
    """All three experiments."""
    return {
        "label": LABEL,
        "plan": asdict(plan),
        "no_op": {name: _no_op(loop, plan, trials) for name, loop in RULES.items()},
        "power": [asdict(case) for rounds in (2, plan.rounds) for case in power_cases(rounds, trials)],
        "rules": {name: compare_rules(World(lifts), plan, trials) for name, lifts in LIFTS.items()},
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
    for world, rules in found["rules"].items():
        lines += ["", f"World '{world}', {found['plan']['budget']} calls, {found['plan']['items']} held-out items:", ""]
        columns = ("rule", "true lift", "5th percentile", "below 0", "overclaimed", "kept", "false", "rounds", "calls")
        lines += ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
        lines += [_rule_line(name, figures) for name, figures in rules.items()]
    return "\n".join(lines)


def _rule_line(name: str, row: Mapping[str, float]) -> str:
    lift = f"{100 * row['lift']:+.1f} ± {196 * row['standard_error']:.1f}"
    shares = f"{100 * row['fifth_percentile']:+.1f} | {row['worse_than_nothing']:.0%} | {100 * row['overclaimed']:+.1f}"
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
