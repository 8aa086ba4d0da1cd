"""Several teachers of one run: who is asked which problem, and who writes the strategy.

Guaranteed: the first teacher alone drafts, reflects, proposes and distils, so that a strategy has one
author; all teachers solve. "round_robin": the problems of a split go to one teacher after the other, in an
order drawn from their ids, and each further try at a problem to the next teacher. "vote": every teacher is
asked every problem, and what the verdicts accept counts. The same problem goes to the same teacher in a
resumed or replayed run. Not guaranteed: that a share of a round is even; that of a whole split is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from agents.graded import Graded
from agents.teacher import Teacher
from records.config import Teaching
from records.nouns import Attempt, Edit, Problem, Reflection, Strategy, content_hash
from records.splits import added_in

WAYS = {
    "round_robin": "each problem goes to one of them in turn",
    "vote": "each is asked every problem, and the verdicts decide",
}


def _turn(problem_id: str) -> tuple[int, str]:
    return added_in(problem_id), content_hash(problem_id)


class TeacherPanel:
    """A teacher made of at least two that are language models."""

    is_language_model = True

    def __init__(
        self, members: Sequence[Teacher], teaching: Teaching, problems: Callable[[], Iterable[Problem]]
    ) -> None:
        """`problems` gives all problems of the run, once there are some."""
        self.members, self.teaching = tuple(members), teaching
        self.spec = ", ".join(member.spec for member in members)
        self.writer = members[0].spec
        self.description = f"language models {self.spec} ({WAYS[teaching]}; {self.writer} wrote the strategy)"
        self._problems = problems
        self._places: dict[str, int] = {}

    @property
    def note(self) -> str:
        """What went wrong with the first teacher's last writing."""
        return self.members[0].note

    def asked(self, problem: Problem, sample: int = 0) -> Sequence[Teacher]:
        """All teachers, or the one whose turn it is."""
        if self.teaching == "vote":
            return self.members
        return (self.members[(self._place(problem) + sample) % len(self.members)],)

    def _place(self, problem: Problem) -> int:
        """The problem's place among those of its split; problems that come later take places after the others."""
        if problem.id not in self._places:
            splits: dict[str, list[str]] = {}
            for known in self._problems():
                splits.setdefault(known.split, []).append(known.id)
            for ids in splits.values():
                self._places.update({one: place for place, one in enumerate(sorted(ids, key=_turn))})
        return self._places[problem.id]

    async def draft(self, examples: Sequence[Problem] = ()) -> Strategy:
        """By the first teacher. Raises as its own."""
        return await self.members[0].draft(examples)

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
        """By the first of those who are `asked`."""
        voice = self.asked(problem, sample)[0]
        return await voice.solve(problem, strategy, stage=stage, arm=arm, sample=sample, round=round)

    async def reflect(
        self, graded: Sequence[Graded], strategy: Strategy, rejected: Sequence[Reflection], round: int
    ) -> str:
        """By the first teacher, about the attempts of all."""
        return await self.members[0].reflect(graded, strategy, rejected, round)

    async def propose(
        self,
        journal: str,
        graded: Sequence[Graded],
        strategy: Strategy,
        rejected: Sequence[Reflection],
        round: int,
    ) -> tuple[Edit, ...]:
        """By the first teacher."""
        return await self.members[0].propose(journal, graded, strategy, rejected, round)

    async def distill(self, strategy: Strategy, reflections: Sequence[Reflection]) -> Strategy:
        """By the first teacher."""
        return await self.members[0].distill(strategy, reflections)
