"""Which tiers this machine offers."""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor

from sandbox.docker_tier import DockerTier
from sandbox.jail_tier import JailTier
from sandbox.nouns import TierUnavailable, WorkerLost
from tests.needs import skip, tier_need

TIERS = ("jail", "docker")


@functools.cache
def problem_with(tier: str) -> str | None:
    """Why a tier cannot be tested here; None if it can."""
    kind = {"docker": DockerTier, "jail": JailTier}[tier]
    try:
        with ThreadPoolExecutor(1) as pool:  # a loop of its own: tests that ask are in one already
            pool.submit(lambda: asyncio.run(kind().prepare())).result()
    except (TierUnavailable, WorkerLost) as problem:
        return f"{tier}: {problem}"
    return None


def require_tier(tier: str) -> str:
    """The tier's name; skips the test where it cannot be used."""
    problem = problem_with(tier)
    if problem is not None:
        skip(tier_need(problem))
    return tier


def require_some_tier() -> None:
    """Skips the test where neither tier can be used: the program itself stops there and says how to mend it."""
    problems = [problem_with(tier) for tier in TIERS]
    if all(problems):
        skip(tier_need("; ".join(str(problem) for problem in problems)))
