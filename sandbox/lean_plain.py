"""A proof judged by plain elaboration, where lean_judge.lean does not compile: at best the grade `kernel`.

One file and one process for each proof. In the file stand our statement by itself, our statement with the proof, a
mark, a false and a true theorem under names of chance, and the order to print the proof with `pp.all`. Lean's messages
are read as JSON with their lines.
Guaranteed: an error or a `sorry` counts against the proof only where Lean reports it on the proof's own lines; a
statement of ours that does not elaborate, a control that comes out wrong, a message that is missing or garbled, time
and lack of memory are `ungraded`. What the lint reads is what Lean reads: comments are blanked before, and a text
that could hide something from the lint, or that holds a command, is not put to Lean at all (`unfit`: `ungraded`).
The printed walk sees the constants that stand in the proof as Lean prints it, and in what Lean split off from it:
`sorryAx` and the axioms of the compiler are refused, and a proof that rests on something which the file declares and
which was not printed has no grade.
Not guaranteed: that there is no other axiom, hence "axioms unchecked". The walk follows no library theorem (this Lean
has no bodies of them), knows a list of forbidden names only, reads text, not terms, and believes the Lean that it asks.
Vacuous statements are not looked for. A proof that this Lean rejects may pass elsewhere: its library shows only
the bodies that are exposed. Where Lean says that this was why, or that code could not be compiled, the proof is
`ungraded`; it does not always say so.
"""

from __future__ import annotations

import json
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.lean_backends import PROOF, LeanBackend
from sandbox.lean_claims import HEARTBEATS, Header, LeanClaim, candidate, read_header, read_statement
from sandbox.lean_lint import blanked
from sandbox.lean_process import output_of
from sandbox.lean_walls import walled

FORBIDDEN = frozenset({"sorryAx", "Lean.ofReduceBool", "Lean.ofReduceNat", "Lean.trustCompiler"})
# Signs of a fault of this build, not of the proof.
_LACKING = ("not exposed", "_redArg", "interpreter", "failed to compile", "could not execute")
# Words with which a command begins, or with which code of the proof's own would run, and what could hide them.
_UNFIT = re.compile(
    r"""(?<![A-Za-z_])(?: theorem | lemma | def | abbrev | instance | axiom | opaque | inductive | structure | class
    | example | namespace | section | end | open | export | variable | universe | include | omit | mutual | attribute
    | set_option | macro | macro_rules | notation | infix | infixl | infixr | prefix | postfix | syntax | elab
    | elab_rules | declare_syntax_cat | simproc | dsimproc | deriving | import | initialize | private | protected
    | noncomputable | unsafe\w* | partial | local | scoped | public | meta | run_cmd | run_elab | run_tac | run_meta
    | native | config | stop | by_elab | include_str | eval | IO | EIO | BaseIO | ST | dbg\w*
    )(?![\w'!?]) | ["«`] | @\[ | \#(?!\[)""",
    re.X,
)
_NAMES = re.compile(r"[^\s()\[\]{},:;@⟨⟩]+")
_THEOREM = re.compile(r"(?:private )?theorem ")
_AXIOM = re.compile(r"(?:private )?axiom ")
# In this build a file is a module, and what it declares is private: printed as `_private.MODULE.0.NAME`.
_OWN = re.compile(r"_private\.(?!(?:Init|Std|Lean)\.).*?\.0\.")
_PARTS = 8  # auxiliary theorems that are asked for


class Piece(NamedTuple):
    """What stands on a page for one claim: the theorem's name, our statement by itself, and with the proof."""

    name: str
    alone: str
    whole: str


class Place(NamedTuple):
    """The lines of a piece, from 1 on. `mark` is a command behind the proof: an error there is the proof's."""

    name: str
    start: int
    proof: int
    mark: int


@dataclass(frozen=True)
class Page:
    """A file for Lean, and on which lines what stands."""

    text: str
    places: tuple[Place, ...]
    false: int
    prints: Mapping[int, str]  # line -> the constant that is printed there
    done: str  # the true control, printed last


def unfit(proof: str) -> str | None:
    """Why a proof is not put to Lean here, or None. That says nothing against the proof."""
    found = _UNFIT.search(blanked(proof))
    return f"'{found[0]}' in a proof" if found else None


def piece(claim: LeanClaim) -> Piece | None:
    """A claim's piece; None if the proof states the theorem again. Raises BadStatement, BadProof."""
    name, bare, _ = read_statement(claim.statement)
    whole = candidate(claim.model_copy(update={"proof": blanked(claim.proof)})).rstrip("\n")
    return Piece(name, alone(claim), whole) if whole.startswith(f"{bare} := ") else None


def alone(claim: LeanClaim) -> str:
    """The statement as an example: whether it elaborates, without a theorem that a proof could use."""
    name, bare, _ = read_statement(claim.statement)
    return re.sub(rf"(^|\n)(\s*)theorem\s+{re.escape(name)}", r"\1\2example", bare, count=1) + " := sorry"


