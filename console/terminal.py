"""Where the commands print, and how an error that we know ends one: one line, the way on, an exit code.

Guaranteed: bad input gives no traceback and loses no work. Not guaranteed: words for an error that we do not
know; it is a bug and comes with its traceback.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

from agents.llm_judge import JudgeRefused
from agents.teacher import TeacherError
from console.program import PROGRAM
from console.text import safe
from domains.base import DomainError
from graphs.context import StageError
from graphs.settings import SettingsError
from models.embedded import EmbeddedModelError
from models.export import ExportError
from models.gateway import CallRefused
from models.ledger import LedgerError
from models.prices import PriceError
from models.spec import SpecError
from prompts import PromptError
from records.rundir import RunDirectory, RunError
from sandbox import SandboxError

BAD_INPUT = 2
BUDGET_SPENT = 3
NO_ROOM_OR_RIGHTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EISDIR, errno.ENOTDIR)

console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
errors = Console(stderr=True, highlight=False)


@contextmanager
def friendly(run: RunDirectory | None = None) -> Iterator[None]:
    """Turn the errors that we know into one line and the way on; exit code 2 for bad input, 1 else."""
    try:
        yield
    except (
        SettingsError,
        SpecError,
        DomainError,
        RunError,
        PromptError,
        PriceError,
        ExportError,
        JudgeRefused,
    ) as error:
        fail(str(error), BAD_INPUT, run)
    except (StageError, SandboxError, TeacherError, LedgerError, EmbeddedModelError, CallRefused) as error:
        fail(str(error), 1, run)
    except KeyboardInterrupt:
        fail("interrupted", 130, run)
    except OSError as error:
        if error.errno not in NO_ROOM_OR_RIGHTS:
            raise
        fail(f"{error.strerror}: {error.filename or 'the run directory'}. Make room or rights, then resume.", 1, run)


def fail(message: str, code: int, run: RunDirectory | None = None) -> NoReturn:
    """Say what happened and how a begun run goes on; then end with the exit code."""
    errors.print(f"[red]error:[/red] {safe(message)}", soft_wrap=True)
    if run is not None and (run.path / "problems.jsonl").exists():
        errors.print(f"Nothing is lost. Go on with: {PROGRAM} resume {run.id}", soft_wrap=True)
    raise typer.Exit(code)


def interactive() -> bool:
    """Is there a person to ask?"""
    return sys.stdin.isatty() and console.is_terminal


def say(line: str) -> None:
    """One line, unbroken."""
    console.print(safe(line), soft_wrap=True)
    sys.stdout.flush()


def say_written(count: int, what: str, file: Path) -> None:
    """How much was written where."""
    console.print(f"{count:,} {what} in {safe(str(file))}", soft_wrap=True)
