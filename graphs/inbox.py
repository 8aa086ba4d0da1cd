"""What people decide about a run, from any process: decisions for the runner, training rows to leave out.

The runner says in pending.json what it waits for. A decision is one row of inbox.jsonl, whoever writes
it: the terminal, a web page, a script; the runner takes it from there. Rows that a person leaves out of
the training are in graphs/exclusions.py and offered here too.
Guaranteed: the first decision about an interrupt stands, over threads and processes, and every later one
is told so; a decision about another strategy than the one that waits, or when none waits, is refused; a
row is on disk when `submit_decision` returns. Not guaranteed: that an edit can be used; the runner
checks it for leaks, measures it and asks again, under another interrupt id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from graphs.exclusions import exclude_row, exclusions, include_row
from records.exclusions import Exclusion
from records.nouns import Action, Record
from records.rundir import RunDirectory, RunError, append_lines, locked

__all__ = [
    "Accepted", "AlreadyDecided", "DecisionRefused", "DecisionRow", "Exclusion", "PendingDecision", "announce",
    "decision_about", "decisions", "exclude_row", "exclusions", "include_row", "now", "pending_decision",
    "submit_decision", "submitted_decision", "withdraw",
]  # fmt: skip

INBOX = "inbox.jsonl"
PENDING = "pending.json"
LOCK = "inbox.lock"
MOST_TEXT = 200_000  # characters; a strategy that can be used is far smaller


def now() -> str:
    """The time of a decision, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class DecisionRefused(RunError):
    """The decision cannot be taken; the message says why and what to do."""


class DecisionRow(Record):
    """One decision of one person. `text` is the reason, or for "edit" the whole edited strategy."""

    interrupt_id: str
    strategy_hash: str
    action: Action
    who: str
    text: str = ""
    time: str = Field(default_factory=now)  # ISO 8601, UTC
    reason: str = ""  # for "edit": why


class Accepted(Record):
    """The decision stands; the runner goes on with it."""

    row: DecisionRow


class AlreadyDecided(Record):
    """Somebody was faster: `row` is the decision that stands."""

    row: DecisionRow


class PendingDecision(Record):
    """What the run waits for; `payload` is what the terminal's review shows."""

    interrupt_id: str
    strategy_hash: str
    payload: dict[str, Any]


def submit_decision(run_dir: Path, row: DecisionRow) -> Accepted | AlreadyDecided:
    """Write the decision, unless there is one about this interrupt already.

    Raises DecisionRefused if it is incomplete, about another strategy, or if nothing is waited for;
    RunError if there is no such run or its inbox cannot be read.
    """
    _check_complete(row)
    with _locked(run_dir) as run:
        first = decision_about(run_dir, row.interrupt_id)
        if first is not None:
            return AlreadyDecided(row=first)
        _check_pending(run, row)
        append_lines(run.path / INBOX, [json.dumps(row.model_dump(mode="json"))])  # ASCII: keeps lone surrogates
    return Accepted(row=row)


def pending_decision(run_dir: Path) -> PendingDecision | None:
    """What the run waits for and nobody has decided yet; None if there is nothing."""
    pending = _announced(RunDirectory(run_dir))
    if pending is None or decision_about(run_dir, pending.interrupt_id) is not None:
        return None
    return pending


def submitted_decision(run_dir: Path) -> DecisionRow | None:
    """The decision that stands and that the runner has not taken yet (it may not be running)."""
    pending = _announced(RunDirectory(run_dir))
    return None if pending is None else decision_about(run_dir, pending.interrupt_id)


def decision_about(run_dir: Path, interrupt_id: str) -> DecisionRow | None:
    """The decision that stands about an interrupt."""
    return next((row for row in decisions(run_dir) if row.interrupt_id == interrupt_id), None)


def decisions(run_dir: Path) -> list[DecisionRow]:
    """All rows of the inbox, the oldest first. Raises RunError at a row that is none."""
    try:
        return RunDirectory(run_dir).read(INBOX, DecisionRow)
    except ValidationError as error:
        raise RunError(f"{run_dir / INBOX}: a row is no decision ({error.errors()[0]['msg']})") from error


def announce(run: RunDirectory, interrupt_id: str, payload: dict[str, Any]) -> PendingDecision:
    """Say what the run waits for (the runner does)."""
    pending = PendingDecision(interrupt_id=interrupt_id, strategy_hash=payload["strategy_hash"], payload=payload)
    with _locked(run.path):
        run.write_json(PENDING, pending.model_dump(mode="json"))
    return pending


def withdraw(run: RunDirectory) -> None:
    """Say that the run waits for nothing (the runner does)."""
    with _locked(run.path):
        (run.path / PENDING).unlink(missing_ok=True)


def _check_complete(row: DecisionRow) -> None:
    """A person, a reason for a rejection, and a strategy for an edit."""
    if not row.who.strip():
        raise DecisionRefused("the decision names nobody; say who decides")
    if row.action == "reject" and not row.text.strip():
        raise DecisionRefused("a rejection needs a reason: it is part of the record")
    if row.action == "edit" and not row.text.strip():
        raise DecisionRefused("the edited strategy is empty; to use none, reject it with a reason")
    try:
        datetime.fromisoformat(row.time)
    except ValueError as error:
        raise DecisionRefused(f"the time of the decision, {row.time[:40]!r}, is not ISO 8601") from error
    if max(len(row.text), len(row.reason), len(row.who)) > MOST_TEXT:
        raise DecisionRefused(f"a decision holds {MOST_TEXT:,} characters at most")


def _check_pending(run: RunDirectory, row: DecisionRow) -> None:
    pending = _announced(run)
    if pending is None:
        raise DecisionRefused(f"run '{run.id}' does not wait for a decision; there is nothing to {row.action}")
    if pending.interrupt_id != row.interrupt_id:
        raise DecisionRefused(f"run '{run.id}' waits for another decision than this one; look at it again, then decide")
    if pending.strategy_hash != row.strategy_hash:
        raise DecisionRefused(
            f"the decision is about the strategy {row.strategy_hash}, and run '{run.id}' waits for one about "
            f"{pending.strategy_hash}; look at it, then decide"
        )


def _announced(run: RunDirectory) -> PendingDecision | None:
    try:
        return None if run.complete else PendingDecision.model_validate_json((run.path / PENDING).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise RunError(f"{run.path / PENDING} is not what the runner writes; resume the run to mend it") from error


@contextmanager
def _locked(run_dir: Path) -> Iterator[RunDirectory]:
    """One writer at a time. Raises RunError if there is no run here."""
    if not (run_dir / "run.json").exists():
        raise RunError(f"there is no run in {run_dir}")
    with locked(run_dir / LOCK):
        yield RunDirectory(run_dir)
