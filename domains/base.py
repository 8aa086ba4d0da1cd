"""What a domain is. A new one is one file that satisfies `Domain`.

A verifier tests itself before any model is called: `self_check` judges each family's reference
(must pass) and a spoiled one (must fail).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from records.config import RunConfig, Sizes
from records.nouns import Judgement, Problem


class DomainError(Exception):
    """Bad problems or a verifier that fails its own check; the message says what to do."""


class Verifier(Protocol):
    """Judges replies. Safe to call from many tasks at once; never raises for a bad reply."""

    @property
    def tier(self) -> str | None:
        """Name of the sandbox tier that judges, None where nothing is executed."""
        ...

    async def judge(self, problem: Problem, reply: str) -> Judgement:
        """Judge one reply. `ungraded` if it could not be judged, `unparsed` if it has no answer."""
        ...


class NoVerifier:
    """For a domain in which no program can judge: a run needs a judge of measured agreement in its place."""

    tier: str | None = None

    async def judge(self, problem: Problem, reply: str) -> Judgement:
        """Nothing can be said."""
        return Judgement(outcome="ungraded", kind="no_verifier", evidence="the domain has no verifier")


class Domain(Protocol):
    """A capability that can be learned."""

    name: str
    classes: tuple[str, ...]  # answer classes, () where the answer is not a class
    reply_tokens: int  # decoding budget for one reply
    placebo: str  # name of the domain whose seed strategy serves as placebo

    def profile(self, name: str) -> Mapping[str, Any]:
        """Overrides of RunConfig's defaults for profile "quick" or "full"."""
        ...

    def load(self, source: str | None, sizes: Sizes, seed: int) -> list[Problem]:
        """Problems of all four splits, disjoint by content_hash, classes balanced where there are
        classes. `source` is None (generator), a JSONL path, or a name that the domain knows.
        Raises DomainError naming file, line and field."""
        ...

    def verifier(self, config: RunConfig) -> AbstractAsyncContextManager[Verifier]:
        """Open the verifier (a sandbox, where code is run)."""
        ...

    def spoil(self, problem: Problem, rng: random.Random) -> str:
        """A plausible reply to the problem that is wrong by its construction (for the oracle's mistakes).

        Nothing is run to see it: the problem may come from somebody else's file. A domain with more plausible
        mistakes, which may happen to be right, offers them beside this one (`domains.spoiling.Mistaken`)."""
        ...
