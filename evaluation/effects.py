"""What each bullet is worth, from all strategies of a search that were measured on the same items.

Edits bundle several bullets, so that a refused edit may hold a good one and a kept edit a bad one. As every
bullet stands in some strategies and not in others, all replies together say more of it than one comparison.

Guaranteed: the same replies give the same estimates; a bullet that every strategy has, or none, gets 0.
Not guaranteed: that bullets add up. The model is a ridge regression without interactions, it makes
proposals that are measured like any other, and no estimate is a proof: items were used again and again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

PRIOR = 0.05  # standard deviation of the bullets' lifts before anything is seen
LEAST_NOISE = 0.02  # variance of a reply around its item's mean; 0 would make every estimate certain


@dataclass(frozen=True)
class Effect:
    """Lift of a bullet (mean gain per item) with its standard error; both of the posterior."""

    lift: float
    error: float


@dataclass(frozen=True)
class Measured:
    """The bullets of one strategy (their texts) and its score per item; an item that was not asked is absent."""

    bullets: frozenset[str]
    scores: Mapping[str, float]


def bullet_effects(measured: Sequence[Measured]) -> dict[str, Effect]:
    """Estimated lift of every bullet that some strategy has.

    Bayesian linear regression of the replies on the bullets with one intercept per item (the within-item
    estimator) and independent normal priors N(0, PRIOR²): mean (H/s² + I/PRIOR²)⁻¹ g/s² with H and g the cross
    products of the bullets, centred within items, with themselves and with the replies.
    """
    names = sorted(set().union(*(one.bullets for one in measured))) if measured else []
    items = list(dict.fromkeys(item for one in measured for item in one.scores))
    if not names or not items:
        return {name: Effect(0.0, PRIOR) for name in names}
    has = np.array([[name in one.bullets for name in names] for one in measured], dtype=float)
    asked, scores = _reply_table(measured, items)
    return _solved(names, has, asked, scores)


def _reply_table(measured: Sequence[Measured], items: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(strategies, items) twice: asked or not, and the score (0 where not asked)."""
    places = {item: place for place, item in enumerate(items)}
    asked, scores = np.zeros((len(measured), len(items))), np.zeros((len(measured), len(items)))
    for row, one in enumerate(measured):
        columns = [places[item] for item in one.scores]
        asked[row, columns] = 1.0
        scores[row, columns] = list(one.scores.values())
    return asked, scores


def _solved(names: Sequence[str], has: np.ndarray, asked: np.ndarray, scores: np.ndarray) -> dict[str, Effect]:
    counts = asked.sum(axis=0)
    residual = asked * (scores - scores.sum(axis=0) / counts)
    centres = (asked.T @ has) / counts[:, None]
    products = has.T @ (asked.sum(axis=1)[:, None] * has) - centres.T @ (counts[:, None] * centres)
    freedom = max(1.0, asked.sum() - len(counts))
    noise = max(LEAST_NOISE, float((residual**2).sum()) / freedom)
    precision = products / noise + np.eye(len(names)) / PRIOR**2
    covariance = np.linalg.inv(precision)
    lifts = covariance @ (has.T @ residual.sum(axis=1)) / noise
    errors = np.sqrt(np.diag(covariance))
    lifts[np.diag(products) < 1e-9] = 0.0  # never varied: nothing is known, rounding aside
    return {name: Effect(float(lift), float(error)) for name, lift, error in zip(names, lifts, errors, strict=True)}
