"""Frozen records that travel between the rooms.

Guaranteed: every record is immutable, rejects unknown fields, and round-trips through JSON.
Not guaranteed: that a reply is safe to show; everything a model wrote is hostile text.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Split = Literal["train", "validation", "test", "ood"]
Difficulty = Literal["easy", "medium", "hard"]
Outcome = Literal["pass", "fail", "unparsed", "ungraded"]
FinishReason = Literal["stop", "length", "error"]
Operation = Literal["ADD", "REPLACE", "DELETE", "MERGE"]
Action = Literal["approve", "edit", "reject"]
Suite = Literal["student", "strategy", "source", "selection", "ablation", "feedback"]
WRONG_STEP = "wrong_step"  # kind of a judgement: a step does not hold, even if the answer is right


def content_hash(value: Any) -> str:
    """First 16 hex digits of the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Record(BaseModel):
    """Base of all nouns: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Record):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


class Problem(Record):
    """A task with ground truth.

    `prompt` is all that a model sees. `payload` is what the verifier needs and is never shown.
    `reference` is a worked solution, written as the reply of an ideal model.
    `content_hash` ignores order where order does not matter.
    """

    id: str
    domain: str
    split: Split
    family: str
    difficulty: Difficulty
    prompt: str
    reference: str
    content_hash: str
    answer: str | None = None  # the class label, where the answer is a class
    payload: dict[str, JsonValue] = Field(default_factory=dict)


class Attempt(Record):
    """One reply of one model to one problem. A failed call is an attempt with `error` set."""

    id: str
    problem_id: str
    stage: str
    arm: str
    agent: str
    model: str
    sample: int = 0
    round: int | None = None
    strategy_hash: str | None = None
    call_key: str | None = None
    reply: str = ""
    finish_reason: FinishReason = "stop"
    error: str | None = None
    completion_tokens: int | None = None

    @property
    def truncated(self) -> bool:
        """The reply was cut at the token limit."""
        return self.finish_reason == "length"


class Judgement(Record):
    """What a verifier says of one reply.

    `kind` is the verifier's word ("pass", "wrong_answer", "timeout_cpu", "infra_error", …);
    `evidence` may quote inputs and expected values, so only training problems' evidence may
    reach a reflection. `ungraded` means: could not be judged, never "wrong".
    """

    outcome: Outcome
    kind: str
    predicted: str | None = None
    evidence: str = ""
    tests: tuple[str, ...] = ()
    tier: str | None = None
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        """No step of the reply was found wrong, whatever its answer is."""
        return self.kind != WRONG_STEP


class Verdict(Record):
    """A judgement of a recorded attempt."""

    id: str  # equals the attempt's id
    problem_id: str
    judgement: Judgement


class Bullet(Record):
    """One numbered piece of advice, with the attempts that it came from.

    `created` is the round in which its id was given (None: not known), `round` that of its present wording. `lift` is
    the mean gain per item that was measured when the wording came in, of the whole edit that brought it; None if it
    was not measured.
    """

    id: str
    section: str
    text: str
    origin: tuple[str, ...] = ()
    round: int = 0
    created: int | None = None
    lift: float | None = None


class Edit(Record):
    """One operation on a strategy's bullets. `origin` names the attempts that it came from."""

    operation: Operation
    bullet_ids: tuple[str, ...] = ()
    section: str = "Method"
    text: str = ""
    origin: tuple[str, ...] = ()
    reason: str = ""


class Strategy(Record):
    """A portable strategy: ordered bullets, rendered to text deterministically."""

    name: str
    bullets: tuple[Bullet, ...]
    parent: str | None = None  # hash of the strategy that this one was edited from
    round: int = 0

    @property
    def text(self) -> str:
        """The strategy as models read it: sections in order of first appearance."""
        sections: dict[str, list[str]] = {}
        for bullet in self.bullets:
            sections.setdefault(bullet.section, []).append(f"- {bullet.text}")
        return "\n\n".join(f"## {name}\n" + "\n".join(lines) for name, lines in sections.items())

    @property
    def hash(self) -> str:
        """Hash over the rendered text: what a person approves and the trainer checks."""
        return content_hash(self.text)


