"""Who teaches: the protocol, and what every teacher is given to read.

Guaranteed: a teacher reflects on train problems only; `require_train` raises SplitViolation
otherwise, before anything is shown to a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from records.nouns import Attempt, Edit, Judgement, Problem, Record, Reflection, Strategy
from records.splits import SplitViolation


class TeacherError(Exception):
    """The teacher could not write the first strategy; the message says why and what to do."""


class Graded(Record):
    """One attempt with its problem and what the verifier said of it."""

    problem: Problem
    attempt: Attempt
    judgement: Judgement


class Teacher(Protocol):
    """Solves problems and writes about what it saw. `note` says what went wrong with its last
    reflection, proposal or distillation ("" if nothing did)."""

    spec: str
    is_language_model: bool
    description: str
    note: str

    async def draft(self, examples: Sequence[Problem] = ()) -> Strategy:
        """A strategy written without having seen a result; `examples` (train) show what the task is."""
        ...

    async def solve(
        self,
        problem: Problem,
        strategy: Strategy | None,
        *,
        stage: str,
        arm: str,
        sample: int = 0,
        round: int | None = None,
    ) -> Attempt:
        """One reply to the problem, with the strategy as context if there is one."""
        ...

    async def reflect(
        self, graded: Sequence[Graded], strategy: Strategy, rejected: Sequence[Reflection], round: int
    ) -> str:
        """The journal of one round: what the contrast between the attempts teaches."""
        ...

    async def propose(
        self,
        journal: str,
        graded: Sequence[Graded],
        strategy: Strategy,
        rejected: Sequence[Reflection],
        round: int,
    ) -> tuple[Edit, ...]:
        """At most four edits of the strategy; none if the teacher has nothing usable to propose."""
        ...

    async def distill(self, strategy: Strategy, reflections: Sequence[Reflection]) -> Strategy:
        """The strategy tidied into portable wording; the same one if that fails."""
        ...


def require_train(problems: Sequence[Problem]) -> None:
    """Raise SplitViolation if a problem is not of the train split."""
    for problem in problems:
        if problem.split != "train":
            raise SplitViolation(f"a teacher may learn from train problems only; {problem.id} is of '{problem.split}'")
