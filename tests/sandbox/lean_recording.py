"""Records what a real Lean says: `python -m tests.sandbox.lean_recording OUT_DIR [lean_file|wasm]`.

Writes references.jsonl, spoiled.jsonl, cheats.jsonl and others.jsonl: what was asked, and the facts as they
came. Takes minutes (with wasm about ten). What may end the process comes last.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from domains.proofs import DOMAIN, make_problem, reply_proof, split_of
from domains.proofs_statements import STATEMENTS
from sandbox.lean_backends import LeanBackend, find_backend
from sandbox.lean_canaries import FALSE, TRUE
from sandbox.lean_claims import Header, LeanClaim, candidate, read_statement
from sandbox.lean_lint import COMMANDS, DENY
from sandbox.lean_process import LeanProcess
from sandbox.nouns import WorkerLost
from tests.sandbox.lean_cheats import CHEATS, HEAVY, VACUOUS

Question = tuple[str, str, dict[str, Any]]  # file, identity, job
_LINT = {"commands": list(COMMANDS), "deny": list(DENY)}
RISKY = ("io_exit/no lint", "io_read/no lint", "io_write/no lint", "partial_loop/no lint")
_NO_LINT: dict[str, Any] = {"commands": [], "deny": []}


def job(statement: str, proof: str, rules: dict[str, Any]) -> dict[str, Any]:
    """The question that the judge would ask."""
    name, bare, _ = read_statement(statement)
    return {
        "name": name,
        "statement": bare,
        "candidate": candidate(LeanClaim(statement=statement, proof=proof)),
        **rules,
    }


def questions() -> Iterator[Question]:
    """Everything that is recorded."""
    for canary in (TRUE, *FALSE):
        fields = {"name": canary.name, "statement": canary.statement, "candidate": canary.candidate}
        yield "others", canary.name, {**fields, **_NO_LINT}
    for cheat in CHEATS:
        yield "cheats", f"{cheat.name}/no lint", job(cheat.statement, cheat.proof, _NO_LINT)
        yield "cheats", f"{cheat.name}/lint", job(cheat.statement, cheat.proof, _LINT)
    for statement in STATEMENTS:
        yield "references", statement.name, job(statement.text, statement.proof, _LINT)
    for number, (text, proof) in enumerate(VACUOUS):
        yield "others", f"vacuous {number}", job(text, proof, _LINT)
        yield "others", f"vacuous {number}/question", {**job(text, proof, _LINT), "vacuity": 1}
    for statement in STATEMENTS[::6]:
        yield "others", f"{statement.name}/question", {**job(statement.text, statement.proof, _LINT), "vacuity": 1}
    for statement in STATEMENTS[::3]:
        problem = make_problem(statement, split_of(statement))
        spoiled = reply_proof(DOMAIN.spoil(problem, random.Random(statement.name)))
        yield "spoiled", statement.name, job(statement.text, spoiled, _LINT)
    for number, (text, proof) in enumerate(HEAVY):
        yield "others", f"heavy {number}", job(text, proof, _LINT)


def safest_first() -> list[Question]:
    """The questions, those that may end the process at the end."""
    return sorted(questions(), key=lambda question: question[1] in RISKY or question[1].startswith("heavy"))


def recorded(identity: str, question: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """A row of a fixture."""
    asked = {name: question[name] for name in ("statement", "candidate", "vacuity") if name in question}
    return {"id": identity, **asked, "lint": bool(question["commands"]), "facts": facts}


def record(backend: LeanBackend, folder: Path, deadline: float) -> None:
    """Ask everything; a question that ends the process is recorded as what happened, and the next one starts anew."""
    header = Header(("Init",), "")
    started = time.monotonic()
    process = LeanProcess(backend, header)
    print(f"ready after {time.monotonic() - started:.0f} s: {process.ready}", flush=True)
    for file, identity, question in safest_first():
        asked = time.monotonic()
        try:
            facts = process.ask(question, deadline)
        except (TimeoutError, WorkerLost) as problem:
            facts = {"stage": "lost", "problem": str(problem)}
        with (folder / f"{file}.jsonl").open("a") as out:
            out.write(json.dumps(recorded(identity, question, facts), ensure_ascii=False) + "\n")
        print(f"{time.monotonic() - asked:6.2f} s  {file:10} {identity:32} {str(facts)[:150]}", flush=True)
        if facts["stage"] == "lost":
            process = LeanProcess(backend, header)
    process.close()
    print(f"{time.monotonic() - started:.0f} s in all", flush=True)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    record(find_backend(sys.argv[2] if len(sys.argv) > 2 else "auto"), target, 60.0)
