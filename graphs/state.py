"""State of the transfer graph: ids, hashes, counters and words; texts live in the run directory.

Everything is JSON-plain, so that another process can resume from a checkpoint.
"""

from __future__ import annotations

from typing import Annotated, Any, TypedDict


def merge_words(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Reducer: validators report independently; the later word for one validator wins."""
    return {**old, **new}


class TransferState(TypedDict, total=False):
    """What the nodes hand on to each other."""

    sizes: dict[str, int]  # problems per split
    round: int  # reflection rounds finished
    draft: str  # hash of the strategy that the teacher wrote without seeing any result
    current: str  # hash of the best strategy so far; greedy: after the last accepted edit
    parent: str  # hash of the strategy that this round edits
    pool: list[str]  # hashes of the strategies that were kept, the draft first
    candidate: str | None  # hash of the strategy that waits at the gate
    attempt_ids: list[str]  # the batch that is being reflected on
    rejected: list[str]  # ids of the reflections whose edits were not accepted
    candidates: list[str]  # hashes of the strategies that the loop kept, in its order
    loop_ended: int  # reflection rounds of the loop itself; later ones are further rounds
    focus: str | None  # the validator whose gain counts at the gate; None: that of the default model
    focused: list[str]  # validators that have had rounds of their own
    until: int  # reflection round at which those rounds end
    verdicts: Annotated[dict[str, str], merge_words]  # validator spec -> verdict word
    decision: dict[str, Any] | None  # the answer of the person (or rule), not yet carried out
    notice: str  # what a person is told who is asked: why again, or where the strategy comes from
    reviews: int  # times that a decision was asked for
    approved: str | None  # hash of the approved strategy
    arms: list[str]  # student arms of this run
    trained: list[str]  # "arm-seedN", finished
    evaluated: list[str]  # "arm-seedN", finished
    student_round: int  # trainings of the student begun, from 1
    failing: list[str]  # families that the student failed on, worst first


class ValidatorTask(TypedDict):
    """Private input of one validator's branch."""

    validator: str
    current: str
    draft: str
