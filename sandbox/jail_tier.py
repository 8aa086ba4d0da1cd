"""The tier without an engine: Linux namespaces around a private, read-only root.

bubblewrap builds the walls where it is installed, `unshare` and a small launcher of ours elsewhere.
Both give new user (for an ordinary user), pid, mount, net, ipc and uts namespaces.
Guaranteed: like docker's tier, as far as the attestation checks at every start of a worker.
Not guaranteed: a cgroup. Where none can be made, the worker adds up memory itself (a 20 ms watch).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from sandbox import image
from sandbox.nouns import TierUnavailable
from sandbox.tier import MEMORY_MB, PIDS, TMP_MB, environment, is_dead, owner, run, worker_command

_PREFIX = "linguistic-transfer."
_V1 = Path("/sys/fs/cgroup/memory")
_ENTER = 'for d in $1; do echo $$ > "$d/cgroup.procs" || exit 125; done; shift; exec "$@"'


class JailTier:
    """Workers behind namespaces."""

    name = "jail"

    def __init__(self, builder: str | None = None) -> None:
        """`builder` is "bwrap" or "unshare"; None takes bwrap if it is installed."""
        self.builder = builder or ("bwrap" if shutil.which("bwrap") else "unshare")
        self.image = self.about = ""
        self.root = Path()
        self.cgroups: list[Path] = []  # parents under which a worker's own groups are made

    async def prepare(self) -> None:
        """Unpack the file system, try the walls once. Raises TierUnavailable."""
        if not sys.platform.startswith("linux"):
            raise TierUnavailable("the jail needs Linux")
        self.root, digest = await asyncio.to_thread(image.root_directory)
        self.image = f"sha256:{digest}"
        self.cgroups = _writable_cgroups()
        _sweep_cgroups(self.cgroups)
        groups = {0: "no cgroup (memory is watched every 20 ms)", 1: "cgroup v2", 2: "cgroup v1"}[len(self.cgroups)]
        self.about = f"{self.builder}, {groups}, image {self.image[:19]} made from this Python"
        try:
            trial = [*self._walls(None), image.PYTHON, "-I", "-S", "-c", "pass"]
            code, _, problem = await run(*trial, timeout_s=20, env=environment())
        except OSError as error:
            raise TierUnavailable(f"{self.builder} cannot be started: {error}. Install bubblewrap") from None
        if code != 0:
            raise TierUnavailable(
                f"{self.builder} cannot make namespaces: {problem.strip()[:300] or f'exit status {code}'}. "
                "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces>0, "
                "kernel.apparmor_restrict_unprivileged_userns=0), or run as root"
            )

    async def start(self, slot: int, serial: int) -> asyncio.subprocess.Process:
        """Start a worker, in its own cgroups where they can be made."""
        groups = [self._make_group(parent, slot, serial) for parent in self.cgroups]
        command = [*self._walls(groups[0] if groups else None), *worker_command(slot, watch_memory=not groups)]
        if groups:
            command = ["/bin/sh", "-c", _ENTER, "jail", " ".join(map(str, groups)), *command]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(), start_new_session=True, limit=1 << 20
        )

    async def stop(self, process: asyncio.subprocess.Process, slot: int, serial: int) -> None:
        """Kill the walls; the kernel kills what is in the pid namespace with them."""
        if process.returncode is None:
            process.kill()
        await process.wait()
        for parent in self.cgroups:
            await _remove_group(parent / self._group_name(slot, serial))

    async def close(self) -> None:
        """Nothing outlives the workers."""

    def _group_name(self, slot: int, serial: int) -> str:
        return f"{_PREFIX}{owner()}.{id(self):x}.{slot}.{serial}"

    def _make_group(self, parent: Path, slot: int, serial: int) -> Path:
        group = parent / self._group_name(slot, serial)
        group.mkdir()
        for name, value in _group_limits(group).items():
            if (group / name).exists():
                (group / name).write_text(value)
        return group

    def _walls(self, group: Path | None) -> list[str]:
        if self.builder == "bwrap":
            return self._bubblewrap(group)
        return [sys.executable, "-I", "-S", str(image.HERE / "launcher.py"), str(self.root), str(group or "")]

    def _bubblewrap(self, group: Path | None) -> list[str]:
        command = [
            shutil.which("bwrap") or "bwrap",
            "--unshare-pid",
            "--unshare-net",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup-try",
        ]
        if os.getuid() != 0:
            command += ["--unshare-user", "--uid", "0", "--gid", "0"]
        command += ["--as-pid-1", "--die-with-parent", "--new-session", "--hostname", "sandbox"]
        command += ["--ro-bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev"]
        command += ["--size", str(TMP_MB << 20), "--tmpfs", "/tmp", "--tmpfs", "/run", "--chdir", "/"]
        if group:
            command += ["--ro-bind", str(group), "/run/cgroup"]
        command += ["--remount-ro", "/run", "--remount-ro", "/dev", "--cap-drop", "ALL"]
        for capability in ("SETUID", "SETGID", "KILL", "DAC_OVERRIDE", "SETPCAP", "SYS_ADMIN", "SYS_RESOURCE"):
            command += ["--cap-add", f"CAP_{capability}"]
        command.append("--clearenv")
        for name, value in environment().items():
            command += ["--setenv", name, value]
        return [*command, "--"]


def _group_limits(group: Path) -> dict[str, str]:
    memory = str(MEMORY_MB << 20)
    if _V1 in group.parents:
        return {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory}
    if Path("/sys/fs/cgroup/pids") in group.parents:
        return {"pids.max": str(PIDS)}
    return {"memory.max": memory, "memory.swap.max": "0", "memory.oom.group": "0", "pids.max": str(PIDS)}


def _writable_cgroups() -> list[Path]:
    """Where groups can be made: v1 memory and pids, or our own v2 group; [] for an ordinary user."""
    if _V1.is_dir():
        parents = [_V1, Path("/sys/fs/cgroup/pids")]
        return parents if all(os.access(parent, os.W_OK) for parent in parents) else []
    parent = Path("/sys/fs/cgroup")
    try:
        controllers = (parent / "cgroup.subtree_control").read_text().split()
    except OSError:
        return []
    usable = {"memory", "pids"} <= set(controllers) and os.access(parent, os.W_OK) and os.getuid() == 0
    return [parent] if usable else []


def _sweep_cgroups(parents: list[Path]) -> None:
    for parent in parents:
        for group in parent.glob(f"{_PREFIX}*"):
            if is_dead(group.name.removeprefix(_PREFIX).partition(".")[0]):
                try:
                    group.rmdir()
                except OSError:  # still has processes: its owner's workers are just ending
                    continue


async def _remove_group(group: Path) -> None:
    for _ in range(50):
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # the last process is still being reaped
            await asyncio.sleep(0.01)
        else:
            return
