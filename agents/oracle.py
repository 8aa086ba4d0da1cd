"""The teacher for machines without an API key: a script, not a language model.

It replies with the domain's reference solutions, some of them spoiled so that they really fail;
its journal counts real verdicts and quotes their evidence; its edits follow the domain's rules
(prompts/strategies/<domain>.oracle.toml). It makes the whole pipeline run, with real failures,
real verdicts and a real gate. It is no evidence that a teacher can learn: its own error rate falls
by script when its strategy contains the lessons, so its scores say nothing. Deterministic in its
seed; makes no call and costs nothing.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Sequence

import prompts
from agents.contrast import contrast_groups, failure_words, failures, is_mixed, rejected_lines, tally
from agents.graded import Graded, require_train
from agents.plain_text import clean_text
from agents.playbook import MAX_EDITS
from agents.solver import attempt_id
from agents.strategy_lines import DEFAULT_SECTION
from domains.base import Domain, NoVerifier, Verifier
from domains.spoiling import spoiled_reply
from prompts import OracleLesson, OracleRules
from records.nouns import Attempt, Bullet, Edit, Problem, Reflection, Strategy

SPOIL_FALL = 0.8  # share of the spoil rate that goes away once the strategy holds every lesson
SAME_ADVICE = 0.6  # similarity above which a bullet counts as an older wording of a lesson
QUOTED_FAILURES = 8
EVIDENCE_CHARS = 600


class OracleTeacher:
    """The scripted teacher of one domain."""

    spec = writer = "oracle"
    is_language_model = False
    description = "scripted oracle: answers come from the domain's reference solutions; it is not a language model"

    def __init__(
        self,
        domain: Domain,
        seed: int = 0,
        spoil_rate: float = 0.15,
        rules: OracleRules | None = None,
        max_edits: int = MAX_EDITS,
        verifier: Verifier | None = None,
    ) -> None:
        """`rules` default to the domain's file; the `verifier` shows that a spoiled reply fails: without one, only
        mistakes that are certain are made. Raises PromptError if the rules are absent or broken."""
        self.domain = domain
        self.verifier = verifier or NoVerifier()
        self.seed = seed
        self.spoil_rate = spoil_rate
        self.rules = rules or prompts.load_oracle_rules(domain.name)
        self.max_edits = max_edits
        self.note = ""

    async def draft(self, examples: Sequence[Problem] = ()) -> Strategy:
        """The rule file's draft; the examples are not looked at."""
        require_train(examples)
        bullets = tuple(
            Bullet(id=f"b{number}", section=line.section, text=clean_text(line.text))
            for number, line in enumerate(self.rules.draft, 1)
        )
        return Strategy(name=self.domain.name, bullets=bullets)

    def asked(self, problem: Problem, sample: int = 0) -> Sequence[OracleTeacher]:
        """Itself."""
        return (self,)

    async def solve(
        self,
        problem: Problem,
        strategy: Strategy | None,
        *,
        stage: str,
        arm: str,
        sample: int = 0,
        round: int | None = None,
    ) -> Attempt:
        """The reference, or with the current spoil rate a reply that really fails."""
        rng = random.Random(f"{self.seed}/{problem.id}/{sample}/{stage}")
        spoiled = rng.random() < self.current_spoil_rate(strategy)
        return Attempt(
            id=attempt_id(stage, arm, self.spec, problem.id, sample=sample, round=round),
            problem_id=problem.id,
            stage=stage,
            arm=arm,
            agent="teacher",
            model=self.spec,
            sample=sample,
            round=round,
            strategy_hash=strategy.hash if strategy else None,
            reply=await self._wrong(problem, rng) if spoiled else problem.reference,
        )

    async def _wrong(self, problem: Problem, rng: random.Random) -> str:
        return await spoiled_reply(self.domain, problem, rng, self.verifier)

    def current_spoil_rate(self, strategy: Strategy | None) -> float:
        """The spoil rate, lowered in proportion to the lessons that the strategy holds."""
        lessons = self.rules.lesson
        if strategy is None or not lessons:
            return self.spoil_rate
        texts = {bullet.text for bullet in strategy.bullets}
        held = sum(clean_text(lesson.text) in texts for lesson in lessons)
        return self.spoil_rate * (1 - SPOIL_FALL * held / len(lessons))

    async def reflect(
        self, graded: Sequence[Graded], strategy: Strategy, rejected: Sequence[Reflection], round: int
    ) -> str:
        """Counts and the evidence of the failures, problems with mixed outcomes first."""
        require_train([item.problem for item in graded])
        self.note = ""
        lines = [f"Round {round}, written by a script from the verdicts. {tally(graded)}"]
        mixed = sum(is_mixed(group) for group in contrast_groups(graded))
        lines.append(f"{mixed} problems were solved in one attempt and missed in another.")
        failed = failures(graded)
        lines += [_failure_line(item) for item in failed[:QUOTED_FAILURES]]
        if len(failed) > QUOTED_FAILURES:
            lines.append(f"… and {len(failed) - QUOTED_FAILURES} more.")
        lines += [f"Earlier: {line}" for line in rejected_lines(rejected)]
        return "\n".join(lines)

    async def propose(
        self,
        journal: str,
        graded: Sequence[Graded],
        strategy: Strategy,
        rejected: Sequence[Reflection],
        round: int,
    ) -> tuple[Edit, ...]:
        """The lessons for the failures that were seen, most frequent first; none that was tried before."""
        require_train([item.problem for item in graded])
        self.note = ""
        failed = failures(graded)
        tried = {clean_text(edit.text) for reflection in rejected for edit in reflection.edits}
        held = {bullet.text for bullet in strategy.bullets}
        matches = [(lesson, _origin(lesson, failed)) for lesson in self.rules.lesson]
        matches = [
            (lesson, origin) for lesson, origin in matches if origin and clean_text(lesson.text) not in tried | held
        ]
        matches.sort(key=lambda match: -len(match[1]))
        edits: list[Edit] = []
        for lesson, origin in matches[: self.max_edits]:
            used = {identity for edit in edits for identity in edit.bullet_ids}
            edits.append(_edit(lesson, origin, [b for b in strategy.bullets if b.id not in used]))
        if not edits:
            self.note = "no rule fits the failures seen that was not tried or held already"
        return tuple(edits)

    async def distill(self, strategy: Strategy, reflections: Sequence[Reflection]) -> Strategy:
        """The same strategy: a script has no better wording."""
        self.note = ""
        return strategy


