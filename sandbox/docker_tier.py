"""The default tier: one hardened container per slot, reached by the attach stream of the docker CLI.

Guaranteed: no network, read-only root, no capability but the worker's four, no new privileges,
memory without swap, a bounded and non-executable /tmp, no log on the host; the image is made here,
offline, from the running Python, and identified by its digest.
Not guaranteed: more than the engine's isolation. Containers share the host's kernel, unless the
engine has the gVisor runtime `runsc`, which is then used.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sandbox import image
from sandbox.nouns import TierUnavailable, WorkerLost
from sandbox.tier import MEMORY_MB, PIDS, TMP_INODES, TMP_MB, environment, is_dead, owner, run, worker_command

REPOSITORY = "linguistic-transfer-sandbox"
LABEL = "linguistic-transfer.owner"
_ANSWER_S = 15.0


class DockerTier:
    """Workers in containers."""

    name = "docker"

    def __init__(self) -> None:
        self.image = ""
        self.runtime: str | None = None
        self.owner = owner()

    async def prepare(self) -> None:
        """Find the engine, sweep dead owners' containers, build the image once. Raises TierUnavailable."""
        if shutil.which("docker") is None:
            raise TierUnavailable("the docker command is not installed. Install Docker, or use the jail")
        self.runtime = _runtime(await _engine())
        await self._sweep()
        self.image = await self._image()

    async def start(self, slot: int, serial: int) -> asyncio.subprocess.Process:
        """Start a container and attach to it."""
        pipe = asyncio.subprocess.PIPE
        command = ["docker", "run", *self._flags(slot, serial), self.image, *worker_command(slot, watch_memory=False)]
        return await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, limit=1 << 20
        )

    async def stop(self, process: asyncio.subprocess.Process, slot: int, serial: int) -> None:
        """Remove the container, then the client. A client that is killed alone would leave an orphan."""
        try:
            await run("docker", "rm", "--force", "--volumes", self._container(slot, serial), timeout_s=30)
        except WorkerLost:
            pass  # the engine hangs: the container is labelled, the next start sweeps it
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def close(self) -> None:
        """Remove whatever of ours is still there, such as a container whose start was interrupted."""
        mine = f"{LABEL}={self.owner}.{id(self):x}"
        _, listing, _ = await run("docker", "ps", "--all", "--quiet", "--filter", f"label={mine}")
        if names := listing.split():
            await run("docker", "rm", "--force", "--volumes", *names)

    def _container(self, slot: int, serial: int) -> str:
        return f"sandbox-{self.owner}-{id(self):x}-{slot}-{serial}"

    def _flags(self, slot: int, serial: int) -> list[str]:
        flags = ["--interactive", "--rm", "--name", self._container(slot, serial), "--pull", "never"]
        flags += ["--label", f"{LABEL}={self.owner}.{id(self):x}", "--hostname", "sandbox", "--log-driver", "none"]
        flags += ["--network", "none", "--ipc", "none", "--read-only", "--workdir", "/", "--user", "0:0"]
        flags += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        for capability in ("SETUID", "SETGID", "KILL", "DAC_OVERRIDE"):
            flags += ["--cap-add", capability]
        tmp = f"/tmp:rw,noexec,nosuid,nodev,size={TMP_MB}m,nr_inodes={TMP_INODES},mode=0777"
        flags += ["--tmpfs", tmp, "--memory", f"{MEMORY_MB}m", "--memory-swap", f"{MEMORY_MB}m"]
        flags += ["--pids-limit", str(PIDS), "--cpus", "1", "--ulimit", "core=0", "--ulimit", "nofile=256"]
        for name, value in environment().items():
            flags += ["--env", f"{name}={value}"]
        return [*flags, "--runtime", self.runtime] if self.runtime else flags

    async def _sweep(self) -> None:
        """Remove the containers of owners that have died."""
        form = f'{{{{.ID}}}} {{{{.Label "{LABEL}"}}}}'
        _, listing, _ = await run("docker", "ps", "--all", "--filter", f"label={LABEL}", "--format", form)
        rows = (line.split() for line in listing.splitlines())
        dead = [row[0] for row in rows if len(row) == 2 and is_dead(row[1].partition(".")[0])]
        if dead:
            await run("docker", "rm", "--force", "--volumes", *dead)

    async def _image(self) -> str:
        """Id of the image for this Python and this worker, imported if the engine lacks it."""
        tag = f"{REPOSITORY}:{image.key()}"
        found = await _inspect(tag)
        if found is None:
            await asyncio.to_thread(_import_once, tag)
            found = await _inspect(tag)
        if found is None:
            raise TierUnavailable(f"the engine does not keep the imported image {tag}. See: docker images")
        return found


async def _engine() -> dict[str, Any]:
    try:
        code, out, problem = await run("docker", "info", "--format", "{{json .}}", timeout_s=_ANSWER_S)
    except WorkerLost as lost:
        raise TierUnavailable(f"{lost}. Restart the engine") from None
    facts: dict[str, Any] = json.loads(out) if out.startswith("{") else {}
    errors = facts.get("ServerErrors") or ([problem.strip()] if code else [])
    if errors or not facts.get("ServerVersion"):
        detail = " ".join("; ".join(errors).split())[:300] or "no answer"
        raise TierUnavailable(f"no engine answers ({detail}). Start it (systemctl start docker), join group docker")
    if facts.get("OSType") != "linux":
        raise TierUnavailable("the engine does not run Linux containers. Switch it to Linux containers")
    return facts


def _runtime(facts: dict[str, Any]) -> str | None:
    return "runsc" if "runsc" in (facts.get("Runtimes") or {}) else None


async def _inspect(tag: str) -> str | None:
    code, out, _ = await run("docker", "image", "inspect", "--format", "{{.Id}}", tag)
    return out.strip() if code == 0 else None


def _import_once(tag: str) -> None:
    """Build the tar and import it, one process at a time. Raises TierUnavailable."""
    import subprocess

    with image.building(), tempfile.TemporaryDirectory(dir=image.cache_home()) as scratch:
        if subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False).returncode == 0:
            return
        archive = Path(scratch) / "root.tar"
        digest = image.write_tar(archive)
        note = f"LABEL {REPOSITORY}.sha256={digest}"
        command = ["docker", "import", "--change", note, os.fspath(archive), tag]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        except subprocess.TimeoutExpired:
            raise TierUnavailable("docker import did not end in 300 s. Restart the engine") from None
        if done.returncode != 0:
            raise TierUnavailable(f"docker import failed: {done.stderr.strip()[:300]}")
