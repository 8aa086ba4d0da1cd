"""Figures of one arm and comparisons of two, computed from evaluation rows and nothing else.

Guaranteed: `n` counts graded replies; an unparsed reply is in `n` and not correct, an ungraded one
is not in `n`; a truncated one is counted whatever came of it. The values are JSON-plain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.intervals import (
    balanced_accuracy,
    bootstrap_ratio,
    class_recalls,
    clustered_wilson,
    constant_baseline,
    holm,
    holm_levels,
    paired_difference,
    percentile_interval,
)
from evaluation.pairs import Aligned, align, correct
from records.nouns import EvaluationRow

Figures = dict[str, Any]
Rows = Sequence[EvaluationRow]
CONSTANT = "constant"


def by_arm(rows: Iterable[EvaluationRow]) -> dict[str, list[EvaluationRow]]:
    """Rows grouped by arm, in the order of `arm_order`."""
    groups: dict[str, list[EvaluationRow]] = defaultdict(list)
    for row in rows:
        groups[row.arm].append(row)
    return {arm: groups[arm] for arm in sorted(groups, key=arm_order)}


def arm_order(arm: str) -> tuple[int, str]:
    """Sort key: the arms in the order in which they are explained, others by name at the end."""
    known = (
        *("none", "seed", "placebo", "one_shot", "few_shot", "learned"),
        *("base", "base+strategy", "lora_plain", "lora_strategy", "lora_distilled", "teacher"),
    )
    return (known.index(arm) if arm in known else len(known), arm)


def arm_figures(rows: Rows) -> Figures:
    """Counts and intervals of one arm on one split."""
    graded = [row for row in rows if row.outcome != "ungraded"]
    solved = sum(row.outcome == "pass" for row in graded)
    recalls = class_recalls((r.expected, r.problem_id, r.outcome == "pass") for r in graded if r.expected is not None)
    balanced = balanced_accuracy(recalls)
    return {
        "n": len(graded),
        "correct": solved,
        "unparsed": sum(row.outcome == "unparsed" for row in rows),
        "truncated": sum(row.truncated for row in rows),
        "ungraded": len(rows) - len(graded),
        "problems": len({row.problem_id for row in graded}),
        "accuracy": solved / len(graded) if graded else None,
        "ci95": clustered_wilson(solved, len(graded), len({row.problem_id for row in graded})),
        "balanced_accuracy": balanced[0] if balanced else None,
        "balanced_ci95": balanced[1] if balanced else None,
        "per_class": recalls,
        "seeds": _per_seed(graded),
        "models": sorted({row.model for row in rows}),
    }


def constant_figures(rows: Rows) -> Figures | None:
    """The best constant answer over the problems of a split; None where the answer is no class."""
    expected = {row.problem_id: row.expected for row in rows if row.expected is not None}
    found = constant_baseline(list(expected.values()))
    if found is None:
        return None
    label, hits = found
    return {"class": label, "correct": hits, "n": len(expected), "accuracy": hits / len(expected)}


def comparisons(arms: Mapping[str, Rows], wanted: Sequence[tuple[str, str]]) -> list[Figures]:
    """Compare the wanted pairs of arms that exist; one Holm family."""
    present = [(a, b) for a, b in wanted if arms.get(a) and arms.get(b)]
    return compare_all([(a, b, align([arms[a], arms[b]])) for a, b in present])


def compare_all(pairs: Sequence[tuple[str, str, Aligned]]) -> list[Figures]:
    """Figures of each comparison, `difference` = accuracy of a minus accuracy of b.

    `p` is the exact McNemar test, `p_holm` corrected over the list, `ci_holm` the bootstrap
    interval at the comparison's Holm level.
    """
    results = [paired_difference(aligned.pairs(0, 1)) for _, _, aligned in pairs]
    p_values = [result.p for result in results]
    corrected, levels = holm(p_values), holm_levels(p_values)
    return [
        {
            "a": a,
            "b": b,
            "difference": result.difference,
            "ci95": result.ci95,
            "p": result.p,
            "p_holm": p_holm,
            "ci_holm": result.interval(level),
            "n": result.n,
            "problems": result.problems,
            "wins": result.wins,
            "losses": result.losses,
            "ungraded": aligned.ungraded,
        }
        for (a, b, aligned), result, p_holm, level in zip(pairs, results, corrected, levels, strict=True)
    ]


def against_constant(arm: str, rows: Rows, label: str) -> Figures:
    """Compare an arm with the constant answer on the arm's own graded rows."""
    aligned = Aligned({}, sum(row.outcome == "ungraded" for row in rows))
    for row in rows:
        outcome = correct(row)
        if outcome is not None and row.expected is not None:
            aligned.units.setdefault(row.problem_id, []).append((outcome, row.expected == label))
    return compare_all([(arm, CONSTANT, aligned)])[0]


def attribution(base: Rows, plain: Rows, after: Rows, arm: str) -> Figures | None:
    """Split the gain of `arm` over the base model into plain training and the strategy.

    The parts add up: total = training + strategy, on the replies that all three arms have.
    `strategy_share` is strategy / total with its bootstrap interval, given only where the total
    gain is shown (lower bound above 0): a share of nothing means nothing.
    """
    aligned = align([base, plain, after])
    if not aligned.n:
        return None
    ids = sorted(aligned.units)
    sums = np.array([np.sum(np.array(aligned.units[i], dtype=float), axis=0) for i in ids])
    counts = np.array([len(aligned.units[i]) for i in ids], dtype=float)
    total = _part(sums[:, 2] - sums[:, 0], counts)
    shown = total["ci95"][0] > 0
    return {
        "arm": arm,
        "n": aligned.n,
        "total": total,
        "training": _part(sums[:, 1] - sums[:, 0], counts),
        "strategy": _part(sums[:, 2] - sums[:, 1], counts),
        "strategy_share": _part(sums[:, 2] - sums[:, 1], sums[:, 2] - sums[:, 0]) if shown else None,
    }


def family_figures(arms: Mapping[str, Rows]) -> Figures:
    """Solved and graded replies per family and arm."""
    table: dict[str, dict[str, Figures]] = defaultdict(dict)
    for arm, rows in arms.items():
        for family in sorted({row.family for row in rows}):
            graded = [row for row in rows if row.family == family and row.outcome != "ungraded"]
            solved = sum(row.outcome == "pass" for row in graded)
            share = solved / len(graded) if graded else None
            table[family][arm] = {"n": len(graded), "correct": solved, "accuracy": share}
    return dict(sorted(table.items()))


def _part(numerators: np.ndarray, denominators: np.ndarray) -> Figures:
    interval = percentile_interval(bootstrap_ratio(numerators, denominators), 0.95)
    return {"value": float(numerators.sum() / denominators.sum()), "ci95": interval}


def _per_seed(graded: Rows) -> dict[str, Figures]:
    seeds: dict[str, Figures] = {}
    for seed in sorted({row.seed for row in graded}):
        rows = [row for row in graded if row.seed == seed]
        solved = sum(row.outcome == "pass" for row in rows)
        seeds[str(seed)] = {"n": len(rows), "correct": solved, "accuracy": solved / len(rows)}
    return seeds
