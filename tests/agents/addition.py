"""A complete small domain for the tests of the agents (sums of two numbers), and a strict scripted gateway."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from domains.base import Verifier
from models.gateway import CallRequest
from prompts import OracleDraft, OracleLesson, OracleRules
from records.config import RunConfig, Sizes
from records.nouns import Completion, Judgement, Problem, Split, content_hash


class SumVerifier:
    """Reads the last number of the reply."""

    tier: str | None = None

    async def judge(self, problem: Problem, reply: str) -> Judgement:
        numbers = re.findall(r"-?\d+", reply)
        if not numbers:
            return Judgement(outcome="unparsed", kind="no_number")
        wanted, got = str(problem.payload["sum"]), numbers[-1]
        if got == wanted:
            return Judgement(outcome="pass", kind="pass", predicted=got)
        kind = "off_by_ten" if abs(int(got) - int(wanted)) == 10 else "wrong_answer"
        return Judgement(outcome="fail", kind=kind, predicted=got, evidence=f"got {got}, expected {wanted}")


class Addition:
    """Sums of two numbers; the spoiled reply forgets the carry."""

    name = "addition"
    classes: tuple[str, ...] = ()
    reply_tokens = 64
    placebo = "addition"

    def profile(self, name: str) -> Mapping[str, Any]:
        return {}

    def load(self, source: str | None, sizes: Sizes, seed: int) -> list[Problem]:
        rng = random.Random(seed)
        counts: dict[Split, int] = {"train": sizes.train, "validation": 8, "test": sizes.test, "ood": sizes.ood}
        return [self.problem(split, n, rng) for split, count in counts.items() for n in range(count)]

    def problem(self, split: Split, number: int, rng: random.Random) -> Problem:
        a, b = rng.randint(10, 99), rng.randint(10, 99)
        return Problem(
            id=f"sum-{split}-{number}",
            domain=self.name,
            split=split,
            family="two_digits",
            difficulty="easy",
            prompt=f"What is {a} + {b}? End with the number.",
            reference=f"{a} + {b} = {a + b}",
            content_hash=content_hash(sorted([a, b])),
            payload={"sum": a + b},
        )

    @asynccontextmanager
    async def verifier(self, config: RunConfig) -> AsyncIterator[Verifier]:
        yield SumVerifier()

    def spoil(self, problem: Problem, rng: random.Random) -> str:
        total = int(str(problem.payload["sum"]))
        return f"The sum is {total - 10}" if rng.random() < 0.5 else f"The sum is {total + rng.randint(1, 9)}"


RULES = OracleRules(
    draft=(
        OracleDraft(section="Method", text="Add the ones first, then the tens, and remember the carry."),
        OracleDraft(section="Format", text="Write the number last."),
    ),
    lesson=(
        OracleLesson(
            kinds=("off_by_ten",),
            section="Method",
            text="Add the ones first, then the tens, and write the carry down above the tens.",
        ),
        OracleLesson(kinds=("wrong_answer",), section="Checks", text="Subtract one number from the sum to check it."),
    ),
)


def problems(split: Split, count: int, seed: int = 0) -> list[Problem]:
    """Some problems of one split."""
    rng = random.Random(seed)
    return [Addition().problem(split, number, rng) for number in range(count)]


Reply = str | Completion | Callable[[CallRequest], str]


class ScriptedGateway:
    """Answers from a script of (stage, reply). Another stage than expected, or one call more, is an error."""

    def __init__(self, script: Sequence[tuple[str, Reply]]) -> None:
        self.script = list(script)
        self.requests: list[CallRequest] = []

    async def complete(self, request: CallRequest) -> Completion:
        assert self.script, f"unexpected call of stage {request.stage}"
        stage, reply = self.script.pop(0)
        assert request.stage == stage, f"expected a call of stage {stage}, got {request.stage}"
        self.requests.append(request)
        if isinstance(reply, Completion):
            return reply
        text = reply if isinstance(reply, str) else reply(request)
        return Completion(key=content_hash(request.model_dump()), text=text, finish_reason="stop", completion_tokens=3)


def words(text: str) -> int:
    """A token count for tests: words."""
    return len(text.split())


FAILED_CALL = Completion(key="k", text="", finish_reason="error", error="429 after 5 tries")
