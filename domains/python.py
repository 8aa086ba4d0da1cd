"""The Python domain: write a function or a class that passes hidden tests.

Problems come from parametrised families (domains/python_families) or, for the test split, from
HumanEval and MBPP. A family's parameters belong to one split by their hash, whatever the seed: a
model trained on one seed's problems has not seen another seed's test problems either. `ood`
problems come from families that no other split uses.

Guaranteed: problems are a function of sizes and seed; expected values were computed by running the
reference, and are in the payload, never in the prompt (the one example shown is not a test).
Not guaranteed: that tests which a wrong program passes do not exist; each has six at least.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from pydantic import ValidationError

from domains import python_mistakes
from domains.base import DomainError, Verifier
from domains.drawing import counts, draw, identify
from domains.python_benchmarks import load_benchmark
from domains.python_families import FAMILIES, Case, Draft, Family
from domains.python_families.base import REPLY_FORMAT, Raised, outcome
from domains.python_replies import extract_code
from domains.spoiling import spoiled_reply
from records.config import RunConfig, Sizes
from records.nouns import Judgement, Problem, Split, content_hash
from sandbox import Sandbox, Submission, TestCase
from sandbox.values import ValueProblem, encode, parse, same

_EVIDENCE = 1_000


class PythonDomain:
    """Satisfies `domains.base.Domain`."""

    name = "python"
    classes: tuple[str, ...] = ()
    reply_tokens = 160  # references have at most 70; what follows the code block is not judged
    placebo = "scheduling"

    def profile(self, name: str) -> Mapping[str, Any]:
        """Quick: 800 examples (about 400 are too few for 54 families). Full: more problems, three seeds."""
        if name == "quick":
            return {"sizes": {"train": 800}, "examples": 800, "training": {"batch_size": 8}}
        return {
            "training": {"batch_size": 8},
            "sizes": {"train": 1200, "gate": 48, "transfer": 54, "test": 162, "ood": 108},
            "examples": 1200,
            "training_seeds": 3,
            "student_arms": ["base", "base+strategy", "lora_plain", "lora_strategy", "lora_distilled"],
        }

    def load(self, source: str | None, sizes: Sizes, seed: int) -> list[Problem]:
        """Problems of all splits. With a `source` (a JSONL file of HumanEval or MBPP rows, or a
        name of `python_benchmarks.NAMES`) the test split comes from it, the others as without."""
        problems = list(generate(sizes, seed, skip_test=source is not None))
        if source is not None:
            rows = load_benchmark(source)
            random.Random(f"benchmark/{seed}").shuffle(rows)
            problems += rows[: sizes.test]
        return problems

    def verifier(self, config: RunConfig) -> AbstractAsyncContextManager[Verifier]:
        """Open a sandbox. Raises SandboxError where no tier works."""
        return _open_verifier(config)

    def spoil(self, problem: Problem, rng: random.Random) -> str:
        """The reference with a mistake that fails whatever the tests are."""
        return _fenced(python_mistakes.certain(_reference(problem), str(problem.payload["entry"]), rng)[1])

    def mistakes(self, problem: Problem, rng: random.Random) -> Iterator[str]:
        """The reference with one mistake: for the verifier to judge, in the order of `python_mistakes`."""
        yield from (_fenced(code) for _, code in wrong_programs(problem, rng))


DOMAIN = PythonDomain()


def generate(sizes: Sizes, seed: int, skip_test: bool = False) -> Iterator[Problem]:
    """Problems of the families, split by split. Raises DomainError if the families are too few."""
    for split, count in counts(sizes).items():
        if split != "test" or not skip_test:
            families = [family for family in FAMILIES if family.ood == (split == "ood")]
            yield from draw_problems(families, split, count, seed)


def draw_problems(families: Sequence[Family], split: Split, count: int, seed: int) -> Iterator[Problem]:
    """`count` different problems, the families taking turns, areas mixed. Raises DomainError."""
    for family, draft, _ in draw(families, split, count, seed):
        yield make_problem(family, draft, split)


def make_problem(family: Family, draft: Draft, split: Split) -> Problem:
    """A problem of a draft, with the expected values computed. Raises DomainError if the reference fails."""
    identity = identify(family, draft)
    tests = [_test(family, draft, case).model_dump(mode="json") for case in draft.cases]
    return Problem(
        id=f"{family.id}-{identity}",
        domain=DOMAIN.name,
        split=split,
        family=family.id,
        difficulty=family.difficulty,
        prompt=f"{draft.task}{_example(family, draft)}\n{REPLY_FORMAT}",
        reference=f"```python\n{draft.code}\n```",
        content_hash=identity,
        payload={"entry": draft.entry, "before": "", "foreign": False, "tests": tests, "unsupported": []},
    )


def _test(family: Family, draft: Draft, case: Case) -> TestCase:
    value = outcome(draft.code, case)
    if isinstance(value, Raised):
        if not case.raises:
            raise DomainError(f"family {family.id}: the reference raises {value} in {case.call}")
        return TestCase(call=case.call, setup=case.setup, raises=str(value))
    return TestCase(call=case.call, setup=case.setup, expected=encode(value), comparison=draft.comparison)


def _example(family: Family, draft: Draft) -> str:
    if draft.example is None:
        return ""
    value = outcome(draft.code, draft.example)
    if isinstance(value, Raised):
        raise DomainError(f"family {family.id}: the reference raises {value} in its example {draft.example.call}")
    return f" Example: `{draft.example.call}` returns `{value!r}`."


class PythonVerifier:
    """Judges replies in a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    @property
    def tier(self) -> str | None:
        """The sandbox tier."""
        return self._sandbox.tier

    async def judge(self, problem: Problem, reply: str) -> Judgement:
        """Run the reply's code against the problem's tests."""
        code = extract_code(reply, str(problem.payload["entry"]))
        if code is None:
            return Judgement(
                outcome="unparsed", kind="unparsed", evidence="The reply holds no Python code.", tier=self.tier
            )
        verdict = await self._sandbox.judge(submission(problem, code))
        return Judgement(
            outcome="pass" if verdict.passed else "fail" if verdict.graded else "ungraded",
            kind=verdict.result,
            evidence=verdict.evidence[:_EVIDENCE],
            tests=verdict.tests,
            tier=verdict.tier or self.tier,
            seconds=verdict.wall_s,
        )


