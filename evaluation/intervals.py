"""Intervals and tests for shares of solved problems.

Guaranteed: the same numbers give the same interval on every machine with the same scipy, because
the bootstrap's seed is a hash of the data. Not guaranteed: exact coverage of the percentile
bootstrap with few discordant problems; verdict words therefore ask for an exact test as well.

Repeated samples and seeds of one problem are not independent. Intervals resample problems, the
exact test looks at each problem's net difference, and a Wilson interval counts problems, not rows.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # loads its parts when they are used: the program starts faster

from records.nouns import content_hash

Interval = tuple[float, float]
RESAMPLES = 9_999
GRID = 60  # largest common denominator of scores that are tested exactly
LEVEL = 0.95


@dataclass(frozen=True)
class PairedResult:
    """Paired difference in accuracy of two arms, `a` minus `b`.

    `n` counts pairs, `problems` their problems, `wins` / `losses` the problems that `a` / `b`
    solved more often. `p` is the two-sided exact McNemar test over problems.
    `distribution` holds the bootstrapped differences (RESAMPLES values).
    """

    n: int
    problems: int
    wins: int
    losses: int
    difference: float | None
    ci95: Interval | None
    p: float
    distribution: np.ndarray

    def interval(self, level: float) -> Interval | None:
        """Percentile interval of another level, from the same resamples."""
        return percentile_interval(self.distribution, level) if self.ci95 else None


def wilson(correct: float, n: float, level: float = LEVEL) -> Interval | None:
    """Wilson score interval of a share (Wilson 1927); None without observations.

    `n` may be an effective sample size and `correct` a share of it.
    """
    if n <= 0:
        return None
    z = float(scipy.stats.norm.ppf(0.5 + level / 2))
    share, spread = correct / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def clustered_wilson(correct: int, rows: int, problems: int) -> Interval | None:
    """Wilson interval of `correct / rows` with the width that `problems` observations give.

    Conservative: more samples of the same problem narrow nothing.
    """
    return wilson(correct / rows * problems, problems) if rows else None


def mean_of_shares(shares: Sequence[float], intervals: Sequence[Interval]) -> Interval:
    """Interval of the mean of independent shares from their own intervals.

    Method of variance estimates recovery (Zou and Donner 2008); with Wilson intervals it does not
    collapse to a point when every share is 0 or 1.
    """
    k, mean = len(shares), sum(shares) / len(shares)
    below = math.sqrt(sum((s - low) ** 2 for s, (low, _) in zip(shares, intervals, strict=True))) / k
    above = math.sqrt(sum((high - s) ** 2 for s, (_, high) in zip(shares, intervals, strict=True))) / k
    return max(0.0, mean - below), min(1.0, mean + above)


def class_recalls(outcomes: Iterable[tuple[str, str, bool]]) -> dict[str, dict[str, object]]:
    """Recall per true class from (class, problem id, correct) of the graded rows."""
    rows: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for label, problem, solved in outcomes:
        rows[label].append((problem, solved))
    table: dict[str, dict[str, object]] = {}
    for label in sorted(rows):
        n, correct = len(rows[label]), sum(int(ok) for _, ok in rows[label])
        interval = clustered_wilson(correct, n, len({problem for problem, _ in rows[label]}))
        table[label] = {"n": n, "correct": correct, "recall": correct / n, "ci95": interval}
    return table


def balanced_accuracy(recalls: Mapping[str, Mapping[str, object]]) -> tuple[float, Interval] | None:
    """Mean recall over the true classes with its interval; None without classes."""
    if not recalls:
        return None
    shares = [float(row["recall"]) for row in recalls.values()]  # type: ignore[arg-type]
    intervals: list[Interval] = [row["ci95"] for row in recalls.values()]  # type: ignore[misc]
    return sum(shares) / len(shares), mean_of_shares(shares, intervals)


def constant_baseline(expected: Sequence[str]) -> tuple[str, int] | None:
    """The best constant answer and how many of `expected` it gets right; ties go by name."""
    if not expected:
        return None
    counts = Counter(expected)
    label = min(counts, key=lambda name: (-counts[name], name))
    return label, counts[label]


def exact_mcnemar(wins: int, losses: int) -> float:
    """Two-sided exact McNemar p-value: a binomial test of the discordant pairs."""
    return float(scipy.stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def exact_mcnemar_greater(wins: int, losses: int) -> float:
    """One-sided exact McNemar p-value of "more wins than losses"."""
    return float(scipy.stats.binomtest(wins, wins + losses, alternative="greater").pvalue) if wins + losses else 1.0


def sign_flip_greater(differences: Sequence[float]) -> float:
    """One-sided p-value of "the differences are above 0": the paired permutation test.

    Under the null each item's two scores may be exchanged, so its difference may have either sign (Fisher
    1935). Exact for whole differences and for shares of up to 60 replies, where the sums lie on a grid
    (for -1, 0 and 1 it is the exact McNemar test); else from 9,999 random exchanges, the observed one
    counted among them, which keeps the level.
    """
    steps = [difference for difference in differences if difference]
    if not steps:
        return 1.0
    if all(abs(step) == 1 for step in steps):
        return exact_mcnemar_greater(steps.count(1), steps.count(-1))
    grid = next((d for d in range(2, GRID + 1) if all(abs(s * d - round(s * d)) < 1e-6 for s in steps)), None)
    return _grid_p([round(step * grid) for step in steps]) if grid else _sampled_p(np.array(steps))


def _grid_p(steps: Sequence[int]) -> float:
    """The exact distribution of the sum of random signs times whole numbers, one step after the other."""
    reach = sum(abs(step) for step in steps)
    chances = np.zeros(2 * reach + 1)  # of the sums -reach … reach
    chances[reach] = 1.0
    for step in map(abs, steps):
        chances = (np.roll(chances, step) + np.roll(chances, -step)) / 2  # never wraps: reach bounds the sum
    return min(1.0, float(chances[reach + sum(steps) :].sum()))


def _sampled_p(steps: np.ndarray) -> float:
    test = scipy.stats.permutation_test(
        (steps,),
        np.sum,
        permutation_type="samples",
        alternative="greater",
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(_seed(steps)),
    )
    return float(test.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm-adjusted p-values, in the order given."""
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]] if len(p_values) else []


