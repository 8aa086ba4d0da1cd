"""Who teaches: the protocol, and the teacher that is a language model.

Guaranteed: a teacher sees train problems only (SplitViolation otherwise); a failed call or a
malformed reply never raises out of `reflect`, `propose` or `distill`: it is tried once more with
the fault shown, then there is no journal, no edit or no rewording, and `note` says why. `draft`
raises TeacherError, because a run cannot go on without a first strategy.
Not guaranteed: that what the teacher writes is good or free of answers; the gate and the leak
check decide about that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import prompts
from agents.contrast import rejected_lines, tally
from agents.edit_replies import edits_schema, parse_edits
from agents.graded import Graded, require_train
from agents.manipulation import manipulation
from agents.material import Material, material, quote
from agents.playbook import (
    MAX_EDITS,
    MAX_TOKENS,
    MIN_TOKENS,
    EditError,
    apply_edits,
    check_size,
    numbered,
    parse_strategy,
    strategy_text_in,
    without_thoughts,
)
from agents.solver import Completer, Solver
from models.gateway import CallRequest
from models.spec import ModelSpec, parse_spec
from models.tokens import count_tokens as embedded_tokens
from records.config import Decoding
from records.nouns import Attempt, Completion, Edit, Message, Problem, Reflection, Strategy

__all__ = ["Graded", "LLMTeacher", "Teacher", "TeacherError", "require_train"]

T = TypeVar("T")

MATERIAL_CHARS, WRITING_TOKENS = 24_000, 4_096
SMALL_MATERIAL_CHARS, SMALL_WRITING_TOKENS = 3_000, 700  # the embedded model reads 2,048 tokens
JOURNAL_CHARS = 6_000
DRAFT_EXAMPLES = 3
CALL_FAILED = "the call failed"  # in `note`
WORDS_PER_TOKEN = 0.7
REFUSED = "HTTP 400"  # what older models say to a schema


class TeacherError(Exception):
    """The teacher could not write the first strategy; the message says why and what to do."""


class Teacher(Protocol):
    """Solves problems and writes about what it saw.

    `writer` is the spec of the model that writes: the teacher's own, unless it is made of several. `note`
    says what went wrong with its last reflection, proposal or distillation ("": nothing).
    """

    @property
    def spec(self) -> str:
        """The model, or the models with commas between."""
        ...

    @property
    def writer(self) -> str:
        """Who drafts, reflects and distils."""
        ...

    @property
    def is_language_model(self) -> bool:
        """False for a script."""
        ...

    @property
    def description(self) -> str:
        """What the teacher is, as part of a sentence."""
        ...

    @property
    def note(self) -> str:
        """What went wrong last."""
        ...

    def asked(self, problem: Problem, sample: int = 0) -> Sequence[Teacher]:
        """Who is to solve the problem at this try: the teacher itself, unless it is made of several."""
        ...

    async def draft(self, examples: Sequence[Problem] = ()) -> Strategy:
        """A strategy written without having seen a result; `examples` (train) show what the task is.

        Raises TeacherError if there is none, SplitViolation if an example is not of the train split.
        """
        ...

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
        """One reply to the problem, with the strategy as context if there is one. Never raises for a failed call."""
        ...

    async def reflect(
        self, graded: Sequence[Graded], strategy: Strategy, rejected: Sequence[Reflection], round: int
    ) -> str:
        """The journal of one round: what the contrast between the attempts teaches. "" if there is none."""
        ...

    async def propose(
        self,
        journal: str,
        graded: Sequence[Graded],
        strategy: Strategy,
        rejected: Sequence[Reflection],
        round: int,
    ) -> tuple[Edit, ...]:
        """At most four edits of the strategy; none if the teacher has nothing usable to propose."""
        ...

    async def distill(self, strategy: Strategy, reflections: Sequence[Reflection]) -> Strategy:
        """The strategy tidied into portable wording; the same one if that fails."""
        ...


class LLMTeacher:
    """A teacher that does everything in language. One reflection at a time; `solve` from many tasks at once."""

    is_language_model = True

    def __init__(
        self,
        gateway: Completer,
        spec: ModelSpec | str,
        domain_name: str,
        decoding: Decoding,
        *,
        reply_tokens: int = 1_024,
        count_tokens: Callable[[str], int] = embedded_tokens,
        max_edits: int = MAX_EDITS,
        seed: int = 0,
    ) -> None:
        """`reply_tokens` is the domain's budget for a solution; `max_edits` at most 4."""
        self.gateway = gateway
        self.spec = self.writer = str(spec)
        self.domain_name = domain_name
        self.description = f"language model {self.spec}"
        self.decoding = decoding
        self.count_tokens = count_tokens
        self.max_edits = min(max_edits, MAX_EDITS)
        self.seed = seed
        self.note = ""
        self._read: tuple[Sequence[Graded], Material] | None = None
        self._shown: tuple[Strategy | None, str | None, str | None] = (None, None, None)
        small = parse_spec(self.spec).provider == "embedded"
        self.material_chars = SMALL_MATERIAL_CHARS if small else MATERIAL_CHARS
        self.writing_tokens = SMALL_WRITING_TOKENS if small else WRITING_TOKENS
        self._solver = Solver(gateway, spec, "teacher", decoding, reply_tokens=reply_tokens)

    def asked(self, problem: Problem, sample: int = 0) -> Sequence[Teacher]:
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
        """One reply. Repeated tries and the loop's attempts are sampled at `teacher_temperature`, so that
        they differ; a single try outside the loop is decoded like the student's."""
        varied = sample > 0 or round is not None
        context, strategy_hash = self._rendered(strategy)
        return await self._solver.solve(
            problem,
            stage=stage,
            arm=arm,
            context=context,
            strategy_hash=strategy_hash,
            sample=sample,
            round=round,
            temperature=self.decoding.teacher_temperature if varied else None,
            seed=self.seed,
        )

    def _rendered(self, strategy: Strategy | None) -> tuple[str | None, str | None]:
        """Text and hash of a strategy; a batch asks for those of one and the same again and again."""
        if self._shown[0] is not strategy:
            self._shown = (strategy, strategy.text if strategy else None, strategy.hash if strategy else None)
        return self._shown[1:]

    async def draft(self, examples: Sequence[Problem] = ()) -> Strategy:
        """The one-shot strategy. One that is still too short after a second try is used, and `note` says so.

        Without bullets if nothing readable was written twice. Raises TeacherError if a call failed.
        """
        require_train(examples)
        readable = list[Strategy]()

        def read(text: str) -> Strategy:
            strategy = parse_strategy(strategy_text_in(text), name=self.domain_name)
            while len(strategy.bullets) > 1 and self.count_tokens(strategy.text) > MAX_TOKENS:
                strategy = strategy.model_copy(update={"bullets": strategy.bullets[:-1]})
            if strategy.bullets:
                readable.append(strategy)
            return self._sized(strategy)

        shown = [f"<task>\n{quote(p.prompt, self.material_chars // 4)}\n</task>" for p in examples[:DRAFT_EXAMPLES]]
        fields = {"examples": "\n".join(shown) or "(no example is given)", **_limits(), **_word_limits()}
        strategy = await self._write("draft", fields, read)
        if strategy is None and readable:
            return max(readable, key=lambda one: self.count_tokens(one.text))
        if strategy is None and CALL_FAILED not in self.note:
            return Strategy(name=self.domain_name, bullets=())
        if strategy is None:
            raise TeacherError(
                f"teacher {self.spec} wrote no first strategy ({self.note}). Resume the run to try again, or choose "
                "another teacher."
            )
        return strategy

    async def reflect(
        self, graded: Sequence[Graded], strategy: Strategy, rejected: Sequence[Reflection], round: int
    ) -> str:
        """The journal in the model's words, at most 6,000 characters."""
        require_train(item.problem for item in graded)
        fields = {
            "strategy": numbered(strategy),
            "counts": tally(graded),
            "attempts": self._material(graded).attempts,
            "rejected": _listed(rejected_lines(rejected)),
        }
        return await self._write("reflect", fields, _read_journal) or ""

    async def propose(
        self,
        journal: str,
        graded: Sequence[Graded],
        strategy: Strategy,
        rejected: Sequence[Reflection],
        round: int,
    ) -> tuple[Edit, ...]:
        """Edits in JSON, strictly checked: they must fit the strategy and name attempts that were shown.

        The provider is held to their form where it can be; a reply in free text is read as well.
        """
        require_train(item.problem for item in graded)
        if not journal.strip():
            self.note = self.note or "there is no journal to propose edits from"
            return ()
        shown = self._material(graded)
        ids = {item.problem.id for item in graded}

        def read(text: str) -> tuple[Edit, ...]:
            edits = parse_edits(text, shown.labels)
            _check_proposal(edits, self.max_edits, strategy, ids, round)
            return edits

        fields = {
            "strategy": numbered(strategy),
            "journal": quote(journal, JOURNAL_CHARS),
            "attempts": shown.index,
            "rejected": _listed(rejected_lines(rejected)),
            "max_edits": str(self.max_edits),
        }
        schema = edits_schema() if parse_spec(self.spec).structured else ""
        return await self._write("propose", fields, read, schema) or ()

    async def distill(self, strategy: Strategy, reflections: Sequence[Reflection]) -> Strategy:
        """A rewording in which every bullet comes from one that was there."""

        def read(text: str) -> Strategy:
            tidied = parse_strategy(strategy_text_in(text), name=strategy.name, parent=strategy)
            known = {bullet.id for bullet in strategy.bullets}
            added = [bullet.text for bullet in tidied.bullets if bullet.id not in known]
            if added:
                raise EditError(f"this bullet comes from none that was there: '{added[0][:80]}'")
            return self._sized(tidied)

        kept = [f"round {r.round}: {edit.reason or edit.text}" for r in reflections if r.accepted for edit in r.edits]
        fields = {"strategy": numbered(strategy), "history": _listed(kept[-12:]), **_limits()}
        tidied = await self._write("distill", fields, read)
        return strategy if tidied is None or tidied.hash == strategy.hash else tidied

    def _material(self, graded: Sequence[Graded]) -> Material:
        """What is shown of the attempts: the same for the journal and for the edits."""
        if self._read is None or self._read[0] is not graded:
            self._read = graded, material(graded, self.material_chars)
        return self._read[1]

    def _sized(self, strategy: Strategy) -> Strategy:
        if fault := check_size(strategy.text, self.count_tokens):
            raise EditError(fault)
        return strategy

    async def _write(self, name: str, fields: dict[str, str], read: Callable[[str], T], schema: str = "") -> T | None:
        """Ask with prompts/<name>.txt and read the reply; one more try with the fault shown; then None.

        A reply that is held to a `schema` must be whole; a model that refuses the schema is asked without it.
        """
        prompt = prompts.load(name)
        system = prompts.load("teacher_system").render(domain=self.domain_name)
        asked = prompt.render(domain=self.domain_name, **fields)
        messages: tuple[Message, ...] = (
            Message(role="system", content=system),
            Message(role="user", content=asked),
        )
        self.note = ""
        for _ in range(2):
            completion = await self._complete(name, messages, prompt.hash, schema)
            if schema and completion.error and REFUSED in completion.error:
                schema = ""
                completion = await self._complete(name, messages, prompt.hash)
            if completion.error is not None:
                self.note = f"{name}: {CALL_FAILED}: {completion.error[:300]}"
                return None
            try:
                if schema and completion.finish_reason == "length":
                    raise EditError("the reply is not whole")
                result = read(completion.text)
            except EditError as error:
                self.note = f"{name}: {error}"
                messages = _with_fault(messages, completion, error)
            else:
                self.note = ""
                return result
        return None

    async def _complete(
        self, stage: str, messages: tuple[Message, ...], prompt_hash: str, schema: str = ""
    ) -> Completion:
        return await self.gateway.complete(
            CallRequest(
                model=self.spec,
                messages=messages,
                max_tokens=self.writing_tokens,
                temperature=self.decoding.teacher_temperature,
                seed=self.seed,
                stage=stage,
                agent="teacher",
                prompt_hash=prompt_hash,
                reply_schema=schema,
            )
        )