def _failure_line(item: Graded) -> str:
    judgement = item.judgement
    evidence = clean_text(judgement.evidence, EVIDENCE_CHARS) or "no further evidence"
    return f"- {item.attempt.id} (family {item.problem.family}): {judgement.kind}: {evidence}"


def _origin(lesson: OracleLesson, failed: Sequence[Graded]) -> tuple[str, ...]:
    """Ids of the attempts whose failure the lesson answers."""
    kinds = {kind.casefold() for kind in lesson.kinds}
    return tuple(item.attempt.id for item in failed if kinds & failure_words(item))


def _edit(lesson: OracleLesson, origin: tuple[str, ...], bullets: Sequence[Bullet]) -> Edit:
    """REPLACE an older wording of the same advice, ADD where there is none."""
    text = clean_text(lesson.text)
    reason = f"{len(origin)} failures of kind {', '.join(lesson.kinds)}"
    close = difflib.get_close_matches(text, [b.text for b in bullets], 1, cutoff=SAME_ADVICE)
    if close:
        old = next(bullet for bullet in bullets if bullet.text == close[0])
        return Edit(
            operation="REPLACE", bullet_ids=(old.id,), section=old.section, text=text, origin=origin, reason=reason
        )
    section = lesson.section or DEFAULT_SECTION
    return Edit(operation="ADD", section=section, text=text, origin=origin, reason=reason)