def holm_levels(p_values: Sequence[float], alpha: float = 1 - LEVEL) -> list[float]:
    """Confidence level of each comparison's Holm interval: 1 - alpha / (tests not yet decided).

    The smallest p-value gets the widest interval, 1 - alpha / m, the largest 1 - alpha.
    """
    order = sorted(range(len(p_values)), key=lambda i: (p_values[i], i))
    levels = [0.0] * len(p_values)
    for rank, index in enumerate(order):
        levels[index] = 1 - alpha / (len(p_values) - rank)
    return levels


def paired_difference(pairs: Mapping[str, Sequence[tuple[bool, bool]]]) -> PairedResult:
    """Compare two arms on their graded pairs, `{problem id: [(a correct, b correct), …]}`."""
    ids = sorted(problem for problem in pairs if pairs[problem])
    sums = np.array([sum(int(a) - int(b) for a, b in pairs[i]) for i in ids], dtype=float)
    counts = np.array([len(pairs[i]) for i in ids], dtype=float)
    wins, losses = int((sums > 0).sum()), int((sums < 0).sum())
    n = int(counts.sum())
    if not n:
        return PairedResult(0, 0, 0, 0, None, None, 1.0, np.zeros(0))
    distribution = bootstrap_ratio(sums, counts)
    return PairedResult(
        n=n,
        problems=len(ids),
        wins=wins,
        losses=losses,
        difference=float(sums.sum() / counts.sum()),
        ci95=percentile_interval(distribution, LEVEL),
        p=exact_mcnemar(wins, losses),
        distribution=distribution,
    )


def bootstrap_ratio(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """Bootstrap distribution of sum(numerators) / sum(denominators) over resampled problems.

    A resample whose denominators sum to 0 is infinite or not a number; quantiles treat it so.
    """
    if len(numerators) == 1:  # scipy refuses one observation; there is nothing to resample
        return np.full(RESAMPLES, numerators[0] / denominators[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        result = scipy.stats.bootstrap(
            (numerators, denominators),
            _ratio,
            paired=True,
            vectorized=True,
            n_resamples=RESAMPLES,
            method="percentile",
            batch=1_000,
            rng=np.random.default_rng(_seed(numerators, denominators)),
        )
    return np.asarray(result.bootstrap_distribution)


def percentile_interval(distribution: np.ndarray, level: float) -> Interval:
    """Central interval of a bootstrap distribution."""
    low, high = np.quantile(distribution, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _ratio(numerators: np.ndarray, denominators: np.ndarray, axis: int = -1) -> np.ndarray:
    return numerators.sum(axis=axis) / denominators.sum(axis=axis)


def _seed(*arrays: np.ndarray) -> int:
    return int(content_hash([array.tolist() for array in arrays]), 16)
