"""Calls, tokens and money of a run, from its ledger."""

from __future__ import annotations

import re
from typing import Any

from models.ledger import CostRow, read_costs
from records.rundir import RunDirectory


def usage_rows(run: RunDirectory) -> list[dict[str, Any]]:
    """One row per stage, agent and model.

    `cost` is in US dollars, None if any call's cost is unknown; `known_cost` is the sum of the others.
    `cached_tokens` and `cache_write_tokens` are parts of `prompt_tokens`, None if no provider said them.
    """
    if not (run.path / "ledger.sqlite").exists():
        return []
    return [_row(run, cost) for cost in read_costs(run.path / "ledger.sqlite")]


def _row(run: RunDirectory, cost: CostRow) -> dict[str, Any]:
    stage, agent, model = cost.group
    return {
        "stage": stage,
        "agent": agent,
        "model": short_model(model),
        "calls": cost.calls,
        "failed": cost.failed,
        "prompt_tokens": cost.prompt_tokens,
        "completion_tokens": cost.completion_tokens,
        "cached_tokens": cost.cached_tokens,
        "cache_write_tokens": cost.cache_write_tokens,
        "cost": cost.cost,
        "known_cost": cost.known_cost,
        "unknown_cost_calls": cost.unknown_costs,
    }


def short_model(model: str) -> str:
    """A model spec without the path of a run's adapters: this run's, or that of the run whose calls it reuses."""
    return re.sub(r"\+/.*/adapters/", "+", model)