def _with_fault(messages: tuple[Message, ...], completion: Completion, error: EditError) -> tuple[Message, ...]:
    """The question, the reply that could not be used, and why."""
    fault = str(error)
    if completion.finish_reason == "length":
        fault += " (the reply was cut at the token limit: write less)"
    reply = quote(completion.text, 2_000) or "(empty)"
    retry = prompts.load("retry").render(fault=quote(fault, 600))
    return *messages[:2], Message(role="assistant", content=reply), Message(role="user", content=retry)


def _read_journal(text: str) -> str:
    journal = quote(without_thoughts(text), JOURNAL_CHARS)
    if not journal:
        raise EditError("the journal is empty")
    return journal


def _check_proposal(edits: Sequence[Edit], most: int, strategy: Strategy, ids: set[str], round: int) -> None:
    """Raise EditError if the edits are too many, do not fit the strategy, carry a task's id or a label, or are
    aimed at the judging."""
    if len(edits) > most:
        raise EditError(f"{len(edits)} edits; at most {most} at a time")
    for number, edit in enumerate(edits, 1):
        if any(identity in edit.text for identity in ids):
            raise EditError(f"edit {number}: its text names a task; write general advice")
        if re.search(r"\battempts? A\d+\b", edit.text, re.IGNORECASE):
            raise EditError(f"edit {number}: its text names an attempt; write general advice")
        if fault := manipulation(f"{edit.section}: {edit.text}"):
            raise EditError(f"edit {number}: {fault}; write advice about the task")
    if edits:
        apply_edits(strategy, edits, round)


def _limits() -> dict[str, str]:
    return {"low": str(MIN_TOKENS), "high": str(MAX_TOKENS)}


def _word_limits() -> dict[str, str]:
    low, high = (round(tokens * WORDS_PER_TOKEN, -1) for tokens in (MIN_TOKENS, MAX_TOKENS))
    return {"low_words": f"{low:.0f}", "high_words": f"{high:.0f}"}


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {quote(line, 500)}" for line in lines) or "(none)"
