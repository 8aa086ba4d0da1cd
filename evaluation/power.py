"""What a paired test on so many items can show, computed before anything is paid.

Guaranteed for one reply per item: `power` is exact for the exact McNemar test if items are independent
and `noise` is what it says. With several replies per item it is a normal approximation. Not guaranteed:
the true noise, which nobody knows before the run; so the least that is plausible and the most that is
possible are both said.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import scipy  # loads its parts when they are used: the program starts faster

POWER = 0.8  # the probability that "detectable" stands for
STEADY = 0.05  # noise of replies that hardly vary
MOST_ITEMS = 20_000  # more are not searched


def worst_noise(effect: float) -> float:
    """The largest share of items that a candidate better by `effect` can lose to chance.

    Every item at the same success probability p, the candidate's at p + effect, replies independent: the
    share lost is p (1 - p - effect), greatest at p = (1 - effect) / 2.
    """
    return ((1 - effect) / 2) ** 2


def power(n: int, alpha: float, effect: float, noise: float, repeats: int = 1) -> float:
    """Probability that the one-sided test accepts a true gain of `effect`.

    `noise` is the share of items that one reply of the candidate loses, `effect + noise` the share it
    wins. One reply per item: the number of discordant items is binomial in `n`, the wins among them
    binomial again. Several: the gain is taken to sit in a share `effect` of the items (the largest
    variance), chance shrinks with the replies.
    """
    if repeats > 1:
        return _normal_power(n, alpha, effect, effect * (1 - effect) + 2 * noise / repeats)
    discordant = min(1.0, effect + 2 * noise)
    if discordant <= 0:
        return 0.0
    pairs = np.arange(1, n + 1)
    shown = scipy.stats.binom.sf(_critical(pairs, alpha) - 1, pairs, min(1.0, (effect + noise) / discordant))
    return float((scipy.stats.binom.pmf(pairs, n, discordant) * shown).sum())


def _normal_power(n: int, alpha: float, effect: float, variance: float) -> float:
    """The sum of n differences against z sqrt(sum of squares), both near normal."""
    threshold = scipy.stats.norm.isf(alpha) * math.sqrt(n * (variance + effect**2))
    return float(scipy.stats.norm.cdf((n * effect - threshold) / math.sqrt(n * variance))) if variance > 0 else 0.0


@functools.lru_cache(maxsize=1024)
def minimum_detectable_effect(
    n: int, alpha: float, goal: float = POWER, noise: float | None = STEADY, repeats: int = 1
) -> float | None:
    """Smallest gain in accuracy that `n` items show with probability `goal`, to 0.001.

    None if not even the largest possible gain is shown. `noise` as in `power`; None: the worst.
    """
    low, high = 0.0, 1.0 if noise is None else 1 - 2 * noise
    chance = _at_noise(noise)
    if n < 1 or power(n, alpha, high, chance(high), repeats) < goal:
        return None
    while high - low > 0.001:
        middle = (low + high) / 2
        low, high = (low, middle) if power(n, alpha, middle, chance(middle), repeats) >= goal else (middle, high)
    return round(high, 3)


def items_needed(
    effect: float, alpha: float, goal: float = POWER, noise: float | None = STEADY, repeats: int = 1
) -> int | None:
    """Number of items that shows a gain of `effect` with probability `goal`; None if above 20,000.

    The exact test's power has small teeth (one more item can need one more win), so the number is the
    smallest of a bisection, from which the power at larger numbers falls by a point or so at most.
    """
    chance = _at_noise(noise)(effect)
    low, high = 0, 1
    while power(high, alpha, effect, chance, repeats) < goal:
        low, high = high, 2 * high
        if high > MOST_ITEMS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, alpha, effect, chance, repeats) >= goal else (middle, high)
    return high


def _at_noise(noise: float | None) -> Callable[[float], float]:
    return worst_noise if noise is None else lambda effect: noise


def conditional_power(
    total: float, squares: float, seen: int, planned: int, alpha: float, goal: float = POWER
) -> float:
    """Probability of still reaching significance if the truth is the gain that the plan would show.

    `total` and `squares` are the sums of the differences and of their squares over the `seen` items. With
    B = total / sqrt(planned variance) and t = seen / planned this is the conditional power of Lan and
    Wittes (1988, "The B-value"), under the drift at which the whole plan has the power `goal`. The variance
    of an item counts one item of difference 1 more than was seen: no difference yet is not certainty.
    """
    share = seen / planned
    if share >= 1:
        return float(total > 0)
    z = float(scipy.stats.norm.isf(alpha))
    b = total / math.sqrt(planned * (squares + 1) / (seen + 1))
    drift = z + float(scipy.stats.norm.ppf(goal))
    return float(scipy.stats.norm.cdf((b + drift * (1 - share) - z) / math.sqrt(1 - share)))


def _critical(pairs: np.ndarray, alpha: float) -> np.ndarray:
    """Fewest wins among so many discordant items that are accepted; more than there are if none."""
    wins = scipy.stats.binom.isf(alpha, pairs, 0.5).astype(int) + 1
    exact = scipy.stats.binom.sf(wins - 2, pairs, 0.5) <= alpha  # isf rounds the other way at equality
    return np.where(exact, wins - 1, wins)
