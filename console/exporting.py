"""Which flags of `export` fit together."""

from __future__ import annotations

from pathlib import Path

from graphs.settings import SettingsError
from models.export import FORMATS

TOOLS = ("inspect", "mlflow")  # whose formats `export --to` writes


def check_export(calls: Path | None, batch_file: Path | None, to: Path | None, format_: str | None) -> None:
    """Refuse what does not fit together, before anything is written."""
    if calls is None and batch_file is None and to is None:
        raise SettingsError(
            "say what to write: --calls FILE.jsonl, --batch-file FILE.jsonl --format FORMAT, or --to FOLDER --format "
            "inspect or mlflow"
        )
    if to is not None and batch_file is not None:
        raise SettingsError("--to and --batch-file have different formats; write one after the other")
    if to is not None and format_ not in TOOLS:
        raise SettingsError(f"--to FOLDER needs --format {' or '.join(TOOLS)}")
    if to is None and (batch_file is None) != (format_ is None):
        raise SettingsError(
            f"--batch-file and --format belong together; formats: {', '.join(FORMATS)} (with --to: {', '.join(TOOLS)})"
        )
