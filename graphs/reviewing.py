"""From a row of the inbox to the answer that the interrupt is resumed with.

Guaranteed: whoever decides, at this terminal or elsewhere, the answer is the row of the inbox that stands,
so a run that was killed between the decision and its effect goes on with the same decision. Not guaranteed:
that somebody decides; without `wait` the run stops and can be resumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from langgraph.types import Interrupt

from graphs.approval import Answer
from graphs.context import Events
from graphs.inbox import (
    AlreadyDecided,
    DecisionRow,
    PendingDecision,
    announce,
    decision_about,
    now,
    submit_decision,
    withdraw,
)
from records.rundir import RunDirectory

Reviewer = Callable[[RunDirectory, dict[str, Any]], Answer | None]
POLL_S = 0.5  # seconds between two looks into the inbox


async def decided_answer(
    run: RunDirectory, interrupt: Interrupt, reviewer: Reviewer | None, events: Events, *, wait: bool = False
) -> Answer | None:
    """The answer about an interrupt: from the inbox, from the reviewer, or with `wait` from the inbox later.

    None if nobody has decided. Raises DecisionRefused if the reviewer's answer cannot be taken.
    """
    pending = announce(run, interrupt.id, interrupt.value)
    row = decision_about(run.path, pending.interrupt_id) or _asked(run, pending, reviewer, events)
    if row is None and wait:
        events.info(f"waiting for a decision from elsewhere: python -m graphs.transfer approve {run.id}")
    while row is None and wait:
        await asyncio.sleep(POLL_S)
        row = decision_about(run.path, pending.interrupt_id)
    if row is None:
        return None
    withdraw(run)
    return answer_of(row)


def _asked(
    run: RunDirectory, pending: PendingDecision, reviewer: Reviewer | None, events: Events
) -> DecisionRow | None:
    """What stands after the reviewer was asked; it may be the decision of somebody who was faster."""
    answer = reviewer(run, pending.payload) if reviewer else None
    if answer is None:
        return decision_about(run.path, pending.interrupt_id)
    told = submit_decision(run.path, row_of(answer, pending.interrupt_id))
    if isinstance(told, AlreadyDecided):
        events.info(f"{told.row.who} decided first, at {told.row.time}: {told.row.action}; this answer is not used")
    return told.row


def row_of(answer: Answer, interrupt_id: str) -> DecisionRow:
    """The answer as a row of the inbox."""
    edit = answer.action == "edit"
    return DecisionRow(
        interrupt_id=interrupt_id,
        strategy_hash=answer.strategy_hash,
        action=answer.action,
        who=answer.who,
        text=(answer.text or "") if edit else answer.reason,
        reason=answer.reason if edit else "",
        time=answer.time or now(),
    )


def answer_of(row: DecisionRow) -> Answer:
    """The row as the interrupt's response."""
    edit = row.action == "edit"
    return Answer(
        action=row.action,
        strategy_hash=row.strategy_hash,
        who=row.who,
        reason=row.reason if edit else row.text,
        text=row.text if edit else None,
        time=row.time,
    )
