"""Statements that core Lean 4 proves without Mathlib, each with a reference proof.

They stand in proofs_statements.txt: `name [parameters] | claim | step; step`, under lines `# area difficulty`. `KK`
is the parameter, `LL` the number after it. Not guaranteed: that the proofs are right; no
Lean has checked them yet (`make test-lean` does).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from records.nouns import Difficulty

Area = Literal[
    "logic",
    "quantifiers",
    "arithmetic",
    "remainders",
    "sequences",
    "lists",
    "computation",
    "functions",
    "integers",
    "pairs",
]
OOD: frozenset[Area] = frozenset({"functions", "integers", "pairs"})


@dataclass(frozen=True)
class Statement:
    """A theorem and its proof: what stands behind `theorem`, and the lines behind `by`."""

    name: str
    area: Area
    difficulty: Difficulty
    claim: str
    steps: tuple[str, ...]

    @property
    def text(self) -> str:
        """The statement as Lean reads it, without a proof."""
        return f"theorem {self.name} {self.claim}"

    @property
    def proof(self) -> str:
        """The reference proof."""
        return "\n".join(("by", *(f"  {step}" for step in self.steps)))


def _read(table: str) -> Iterator[Statement]:
    area: Area = "logic"
    difficulty: Difficulty = "easy"
    for line in table.strip().split("\n"):
        if line.startswith("# "):
            _, area, difficulty = line.split()  # type: ignore[assignment]
            continue
        head, claim, steps = line.split(" | ", 2)
        name, _, numbers = head.partition(" [")
        for number in numbers.rstrip("]").split() or [""]:
            yield Statement(
                name=f"{name}_{number}" if number else name,
                area=area,
                difficulty=difficulty,
                claim=_filled(claim, number),
                steps=tuple(step[1:] if step.startswith(" ") else step for step in _filled(steps, number).split(";")),
            )


def _filled(text: str, number: str) -> str:
    return text.replace("KK", number).replace("LL", str(int(number) + 1)) if number else text


STATEMENTS: tuple[Statement, ...] = tuple(_read(Path(__file__).with_suffix(".txt").read_text("utf-8")))
