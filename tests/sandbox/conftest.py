"""Which tiers this machine offers."""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor

from sandbox.docker_tier import DockerTier
from sandbox.jail_tier import JailTier
from sandbox.nouns import TierUnavailable, WorkerLost

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
