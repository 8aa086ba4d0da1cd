"""The one configuration of a run: the same object behind flags, `--set` and run.json."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from records.error_budget import ErrorBudget, error_budget
from records.nouns import Record

Profile = Literal["quick", "full"]
Teaching = Literal["round_robin", "vote"]
Rule = Literal["confirm", "sequential", "strict", "none"]
Search = Literal["greedy", "pareto", "gepa"]
Approval = Literal["ask", "gate", "always", "never"]
Selection = Literal["last", "maximin"]
BatchStage = Literal[
    "baseline", "lrl", "gate", "selection", "validation", "source", "ablation", "transfer", "curation", "evaluation"
]


class Sizes(Record):
    """How many problems each split gets. Validation = gate + transfer, and feedback where there are several rounds."""

    train: int = Field(400, ge=1)
    gate: int = Field(24, ge=4)
    transfer: int = Field(24, ge=4)
    test: int = Field(60, ge=4)
    ood: int = Field(30, ge=0)
    feedback: int = Field(24, ge=4, description="validation items whose failures the student reports back")


class LoopConfig(Record):
    """The reflection loop."""

    rounds: int = Field(2, ge=0)
    batch: int = Field(12, ge=1, description="training problems per round")
    attempts: int = Field(4, ge=1, description="attempts per training problem")
    max_edits: int = Field(4, ge=1, le=4)
    alpha: float = Field(0.05, gt=0, lt=1, description="error budget of the whole run")


class GateConfig(Record):
    """The rule that decides on an edited strategy; its error budget is a part of `loop.alpha`."""

    rule: Rule = "confirm"
    proof_share: float = Field(2 / 3, gt=0, lt=1, description="confirm: share of the items that prove the end")
    repeats: int = Field(1, ge=1, le=20, description="replies per item and strategy; the item stays the unit")
    looks: int = Field(4, ge=1, description="into how many batches a test is cut at most")
    futility: float = Field(0.05, ge=0, lt=0.5, description="conditional power below which a test stops")
    minibatch: int = Field(3, ge=1, description="strict: items per round")


class Decoding(Record):
    """How replies are sampled. `max_tokens` None: the domain's reply budget."""

    temperature: float = Field(0.0, ge=0, le=2)
    teacher_temperature: float = Field(0.7, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1)


class TrainingConfig(Record):
    """LoRA fine-tuning."""

    learning_rate: float = Field(1e-3, gt=0)
    epochs: float = Field(1.0, gt=0)
    batch_size: int = Field(16, ge=1)
    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps")
    max_length: int = Field(1536, ge=64)
    save_steps: int = Field(10, ge=1)
    max_loss_of_rows: float = Field(0.005, ge=0, le=1)


class Budget(Record, allow_inf_nan=False):
    """What the paid calls of a run may use at most, over all its processes; None: no limit."""

    usd: float | None = Field(None, ge=0, description="US dollars")
    tokens: int | None = Field(None, ge=0, description="tokens of prompts and replies")
    calls: int | None = Field(None, ge=0)


class Batches(Record):
    """The providers' batches: about half the price, and up to 24 hours of waiting.

    `stages` are those whose calls do not wait for each other, outside the loop: within it ("lrl", "gate")
    every round would wait twice. Reflections and the like are single calls and never wait.
    """

    use: bool = False
    stages: tuple[BatchStage, ...] = (
        *("baseline", "selection", "validation", "source", "ablation", "transfer"),
        *("curation", "evaluation"),
    )
    window: float = Field(1.0, ge=0, description="seconds without a further call after which a batch is sent")
    poll: float = Field(30.0, gt=0, description="seconds between two questions about a batch")
    settles: float = Field(10.0, ge=0, description="seconds in which a submitted batch comes into the provider's list")
    most: int = Field(10_000, ge=1, le=50_000, description="calls per batch")


class AblationConfig(Record):
    """Each bullet's lift, measured by leaving it out, on the gate's items."""

    use: bool = False
    bullets: int = Field(24, ge=1, description="bullets measured at most, the newest ones first")


class CrossModelConfig(Record):
    """Candidates on all validators before one of them is validated, and more rounds for a model that gains nothing."""

    select: Selection = Field("last", description="maximin: the candidate whose worst validator gains most")
    source: bool = Field(False, description="measure the source's own lift on the validation items too")
    reoptimise_for: tuple[str, ...] = Field((), description="validators that get rounds of their own")
    reoptimise_rounds: int = Field(2, ge=1, description="further rounds for each of them")

    @property
    def surveys(self) -> bool:
        """The candidates are measured on every validator."""
        return self.select == "maximin" or bool(self.reoptimise_for)


class FeedbackConfig(Record):
    """What a student's failures lead to: another strategy, more examples, another training."""

    examples: int = Field(60, ge=1, description="verified solutions of failing families that a round adds")
    batch: int = Field(12, ge=1, description="training problems of failing families that the student tries")
    attempts: int = Field(2, ge=1, description="attempts of the student at each of them")


