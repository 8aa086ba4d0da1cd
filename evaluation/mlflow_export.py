"""A complete run as one MLflow run in a local SQLite store: FOLDER/mlflow.db and FOLDER/artifacts.

Look at it with `mlflow ui --backend-store-uri sqlite:///FOLDER/mlflow.db`. Guaranteed: the metrics are the
report's figures and the trainers' logs; a run is in a store once, and an export that was interrupted is done
again; nothing is sent anywhere. Not guaranteed: figures that MLflow has no place for; they are in the artifacts.
Needs mlflow or mlflow-skinny with SQL storage (the extra `mlflow`).
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from agents.solver import model_slug
from models.export import ExportError
from records.rundir import RunDirectory

RUN_TAG = "linguistic_transfer.run"
PACKAGES = ("mlflow", "sqlalchemy", "alembic")
PARAMETER_CHARS = 6_000  # MLflow's limit of a parameter's value
BATCH = {"metrics": 1_000, "params": 100}  # MLflow's limits of one request
ARTIFACTS = (
    "report.md", "report.html", "evaluation/summary.json", "decisions.jsonl", "reflections.jsonl", "dataset/README.md",
    "dataset/curation.json", "strategies/*.md", "figures/*.svg",
)  # fmt: skip

Metric = tuple[str, float, int, int]  # name, value, milliseconds since the epoch, step


def write_mlflow(run: RunDirectory, folder: Path) -> str:
    """Write the run into the folder's store; returns the id that MLflow gave it.

    Raises ExportError without the packages, for a run that is not complete, or one that is there already.
    """
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        wanted = ", ".join(missing)
        raise ExportError(f"this format needs the packages {wanted}: pip install 'linguistic-transfer[mlflow]'")
    if not run.complete:
        raise ExportError(f"run '{run.id}' is not complete; only a complete run is exported to MLflow. Resume it first")
    client, experiment = _store(folder, str(run.read_json("run.json")["config"]["domain"]))
    _check_new(client, experiment, run)
    about = run.read_json("run.json")
    begun = int(datetime.fromisoformat(about["created"]).timestamp() * 1000)
    made = client.create_run(experiment, start_time=begun, tags=_tags(run, about), run_name=run.id)
    identity = str(made.info.run_id)
    _log(client, identity, about["config"], list(_metrics(run, begun)))
    for pattern in ARTIFACTS:
        for file in sorted(run.path.glob(pattern)):
            client.log_artifact(identity, str(file), str(Path(pattern).parent) if "/" in pattern else None)
    client.set_terminated(identity, "FINISHED", end_time=begun)
    return identity


def _store(folder: Path, domain: str) -> tuple[Any, str]:
    """A client of the folder's store and the id of the domain's experiment."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # before the import
    from mlflow import MlflowClient

    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(tracking_uri=f"sqlite:///{folder.resolve()}/mlflow.db")
    name = f"linguistic-transfer/{domain}"
    found = client.get_experiment_by_name(name)
    place = (folder.resolve() / "artifacts").as_uri()
    return client, str(found.experiment_id if found else client.create_experiment(name, artifact_location=place))


def _check_new(client: Any, experiment: str, run: RunDirectory) -> None:
    """A finished export of this run is not repeated; what an interrupted one left is taken away."""
    for found in client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{run.id}'"):
        if found.info.status == "FINISHED":
            raise ExportError(f"run '{run.id}' is in this store already, as {found.info.run_id}; choose another folder")
        client.delete_run(found.info.run_id)


def _tags(run: RunDirectory, about: Mapping[str, Any]) -> dict[str, str]:
    summary = run.read_json("evaluation/summary.json") if (run.path / "evaluation/summary.json").exists() else {}
    strategy = summary.get("strategy") or {}
    return {
        RUN_TAG: run.id,
        "verdict": str(summary.get("verdict")),
        "strategy.verdict": str(strategy.get("verdict")),
        "strategy.hash": str(strategy.get("hash")),
        "git": str(about.get("git")),
        "fingerprint": str(about.get("fingerprint")),
    }


def _metrics(run: RunDirectory, begun: int) -> Iterator[Metric]:
    """Accuracies with intervals per split and arm, those of the validators, and the trainers' losses."""
    summary = run.read_json("evaluation/summary.json") if (run.path / "evaluation/summary.json").exists() else {}
    for split, figures in (summary.get("splits") or {}).items():
        yield from _arms(f"{split}", figures["arms"], begun)
    for validator, figures in ((summary.get("strategy") or {}).get("validators") or {}).items():
        yield from _arms(f"validation/{model_slug(validator)}", figures["arms"], begun)
    for file in sorted(run.path.glob("adapters/*/progress.jsonl")):
        for row in run.rows(str(file.relative_to(run.path))):
            for name in ("loss", "tokens_per_s"):
                yield f"training/{file.parent.name}/{name}", row[name], begun + int(1000 * row["seconds"]), row["step"]


def _arms(place: str, arms: Mapping[str, Any], begun: int) -> Iterator[Metric]:
    for arm, figures in arms.items():
        head = f"{place}/{arm.replace('+', '_with_')}"  # MLflow's names have no plus sign
        low, high = figures["ci95"] or (None, None)
        values = {"accuracy": figures["accuracy"], "ci95_low": low, "ci95_high": high, "n": figures["n"]}
        values |= {name: figures[name] for name in ("unparsed", "truncated", "ungraded")}
        for name, value in values.items():
            if value is not None:
                yield f"{head}/{name}", float(value), begun, 0


def _log(client: Any, identity: str, config: Mapping[str, Any], metrics: list[Metric]) -> None:
    from mlflow.entities import Metric as MlflowMetric
    from mlflow.entities import Param

    params = [Param(name, value[:PARAMETER_CHARS]) for name, value in _flat(config)]
    for start in range(0, len(params), BATCH["params"]):
        client.log_batch(identity, params=params[start : start + BATCH["params"]])
    for start in range(0, len(metrics), BATCH["metrics"]):
        part = metrics[start : start + BATCH["metrics"]]
        client.log_batch(identity, metrics=[MlflowMetric(*metric) for metric in part])


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """`sizes.test` and the like; lists as JSON."""
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{path}{key}.")
        else:
            yield f"{path}{key}", item if isinstance(item, str) else json.dumps(item)
