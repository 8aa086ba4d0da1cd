"""The default tier: one hardened container per slot, reached by the attach stream of the docker CLI.

Guaranteed: no network, read-only root, no capability but the worker's four, no new privileges,
memory without swap, a bounded and non-executable /tmp, no log on the host. The image is made here,
offline, from the running Python, or from a base image that is named by its digest; either way it is
identified by its own digest.
Not guaranteed: more than the engine's isolation. Containers share the host's kernel, unless the
engine has the gVisor runtime `runsc`, which is then used.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from sandbox import image
from sandbox.nouns import TierUnavailable, WorkerLost
from sandbox.tier import (
    ENVIRONMENT,
    MEMORY_MB,
    PIDS,
    TMP_INODES,
    TMP_MB,
    environment,
    is_dead,
    owner,
    run,
    worker_command,
)

BASE_PYTHON = "python3"  # found on PATH inside a base image
_BASE_ENVIRONMENT = ENVIRONMENT | {"PATH": "/usr/local/bin:/usr/bin:/bin:/python/bin"}
REPOSITORY = "linguistic-transfer-sandbox"
LABEL = "linguistic-transfer.owner"
_PARTING_S = 5.0  # that a client gets to end by itself
_ANSWER_S = 15.0


class DockerTier:
    """Workers in containers."""

    name = "docker"

    def __init__(self, base: str | None = None) -> None:
        """`base` is an image with Python, named by digest; None makes one from the running Python."""
        self.base = base
        self.image = self.about = ""
        self.runtime: str | None = None
        self.owner = owner()

    async def prepare(self) -> None:
        """Find the engine, sweep dead owners' containers, build the image once. Raises TierUnavailable."""
        if shutil.which("docker") is None:
            raise TierUnavailable("the docker command is not installed. Install Docker, or use the jail")
        facts = await _engine()
        self.runtime = _runtime(facts)
        await self._sweep()
        self.image = await self._image()
        origin = f"from {self.base}" if self.base else "made from this Python"
        self.about = (
            f"Engine {facts['ServerVersion']}, runtime {self.runtime or facts.get('DefaultRuntime', 'unknown')}, "
            f"cgroup v{facts.get('CgroupVersion', '1')}, image {self.image[:19]} {origin}"
        )

    async def start(self, slot: int, serial: int) -> asyncio.subprocess.Process:
        """Start a container and attach to it."""
        pipe = asyncio.subprocess.PIPE
        python = BASE_PYTHON if self.base else image.PYTHON
        program, *arguments = worker_command(slot, False, python)
        command = ["docker", "run", *self._flags(slot, serial), "--entrypoint", program, self.image, *arguments]
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
            await _ended(process)

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
        for name, value in (_BASE_ENVIRONMENT if self.base else environment()).items():
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
        tag = f"{REPOSITORY}:{_base_key(self.base) if self.base else image.key()}"
        found = await _inspect(tag)
        if found is None:
            await (_derive(self.base, tag) if self.base else asyncio.to_thread(_import_once, tag))
            found = await _inspect(tag)
        if found is None:
            raise TierUnavailable(f"the engine does not keep the imported image {tag}. See: docker images")
        return found


async def _ended(client: asyncio.subprocess.Process) -> None:
    """Wait for a client to end with its container; killed at that very moment it is reaped twice, with a warning."""
    try:
        await asyncio.wait_for(client.wait(), _PARTING_S)
    except TimeoutError:
        client.kill()
        await client.wait()


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
        old = ["--filter", f"label={REPOSITORY}.sha256", "--filter", "until=168h"]  # of earlier versions, unused
        subprocess.run(["docker", "image", "prune", "--all", "--force", *old], capture_output=True, check=False)


def _base_key(base: str) -> str:
    """Tag for a base image with our worker in it. Raises TierUnavailable for a name without a digest."""
    if re.fullmatch(r"([\w.:/-]+@)?sha256:[0-9a-f]{64}", base) is None:
        raise TierUnavailable(
            f"the image {base!r} is not named by its digest, so it could change between two runs. "
            "Give it as NAME@sha256:…; docker images --digests lists them"
        )
    digest = hashlib.sha256(f"{image.LAYOUT} {base}".encode())
    for name in image.OURS:
        digest.update((image.HERE / name).read_bytes())
    return f"base-{digest.hexdigest()[:16]}"


async def _derive(base: str, tag: str) -> None:
    """The base image with our worker in /sandbox. Raises TierUnavailable."""
    if await _inspect(base) is None:
        await _docker("pull", "--quiet", base)
    container = (await _docker("create", "--network", "none", "--entrypoint", BASE_PYTHON, base, "--version")).strip()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "sandbox"
            folder.mkdir(mode=0o755)
            for name in image.OURS:
                shutil.copy(image.HERE / name, folder)
            await _docker("cp", os.fspath(folder), f"{container}:/sandbox")
        await _docker("commit", "--change", f"LABEL {REPOSITORY}.base={base}", container, tag)
    finally:
        await run("docker", "rm", "--force", "--volumes", container)


async def _docker(*command: str) -> str:
    """Output of a docker command that must work. Raises TierUnavailable."""
    code, out, problem = await run("docker", *command, timeout_s=600)
    if code != 0:
        raise TierUnavailable(f"docker {command[0]} failed: {' '.join(problem.split())[:300]}")
    return out
