"""What every node of a run can reach: the run directory, the models, the domain, the progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agents.teacher import Teacher
from domains.base import Domain, Verifier
from evaluation.leakage import StrategyCheck
from models.gateway import Gateway
from records.config import RunConfig
from records.nouns import Attempt, Decision, Problem, Verdict
from records.rundir import RunDirectory
from records.splits import ProblemSet


class Events(Protocol):
    """Where progress is shown. Implementations must not raise."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A stage begins; `total` is the number of steps, None if unknown.

        Branches that run side by side begin the same stage: while it is going on, its total grows.
        """

    def stage_total(self, total: int) -> None:
        """The number of steps of the current stage has become known."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Steps of the current stage are finished."""

    def cost(self, text: str) -> None:
        """What the run has cost so far, for runs that cost money."""

    def info(self, text: str) -> None:
        """One line worth reading."""


class Silent:
    """Shows nothing."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Nothing is shown."""

    def stage_total(self, total: int) -> None:
        """Nothing is shown."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Nothing is shown."""

    def cost(self, text: str) -> None:
        """Nothing is shown."""

    def info(self, text: str) -> None:
        """Nothing is shown."""


@dataclass(frozen=True)
class Judged:
    """Attempts and their verdicts by id, in the order of their record."""

    attempts: dict[str, Attempt]
    verdicts: dict[str, Verdict]

    def add(self, attempt: Attempt, verdict: Verdict) -> None:
        """One that is on disk; what is there stays."""
        self.attempts.setdefault(attempt.id, attempt)
        self.verdicts.setdefault(verdict.id, verdict)


class StageError(Exception):
    """A stage could not finish. The run stays resumable; the message says what happened."""


@dataclass(kw_only=True)
class RunContext:
    """Clients and settings of one process that works on a run (LangGraph runtime context)."""

    run: RunDirectory
    config: RunConfig
    domain: Domain
    verifier: Verifier
    gateway: Gateway
    teacher: Teacher
    events: Events = field(default_factory=Silent)
    decided: Mapping[str, Decision] = field(default_factory=dict)  # in a replay, the source's decisions by id
    _problems: ProblemSet | None = None
    _leak_check: StrategyCheck | None = None
    _judged: Judged | None = None

    @property
    def problems(self) -> ProblemSet:
        """The run's problems, read once from problems.jsonl."""
        if self._problems is None:
            problems = self.run.read("problems.jsonl", Problem)
            self._problems = ProblemSet(problems, self.config.sizes.gate, self.config.feedback_items)
        return self._problems

    def add_problems(self, problems: Sequence[Problem]) -> None:
        """Add training problems to the run."""
        self.run.append("problems.jsonl", problems)
        self._problems = self._leak_check = None

    @property
    def judged(self) -> Judged:
        """The run's attempts and verdicts, read once; who records one adds it here."""
        if self._judged is None:
            attempts, verdicts = self.run.read("attempts.jsonl", Attempt), self.run.read("verdicts.jsonl", Verdict)
            self._judged = Judged({one.id: one for one in attempts}, {one.id: one for one in verdicts})
        return self._judged

    @property
    def leak_check(self) -> StrategyCheck:
        """Looks for held-out problems in strategies; built once, because it indexes them all."""
        if self._leak_check is None:
            self._leak_check = StrategyCheck(self.run.read("problems.jsonl", Problem))
        return self._leak_check

    @property
    def reply_tokens(self) -> int:
        """Decoding budget for one reply, in tokens."""
        return self.config.decoding.max_tokens or self.domain.reply_tokens
