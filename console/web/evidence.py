"""What a person decides on: the zero-shot test on other models, its leaks, and what it could have shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from console.web import plots
from console.web.store import Row, Store
from evaluation.leakage import Leak, StrategyCheck
from evaluation.power import STEADY, minimum_detectable_effect
from evaluation.summary import ROWS, read, strategy_suites
from records.nouns import EvaluationRow, Problem

ONE_SIDED = 0.025  # the level of one side of a 95% interval
Suites = Mapping[str, Row]


def suites_of(store: Store, strategy_hash: str) -> Suites:
    """The zero-shot test of one version by validator. Raises RunError at a row that cannot be read."""

    def make() -> Suites:
        rows = [row for row in read(store.run, ROWS, EvaluationRow) if row.suite == "strategy"]
        return strategy_suites(row for row in rows if row.strategy_hash == strategy_hash)

    return store.kept(f"suites {strategy_hash}", (ROWS,), make)


def matrix_plot(suites: Suites) -> Any:
    """Accuracy of every arm on every validator with its interval."""
    groups = [
        (
            validator,
            [
                {"label": arm, "value": f["accuracy"], "ci": f["ci95"], "mark": "own" if arm == "learned" else ""}
                for arm, f in suite["arms"].items()
            ],
        )
        for validator, suite in suites.items()
    ]
    return plots.intervals(groups, "Accuracy per validator and arm with 95% intervals") if groups else ""


def gain_plot(suites: Suites) -> Any:
    """The learned strategy against each control arm, in points."""
    groups = []
    for validator, suite in suites.items():
        listed = [*suite["comparisons"], *suite["other_comparisons"]]
        rows = [
            {"label": f"over {c['b']}", "value": c["difference"], "ci": c["ci95"], "mark": _mark(c["ci95"])}
            for c in listed
        ]
        groups.append((validator, rows))
    return (
        plots.intervals(groups, "Gain of the learned strategy in points, 95% intervals", signed=True) if groups else ""
    )


def _mark(interval: Sequence[float] | None) -> str:
    if not interval or interval[0] <= 0 <= interval[1]:
        return ""
    return "good" if interval[0] > 0 else "bad"


def detectable(suites: Suites) -> list[dict[str, Any]]:
    """Per validator: the smallest gain that its items show with 80% probability, for steady and for noisy replies."""
    found = []
    for validator, suite in suites.items():
        items = max((c["problems"] for c in suite["comparisons"]), default=0)
        gains = [minimum_detectable_effect(items, ONE_SIDED, noise=noise) for noise in (STEADY, None)]
        found.append({"validator": validator, "items": items, "steady": gains[0], "noisy": gains[1]})
    return found


def leaks_of(store: Store, text: str) -> Sequence[Leak]:
    """Held-out items in a strategy text. Raises RunError if the problems cannot be read."""
    check = store.kept(
        "leak check", ("problems.jsonl",), lambda: StrategyCheck(read(store.run, "problems.jsonl", Problem))
    )
    return check.leaks(text)


def split_leaks(store: Store) -> Row:
    """What was found when the splits were made."""
    return store.object("leaks.json")
