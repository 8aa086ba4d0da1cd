"""Progress of a run: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from console.text import plain, safe

PLAIN_INTERVAL = 30.0  # seconds between lines of one stage, off a terminal


class TerminalEvents:
    """Bars with counts and elapsed time; a finished stage leaves one line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[cost]}"),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._name = ""
        self._started = 0.0
        self._cost = ""

    def stage(self, name: str, total: int | None = None) -> None:
        """Finish the line of the last stage and begin a new one, or enlarge the one of that name that is going on."""
        if total and name == self._name and self._task is not None and (left := self._going_on()):
            self._progress.update(self._task, total=left + total)
            return
        self.close()
        self._name, self._started = name, time.monotonic()
        self._progress.start()
        self._task = self._progress.add_task(safe(name), total=total, note="", cost=self._cost)

    def _going_on(self) -> int:
        """Steps of the current stage, 0 if it has done them all."""
        task = self._progress.tasks[-1]
        return int(task.total) if task.total and task.completed < task.total else 0

    def stage_total(self, total: int) -> None:
        """Now the bar has an end."""
        if self._task is not None:
            self._progress.update(self._task, total=total)

    def advance(self, count: int = 1, note: str = "") -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, advance=count, note=safe(note))

    def cost(self, text: str) -> None:
        """Beside the time."""
        self._cost = safe(text)
        if self._task is not None:
            self._progress.update(self._task, cost=self._cost)

    def info(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(f"  [dim]{safe(text)}[/dim]", highlight=False)

    def close(self) -> None:
        """Leave one line for the stage that ends."""
        if self._task is None:
            return
        task = self._progress.tasks[-1]
        count = f"  {int(task.completed)}/{int(task.total)}" if task.total else ""
        self._progress.stop()
        self._progress.remove_task(self._task)
        self._task = None
        seconds = time.monotonic() - self._started
        cost = f"  {self._cost}" if self._cost else ""
        line = f"[green]✓[/green] {safe(self._name)}{count}  [dim]{seconds:.1f} s[/dim]{cost}"
        self._console.print(line, highlight=False)


class PlainEvents:
    """One line when a stage begins, one now and then, one when it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._name = ""
        self._total: int | None = None
        self._done = 0
        self._cost = ""
        self._started = self._said = time.monotonic()

    def stage(self, name: str, total: int | None = None) -> None:
        """End the last stage and begin a new one, or enlarge the one of that name that is going on."""
        if total and name == self._name and self._total and self._done < self._total:
            self._total += total
            return
        self.close()
        self._name, self._total, self._done = name, total, 0
        self._started = self._said = time.monotonic()
        self._line(f"{name}{f' ({total})' if total else ''} …")

    def stage_total(self, total: int) -> None:
        """Remember the end."""
        self._total = total

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count, and say so when it takes long."""
        self._done += count
        if time.monotonic() - self._said > PLAIN_INTERVAL:
            self._said = time.monotonic()
            self._line(f"  {self._counts()} after {self._seconds()} {note}".rstrip() + self._so_far())

    def cost(self, text: str) -> None:
        """Said with the next line of the stage."""
        self._cost = text

    def info(self, text: str) -> None:
        """One line."""
        self._line(f"  {text}")

    def close(self) -> None:
        """Say how long the stage took."""
        if self._name:
            self._line(f"  done: {self._counts()} {self._seconds()}".replace(":  ", ": ") + self._so_far())
            self._name = ""

    def _so_far(self) -> str:
        return f", {self._cost} so far" if self._cost else ""

    def _counts(self) -> str:
        return f"{self._done}/{self._total}" if self._total else ""

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._started:.1f} s"

    def _line(self, text: str) -> None:
        self._console.print(plain(text), highlight=False, markup=False, soft_wrap=True)


def make_events(console: Console) -> TerminalEvents | PlainEvents:
    """Bars if the console is a terminal."""
    return TerminalEvents(console) if console.is_terminal else PlainEvents(console)
