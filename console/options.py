"""The options that several commands share, and which run a name means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from graphs.runner import list_runs

RunsOption = Annotated[Path, typer.Option("--runs", envvar="LRL_RUNS", help="Folder that holds the runs.")]
RunArgument = Annotated[str, typer.Argument(help="Name of the run, or `last`.", metavar="RUN")]
BudgetOption = Annotated[float | None, typer.Option("--budget", help="US dollars that the run may cost.")]
PricesOption = Annotated[
    Path | None, typer.Option("--prices", envvar="LRL_PRICES", help="TOML file of prices, over models/prices.toml.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait for a decision from elsewhere, where nobody decides here.")
]
ReviewDataOption = Annotated[
    bool, typer.Option("--review-data", help="Stop before the training, so that rows can be left out.")
]
RUNS = Path("runs")


def last_run(name: str, runs: Path) -> str:
    """The name itself; for `last` that of the newest run."""
    found = list_runs(runs)
    return found[-1].id if name == "last" and found else name


def money_flags(budget: float | None, prices: Path | None) -> dict[str, Any]:
    """The flags that may change when a run is resumed."""
    return {
        **({} if budget is None else {"budget": {"usd": budget}}),
        **({} if prices is None else {"prices": str(prices.expanduser().resolve())}),
    }
