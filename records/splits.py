"""Who may open which split. The reflector and the gate cannot reach `test` or `ood`.

The validation split has parts with no problem in common: the gate decides on the first, the
zero-shot test on other models is made on the second, so that the evidence shown to the person
who approves was never used for selection; where a student is trained several times, its failures on
the third, and on no other held-out problem, decide what the next round works on.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from records.nouns import Problem, Split

Role = Literal["reflector", "curator", "gate", "validator", "feedback", "evaluator"]

_ALLOWED: dict[Role, tuple[Split, ...]] = {
    "reflector": ("train",),
    "curator": ("train",),
    "gate": ("validation",),
    "validator": ("validation",),
    "feedback": ("validation",),
    "evaluator": ("test", "ood"),
}


_LATER = re.compile(r"-round(\d+)$")


def later_id(problem_id: str, number: int) -> str:
    """Id of a training problem that the student's round `number` adds to the run."""
    return f"{problem_id}-round{number}"


def added_in(problem_id: str) -> int:
    """The student's round in which a problem came into the run; 1 for those that it began with."""
    found = _LATER.search(problem_id)
    return int(found[1]) if found else 1


class SplitViolation(Exception):
    """A role asked for problems that it must not see."""


class ProblemSet:
    """The problems of a run, handed out by role."""

    def __init__(self, problems: Sequence[Problem], gate_items: int, feedback_items: int = 0) -> None:
        self._splits: dict[str, list[Problem]] = defaultdict(list)
        self._by_id = {problem.id: problem for problem in problems}
        self._gate_items = gate_items
        self._feedback_items = feedback_items
        self._places: dict[str, int] = {}  # of each problem in its split
        for problem in problems:
            self._places[problem.id] = len(self._splits[problem.split])
            self._splits[problem.split].append(problem)

    def open(self, split: Split, role: Role) -> list[Problem]:
        """Problems of a split. Raises SplitViolation if the role may not see them."""
        if split not in _ALLOWED[role]:
            allowed = ", ".join(_ALLOWED[role])
            raise SplitViolation(f"the {role} may open {allowed}, not '{split}'")
        problems = self._splits[split]
        if role == "gate":
            return problems[: self._gate_items]
        shown = max(self._gate_items, len(problems) - self._feedback_items)
        if role == "validator":
            return problems[self._gate_items : shown]
        if role == "feedback":
            return problems[shown:]
        return list(problems)

    def get(self, problem_id: str, role: Role) -> Problem:
        """One problem by id, under the same rule as `open`."""
        problem, place = self._by_id[problem_id], self._places[problem_id]
        shown = max(self._gate_items, len(self._splits[problem.split]) - self._feedback_items)
        parts: dict[Role, bool] = {
            "gate": place < self._gate_items,
            "validator": self._gate_items <= place < shown,
            "feedback": place >= shown,
        }
        if problem.split not in _ALLOWED[role] or not parts.get(role, True):
            raise SplitViolation(f"the {role} may not open {problem_id}")
        return problem

    def sizes(self) -> dict[str, int]:
        """Number of problems per split."""
        return {name: len(problems) for name, problems in self._splits.items()}
