"""The test of a run's strategy on another domain: what of its rows stands in the summary.

Guaranteed: a strategy that quotes a held-out problem of the other domain is said to be `not shown`
there, whatever was measured. Not guaranteed: that the other domain needs the same skill; that is the
question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation import verdicts
from evaluation.leakage import StrategyCheck
from records.nouns import Problem

TRANSFERS = "transfers"  # folder of a run with one folder per other domain
ABOUT = "about.json"  # what was tested there, with the text of every arm

Json = dict[str, Any]


def arm_leaks(contexts: Mapping[str, str | None], problems: Sequence[Problem]) -> dict[str, list[Json]]:
    """Held-out problems that an arm's text quotes, by arm; arms without a leak are left out."""
    check = StrategyCheck(problems)
    found = {arm: check.leaks(text) for arm, text in contexts.items() if text}
    return {arm: [leak.model_dump() for leak in leaks] for arm, leaks in found.items() if leaks}


def transfer_figures(about: Mapping[str, Any], suites: Mapping[str, Json], problems: Sequence[Problem]) -> Json:
    """Figures and verdict words of one other domain; `suites` as of `strategy_suites`."""
    leaks = arm_leaks(about["contexts"], problems)
    words = {model: _word(suite["verdict"], "learned" in leaks) for model, suite in suites.items()}
    return {
        **{name: about[name] for name in ("hash", "approved", "placebo", "tier")},
        "items": max((suite["arms"]["none"]["problems"] for suite in suites.values()), default=0),
        "leaks": leaks,
        "reason": "" if suites else _untested(leaks),
        "verdict_by_validator": words,
        "verdict": verdicts.overall_strategy_verdict(words),
        "validators": dict(suites),
    }


def _word(word: str, leaks: bool) -> str:
    return verdicts.NOT_SHOWN if leaks and word == verdicts.SUPPORTED else word


def _untested(leaks: Mapping[str, Any]) -> str:
    if "learned" in leaks:
        return f"not tested, because the strategy quotes held-out problems of it ({len(leaks['learned'])} leaks)"
    return "not tested yet"
