"""From the facts that lean_judge.lean reports to a verdict. No Lean in here: plain data in, plain data out.

    proved     the kernel accepts the proof twice, of the trusted statement, on allowed axioms only
    rejected   the proof is wrong, or not allowed
    ungraded   nothing is known of the proof: time, memory, a crash, our statement, a vacuous one

An ungraded proof may have the grade `kernel`: Lean elaborated it without an error, once, and nobody but the printed
walk of sandbox.lean_plain looked for axioms. It is a finding for a reader, no label.

Guaranteed: `proved` needs every single fact; a missing or odd one gives `ungraded`. Axioms are
compared with a list of those that are allowed, never with one of those that are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from records.nouns import Record

AXIOMS = frozenset({"propext", "Classical.choice", "Quot.sound"})
_OUT_OF_TIME = ("deterministic) timeout", "maximum number of heartbeats", "maximum recursion depth", "interrupted")
_OUT_OF_ROOM = ("deep recursion", "out of memory", "stack overflow", "excessive memory")
LeanOutcome = Literal["proved", "rejected", "ungraded"]
Grade = Literal["kernel"]
UNCHECKED = "accepted by the kernel, axioms unchecked"


class LeanVerdict(Record):
    """`proved` and `rejected` may label training data, `ungraded` may not, whatever its grade."""

    verdict: LeanOutcome
    reason: str
    axioms: tuple[str, ...] = ()
    grade: Grade | None = None
    seconds: float = 0.0


def decide(facts: Mapping[str, Any]) -> LeanVerdict:
    """The verdict that the facts allow."""
    stage = facts.get("stage")
    if stage == "done":
        return _finished(facts)
    if stage == "plain":
        return _elaborated(facts)
    if stage == "elaborate":
        said = _first_error(facts)
        return _ungraded(said) if _exhausted(said) else _rejected(said)
    if stage == "statement":
        return _ungraded(f"the statement does not elaborate: {_first_error(facts)}")
    refusals = {
        "lint": f"not allowed in a proof: {_words(facts.get('denied'))}",
        "absent": "the text does not prove a theorem of that name",
        "shadowed": f"declares anew what the library has: {_words(facts.get('shadowed'))}",
    }
    if stage in refusals:
        return _rejected(refusals[stage])
    return _ungraded(f"{stage or 'no stage'}: {str(facts.get('problem', 'Lean did not finish'))[:300]}")


def _finished(facts: Mapping[str, Any]) -> LeanVerdict:
    axioms = facts.get("axioms")
    if not isinstance(axioms, list) or not all(isinstance(name, str) for name in axioms):
        return _ungraded("the axioms are not known")
    names = tuple(sorted(axioms))
    foreign = [name for name in names if name not in AXIOMS]
    if facts.get("theorem") is not True:
        return _rejected("declared as something else than a theorem", names)
    if facts.get("same_statement") is not True:
        return _rejected("proves another statement", names)
    if "sorryAx" in foreign:
        return _rejected("uses sorry", names)
    if foreign:
        return _rejected(f"rests on axioms that are not allowed: {_words(foreign)}", names)
    return _checked_twice(facts, names)


def _elaborated(facts: Mapping[str, Any]) -> LeanVerdict:
    """For plain elaboration: never `proved`."""
    if facts.get("sorry") is True:
        return _rejected("uses sorry")
    if facts.get("errors") is not False or facts.get("sorry") is not False:
        return _ungraded("Lean's messages are missing")
    foreign, unseen = facts.get("foreign"), facts.get("unseen")
    if not isinstance(foreign, list) or not isinstance(unseen, list):
        return _ungraded("the printed proof is missing")
    if foreign:
        return _rejected(f"rests on what is not allowed: {_words(foreign)}")
    if unseen:
        return _ungraded(f"parts of the proof were not printed: {_words(unseen)}")
    return LeanVerdict(verdict="ungraded", reason=UNCHECKED, grade="kernel")


def _checked_twice(facts: Mapping[str, Any], names: tuple[str, ...]) -> LeanVerdict:
    if "kernel" not in facts:
        return _ungraded("the kernel's second check is missing")
    problem = facts["kernel"]
    if problem is not None:
        said = f"the kernel refuses it: {str(problem)[:300]}"
        return _ungraded(said) if _exhausted(said) else _rejected(said, names)
    bodiless = facts.get("bodiless")
    if not isinstance(bodiless, int):
        return _ungraded("how far the axioms were followed is not known")
    if facts.get("errors") is not False:
        return _ungraded("Lean's messages are missing")
    depth = f"; axioms inside {bodiless} library theorems and definitions not followed" if bodiless else ""
    return LeanVerdict(verdict="proved", reason=f"checked by the kernel twice{depth}", axioms=names)


def _first_error(facts: Mapping[str, Any]) -> str:
    messages = facts.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict) and message.get("severity") == "error":
            return f"line {message.get('line')}: {' '.join(str(message.get('text')).split())[:300]}"
    return "Lean gave no reason"


def _exhausted(said: str) -> bool:
    return any(words in said for words in (*_OUT_OF_TIME, *_OUT_OF_ROOM))


def _words(values: object) -> str:
    return ", ".join(map(str, values))[:200] if isinstance(values, list) else "?"


def _rejected(reason: str, axioms: tuple[str, ...] = ()) -> LeanVerdict:
    return LeanVerdict(verdict="rejected", reason=printable(reason), axioms=axioms)


def _ungraded(reason: str) -> LeanVerdict:
    return LeanVerdict(verdict="ungraded", reason=printable(reason))


def printable(text: str) -> str:
    """A reason quotes a model, and may be shown at a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)
