"""How a strategy's gain carries over from model to model, and which candidate the worst validator likes best.

A lift is the paired difference in accuracy to the same model with the problem alone. The transfer fraction
is the learned strategy's lift on a validator divided by its lift on the source, the model that it was
learned on, over the same problems. Guaranteed: a fraction is given only where the source's own lift is
shown (its whole interval above 0); dividing by nothing says nothing. Not guaranteed: that the chosen
candidate is better than the others; its lifts are on the items that it was chosen by, and too high by that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy  # loads its parts when they are used: the program starts faster

from evaluation.intervals import LEVEL, Interval, paired_difference
from evaluation.pairs import align
from evaluation.tables import by_arm
from records.nouns import EvaluationRow

Json = dict[str, Any]
Rows = Sequence[EvaluationRow]
NONE, LEARNED = "none", "learned"
CANDIDATE = "candidate-"  # arm of the selection suite, with the candidate's place in the loop's order


def lift(rows: Rows, base: Rows) -> Json | None:
    """Paired gain of one arm over another with its 95% interval; None without a graded pair."""
    if not rows or not base:
        return None
    aligned = align([rows, base])
    found = paired_difference(aligned.pairs(0, 1))
    if not found.n:
        return None
    return {
        "lift": found.difference,
        "ci95": found.ci95,
        "p": found.p,
        "n": found.n,
        "problems": found.problems,
        "ungraded": aligned.ungraded,
    }


def fieller(numerators: np.ndarray, denominators: np.ndarray, level: float = LEVEL) -> Interval | None:
    """Interval of mean(numerators) / mean(denominators) of paired observations (Fieller 1954).

    None where it is not bounded: the denominator's own t interval includes 0, or there is one observation.
    """
    n = len(numerators)
    if n < 2:
        return None
    top, below = float(numerators.mean()), float(denominators.mean())
    (top_var, both), (_, below_var) = np.cov(numerators, denominators) / n
    t = float(scipy.stats.t.ppf(0.5 + level / 2, n - 1))
    if below == 0 or (g := t * t * below_var / below**2) >= 1:
        return None
    ratio, slope = top / below, both / below_var if below_var else 0.0
    spread = top_var - 2 * ratio * both + ratio**2 * below_var - g * (top_var - slope * both)
    centre, half = (ratio - g * slope) / (1 - g), t / abs(below) * math.sqrt(max(0.0, spread)) / (1 - g)
    return centre - half, centre + half


def transfer_fraction(validator: Mapping[str, Rows], source: Mapping[str, Rows]) -> Json:
    """The validator's lift over the source's, on the problems that both were asked; or why there is none."""
    needed = [arms.get(name) for arms in (validator, source) for name in (LEARNED, NONE)]
    own = lift(source.get(LEARNED, ()), source.get(NONE, ()))
    if own is None or not all(needed):
        return _undefined("the source has no graded replies to the same problems")
    if own["ci95"][0] <= 0:
        word = "is negative" if own["ci95"][1] < 0 else "is not shown: its interval includes 0"
        return _undefined(f"the source's own gain {word}")
    units = align([rows for rows in needed if rows]).units
    if not units:
        return _undefined("the source has no graded replies to the same problems")
    sums = np.array([np.sum(np.array(found, dtype=float), axis=0) for _, found in sorted(units.items())])
    gains, own_gains = sums[:, 0] - sums[:, 1], sums[:, 2] - sums[:, 3]
    interval = fieller(gains, own_gains)
    if interval is None:
        return _undefined("the source's own gain is not shown on the problems that both models were asked")
    return {"value": float(gains.sum() / own_gains.sum()), "ci95": interval, "problems": len(units), "undefined": ""}


def _undefined(reason: str) -> Json:
    return {"value": None, "ci95": None, "problems": 0, "undefined": reason}


def transfer_matrix(rows: Rows, source: str | None) -> Json | None:
    """Every strategy arm's lift on every validator, the fractions, and the worst validator; None without rows.

    `rows` are those of the suites "strategy" and "source" about one version; `source` is the model on which
    the strategy was learned.
    """
    suites = _by_model([row for row in rows if row.suite == "strategy"])
    apart = by_arm(row for row in rows if row.suite == "source" and row.model == source)
    origin = suites.get(source or "") or apart
    if not suites:
        return None
    lifts = {model: _lifts(arms) for model, arms in suites.items()}
    learned = {model: gain for model, found in lifts.items() if (gain := found.get(LEARNED))}
    worst = min(learned, key=lambda model: (learned[model]["lift"], model), default=None)
    fractions = {model: transfer_fraction(arms, origin) for model, arms in suites.items() if model != source}
    return {
        "source": source,
        "source_lift": lift(origin.get(LEARNED, ()), origin.get(NONE, ())) if origin else None,
        "lifts": lifts,
        "fractions": fractions,
        "worst": {"model": worst, **learned[worst]} if worst else None,
    }


def _by_model(rows: Rows) -> dict[str, dict[str, list[EvaluationRow]]]:
    return {name: by_arm(row for row in rows if row.model == name) for name in sorted({row.model for row in rows})}


def _lifts(arms: Mapping[str, Rows]) -> dict[str, Json | None]:
    return {arm: lift(rows, arms.get(NONE, ())) for arm, rows in arms.items() if arm != NONE}


def selection(rows: Rows) -> Json | None:
    """The candidates' lifts on each validator and the one whose worst lift is highest; None without candidates.

    Ties go to the later candidate, as the loop kept it over the earlier one.
    """
    suites = _by_model([row for row in rows if row.suite == "selection"])
    places = {row.arm: row.strategy_hash for row in rows if row.suite == "selection" and row.arm != NONE}
    if not places:
        return None
    candidates = [_candidate(arm, places[arm], suites) for arm in sorted(places, key=place)]
    measured = [found for found in candidates if found["worst"]]
    best = max(measured, key=lambda found: (found["worst"]["lift"], place(found["arm"])), default=candidates[-1])
    return {"rule": "maximin", "validators": list(suites), "candidates": candidates, "chosen": best["hash"]}


def place(arm: str) -> int:
    """The candidate's place in the order in which the loop came to it."""
    return int(arm.removeprefix(CANDIDATE))


def _candidate(arm: str, strategy_hash: str | None, suites: Mapping[str, Mapping[str, Rows]]) -> Json:
    lifts = {model: lift(arms.get(arm, ()), arms.get(NONE, ())) for model, arms in suites.items()}
    known = {model: found for model, found in lifts.items() if found}
    model = min(known, key=lambda name: (known[name]["lift"], name), default=None)
    whole = model is not None and len(known) == len(lifts)  # unmeasured on one: its worst is not known
    worst = {"model": model, **known[model]} if whole and model else None
    return {"arm": arm, "hash": strategy_hash, "lifts": lifts, "worst": worst}


def gains_nothing(found: Json | None) -> bool:
    """A lift is not shown: unknown, or its interval reaches 0."""
    return found is None or bool(found["ci95"][0] <= 0)
