"""The default tier: one hardened container per slot, reached by the attach stream of the docker CLI."""

from __future__ import annotations

import asyncio

from sandbox.nouns import TierUnavailable


class DockerTier:
    """Workers in containers."""

    name = "docker"
    image = ""

    async def prepare(self) -> None:
        raise TierUnavailable("not yet")

    async def start(self, slot: int, serial: int) -> asyncio.subprocess.Process:
        raise TierUnavailable("not yet")

    async def stop(self, process: asyncio.subprocess.Process, slot: int, serial: int) -> None:
        return

    async def close(self) -> None:
        return
