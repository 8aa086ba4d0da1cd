"""Strategy versions on disk: strategies/<hash>.json with each bullet's origin and status."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from graphs.context import StageError
from records.nouns import GateResult, Record, Strategy
from records.rundir import RunDirectory

Status = Literal["draft", "candidate", "accepted", "rejected", "edited", "final", "proved", "not proved"]


class BulletLift(Record):
    """What leaving a bullet out costs a model: a share of the items, with its 95% interval."""

    lift: float
    low: float
    high: float
    n: int


class StrategyVersion(Record):
    """One version with what is known of it; `lifts` by bullet id and model, where they were measured.

    `seed`: it is the domain's own strategy, in the place of a draft that could not be read or could not stand.
    """

    strategy: Strategy
    status: Status
    gate: GateResult | None = None
    note: str = ""
    seed: bool = False
    lifts: dict[str, dict[str, BulletLift]] = Field(default_factory=dict)


def save_strategy(
    run: RunDirectory,
    strategy: Strategy,
    status: Status,
    gate: GateResult | None = None,
    note: str = "",
    seed: bool = False,
) -> str:
    """Write the version as JSON and its text as Markdown; returns the hash."""
    version = StrategyVersion(strategy=strategy, status=status, gate=gate, note=note, seed=seed)
    run.write_json(f"strategies/{strategy.hash}.json", version.model_dump(mode="json"))
    run.file("strategies", f"{strategy.hash}.md").write_text(strategy.text + "\n", "utf-8", errors="backslashreplace")
    return strategy.hash


def keep_lifts(run: RunDirectory, strategy_hash: str, lifts: dict[str, dict[str, BulletLift]]) -> None:
    """Write the measured lifts beside the version's other figures."""
    _amend(run, strategy_hash, lifts=lifts)


def keep_gate(run: RunDirectory, strategy_hash: str, gate: GateResult) -> None:
    """Write what the gate said beside the version's other figures."""
    _amend(run, strategy_hash, gate=gate)


def _amend(run: RunDirectory, strategy_hash: str, **figures: Any) -> None:
    version = load_version(run, strategy_hash).model_copy(update=figures)
    run.write_json(f"strategies/{strategy_hash}.json", version.model_dump(mode="json"))


def load_version(run: RunDirectory, strategy_hash: str) -> StrategyVersion:
    """Read one version. Raises StageError if its text no longer has its hash."""
    version = StrategyVersion.model_validate(run.read_json(f"strategies/{strategy_hash}.json"))
    if version.strategy.hash != strategy_hash:
        raise StageError(
            f"{run.path}/strategies/{strategy_hash}.json was changed by hand: its hash is now "
            f"{version.strategy.hash}. Restore the file, or edit the strategy through `approve`."
        )
    return version


def load_strategy(run: RunDirectory, strategy_hash: str) -> Strategy:
    """The strategy of one version."""
    return load_version(run, strategy_hash).strategy


def all_versions(run: RunDirectory) -> list[StrategyVersion]:
    """All versions, by round and then by name."""
    files = sorted((run.path / "strategies").glob("*.json"))
    versions = [load_version(run, file.stem) for file in files]
    return sorted(versions, key=lambda version: (version.strategy.round, version.strategy.name))
