"""The decision of `approve`: from its flags or by asking, written where every decision is written.

Guaranteed: bad flags decide nothing; a run that another process works on is left to that process. Not
guaranteed: that the other process is still there a moment later; the decision is kept for the next `resume`.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from console import asking
from console.program import PROGRAM
from console.text import safe
from graphs.approval import Answer
from graphs.inbox import AlreadyDecided, pending_decision, submit_decision, submitted_decision
from graphs.reviewing import row_of
from graphs.settings import SettingsError
from records.rundir import RunDirectory, RunError


def submitted(console: Console, run: RunDirectory, given: Answer | None) -> bool:
    """Write the decision for a run that waits; True if the run is to go on in this process."""
    if standing := submitted_decision(run.path):
        raise RunError(f"{asking.decided_words(standing)}. Go on with: {PROGRAM} resume {run.id}")
    pending = pending_decision(run.path)
    if pending is None:  # it has not come to its approval, or was killed before it said so: `go_on` finds out
        return True
    answer = given or asking.ask(console, run, pending.payload)
    if answer is None:
        if submitted_decision(run.path) is None:
            console.print("Nothing is decided.")
        return False
    told = submit_decision(run.path, row_of(answer, pending.interrupt_id))
    if isinstance(told, AlreadyDecided):
        raise RunError(f"{asking.decided_words(told.row)}, before this decision, which is not used")
    if run.in_use:
        console.print(f"Decided. The process that works on {safe(run.id)} goes on with it.", soft_wrap=True)
        return False
    return True


def answer_from_flags(run: RunDirectory, decision: str, reason: str, file: Path | None) -> Answer:
    """The answer about the strategy that waits. Raises SettingsError and RunError."""
    if decision not in ("approve", "edit", "reject"):
        raise SettingsError(f"--decision {decision}: there are approve, edit and reject")
    if decision == "reject" and not reason.strip():
        raise SettingsError("a rejection needs a --reason: it is part of the record")
    if (decision == "edit") != (file is not None):
        raise SettingsError("--file belongs to --decision edit, and the other way round")
    text = _read_text(file) if file else None
    return asking.make_answer(decision, _strategy_at_review(run), reason, text)


def _read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--file {file}: cannot be read as UTF-8 text ({error})") from error


def _strategy_at_review(run: RunDirectory) -> str:
    """The strategy that waits; where the run was killed before it said so, the one that was validated last."""
    if pending := pending_decision(run.path):
        return pending.strategy_hash
    rows = [row for row in run.rows("evaluation/rows.jsonl") if row["suite"] == "strategy"]
    if not rows:
        raise RunError(f"run '{run.id}' has not reached the approval yet; go on with: {PROGRAM} resume {run.id}")
    return str(rows[-1]["strategy_hash"])
