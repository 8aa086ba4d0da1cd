"""The debugging domain: repair a faulty program so that it passes hidden tests.

The programs are those of the python families (domains/python_families) with one or two faults put in
(domains/debugging_faults); the tests are the same, and the same sandbox runs them. Parameters and ood
families are split as in the python domain, so that a program of its training problems is in no
validation or test problem here, and the other way round.

The prompt holds the specification, the faulty program and, where the family has one, the example with
what the faulty program makes of it. Hidden tests are not shown: a reply could answer them one by one.

Guaranteed: problems are a function of sizes and seed; each faulty program parses and fails at least one
of its tests, and would with any one of its faults alone. Not guaranteed: that a fault has one repair
only; every program that passes the tests counts.
"""

from __future__ import annotations

import ast
import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import islice
from typing import Any

from domains import python
from domains.base import DomainError, Verifier
from domains.debugging_faults import Faulty, Runaway, bounded, mutants, tidy
from domains.drawing import counts, draw
from domains.python_families import FAMILIES, Draft, Family
from domains.python_families.base import REPLY_FORMAT, Raised, outcome
from records.config import RunConfig, Sizes
from records.nouns import Problem, Split, content_hash

TWO_FAULTS = 0.25  # share of the programs that get two
PER_PROGRAM: dict[Split, int] = {"train": 2, "validation": 1, "test": 1, "ood": 1}  # held-out items stay independent
UNCHANGED = 0.4  # share of the spoiled replies that give the faulty program back
REFERENCE_FILE = "<reference>"  # under which our own code is compiled


class DebuggingDomain:
    """Satisfies `domains.base.Domain`."""

    name = "debugging"
    classes: tuple[str, ...] = ()
    reply_tokens = 160
    placebo = "scheduling"

    def profile(self, name: str) -> Mapping[str, Any]:
        """As the python domain's: the programs are the same."""
        return python.DOMAIN.profile(name)

    def load(self, source: str | None, sizes: Sizes, seed: int) -> list[Problem]:
        """Problems of all splits. Raises DomainError for a `source`: faults are put into code of ours only."""
        if source is not None:
            raise DomainError(
                f"the domain 'debugging' makes its own problems and reads none from '{source}': foreign code is not "
                "run to see whether a fault shows; leave out --problems"
            )
        return list(generate(sizes, seed))

    def verifier(self, config: RunConfig) -> AbstractAsyncContextManager[Verifier]:
        """The python domain's: the same tests in the same sandbox. Raises SandboxError where no tier works."""
        return python.DOMAIN.verifier(config)

    def spoil(self, problem: Problem, rng: random.Random) -> str:
        """The right program with a mistake that fails whatever the tests are."""
        return python.DOMAIN.spoil(problem, rng)

    def mistakes(self, problem: Problem, rng: random.Random) -> Iterator[str]:
        """The faulty program as it was given, or the right one with other mistakes, for the verifier to judge."""
        if rng.random() < UNCHANGED:
            yield f"```python\n{problem.payload['faulty']}\n```"
        else:
            yield from python.DOMAIN.mistakes(problem, rng)


DOMAIN = DebuggingDomain()


def generate(sizes: Sizes, seed: int) -> Iterator[Problem]:
    """Problems split by split. Raises DomainError if the families are too few."""
    for split, count in counts(sizes).items():
        families = [family for family in FAMILIES if family.ood == (split == "ood")]
        yield from islice(draw_problems(families, split, count, seed), count)


def draw_problems(families: Sequence[Family], split: Split, count: int, seed: int) -> Iterator[Problem]:
    """Problems, `count` if there are as many: some faulty versions of each program, the families taking turns."""
    for family, draft, _ in draw(families, split, count, seed):
        yield from make_problems(family, draft, split, seed, PER_PROGRAM[split])


def make_problems(family: Family, draft: Draft, split: Split, seed: int, most: int) -> list[Problem]:
    """Up to `most` faulty versions of one program. Raises DomainError if there is none."""
    right = python.make_problem(family, draft, split)
    rng = random.Random(f"{seed}/{right.content_hash}")
    wanted = 2 if rng.random() < TWO_FAULTS else 1
    found = list(islice(mutants(draft.code, lambda code: fails(right, code), rng, wanted), most))
    found = found or list(islice(mutants(draft.code, lambda code: fails(right, code), rng), most))
    if not found:
        raise DomainError(f"family {family.id}: no fault in the program of {right.id} fails its tests")
    return [_problem(right, draft, faulty) for faulty in found]


def fails(problem: Problem, code: str) -> bool:
    """Whether a program that was drawn in this process fails a test; one that runs on or grows is unusable."""
    try:
        with bounded(REFERENCE_FILE):
            return not python.passes(problem, code)
    except Runaway:
        return False


def _problem(right: Problem, draft: Draft, faulty: Faulty) -> Problem:
    identity = content_hash([right.content_hash, [[place.kind, place.index] for place in faulty.places]])
    task = right.prompt.removesuffix(REPLY_FORMAT).strip()
    count = "a mistake" if len(faulty.kinds) == 1 else f"{len(faulty.kinds)} mistakes"
    prompt = (
        f"A program was written for this task, with {count} in it.\nTask: {task}\n\n"
        f"```python\n{faulty.code}\n```\n{_symptom(draft, faulty.code)}Repair the program. {REPLY_FORMAT}"
    )
    return right.model_copy(
        update={
            "id": f"repair-{right.family}-{identity}",
            "domain": DOMAIN.name,
            "prompt": prompt,
            "difficulty": right.difficulty if len(faulty.kinds) == 1 else "hard",
            "reference": f"```python\n{tidy(draft.code)}\n```",
            "content_hash": identity,
            "payload": {**right.payload, "faulty": faulty.code, "faults": list(faulty.kinds)},
        }
    )


def _symptom(draft: Draft, code: str) -> str:
    """What the faulty program makes of the example, where that is not what it should."""
    if draft.example is None:
        return ""
    try:
        with bounded(REFERENCE_FILE):
            right, wrong = outcome(draft.code, draft.example), outcome(code, draft.example)
    except Runaway:
        return ""
    if repr(wrong) == repr(right) or not (isinstance(wrong, Raised) or _is_literal(wrong)):
        return ""
    said = f"raises {wrong}" if isinstance(wrong, Raised) else f"returns `{wrong!r}`"
    return f"Now `{draft.example.call}` {said}.\n"


def _is_literal(value: object) -> bool:
    """Its text is the same in every process: no address, no order of a set."""
    try:
        ast.literal_eval(repr(value))
    except (ValueError, SyntaxError):
        return False
    return not isinstance(value, set | frozenset)


async def self_check(verifier: Verifier, problems: Sequence[Problem], seed: int = 0) -> None:
    """Raises DomainError unless references pass, and faulty programs and spoiled replies fail."""
    await python.self_check(verifier, problems, seed)
    judged = await asyncio.gather(*(verifier.judge(p, f"```python\n{p.payload['faulty']}\n```") for p in problems))
    for problem, judgement in zip(problems, judged, strict=True):
        if judgement.outcome != "fail":
            raise DomainError(f"{problem.id}: the faulty program is judged {judgement.kind}")
