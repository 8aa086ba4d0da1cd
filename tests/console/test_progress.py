"""Progress is readable with and without a terminal."""

import io

import pytest
from rich.console import Console

from console.progress import PlainEvents, TerminalEvents, make_events


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)


@pytest.mark.parametrize("terminal", [True, False])
def test_stages_leave_name_count_and_time(terminal: bool) -> None:
    target = console(terminal)
    events = make_events(target)
    assert isinstance(events, TerminalEvents if terminal else PlainEvents)
    events.stage("Solving [b]", 3)
    events.advance(2)
    events.info("two \x1b[31m done")
    events.advance(1)
    events.stage("Report")
    events.close()
    printed = target.file.getvalue()  # type: ignore[attr-defined]
    assert "Solving [b]" in printed and "3/3" in printed and " s" in printed and "Report" in printed
    assert "\\x1b[31m done" in printed


def test_plain_lines_have_no_terminal_codes() -> None:
    target = console(False)
    events = PlainEvents(target)
    events.stage("Solving", 2)
    events.advance(2)
    events.close()
    assert "\x1b" not in target.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("terminal", [True, False])
def test_cost_stands_in_the_stage_line_of_runs_that_cost_money_only(terminal: bool) -> None:
    target = console(terminal)
    events = make_events(target)
    events.stage("Free", 1)
    events.close()
    events.cost("$0.0120 of $5.00")
    events.stage("Paid", 1)
    events.advance(1)
    events.cost("$0.0240 of $5.00")
    events.close()
    free, paid = target.file.getvalue().split("Paid", maxsplit=1)  # type: ignore[attr-defined]
    assert "$0.0240 of $5.00" in paid and "$0.0240" not in free


@pytest.mark.parametrize("terminal", [True, False])
def test_branches_that_begin_the_same_stage_share_its_line(terminal: bool) -> None:
    target = console(terminal)
    events = make_events(target)
    events.stage("Validation", 72)
    events.stage("Validation", 72)
    events.advance(144)
    events.stage("Validation", 10)  # all was done: this is another one
    events.advance(10)
    events.close()
    lines = target.file.getvalue()  # type: ignore[attr-defined]
    assert "144/144" in lines and "10/10" in lines and "72/72" not in lines and "144/72" not in lines
