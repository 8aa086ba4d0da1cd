"""The loops of the simulation: how each rule goes from proposals to a final strategy. No model is called.

`run_loop` is the program's greedy search under one of its gate's rules, `pareto_loop` its search from the
front with merging by estimated effects, `gepa_loop` GEPA's way with its own test. A loop under
`gate.rule=confirm` ends with the program's proof of the final strategy against the starting point; if that
fails, nothing is kept. The classes that decide are the program's own.

`gepa_loop`: 3 fresh items for both strategies, then accepted candidates are measured on all validation items,
parents are drawn from the winners per item, and the best mean is kept (no merging, no removal of dominated
candidates).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from benchmarks.known_truth import (
    MOST_BULLETS,
    POPULATION,
    Bullets,
    Outcome,
    Plan,
    Validator,
    World,
    propose,
)
from evaluation.effects import Measured, bullet_effects
from evaluation.fronts import best_of, parent_chances
from evaluation.gate import ONCE, ConfirmGate, GateRule, OpenGate, Round, SequentialGate, StrictGate
from records.nouns import GateResult

PROVED = 300  # items of a loop under gate.rule=confirm: 100 for the search, 200 others for the proof
MERGE_EVERY = 2  # rounds; as in graphs/search.py
START = Bullets()


def decide(rule: GateRule, validator: Validator, current: Bullets, candidate: Bullets, place: Round) -> GateResult:
    """What the program's gate does: batch after batch until the rule stops."""
    return _batched(rule, rule.batches(len(validator.held_out), place.index, 0), validator, current, candidate, place)


def proved(rule: ConfirmGate, validator: Validator, final: Bullets) -> GateResult:
    """The proof of the final strategy on the items that the search never used."""
    batches = rule.proof_batches(len(validator.held_out), 0)
    return _batched(rule.proof, batches, validator, START, final, ONCE)


def _batched(
    rule: GateRule, batches: list[list[int]], validator: Validator, current: Bullets, candidate: Bullets, place: Round
) -> GateResult:
    planned, old, new = sum(map(len, batches)), list[float | None](), list[float | None]()
    for batch in batches:
        old += validator.replies(current, batch)
        new += validator.replies(candidate, batch)
        if result := rule.stop(old, new, planned, place):
            return result
    return rule.decide(old, new, place)


@dataclass
class Trail:
    """What one loop did so far; `reserve` calls are kept for the proof."""

    world: World
    plan: Plan
    rule: GateRule
    seed: int
    accepted: int = 0
    false: int = 0
    proposals: int = 0
    validator: Validator = field(init=False)
    proposer: np.random.Generator = field(init=False)
    reserve: int = 0

    def __post_init__(self) -> None:
        confirms = isinstance(self.rule, ConfirmGate)
        items = max(self.plan.items, PROVED) if confirms else self.plan.items
        self.validator = Validator(self.world, items, np.random.default_rng([self.seed, 2]))
        self.proposer = np.random.default_rng([self.seed, 1])
        if isinstance(self.rule, ConfirmGate):
            self.reserve = 2 * self.rule.sizes(items)[1]

    def next(self, most: int) -> bool:
        """Pay for a proposal if there are calls and rounds left; a round that was begun is ended."""
        price = self.plan.proposal_calls
        if self.proposals >= most or self.validator.calls + price + self.reserve > self.plan.budget:
            return False
        self.validator.calls += price
        self.proposals += 1
        return True

    def keep(self, parent: Bullets, candidate: Bullets) -> None:
        """Count an accepted edit."""
        self.accepted += 1
        self.false += self.world.lift(candidate) <= self.world.lift(parent) + 1e-12

    def ended(self, final: Bullets) -> Outcome:
        """The outcome, after the proof if the rule has one."""
        if (
            isinstance(self.rule, ConfirmGate)
            and final != START
            and not proved(self.rule, self.validator, final).accepted
        ):
            final, self.accepted, self.false = START, 0, 0
        gain = _measured(self.validator, self.rule, final)
        harmless = self.world.lift(final) > 1e-12
        return Outcome(
            self.world.lift(final), gain, self.accepted, self.false, self.proposals, self.validator.calls,
            wrong=final != START and not harmless,
        )  # fmt: skip


def run_loop(rule: GateRule, world: World, plan: Plan, seed: int, most: int | None = None) -> Outcome:
    """Propose, decide, keep or drop, until the calls or the rounds are used.

    `most` rounds, by default those that alpha is spent over, and as many as there are calls for other rules.
    """
    trail, current, spent = Trail(world, plan, rule, seed), START, 0.0
    most = most or (plan.rounds if isinstance(rule, SequentialGate) else plan.budget)
    while trail.next(most):
        candidate = propose(current, len(world.lifts), trail.proposer)
        if candidate != current:
            place = Round(trail.proposals - 1, most, spent)
            result = decide(rule, trail.validator, current, candidate, place)
            spent = result.alpha_spent or 0.0
            if result.accepted:
                trail.keep(current, candidate)
                current = candidate
    return trail.ended(current)


