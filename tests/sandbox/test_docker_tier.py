"""The end of a container's client."""

from __future__ import annotations

import asyncio
import signal

import pytest

from sandbox import docker_tier


async def client(seconds: float) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec("sleep", str(seconds))


async def test_a_client_that_ends_with_its_container_is_not_killed() -> None:
    process = await client(0.2)
    await docker_tier._ended(process)
    assert process.returncode == 0


async def test_a_client_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_tier, "_PARTING_S", 0.1)
    process = await client(600)
    await docker_tier._ended(process)
    assert process.returncode == -signal.SIGKILL