def submission(problem: Problem, code: str) -> Submission:
    """What the sandbox is asked. A benchmark's own imports and helpers stand before the code.

    Raises DomainError for a problem, read from a file, whose tests are of another shape.
    """
    try:
        return _submission(problem, code)
    except (KeyError, TypeError, ValidationError) as error:
        raise DomainError(f"{problem.id}: its payload is not one of the python domain ({_first(error)})") from error


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
    return f"field {error} is missing" if isinstance(error, KeyError) else str(error)


def _submission(problem: Problem, code: str) -> Submission:
    payload: Any = problem.payload
    return Submission(
        id=f"{problem.id}/{content_hash(code)}",
        code=f"{payload['before']}\n\n{code}" if payload["before"] else code,
        tests=tuple(TestCase.model_validate(test) for test in payload["tests"]),
        entry_point=payload["entry"],
        style=payload.get("style", "calls"),
        trusted=payload.get("trusted", ""),
        unsupported=tuple(payload["unsupported"]),
    )


@asynccontextmanager
async def _open_verifier(config: RunConfig) -> AsyncIterator[PythonVerifier]:
    async with Sandbox.open(tier=config.sandbox_tier, slots=config.sandbox_slots) as sandbox:
        yield PythonVerifier(sandbox)


def wrong_programs(problem: Problem, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Kinds of mistake and programs, the last one certainly wrong; a benchmark's rows get that kind only."""
    entry, code = str(problem.payload["entry"]), _reference(problem)
    if problem.payload["foreign"]:  # a matter of taste and not of safety: nothing is run here in either case
        yield python_mistakes.certain(code, entry, rng)
    else:
        yield from python_mistakes.candidates(code, entry, rng)


def _reference(problem: Problem) -> str:
    return extract_code(problem.reference, str(problem.payload["entry"])) or problem.reference


def _fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def passes(problem: Problem, code: str) -> bool:
    """Whether code passes, run in this process: only for a program that a family has drawn in this very process.

    Nothing that was read from a file may come here; it is judged by a verifier.
    """
    payload: Any = problem.payload
    return all(_passes(code, TestCase.model_validate(test)) for test in payload["tests"])


def _passes(code: str, test: TestCase) -> bool:
    got = outcome(code, Case(test.call, test.setup))
    if isinstance(got, Raised) or test.expected is None:
        return isinstance(got, Raised) and got == test.raises
    try:
        return same(parse(encode(got)), parse(test.expected), test.comparison, test.tolerance)
    except ValueProblem:
        return False


async def self_check(verifier: Verifier, problems: Sequence[Problem], seed: int = 0) -> None:
    """Raises DomainError unless every reference passes and a spoiled one fails."""
    faults = await asyncio.gather(*(_fault(verifier, problem, seed) for problem in problems))
    found = [fault for fault in faults if fault]
    if found:
        raise DomainError(f"{len(found)} of {len(problems)} problems fail the self-check; {found[0]}")


async def _fault(verifier: Verifier, problem: Problem, seed: int) -> str | None:
    right = await verifier.judge(problem, problem.reference)
    if right.outcome != "pass":
        return f"{problem.id}: the reference is judged {right.kind}: {right.evidence}"
    spoiled = await spoiled_reply(DOMAIN, problem, random.Random(f"{seed}/{problem.id}"), verifier)
    wrong = await verifier.judge(problem, spoiled)
    if wrong.outcome != "fail":
        return f"{problem.id}: a spoiled solution is judged {wrong.kind}"
    return None
