"""How long each stage of a run took: two rows for every node of the graph, one when it begins and one when it ends.

Guaranteed: a node that ended, failed or was interrupted has its time, over all processes that worked on the run,
and so has the time that a person took to decide. Not guaranteed: the time of a node whose process was killed;
its row of the beginning stays alone.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from records.nouns import StageTime
from records.rundir import RunDirectory

FILE = "stage_times.jsonl"
STAGE_OF = {
    "prepare_splits": "splits",
    "student_baseline": "baseline",
    "teacher_baseline": "baseline",
    "draft_strategy": "lrl",
    "solve_batch": "lrl",
    "solve_again": "lrl",
    "try_again": "lrl",
    "reflect": "lrl",
    "merge": "lrl",
    "focus": "lrl",
    "gepa": "lrl",
    "distill": "lrl",
    "student_feedback": "lrl",
    "next_round": "lrl",
    "gate": "gate",
    "gate_again": "gate",
    "gate_edit": "gate",
    "confirm": "gate",
    "survey": "validation",
    "select": "validation",
    "prepare_validation": "validation",
    "validate": "validation",
    "collect_verdicts": "validation",
    "measure_source": "validation",
    "ablate": "validation",
    "other_domains": "validation",
    "review": "approval",
    "decide_by_rule": "approval",
    "carry_out": "approval",
    "curate": "curation",
    "train_arm": "training",
    "evaluate_arm": "evaluation",
    "report": "report",
}
HOLDS_OTHERS = ("learn", "reoptimise", "relearn")  # nodes whose own nodes are timed


class StageClock:
    """Writes the rows of one process."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._begun: dict[str, StageTime] = {}
        self._numbers = itertools.count()
        self._process = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"

    def hear(self, event: Mapping[str, Any]) -> None:
        """A task event of LangGraph: with `input` where a node begins, without it where it ends."""
        if event["name"] not in STAGE_OF:
            return
        if "input" in event:
            self._begun[event["id"]] = self.begin(STAGE_OF[event["name"]], event["name"])
        elif row := self._begun.pop(event["id"], None):
            self.end(row)

    def begin(self, stage: str, node: str) -> StageTime:
        """Write that a node begins."""
        name = f"{self._process}-{next(self._numbers)}"
        row = StageTime(id=f"{name}-begun", stage=stage, node=node, begun=_now())
        self._run.append(FILE, [row])
        return row

    def end(self, begun: StageTime) -> None:
        """Write that it has ended."""
        row = begun.model_copy(update={"id": begun.id.removesuffix("-begun"), "ended": _now()})
        self._run.append(FILE, [row])

    def close(self) -> None:
        """The process stops: what was under way ends here, with or without a result."""
        for row in self._begun.values():
            self.end(row)
        self._begun.clear()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def spans(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """(stage, begun, ended) of what has ended; rows of another shape are passed over."""
    for row in rows:
        stage, begun, ended = (row.get(name) for name in ("stage", "begun", "ended"))
        if isinstance(stage, str) and isinstance(begun, str) and isinstance(ended, str):
            yield stage, begun, ended


def under_way(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """(stage, begun) of the node that began last, if nothing has ended since; else None."""
    last = rows[-1] if rows else {}
    stage, begun = last.get("stage"), last.get("begun")
    if isinstance(stage, str) and isinstance(begun, str) and last.get("ended") is None:
        return stage, begun
    return None
