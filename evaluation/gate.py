"""May an edited strategy replace the current one? Policies that decide on paired validation items.

Guaranteed by `ExactPairedGate`: an edit that changes nothing but wording is accepted with a
probability of at most `alpha` over all rounds together, however noisy the replies are, as long
as the items are independent and unknown to the reflector. Not guaranteed: that a real but small
improvement is seen; `minimum_detectable_effect` says how large it must be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import stats

from evaluation.intervals import exact_mcnemar_greater
from records.nouns import GateResult

Outcomes = Sequence[bool | None]


class GatePolicy(Protocol):
    """Decides on one candidate from outcomes on the same items; None marks an ungraded one."""

    @property
    def name(self) -> str:
        """The policy's name in records and reports."""
        ...

    def decide(self, current: Outcomes, candidate: Outcomes, round_index: int, rounds: int) -> GateResult:
        """Accept or reject. `round_index` counts from 0. Raises ValueError on unequal lengths."""
        ...


@dataclass(frozen=True)
class PairCounts:
    """What the items say: graded pairs, items only one side solved, items left out."""

    n: int
    wins: int
    losses: int
    ungraded: int

    @property
    def p_value(self) -> float:
        """One-sided exact McNemar p-value of "the candidate is better"."""
        return exact_mcnemar_greater(self.wins, self.losses)


def count_pairs(current: Outcomes, candidate: Outcomes) -> PairCounts:
    """Count wins and losses of the candidate. Raises ValueError if the items do not match."""
    if len(current) != len(candidate):
        raise ValueError(f"unpaired outcomes: {len(current)} of the current strategy, {len(candidate)} of the edit")
    graded = [(old, new) for old, new in zip(current, candidate, strict=True) if old is not None and new is not None]
    wins = sum(bool(new and not old) for old, new in graded)
    losses = sum(bool(old and not new) for old, new in graded)
    return PairCounts(len(graded), wins, losses, len(current) - len(graded))


@dataclass(frozen=True)
class ExactPairedGate:
    """One-sided exact McNemar test; `alpha` is split evenly over the rounds (Bonferroni)."""

    alpha: float = 0.05
    name: str = "exact paired"

    def decide(self, current: Outcomes, candidate: Outcomes, round_index: int, rounds: int) -> GateResult:
        """Accept if the p-value is at most this round's share of alpha."""
        if not 0 <= round_index < rounds:
            raise ValueError(f"round {round_index} of {rounds}: alpha is spent over the planned rounds only")
        pairs, alpha = count_pairs(current, candidate), self.alpha / rounds
        return _result(self.name, pairs.p_value <= alpha, pairs, alpha)


@dataclass(frozen=True)
class StrictGate:
    """Accepts any surplus of wins. No test: it lets a third of all no-op edits pass on 3 items."""

    name: str = "strict greater"

    def decide(self, current: Outcomes, candidate: Outcomes, round_index: int, rounds: int) -> GateResult:
        """Accept if the candidate solved more graded items."""
        pairs = count_pairs(current, candidate)
        return _result(self.name, pairs.wins > pairs.losses, pairs, 1.0)


@dataclass(frozen=True)
class OpenGate:
    """Accepts every edit; for measuring what a gate is worth."""

    name: str = "open"

    def decide(self, current: Outcomes, candidate: Outcomes, round_index: int, rounds: int) -> GateResult:
        """Accept."""
        return _result(self.name, True, count_pairs(current, candidate), 1.0)


def power(n: int, alpha: float, effect: float, noise: float) -> float:
    """Probability that the one-sided exact test accepts a true gain of `effect`.

    `noise` is the share of items that the candidate loses, `effect + noise` the share it wins.
    The number of discordant items is binomial in `n`, the wins among them binomial again.
    """
    discordant = min(1.0, effect + 2 * noise)
    if discordant <= 0:
        return 0.0
    pairs = np.arange(1, n + 1)
    shown = stats.binom.sf(_critical(pairs, alpha) - 1, pairs, min(1.0, (effect + noise) / discordant))
    return float((stats.binom.pmf(pairs, n, discordant) * shown).sum())


def minimum_detectable_effect(n: int, alpha: float, goal: float = 0.8, noise: float = 0.05) -> float | None:
    """Smallest gain in accuracy that `n` items show with probability `goal`, to 0.001.

    None if not even the largest possible gain is shown. `noise` as in `power`.
    """
    low, high = 0.0, 1 - 2 * noise
    if n < 1 or power(n, alpha, high, noise) < goal:
        return None
    while high - low > 0.001:
        middle = (low + high) / 2
        low, high = (low, middle) if power(n, alpha, middle, noise) >= goal else (middle, high)
    return round(high, 3)


def _critical(pairs: np.ndarray, alpha: float) -> np.ndarray:
    """Fewest wins among so many discordant items that are accepted; more than there are if none."""
    wins = stats.binom.isf(alpha, pairs, 0.5).astype(int) + 1
    exact = stats.binom.sf(wins - 2, pairs, 0.5) <= alpha  # isf rounds the other way at equality
    return np.where(exact, wins - 1, wins)


def _result(policy: str, accepted: bool, pairs: PairCounts, alpha: float) -> GateResult:
    figures = f"{pairs.wins} won, {pairs.losses} lost of {pairs.n} items, p = {pairs.p_value:.4f}, alpha = {alpha:.4f}"
    reason = ("accepted: " if accepted else "not shown to help: ") + figures
    return GateResult(
        policy=policy,
        accepted=accepted,
        n=pairs.n,
        wins=pairs.wins,
        losses=pairs.losses,
        ungraded=pairs.ungraded,
        p_value=pairs.p_value,
        alpha=alpha,
        reason=reason,
    )
