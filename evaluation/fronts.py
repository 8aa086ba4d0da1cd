"""The front of a search: which strategies win on which items, and from whom the next edit starts.

Guaranteed: a strategy that is the best on some item can be drawn, unless five others have a better mean; the
same scores give the same chances. Not guaranteed: that a win on one item is more than luck, which is why
the mean counts as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Scores = Sequence[float | None]
TOP = 5  # strategies with the best means, from which parents are drawn


def score_table(scores: Sequence[Scores]) -> np.ndarray:
    """(strategies, items) of the items that every strategy has a score of. Raises ValueError if they do not match."""
    table = np.array([[np.nan if score is None else float(score) for score in row] for row in scores], dtype=float)
    if table.ndim != 2:
        raise ValueError("strategies were scored on different numbers of items")
    return table[:, ~np.isnan(table).any(axis=0)]


def parent_chances(scores: Sequence[Scores], top: int = TOP) -> np.ndarray:
    """(strategies,) probability of each to be the next parent.

    In proportion to the number of items on which it is among the best, as GEPA draws its parents (Agrawal
    et al. 2025), among the `top` best means. Equal for all without a common item.
    """
    table = score_table(scores)
    if not table.size:
        return np.full(len(scores), 1 / len(scores))
    wins = (table == table.max(axis=0)).sum(axis=1).astype(float)
    means = table.mean(axis=1)
    order = sorted(range(len(scores)), key=lambda i: (-means[i], i))
    wins[order[top:]] = 0.0
    return wins / wins.sum() if wins.sum() else np.full(len(scores), 1 / len(scores))


def best_of(scores: Sequence[Scores]) -> int:
    """The place of the best mean over the common items; the earliest of equals."""
    table = score_table(scores)
    return int(np.argmax(table.mean(axis=1))) if table.size else 0
