"""Calls, tokens and money of a run, from its ledger."""

from __future__ import annotations

from typing import Any

from models.ledger import CostRow, read_costs
from records.rundir import RunDirectory


def usage_rows(run: RunDirectory) -> list[dict[str, Any]]:
    """One row per stage, agent and model; `cost` in US dollars, None if any call's price is unknown."""
    if not (run.path / "ledger.sqlite").exists():
        return []
    return [_row(run, cost) for cost in read_costs(run.path / "ledger.sqlite")]


def _row(run: RunDirectory, cost: CostRow) -> dict[str, Any]:
    stage, agent, model = cost.group
    return {
        "stage": stage,
        "agent": agent,
        "model": short_model(run, model),
        "calls": cost.calls,
        "failed": cost.failed,
        "prompt_tokens": cost.prompt_tokens,
        "completion_tokens": cost.completion_tokens,
        "cost": cost.cost,
        "unknown_cost_calls": cost.unknown_costs,
    }


def short_model(run: RunDirectory, model: str) -> str:
    """A model spec without the path of this run's adapters."""
    return model.replace(f"{run.path.resolve()}/adapters/", "")
