"""SafeVerify (GasStationManager/SafeVerify) as a second opinion on what the judge calls proved.

It compares two compiled files: the trusted statement with `sorry`, and the proof. It replays both into the kernel,
wants the same name, kind and type, and the three standard axioms. LRL_LEAN_SAFEVERIFY names its executable, built
for the same toolchain; without it nothing is asked.
Each of the three steps is a process of its own behind the walls: the trusted file is compiled before the proof is
read, and the proof's process sees neither it nor its result.
Guaranteed: None only if SafeVerify ended by itself with exit code 0; whatever else happens is a reason not to
believe the proof, and never one to reject it. Not guaranteed: more than SafeVerify does; it is the same Lean.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from sandbox.lean_backends import LeanBackend
from sandbox.lean_claims import HEARTBEATS, Header, LeanClaim, candidate, read_header, read_statement
from sandbox.lean_process import ended
from sandbox.lean_verdict import printable
from sandbox.lean_walls import walled
from sandbox.nouns import WorkerLost

SAFE_VERIFY = "/judge/safe_verify"  # inside the walls
_SOURCE, _OUT = "/judge/source.lean", "/out"


def doubt(backend: LeanBackend, claim: LeanClaim, deadline: float) -> str | None:
    """Why SafeVerify does not confirm a proof, None if it does. `deadline` in seconds for each of three steps.

    Raises SandboxError where there are no walls.
    """
    header = read_header(claim.header)
    _, bare, _ = read_statement(claim.statement)
    try:
        with tempfile.TemporaryDirectory() as folder:
            target, proof = Path(folder, "target"), Path(folder, "proof")
            _compile(backend, target, _file(header, f"{bare} := sorry"), deadline)
            _compile(backend, proof, _file(header, candidate(claim)), deadline)
            return _compared(backend, target / "out.olean", proof / "out.olean", deadline)
    except (TimeoutError, WorkerLost, OSError) as problem:
        return f"SafeVerify did not come to an end: {printable(str(problem))[:300]}"


def _file(header: Header, text: str) -> str:
    imports = (f"import {name}" for name in header.imports if name != "Init")
    return "\n".join((*imports, f"set_option maxHeartbeats {HEARTBEATS}", header.commands, text)) + "\n"


def _compile(backend: LeanBackend, folder: Path, text: str, deadline: float) -> None:
    """`folder`/out.olean from a text. Raises WorkerLost if Lean does not make one."""
    assert backend.safeverify is not None
    folder.mkdir()
    source = folder.with_suffix(".lean")
    source.write_text(text, "utf-8")
    inside = replace(backend, binds={**backend.binds, _SOURCE: str(source)})
    command = (backend.safeverify, "-o", f"{_OUT}/out.olean", _SOURCE)
    said, code = ended(walled(inside, command, {_OUT: str(folder)}), deadline)
    made = folder / "out.olean"
    if code != 0 or made.is_symlink() or not made.is_file():
        raise WorkerLost(f"Lean made no file of the {folder.name} (exit code {code}): {' '.join(said.split())[-200:]}")


def _compared(backend: LeanBackend, target: Path, proof: Path, deadline: float) -> str | None:
    binds = {**backend.binds, f"{_OUT}/target.olean": str(target), f"{_OUT}/proof.olean": str(proof)}
    command = (SAFE_VERIFY, f"{_OUT}/target.olean", f"{_OUT}/proof.olean")
    said, code = ended(walled(replace(backend, binds=binds), command), deadline)
    return None if code == 0 else f"SafeVerify does not confirm it: {printable(' '.join(said.split()))[-300:]}"