def _measured(validator: Validator, rule: GateRule, bullets: Bullets) -> float:
    """The gain on the held-out items as a report would claim it; asking for it here costs the rule nothing."""
    count = len(validator.held_out)
    places = [*chain(*rule.proof_batches(count, 0))] if isinstance(rule, ConfirmGate) else range(count)
    calls = validator.calls
    gain = np.mean(validator.replies(bullets, places)) - np.mean(validator.replies(START, places))
    validator.calls = calls
    return float(gain)


def pareto_loop(rule: ConfirmGate, world: World, plan: Plan, seed: int, most: int | None = None) -> Outcome:
    """Parents from the front; after every second round the bullets that seem to help, of all that were tried."""
    trail, pool, tried = Trail(world, plan, rule, seed), [START], {START}
    items = [*chain(*rule.batches(len(trail.validator.held_out), 0, 0))]
    while trail.next(most or plan.budget):
        parent = _drawn(pool, trail, items)
        _try(parent, propose(parent, len(world.lifts), trail.proposer), trail, pool, tried)
        if trail.proposals % MERGE_EVERY == 0 and len(tried) > 2:
            best = pool[best_of(_known(pool, trail, items))]
            _try(best, _merged(trail, tried, items), trail, pool, tried)
    return trail.ended(pool[best_of(_known(pool, trail, items))])


def _known(pool: list[Bullets], trail: Trail, items: list[int]) -> list[list[float | None]]:
    """What is known of the pool, without a call."""
    known = [trail.validator.known(bullets) for bullets in pool]
    return [[known_one.get(item) for item in items] for known_one in known]


def _drawn(pool: list[Bullets], trail: Trail, items: list[int]) -> Bullets:
    chances = parent_chances(_known(pool, trail, items))
    return pool[int(trail.proposer.choice(len(pool), p=chances))]


def _try(parent: Bullets, candidate: Bullets, trail: Trail, pool: list[Bullets], tried: set[Bullets]) -> None:
    if candidate in tried:
        return
    tried.add(candidate)
    if decide(trail.rule, trail.validator, parent, candidate, ONCE).accepted:
        trail.keep(parent, candidate)
        pool.append(candidate)


def _merged(trail: Trail, tried: set[Bullets], items: list[int]) -> Bullets:
    """The bullets with the largest estimated lifts above 0, as many as fit."""
    wanted = set(items)
    measured = [
        Measured(frozenset(map(str, bullets)), {str(i): float(x) for i, x in replies.items() if i in wanted})
        for bullets, replies in ((bullets, trail.validator.known(bullets)) for bullets in sorted(tried, key=sorted))
    ]
    effects = bullet_effects(measured)
    good = sorted(
        (int(name) for name, effect in effects.items() if effect.lift > 0), key=lambda i: -effects[str(i)].lift
    )
    return frozenset(good[:MOST_BULLETS])


def gepa_loop(world: World, plan: Plan, seed: int, most: int | None = None) -> Outcome:
    """GEPA's way with its test: see the module's docstring."""
    trail = Trail(world, plan, OpenGate(), seed)
    validator, everything, pool = trail.validator, range(plan.items), [START]
    scores = [np.array(validator.replies(START, everything))]
    while trail.next(most or plan.budget):
        parent = pool[_winner(scores, trail.proposer)]
        candidate = propose(parent, len(world.lifts), trail.proposer)
        minibatch = validator.rng.choice(POPULATION, 3, replace=False)
        before, after = (sum(validator.fresh(bullets, minibatch)) for bullets in (parent, candidate))
        if candidate in pool or after <= before:
            continue
        trail.keep(parent, candidate)
        pool.append(candidate)
        scores.append(np.array(validator.replies(candidate, everything)))
    return trail.ended(pool[int(np.argmax([score.mean() for score in scores]))])


def _winner(scores: list[np.ndarray], rng: np.random.Generator) -> int:
    """A candidate, as likely as the number of items on which it is among the best."""
    table = np.array(scores, dtype=float)
    wins = (table == table.max(axis=0)).sum(axis=1)
    return int(rng.choice(len(scores), p=wins / wins.sum()))


Loop = Callable[[World, Plan, int, int | None], Outcome]


def gated(rule: GateRule) -> Loop:
    """The loop with one of the program's rules."""
    return lambda world, plan, seed, most: run_loop(rule, world, plan, seed, most)


GATES: Mapping[str, GateRule] = {
    "confirm, greedy": ConfirmGate(),
    "sequential": SequentialGate(),
    "strict": StrictGate(),
    "skillopt": StrictGate(minibatch=POPULATION),
    "none": OpenGate(),
}
RULES: Mapping[str, Loop] = {
    **{name: gated(rule) for name, rule in GATES.items()},
    "confirm, pareto": lambda world, plan, seed, most: pareto_loop(ConfirmGate(), world, plan, seed, most),
    "gepa": gepa_loop,
}
