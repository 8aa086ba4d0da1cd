"""The reference proofs of the domain `proofs`, put to a real Lean: `python -m benchmarks.proof_references`.

    python -m benchmarks.proof_references [--lean LEAN]

All references stand in one file, with four theorems that are false, unfinished or `sorry`; Lean elaborates it, and its
kernel checks it. LEAN is a `lean` executable (default: the one on the PATH); without one the WebAssembly build in
LRL_LEAN_WASM is taken (`make lean-wasm`; some minutes). What counts are Lean's messages alone: fit for proofs of ours,
not for those of a model, which can silence them (sandbox/lean.py is the judge for these). Exit code 0: every reference
is without a message, and each of the four has one.
"""

from __future__ import annotations

import argparse
import bisect
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from domains.proofs_statements import STATEMENTS

CONTROLS = {
    "control_false": "theorem control_false : (2 : Nat) + 2 = 5 := by decide",
    "control_open": "theorem control_open (p q : Prop) (h : p) : p ∧ q := by\n  constructor\n  · exact h",
    "control_sorry": "theorem control_sorry : (2 : Nat) + 2 = 5 := by sorry",
    "control_omega": "theorem control_omega (n : Nat) : n < n := by omega",
}


def lean_command(lean: str | None) -> tuple[list[str], dict[str, str]]:
    """How Lean is started, and its environment. Exits with a line if there is none."""
    if found := lean or shutil.which("lean"):
        return [found], dict(os.environ)
    home = os.environ.get("LRL_LEAN_WASM")
    if not home:
        sys.exit("no Lean: name one with --lean, or run `make lean-wasm` and set LRL_LEAN_WASM")
    node = [str(Path(home) / "node"), "--stack-size=60000", str(Path(home) / "lean.js")]
    wide = ["bash", "-c", 'ulimit -s 65532; exec "$@"', "bash", *node]
    return wide, {**os.environ, "LEAN_PATH": str(Path(home) / "lib")}


def source() -> tuple[str, list[tuple[int, str]]]:
    """The file, and for each theorem its first line and its name."""
    texts = {s.name: f"{s.text} := {s.proof}" for s in STATEMENTS} | CONTROLS
    places, line = [], 1
    for name, text in texts.items():
        places.append((line, name))
        line += text.count("\n") + 2
    return "\n\n".join(texts.values()) + "\n", places


def faults(output: str, places: list[tuple[int, str]]) -> dict[str, str]:
    """The first error or `sorry` of each theorem that has one."""
    found: dict[str, str] = {}
    for line in output.splitlines():
        if line.startswith('{"'):
            message = json.loads(line)
            if message["severity"] == "error" or message.get("kind") == "hasSorry":
                index = bisect.bisect(places, (message["pos"]["line"], "\uffff")) - 1
                found.setdefault(places[index][1], str(message["data"]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Check the reference proofs of the domain `proofs` with a real Lean.")
    parser.add_argument("--lean", help="a lean executable; default: the one on the PATH, else LRL_LEAN_WASM")
    command, environment = lean_command(parser.parse_args().lean)
    text, places = source()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "references.lean"
        file.write_text(text)
        done = subprocess.run(
            [*command, "--json", str(file)], env=environment, capture_output=True, text=True, cwd=folder
        )
    found = faults(done.stdout + done.stderr, places)
    missed = [name for name in CONTROLS if name not in found]
    wrong = [name for name in found if name not in CONTROLS]
    if missed:
        print(f"not one can be believed: Lean has no word against {', '.join(missed)}\n{done.stderr[-500:]}")
    for name in wrong:
        print(f"{name}: {found[name]}")
    print(
        f"{len(STATEMENTS) - len(wrong)} of {len(STATEMENTS)} references without a fault; "
        f"{len(CONTROLS) - len(missed)} of {len(CONTROLS)} controls caught"
    )
    sys.exit(1 if wrong or missed else 0)


if __name__ == "__main__":
    main()
