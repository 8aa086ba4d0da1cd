"""The walls around Lean: elaboration runs code, so a proof is a program.

bubblewrap: new user, pid, mount, net, ipc and uts namespaces, nothing of the host but the toolchain and the system's
libraries, all of it read-only, a small /tmp, an empty environment, no capabilities; limits on
memory (RLIMIT_DATA), files and core dumps. All of it ends with the process that started it.
Guaranteed: without bubblewrap nothing is started. Not guaranteed: a limit on all processes
together; the deadline and the pid namespace end what forks.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from sandbox.lean_backends import LeanBackend
from sandbox.nouns import SandboxError

_SYSTEM = ("/usr", "/lib", "/lib64", "/bin")
_LIMITS = (
    'ulimit -c 0; ulimit -f "$1"; ulimit -d "$2"; ulimit -s "$3" 2>/dev/null || ulimit -s unlimited; shift 3; exec "$@"'
)
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}
_STACK_KB = 65_532
_TMP_MB = 16
_BLOCKS = 64 << 11  # of 512 bytes: the largest file where one may be written


def walled(backend: LeanBackend, command: tuple[str, ...], writable: Mapping[str, str] | None = None) -> list[str]:
    """The command behind its walls; files may be written only in `writable` (place inside -> folder on the host).

    Raises SandboxError where bubblewrap is not installed.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxError(
            "Lean runs a proof's code while it elaborates it, and bubblewrap, which builds the walls for that, is not "
            "installed. Install it (apt install bubblewrap); nothing is judged without it"
        )
    walls = [bwrap, "--unshare-all", "--uid", "65534", "--gid", "65534", "--die-with-parent", "--new-session"]
    walls += ["--cap-drop", "ALL", "--hostname", "sandbox", "--proc", "/proc", "--dev", "/dev", *_system()]
    walls += ["--size", str(_TMP_MB << 20), "--tmpfs", "/tmp", "--dir", "/home", *_binds(backend.binds)]
    for inside, path in (writable or {}).items():
        walls += ["--bind", path, inside]
    walls += ["--chdir", "/tmp", "--clearenv"]
    for name, value in (_ENVIRONMENT | dict(backend.environment)).items():
        walls += ["--setenv", name, value]
    blocks = str(_BLOCKS if writable else 0)
    limits = ["/bin/sh", "-c", _LIMITS, "lean", blocks, str(backend.memory_mb << 10), str(_STACK_KB)]
    return [*walls, "--", *limits, *command]


def _system() -> list[str]:
    """The system's own programs and libraries; on most systems three of the four are links into /usr."""
    parts = []
    for name in _SYSTEM:
        place = Path(name)
        if place.is_symlink():
            parts += ["--symlink", os.readlink(place), name]
        elif place.is_dir():
            parts += ["--ro-bind", name, name]
    return parts


def _binds(binds: Mapping[str, str]) -> list[str]:
    return [part for inside, path in sorted(binds.items()) for part in ("--ro-bind", path, inside)]