class RunConfig(Record):
    """Everything that decides what a run does."""

    domain: str
    teacher: str = "oracle"
    more_teachers: tuple[str, ...] = Field((), description="further teachers; the first one writes the strategy")
    search: Search | None = Field(None, description="how strategies are searched; None: pareto under gate.rule=confirm")
    teaching: Teaching = Field("round_robin", description="how several teachers share the problems")
    student: str = "embedded"
    validators: tuple[str, ...] = Field(("embedded",), min_length=1)
    profile: Profile = "quick"
    problems: str | None = None
    approve: Approval = "ask"
    seed: int = 0
    training_seeds: int = Field(1, ge=1)
    examples: int = Field(400, ge=1, description="verified solutions to train on")
    require_sound_steps: bool = Field(False, description="train on no solution with a wrong step")
    transfer_to: tuple[str, ...] = Field((), description="other domains that the strategy is tested on")
    student_arms: tuple[str, ...] = ("base", "base+strategy", "lora_plain", "lora_strategy")
    sizes: Sizes = Sizes()
    loop: LoopConfig = LoopConfig()
    gate: GateConfig = GateConfig()
    decoding: Decoding = Decoding()
    training: TrainingConfig = TrainingConfig()
    ablation: AblationConfig = AblationConfig()
    crossmodel: CrossModelConfig = CrossModelConfig()
    rounds: int = Field(1, ge=1, description="times that the student is trained; after each its failures go back")
    feedback: FeedbackConfig = FeedbackConfig()
    judge: str | None = Field(None, description="model that judges where a domain has no verifier")
    judge_agreement: str | None = Field(None, description="file with its measured agreement with a verifier")
    sandbox_tier: Literal["auto", "docker", "jail"] = "auto"
    sandbox_slots: int = Field(2, ge=1)
    concurrency: int = Field(8, ge=1, description="calls in flight per API provider")
    requests_per_minute: float | None = Field(None, gt=0, description="per API provider")
    tokens_per_minute: float | None = Field(None, gt=0, description="per API provider, prompts and replies")
    call_timeout: float = Field(120.0, gt=0, description="seconds per API call")
    hedge_after: float | None = Field(None, gt=0, description="seconds until an API call is made twice; None: never")
    serve: Literal["transformers", "vllm"] = "transformers"  # what runs local models
    batch_limit: int = Field(64, ge=1, description="rows per local generation batch")
    batches: Batches = Batches()
    budget: Budget = Budget()
    prices: str | None = Field(None, description="file of the user's own prices, over the shipped table")

    @model_validator(mode="after")
    def _repeats_differ(self) -> RunConfig:
        if self.gate.repeats > 1 and self.decoding.temperature == 0:
            raise ValueError(
                f"gate.repeats={self.gate.repeats} with decoding.temperature=0 pays for the same reply several times; "
                "set decoding.temperature above 0 or gate.repeats=1"
            )
        return self

    @model_validator(mode="after")
    def _validators_are_known(self) -> RunConfig:
        if unknown := [spec for spec in self.crossmodel.reoptimise_for if spec not in self.validators]:
            raise ValueError(
                f"reoptimise for '{unknown[0]}': it is no validator of this run; they are: {', '.join(self.validators)}"
            )
        return self

    @model_validator(mode="after")
    def _students_learn_in_rounds(self) -> RunConfig:
        if self.rounds > 1 and not any(arm.startswith("lora_") for arm in self.student_arms):
            raise ValueError(f"rounds={self.rounds} needs a student that is trained; student_arms has no lora_ arm")
        return self

    @property
    def further_rounds(self) -> int:
        """Reflection rounds that may follow the loop: for validators, and one before each further training."""
        return len(self.crossmodel.reoptimise_for) * self.crossmodel.reoptimise_rounds + self.rounds - 1

    @property
    def error_budget(self) -> ErrorBudget:
        """How `loop.alpha` is shared out over the loop, later rounds and people's edits."""
        return error_budget(self.loop.alpha, further_rounds=self.further_rounds, people_decide=self.approve == "ask")

    @property
    def problem_sizes(self) -> Sizes:
        """The sizes to load: feedback items are a part of the validation split of their own."""
        if self.rounds == 1:
            return self.sizes
        return self.sizes.model_copy(update={"transfer": self.sizes.transfer + self.sizes.feedback})

    @property
    def feedback_items(self) -> int:
        """Validation items that only the student's feedback uses."""
        return self.sizes.feedback if self.rounds > 1 else 0

    @model_validator(mode="after")
    def _search_is_proved(self) -> RunConfig:
        if self.search in ("pareto", "gepa") and self.gate.rule != "confirm":
            raise ValueError(
                f"search={self.search} compares many strategies on the same items, so its end needs a proof on others: "
                f"it goes with gate.rule=confirm, not with {self.gate.rule}; use --search greedy there"
            )
        return self

    @property
    def searching(self) -> Search:
        """The search that is made: the named one, else the one that fits the gate's rule."""
        return self.search or ("pareto" if self.gate.rule == "confirm" else "greedy")

    @property
    def teachers(self) -> tuple[str, ...]:
        """All teachers, the one that writes the strategy first."""
        return (self.teacher, *self.more_teachers)


# May change when a run is resumed: they decide nothing of its results.
FREE_SETTINGS = ("batches", "budget", "prices", "requests_per_minute", "tokens_per_minute")