def page(header: Header, pieces: Sequence[Piece], nonce: str) -> Page:
    """One file for pieces under one header. More than one see each other: only for proofs that are trusted."""
    lines, places = list(_opening(header)), []
    for number, one in enumerate(pieces):
        start, proof = _next(lines), _next([*lines, one.alone])
        lines += [one.alone, one.whole]
        places.append(Place(one.name, start, proof, _next(lines)))
        lines.append(f"theorem {nonce}_mark{number} : True := True.intro")
    false = _next(lines)
    lines += [
        f"theorem {nonce}_false : (2 : Nat) + 2 = 5 := by decide",
        f"theorem {nonce}_true (a b : Nat) : a + b = b + a := Nat.add_comm a b",
        "set_option pp.all true\nset_option pp.deepTerms true\nset_option pp.maxSteps 1000000",
    ]
    names = [name for one in pieces for name in _parts(one.name)] + [f"{nonce}_true"]
    prints = dict(enumerate(names, _next(lines)))
    text = "\n".join((*lines, *(f"#print {name}" for name in names))) + "\n"
    return Page(text, tuple(places), false, prints, names[-1])


def _opening(header: Header) -> Iterator[str]:
    yield from (f"import {name}" for name in header.imports if name != "Init")
    yield f"set_option maxHeartbeats {HEARTBEATS}"
    if header.commands:
        yield header.commands


def _next(parts: Sequence[str]) -> int:
    """The line behind those parts."""
    return 1 + sum(part.count("\n") + 1 for part in parts)


def _parts(name: str) -> list[str]:
    return [name, *(f"{name}._proof_1_{number}" for number in range(1, _PARTS + 1))]


def elaborate(backend: LeanBackend, claim: LeanClaim, deadline: float) -> dict[str, Any]:
    """The facts of one claim, for `lean_verdict.decide`. Raises TimeoutError, WorkerLost, SandboxError (no walls)."""
    problem = unfit(claim.proof)
    one = None if problem else piece(claim)
    if one is None:
        return {"stage": "not put to this Lean", "problem": problem or "the proof states the theorem again"}
    return facts_of(backend, page(read_header(claim.header), [one], f"lrl_{secrets.token_hex(8)}"), deadline)[0]


def facts_of(backend: LeanBackend, sheet: Page, deadline: float) -> list[dict[str, Any]]:
    """The facts of each piece of a page. Raises TimeoutError, WorkerLost, SandboxError."""
    assert backend.plain is not None
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".lean") as file:
        file.write(sheet.text)
        file.flush()
        inside = replace(backend, binds={**backend.binds, PROOF: str(Path(file.name).resolve())})
        return read_facts(output_of(walled(inside, backend.plain), backend.start_s + deadline), sheet)


def read_facts(output: str, sheet: Page) -> list[dict[str, Any]]:
    """What Lean's output says of each piece of a page."""
    messages = read_messages(output)
    if messages is None:
        return [{"stage": "garbled", "problem": "a message of Lean cannot be read"}] * len(sheet.places)
    errors = [message for message in messages if message["severity"] == "error"]
    printed = {sheet.prints[m["line"]]: m["text"] for m in messages if m["line"] in sheet.prints and m not in errors}
    wrong = {message["line"] for message in errors}
    if early := _between(errors, 0, sheet.places[0].start):
        return [{"stage": "statement", "messages": early}] * len(sheet.places)
    if sheet.false not in wrong or sheet.false + 1 in wrong or sheet.done not in printed.get(sheet.done, ""):
        problem = f"Lean did not read the file to its end: {output[-200:].strip()}"
        return [{"stage": "controls", "problem": problem}] * len(sheet.places)
    return [_facts(messages, errors, printed, place) for place in sheet.places]


def _facts(
    messages: list[dict[str, Any]], errors: list[dict[str, Any]], printed: Mapping[str, str], place: Place
) -> dict[str, Any]:
    if ours := _between(errors, place.start, place.proof):
        return {"stage": "statement", "messages": ours}
    if theirs := _between(errors, place.proof, place.mark + 1):
        lacking = [message["text"] for message in theirs if any(word in message["text"] for word in _LACKING)]
        if lacking:
            return {"stage": "this Lean lacks what the proof needs", "problem": " ".join(lacking[0].split())}
        return {"stage": "elaborate", "messages": theirs}
    sorry = any(message["kind"] == "hasSorry" for message in _between(messages, place.proof, place.mark + 1))
    return {"stage": "plain", "errors": False, "sorry": sorry, **_walk(printed, place.name)}


def _between(messages: list[dict[str, Any]], first: int, end: int) -> list[dict[str, Any]]:
    return [message for message in messages if first <= message["line"] < end]


def _walk(printed: Mapping[str, str], name: str) -> dict[str, Any]:
    """Names that are forbidden, and what of the theorem was not printed; nothing if it is none."""
    if not _THEOREM.match(printed.get(name, "")):
        return {}
    texts = [printed[part] for part in _parts(name) if part in printed]
    words = {word.rstrip(".") for text in texts for word in _NAMES.findall(text)}
    foreign = FORBIDDEN & words | {name for text in texts if _AXIOM.match(text)}
    unseen = {_OWN.sub("", word, count=1) for word in words if _OWN.match(word)} - printed.keys()
    return {"foreign": sorted(foreign), "unseen": sorted(unseen) + ["⋯"] * any("⋯" in text for text in texts)}


def read_messages(output: str) -> list[dict[str, Any]] | None:
    """Lean's messages as `severity`, `kind`, `line` and `text`; None if one of them cannot be read."""
    found = []
    for line in output.split("\n"):
        if '"severity"' in line:
            try:
                message = json.loads(line)
                fields = {name: message[name] for name in ("severity", "kind")}
                found.append({**fields, "line": int(message["pos"]["line"]), "text": str(message["data"])})
            except (ValueError, TypeError, KeyError):
                return None
    return found
