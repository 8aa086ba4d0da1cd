"""Who may open which split. The reflector and the gate cannot reach `test` or `ood`.

The validation split has two halves with no problem in common: the gate decides on the first, the
zero-shot test on other models is made on the second, so that the evidence shown to the person
who approves was never used for selection.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from records.nouns import Problem, Split

Role = Literal["reflector", "curator", "gate", "validator", "evaluator"]

_ALLOWED: dict[Role, tuple[Split, ...]] = {
    "reflector": ("train",),
    "curator": ("train",),
    "gate": ("validation",),
    "validator": ("validation",),
    "evaluator": ("test", "ood"),
}


class SplitViolation(Exception):
    """A role asked for problems that it must not see."""


class ProblemSet:
    """The problems of a run, handed out by role."""

    def __init__(self, problems: Sequence[Problem], gate_items: int) -> None:
        self._splits: dict[str, list[Problem]] = defaultdict(list)
        self._by_id = {problem.id: problem for problem in problems}
        self._gate_items = gate_items
        for problem in problems:
            self._splits[problem.split].append(problem)

    def open(self, split: Split, role: Role) -> list[Problem]:
        """Problems of a split. Raises SplitViolation if the role may not see them."""
        if split not in _ALLOWED[role]:
            allowed = ", ".join(_ALLOWED[role])
            raise SplitViolation(f"the {role} may open {allowed}, not '{split}'")
        problems = self._splits[split]
        if role == "gate":
            return problems[: self._gate_items]
        if role == "validator":
            return problems[self._gate_items :]
        return list(problems)

    def get(self, problem_id: str, role: Role) -> Problem:
        """One problem by id, under the same rule as `open`."""
        problem = self._by_id[problem_id]
        if problem not in self.open(problem.split, role):
            raise SplitViolation(f"the {role} may not open {problem_id}")
        return problem

    def sizes(self) -> dict[str, int]:
        """Number of problems per split."""
        return {name: len(problems) for name, problems in self._splits.items()}
