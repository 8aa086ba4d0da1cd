"""A simulated validator with known truth: items, bullets with known lifts, replies, random proposals.

An item has a difficulty, a bullet moves the log-odds of every item, so that alone it has the lift that was
asked for (useless ones 0, harmful ones below). The truth is the mean over the whole population of items.

Guaranteed: the same seed gives the same replies and proposals. Not guaranteed: that real bullets add up in
log-odds as these do, except for those that are named `twins`, of which only one counts.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

POPULATION = 4_000  # items; the truth is the mean over all of them
MOST_BULLETS = 12  # a strategy is bounded
MOST_OPERATIONS = 4
DELETION = 0.25  # share of operations that take a bullet out, where there is one

Bullets = frozenset[int]


class World:
    """Items with difficulties and bullets with known lifts."""

    def __init__(
        self, lifts: Sequence[float], *, solved: float = 0.4, spread: float = 1.5, twins: bool = False
    ) -> None:
        """`lifts`: gain of each bullet alone (0.1 = 10 points). `solved`: accuracy without a strategy.

        `spread`: standard deviation of the items' log-odds; 0 makes all alike, which is the most noise.
        `twins`: bullets 0 and 1, 2 and 3 … say the same: of two that are there only the larger effect counts.
        """
        shape = np.random.default_rng(0).normal(0.0, spread, POPULATION)
        centre = brentq(lambda c: expit(shape + c).mean() - solved, -30, 30)
        self.items, self.solved, self.lifts = shape + centre, solved, tuple(lifts)
        self.effects = [self._effect(lift) for lift in lifts]
        self.twins = twins
        self.chances = functools.lru_cache(maxsize=1_000)(self._chances)
        self.lift = functools.lru_cache(maxsize=100_000)(self._lift)

    def _effect(self, lift: float) -> float:
        return float(brentq(lambda e: expit(self.items + e).mean() - self.solved - lift, -30, 30)) if lift else 0.0

    def _chances(self, bullets: Bullets) -> np.ndarray:
        """(POPULATION,) probability that each item is solved."""
        groups: dict[int, float] = {}
        for i in sorted(bullets):
            key = i // 2 if self.twins else i
            groups[key] = max(groups.get(key, -np.inf), self.effects[i])
        return expit(self.items + sum(groups.values()))

    def _lift(self, bullets: Bullets) -> float:
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

    def known(self, bullets: Bullets) -> Mapping[int, bool]:
        """The outcomes so far by place."""
        return self._replies.get(bullets, {})

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
    """The end of one loop. `false` counts accepted edits whose true gain was not above 0.

    `wrong`: the final strategy is another than the starting point and truly no better.
    """

    lift: float
    measured: float  # the gain that the held-out items claim (of `confirm`: those of the proof)
    accepted: int
    false: int
    proposals: int
    calls: int
    wrong: bool = False
