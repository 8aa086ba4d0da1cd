"""Meetings and rooms: can all meetings be held?

Ground truth is the peak of simultaneous meetings against the number of rooms; a meeting that ends
at T does not conflict with one that starts at T. Guaranteed: splits are disjoint by content hash;
generated splits have as many YES as NO (an odd size has one YES more); `ood` has more meetings or
other hours than `train` ever has; a reply without a verdict is `unparsed`, never NO. Nothing that a
model wrote is executed, so no sandbox is needed.

Sources: None is the balanced generator. "origin" tests on the origin experiment's own 150 problems
(132 YES, 18 NO, in its order, whatever size is asked for); train, validation and ood come from the
balanced generator, without any of the origin's 250 problems: its 100 training problems are nine
tenths YES and would teach a constant. A JSONL path gives its rows to their splits; splits that the
file does not fill come from the generator.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from domains.base import Domain, DomainError
from domains.scheduling_problems import DAY, UNSEEN, FileRow, Instance, Shape, balanced, origin, read_file
from domains.scheduling_reply import read_answer
from domains.scheduling_steps import Finding, first_slip, spoiled, two_digits, write
from records.config import RunConfig, Sizes
from records.nouns import Judgement, Outcome, Problem, Split

# Of five wordings the one that lets the untrained student answer best (benchmarks/prompt_wordings.py).
PROMPT = (
    "A meeting ending at T does not conflict with one starting at T.\n"
    "Meetings: {meetings}\nRooms: {rooms}\n"
    "Can all meetings be held? Work through it, then answer 'ANSWER: YES' or 'ANSWER: NO'."
)
ORIGIN_TRAIN = (42, 100)  # seed, number of problems
ORIGIN_TEST = (123, 150)
_SHAPES: dict[Split, tuple[Shape, ...]] = {"train": (DAY,), "validation": (DAY,), "test": (DAY,), "ood": UNSEEN}


class Scheduling:
    """The scheduling domain."""

    name = "scheduling"
    classes: tuple[str, ...] = ("YES", "NO")
    reply_tokens = 320  # references have at most about 240
    placebo = "python"

    def profile(self, name: str) -> Mapping[str, Any]:
        """Overrides for "quick" (minutes on two cores) and "full" (within an hour)."""
        return _PROFILES[name]

    def load(self, source: str | None, sizes: Sizes, seed: int) -> list[Problem]:
        """Problems of all splits; see the module's docstring. Raises DomainError."""
        given = _given(source)
        taken = {row.instance.key for row in given}
        if source == "origin":
            taken |= {instance.key for instance, _ in origin(*ORIGIN_TRAIN)}
        problems = [_from_file(row, number) for number, row in enumerate(given)]
        filled = {row.split for row in given}
        wanted: dict[Split, int] = {
            "train": sizes.train,
            "validation": sizes.gate + sizes.transfer,
            "test": sizes.test,
            "ood": sizes.ood,
        }
        for split, count in wanted.items():
            if split not in filled:
                problems += _generated(split, count, seed, taken)
        return problems

    @asynccontextmanager
    async def verifier(self, config: RunConfig) -> AsyncIterator[SchedulingVerifier]:
        """A verifier that needs no sandbox."""
        yield SchedulingVerifier()

    def spoil(self, problem: Problem, rng: random.Random) -> str:
        """Worked steps with one planted slip that ends in the wrong answer."""
        return spoiled(_instance(problem), rng)[0]


class SchedulingVerifier:
    """Compares the verdict of a reply with the truth; says where the reply's table went wrong."""

    tier: str | None = None

    async def judge(self, problem: Problem, reply: str) -> Judgement:
        """`pass`, `fail` or `unparsed`; `kind` names the first slip where the steps can be read."""
        instance = _instance(problem)
        predicted = read_answer(reply)
        slip = first_slip(instance, reply)
        outcome: Outcome = "unparsed" if predicted is None else "pass" if predicted == instance.answer else "fail"
        return Judgement(
            outcome=outcome,
            kind=_kind(outcome, predicted, slip),
            predicted=predicted,
            evidence=_evidence(instance, outcome, predicted, slip),
        )


def _kind(outcome: Outcome, predicted: str | None, slip: Finding | None) -> str:
    if outcome != "fail":
        return outcome
    return slip.kind if slip else f"wrong_{str(predicted).lower()}"


def _evidence(instance: Instance, outcome: Outcome, predicted: str | None, slip: Finding | None) -> str:
    said = f"The reply says {predicted}" if predicted else "The reply has no readable verdict"
    parts = [
        f"{said}; right is {instance.answer}: at most {instance.peak} meetings go on at once, "
        f"with {instance.rooms} room{'s' if instance.rooms > 1 else ''}."
    ]
    if slip:
        parts.append(f"First wrong line of its table, line {slip.line}: '{slip.found}'; right: '{slip.right}'.")
    elif outcome != "pass":
        parts.append("It has no table of counts that could be checked, or the table is right.")
    return " ".join(parts)


def _given(source: str | None) -> list[FileRow]:
    """Problems that do not come from the balanced generator."""
    if source is None:
        return []
    if source == "origin":
        return [FileRow(instance, "test", f"origin-{n}") for n, (instance, _) in enumerate(origin(*ORIGIN_TEST))]
    path = Path(source)
    if not path.is_file():
        raise DomainError(f"--problems {source}: no such file; valid are 'origin' or the path of a JSONL file")
    return read_file(path)


def _generated(split: Split, count: int, seed: int, taken: set[str]) -> list[Problem]:
    rows = balanced(count, random.Random(f"scheduling/{seed}/{split}"), _SHAPES[split], taken)
    return [_problem(instance, split, family, f"{split}-{n:04d}") for n, (instance, family) in enumerate(rows)]


def _from_file(row: FileRow, number: int) -> Problem:
    name = row.problem_id or f"row-{number}"
    return _problem(row.instance, row.split, "given", name if name.startswith("origin-") else f"given-{number}-{name}")


def _problem(instance: Instance, split: Split, family: str, name: str) -> Problem:
    return Problem(
        id=f"scheduling-{name}",
        domain="scheduling",
        split=split,
        family=family,
        difficulty=instance.difficulty,
        prompt=PROMPT.format(meetings=", ".join(map(two_digits, instance.meetings)), rooms=instance.rooms),
        reference=write(instance),
        content_hash=instance.key,
        answer=instance.answer,
        payload={"meetings": [list(m) for m in instance.meetings], "rooms": instance.rooms, "peak": instance.peak},
    )


def _instance(problem: Problem) -> Instance:
    meetings: Any = problem.payload["meetings"]
    rooms: Any = problem.payload["rooms"]
    return Instance(tuple((start, end) for start, end in meetings), rooms)


_PROFILES: dict[str, dict[str, Any]] = {
    "quick": {
        "sizes": {"train": 700, "gate": 24, "transfer": 24, "test": 60, "ood": 30},
        "examples": 700,
        "training": {"batch_size": 8},
    },
    "full": {
        "sizes": {"train": 700, "gate": 48, "transfer": 48, "test": 150, "ood": 60},
        "examples": 700,
        "training": {"batch_size": 8},
        "training_seeds": 3,
        "student_arms": ("base", "base+strategy", "lora_plain", "lora_strategy", "lora_distilled"),
    },
}

DOMAIN: Domain = Scheduling()
