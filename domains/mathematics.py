"""The mathematics domain: problems with one exact answer, and worked steps that are checked.

Problems come from parametrised families (domains/mathematics_families) over algebra, number theory,
combinatorics, geometry, calculus and statistics. A file, or GSM8K or MATH by name, fills the splits
that its rows name (`test` where they name none); the families fill the others. `ood` problems come
from families that no other split uses.

Guaranteed: an answer is compared by value (sandbox.maths_checker), never as a string; a reply that
has no answer, or several, is `unparsed`, and what could not be compared is `ungraded`. A right
answer with a wrong step passes, and is marked: kind `wrong_step`.
Not guaranteed: that steps without an equation are sound; they are not looked at.
"""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from domains.base import Domain
from domains.drawing import counts, draw
from domains.mathematics_families import FAMILIES, MARK, REPLY_FORMAT, Draft, Family
from domains.mathematics_sets import load_problems
from records.config import RunConfig, Sizes
from records.nouns import WRONG_STEP, Judgement, Outcome, Problem, Split
from sandbox.maths_checker import MathChecker, MathVerdict, StepFinding
from sandbox.maths_judge import UNREAD
from sandbox.maths_text import Ambiguous, final_answer

_SHOWN = 200  # characters of an answer that are quoted
_EVIDENCE = 1_000
_STEP_WORDS = {True: "right", False: "wrong", None: "open"}


class MathematicsDomain:
    """Satisfies `domains.base.Domain`."""

    name = "mathematics"
    classes: tuple[str, ...] = ()
    reply_tokens = 160
    placebo = "scheduling"

    def profile(self, name: str) -> Mapping[str, Any]:
        """Quick: about a dozen examples of each family. Full: more problems, three seeds."""
        if name == "quick":
            return {"sizes": {"train": 800}, "examples": 800, "training": {"batch_size": 8}}
        return {
            "training": {"batch_size": 8},
            "sizes": {"train": 1200, "gate": 48, "transfer": 54, "test": 150, "ood": 90},
            "examples": 1200,
            "training_seeds": 3,
            "student_arms": ["base", "base+strategy", "lora_plain", "lora_strategy", "lora_distilled"],
        }

    def load(self, source: str | None, sizes: Sizes, seed: int) -> list[Problem]:
        """Problems of all splits; those of a `source` (JSONL path or name) take the place of generated ones."""
        wanted = counts(sizes)
        given = _given(source, wanted, seed)
        filled = {problem.split for problem in given}
        for split, count in wanted.items():
            if split not in filled:
                given += generate(split, count, seed)
        return given

    @asynccontextmanager
    async def verifier(self, config: RunConfig) -> AsyncIterator[MathematicsVerifier]:
        """Start the checker's workers. Raises SandboxError if they do not start."""
        with MathChecker(workers=config.sandbox_slots) as checker:
            await checker.judge("1", "2")  # whether the workers start is seen before anything is spent
            yield MathematicsVerifier(checker)

    def spoil(self, problem: Problem, rng: random.Random) -> str:
        """The reference with a slip in its last step and a wrong answer, or with a wrong answer only."""
        wrong: Any = problem.payload["wrong"]
        answer = str(rng.choice(wrong))
        *steps, _ = re.sub(r"\\(?:boxed|fbox)\b", "", problem.reference).split("\n")  # a box would be the answer
        right = problem.reference.rpartition(MARK)[2].strip()
        if steps and steps[-1].endswith(f"= {right}") and rng.random() < 0.7:
            steps[-1] = steps[-1][: -len(right)] + answer
        return "\n".join((*steps, f"{MARK} {answer}"))


def _given(source: str | None, wanted: Mapping[Split, int], seed: int) -> list[Problem]:
    """As many problems of a source as each split wants; of one split, if the source has no other."""
    if source is None:
        return []
    rows = load_problems(source)
    random.Random(f"mathematics/{seed}").shuffle(rows)
    taken: list[Problem] = []
    train = [row for row in rows if row.split == "train"]
    for split, count in wanted.items():
        found = [row for row in rows if row.split == split]
        if split == "validation" and not found and len(train) >= count + wanted["train"]:
            found = [row.model_copy(update={"split": "validation"}) for row in train[-count:]]
        taken += found[:count]
    return taken


def generate(split: Split, count: int, seed: int) -> Iterator[Problem]:
    """Problems of the families. Raises DomainError if they give too few."""
    families: Sequence[Family] = [family for family in FAMILIES if family.ood == (split == "ood")]
    for family, draft, identity in draw(families, split, count, seed):
        yield make_problem(family.id, draft, split, identity)


def make_problem(family: str, draft: Draft, split: Split, identity: str) -> Problem:
    """A problem of a draft."""
    return Problem(
        id=f"{family}-{identity}",
        domain=DOMAIN.name,
        split=split,
        family=family,
        difficulty=next(known.difficulty for known in FAMILIES if known.id == family),
        prompt=f"{draft.question}\n{REPLY_FORMAT}",
        reference=draft.reference,
        content_hash=identity,
        payload={"gold": draft.gold, "contract": draft.contract, "wrong": list(draft.wrong)},
    )


class MathematicsVerifier:
    """Compares answers and checks steps in worker processes."""

    tier: str | None = None  # nothing that a model wrote is executed

    def __init__(self, checker: MathChecker) -> None:
        self._checker = checker

    async def judge(self, problem: Problem, reply: str) -> Judgement:
        """Compare the reply's answer with the gold answer, and work through its equations."""
        try:
            said = final_answer(reply)
        except Ambiguous as problem_:
            return Judgement(outcome="unparsed", kind="two_answers", evidence=str(problem_)[:_EVIDENCE])
        if said is None:
            return Judgement(outcome="unparsed", kind="no_answer", evidence=f"The reply has no line '{MARK} …'.")
        gold, contract = str(problem.payload["gold"]), str(problem.payload["contract"])
        verdict = await self._checker.judge(gold, reply, contract)
        steps = await self._checker.judge_steps(reply) or []
        outcome, kind = _outcome(verdict)
        slip = next((step for step in steps if step.holds is False), None)
        if slip is not None and outcome in ("pass", "fail"):
            kind = WRONG_STEP
        return Judgement(
            outcome=outcome,
            kind=kind,
            predicted=said[:_SHOWN],
            evidence=_evidence(gold, said, verdict, slip)[:_EVIDENCE],
            tests=tuple(_STEP_WORDS[step.holds] for step in steps),
            seconds=verdict.seconds,
        )


def _outcome(verdict: MathVerdict) -> tuple[Outcome, str]:
    """An answer that cannot be read is the reply's fault; one that cannot be compared is ours."""
    if verdict.verdict == "equal":
        return "pass", "pass"
    if verdict.verdict == "different":
        return "fail", "wrong_answer"
    if verdict.verdict == "unknown" and verdict.reason.startswith(UNREAD):
        return "unparsed", "unreadable"
    return "ungraded", "undecided" if verdict.verdict == "unknown" else "checker_error"


def _evidence(gold: str, said: str, verdict: MathVerdict, slip: StepFinding | None) -> str:
    parts = [f"The reply says {said[:_SHOWN]}; right is {gold[:_SHOWN]} ({verdict.reason})."]
    if slip is not None:
        parts.append(f"First wrong step, line {slip.line}: '{slip.text[:_SHOWN]}'.")
    return " ".join(parts)


DOMAIN: Domain = MathematicsDomain()
