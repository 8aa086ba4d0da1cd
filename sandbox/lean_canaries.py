"""False theorems, and a true one, that go with every batch: a judge that errs on them has judged nothing.

The false ones come with proofs, some of which fool a checker that reads messages only; each of them
asks another part of the judge to say no, with the lint switched off so that what lies behind it is tried.
"""

from __future__ import annotations

import random
from typing import NamedTuple


class Canary(NamedTuple):
    """A statement under a name of its own, a text that claims to prove it, and whether it does."""

    name: str
    statement: str
    candidate: str
    true: bool


def _false(name: str, candidate: str) -> Canary:
    return Canary(name, f"theorem {name} : (2 : Nat) + 2 = 5", candidate, False)


FALSE = (
    _false("canary_wrong", "theorem canary_wrong : (2 : Nat) + 2 = 5 := by decide"),
    _false("canary_sorry", "theorem canary_sorry : (2 : Nat) + 2 = 5 := by sorry"),
    _false("canary_axiom", "axiom canary_lie : False\ntheorem canary_axiom : (2 : Nat) + 2 = 5 := canary_lie.elim"),
    _false("canary_other", "theorem canary_other : (2 : Nat) + 2 = 4 := by decide"),
    _false(
        "canary_macro",
        'macro "canary_trust" : tactic => `(tactic| sorry)\n'
        "theorem canary_macro : (2 : Nat) + 2 = 5 := by canary_trust",
    ),
    _false(
        "canary_option",
        "set_option debug.byAsSorry true\ntheorem canary_option : (2 : Nat) + 2 = 5 := by decide",
    ),
    _false(
        "canary_instance",
        "instance canaryAdd : Add Nat := ⟨fun _ _ => 5⟩\ntheorem canary_instance : (2 : Nat) + 2 = 5 := rfl",
    ),
)
_SUM = "theorem canary_true (a b : Nat) : a + b = b + a"
TRUE = Canary("canary_true", _SUM, f"{_SUM} := Nat.add_comm a b", True)


def for_batch(rng: random.Random) -> tuple[Canary, ...]:
    """One false theorem, and the true one."""
    return (rng.choice(FALSE), TRUE)
