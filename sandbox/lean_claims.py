"""A claim: a trusted statement and a hostile proof, put together into what Lean is asked.

The statement is ours. `theorem NAME … :` may end in `:= by`, `:=` or `:= by sorry`; the end is dropped.
The proof is a term (`by …` included), the tactics behind a statement that ends in `by`, or a text
of commands that holds `theorem NAME` again, behind helper lemmas.
Guaranteed: what is asked for is decided by the statement alone; a text that cannot be one is refused here with a
reason, before Lean is asked.
Not guaranteed: anything about the proof; `sandbox.lean_lint` and Lean judge it.
"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from typing import NamedTuple

from records.nouns import Record

HEARTBEATS = 200_000
MAX_PROOF, MAX_STATEMENT = 100_000, 20_000  # characters
_NAME = re.compile(r"(?:^|\n)\s*(?:theorem|lemma)\s+([^\s:({\[⦃]+)")
_END = re.compile(r":=\s*(by)?\s*(sorry)?\s*\Z")
_IMPORT = re.compile(r"^\s*import\s+([\w.«»]+)\s*$", re.M)
_UNBOUNDED = re.compile(r"^\s*set_option\s+maxHeartbeats\s+\S+\s*$", re.M)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class LeanClaim(Record):
    """A statement to prove, and a proof."""

    statement: str
    proof: str
    header: str = ""

    def key(self, toolchain: str) -> str:
        """Identity for the cache: toolchain, header, statement, proof."""
        parts = json.dumps([toolchain, self.header, self.statement, self.proof])
        return hashlib.sha256(parts.encode()).hexdigest()


class BadStatement(Exception):
    """The trusted side cannot be asked about; nothing is said of the proof."""


class BadProof(Exception):
    """The proof cannot be one, whatever Lean says."""


class Header(NamedTuple):
    """Modules to import, and the commands behind the imports."""

    imports: tuple[str, ...]
    commands: str


def read_header(text: str) -> Header:
    """Split a header. Heartbeats are ours: `set_option maxHeartbeats 0` would mean no limit. Raises BadStatement."""
    if len(text) > MAX_STATEMENT or _CONTROL.search(text):
        raise BadStatement("the header is too long or has control characters")
    commands = _UNBOUNDED.sub("", _IMPORT.sub("", text)).strip()
    return Header(tuple(dict.fromkeys(_IMPORT.findall(text))) or ("Init",), commands)


def read_statement(statement: str) -> tuple[str, str, bool]:
    """Name, the statement without its end, and whether that end was `by`. Raises BadStatement."""
    if len(statement) > MAX_STATEMENT or _CONTROL.search(statement):
        raise BadStatement("the statement is too long or has control characters")
    end = _END.search(statement.rstrip())
    bare = statement.rstrip()[: end.start()].rstrip() if end else statement.rstrip()
    found = _NAME.findall(bare)
    if len(found) != 1:
        raise BadStatement(f"the statement must hold one 'theorem NAME …', not {len(found)}")
    return found[0], re.sub(r"(^|\n)(\s*)lemma\b", r"\1\2theorem", bare), bool(end and end[1] and not end[2])


def candidate(claim: LeanClaim) -> str:
    """The text that Lean reads for a claim. Raises BadProof, BadStatement."""
    name, bare, tactics = read_statement(claim.statement)
    proof = claim.proof
    if not proof.strip():
        raise BadProof("the proof is empty")
    if len(proof) > MAX_PROOF:
        raise BadProof(f"the proof has {len(proof)} characters; at most {MAX_PROOF} are read")
    if _CONTROL.search(proof):
        raise BadProof("the proof has control characters")
    if re.search(rf"(?:^|\n)\s*(?:theorem|lemma)\s+{re.escape(name)}(?![\w'.!?])", proof):
        return re.sub(rf"(^|\n)(\s*)lemma(\s+{re.escape(name)})(?![\w'.!?])", r"\1\2theorem\3", _IMPORT.sub("", proof))
    body = re.sub(r"\A\s*:=", "", proof)
    if tactics and not re.match(r"\s*by\b", body):
        return f"{bare} := by\n{textwrap.indent(textwrap.dedent(body.strip(chr(10))), '  ')}\n"
    return f"{bare} := {body.strip()}\n"