class GateResult(Record):
    """Outcome of the paired test of a candidate strategy against the current one.

    `wins` / `losses` count validation items that only the candidate / only the current strategy
    solved (with several replies per item: solved more often); `p_value` is one-sided; `ungraded` items
    are left out of `n`. `difference` is the mean gain per item, `planned` the number of items that were
    at hand, `stopped` why not all were used. `alpha` is this round's level and `alpha_spent` what all
    rounds so far have used, `detectable` the gain that the test shows with 80% probability when replies
    vary as much as they can; both are None for a rule without a test, whose `alpha` is 1. `tested` is False
    where every item had a part in the choice, so that no test was made.
    """

    policy: str
    accepted: bool
    tested: bool = True
    n: int
    wins: int
    losses: int
    ungraded: int
    p_value: float
    alpha: float
    reason: str
    planned: int | None = None
    repeats: int = 1
    difference: float | None = None
    alpha_spent: float | None = None
    detectable: float | None = None
    stopped: str = ""


class Reflection(Record):
    """One entry of the teacher's journal and what became of the edits that it proposed."""

    id: str
    round: int
    batch: int
    attempt_ids: tuple[str, ...]
    journal: str
    edits: tuple[Edit, ...]
    parent_hash: str
    candidate_hash: str | None
    gate: GateResult | None
    accepted: bool
    note: str = ""
    teacher: str = ""  # who wrote it


class Confirmation(Record):
    """The one test of a search's final strategy against its starting point, on items that the search never used.

    `kept_hash` is the strategy that the run goes on with: the final one if `gate` accepted it, else the start.
    """

    id: str
    final_hash: str
    start_hash: str
    kept_hash: str
    gate: GateResult


class Decision(Record):
    """What a person (or the named rule) decided about one strategy, and why."""

    id: str
    action: Action
    strategy_hash: str
    approved_hash: str | None  # differs from strategy_hash after an edit; None after a rejection
    who: str
    reason: str
    time: str
    text: str | None = None  # the edited text, for action "edit"


class EditGate(Record):
    """The gate's paired test of a strategy that a person edited, against the text that was edited."""

    id: str
    before_hash: str
    edited_hash: str
    gate: GateResult


class StageTime(Record):
    """When a node of the graph began and ended, ISO 8601 in UTC; `ended` is None in the row of its beginning."""

    id: str
    stage: str
    node: str
    begun: str
    ended: str | None = None


class TrainingRow(Record):
    """One supervised example, as Hugging Face prompt/completion messages, with provenance."""

    id: str
    problem_id: str
    attempt_id: str
    arm: str
    strategy_hash: str | None
    prompt: tuple[Message, ...]
    completion: tuple[Message, ...]
    teacher: str = ""  # the model that wrote the completion


class EvaluationRow(Record):
    """One judged reply of one arm: the rows that every figure of the report is computed from.

    `suite` is "student" (student arms and the teacher), "strategy" (strategy arms × validator), "source"
    (the model that the strategy was learned on, where it is no validator), "selection" (candidates ×
    validator), "ablation" (the strategy without each bullet × validator) or "feedback" (a trained student
    on its own validation items). `strategy_hash` is the version that the row speaks about: for the
    strategy, source and ablation suites the version under test, also in the control arms; for student
    arms the one in the prompt. `round` counts the student's trainings from 1.
    """

    id: str
    suite: Suite
    arm: str
    model: str
    split: Split
    problem_id: str
    family: str
    sample: int
    seed: int
    outcome: Outcome
    kind: str
    expected: str | None
    predicted: str | None
    truncated: bool
    tier: str | None
    completion_tokens: int | None
    strategy_hash: str | None = None
    round: int = 1


class Completion(Record):
    """What a model call returned. `cost` is in US dollars; None means unknown, never free."""

    key: str
    text: str
    reasoning: str = ""
    finish_reason: FinishReason
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None  # of the prompt tokens, read from the provider's cache
    cache_write_tokens: int | None = None  # of the prompt tokens, written to it
    cost: float | None = None
    seconds: float = 0.0
    error: str | None = None
    replayed: bool = False  # served from the ledger, not paid again
