"""How many paid calls a run will make and what they may cost, said before the first one.

Guaranteed: the upper ends count every call that the configuration allows (all tries, all rounds, all
repairs of a malformed reply) but not those of a strategy that a reviewer edits and has measured again.
Not guaranteed: the lower ends, which take short replies, no repetition, no two arms with the same text and
no strategy that leaks for granted; that problems fall
evenly to teachers who take turns; and token counts, which are made from characters, as every model has
another tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agents.arms import STRATEGY_ARMS
from agents.llm_judge import VERDICT_TOKENS
from agents.playbook import MAX_TOKENS as STRATEGY_TOKENS
from agents.teacher import JOURNAL_CHARS, MATERIAL_CHARS, WRITING_TOKENS
from domains import get_domain
from evaluation.gate import ConfirmGate, gate_rule
from evaluation.item_parts import item_parts
from evaluation.power import STEADY, minimum_detectable_effect
from evaluation.verdicts import ALPHA, REQUIRED
from graphs.gepa_search import GEPA_MINIBATCH, metric_calls
from graphs.money import called_models, paid_models
from graphs.search import MERGE_EVERY
from graphs.teaching import MAX_SAMPLES
from graphs.transfers import target_problems
from models.batches import supports_batches
from models.prices import Price, load_prices
from models.spec import ModelSpec, parse_spec
from records.config import RunConfig
from records.nouns import Problem
from records.splits import ProblemSet

TOKENS_PER_CHARACTER = (0.2, 0.4)  # English prose to code and markup
SHORT_REPLY = 0.1  # of the reply budget
TEMPLATE_CHARS = 4_000  # instructions of the teacher's own prompts
JUDGE_CHARS = 2_500  # instructions and rubric of the judge

SOLVED_BY_ALL = ("baseline", "lrl", "curation")  # stages whose problems several teachers share

APPROVED = {"always": (1, 1), "never": (0, 0)}  # whether there are arms with a strategy; else nobody knows before

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Part:
    """The calls of one stage to one model, each figure as (low, high). `usd` is None if no price is known."""

    stage: str
    agent: str
    model: str
    calls: Range
    prompt_tokens: Range
    reply_tokens: Range
    usd: Range | None


@dataclass(frozen=True, kw_only=True)
class _Calls:
    """How often, with how long a prompt (characters), and with how many tokens to reply in at most."""

    stage: str
    agent: str
    calls: Range
    prompt_chars: Range
    max_tokens: int
    context: Range = (0, 0)  # tokens of a strategy


def preflight(config: RunConfig, free: bool = False) -> list[Part]:
    """The paid calls of a run by stage and model; empty if all its models are free. With `free` theirs too.

    Raises DomainError for problems that cannot be loaded, PriceError for a bad price table.
    """
    asked = called_models(config) if free else paid_models(config)
    if not asked:
        return []
    domain = get_domain(config.domain)
    loaded = domain.load(config.problems, config.problem_sizes, config.seed)
    problems = ProblemSet(loaded, config.sizes.gate, config.feedback_items)
    reply = config.decoding.max_tokens or domain.reply_tokens
    prices = load_prices(config.prices)
    parts = []
    for role, spec in asked:
        for entry in _calls_of(role, spec, config, problems, reply):
            price = prices.price_of(spec)
            waits = config.batches.use and entry.stage in config.batches.stages and supports_batches(spec)
            parts.append(_part(price.batched() if price and waits else price, spec, entry))
    return parts


def measuring(
    config: RunConfig, sets: Sequence[tuple[str, Sequence[Problem], int]], stage: str, free: bool = False
) -> list[Part]:
    """The paid calls of the validators on sets of (domain, items, arms); with `free` the others too."""
    asked = called_models(config) if free else paid_models(config)
    prices, parts = load_prices(config.prices), list[Part]()
    for spec in dict.fromkeys(spec for role, spec in asked if role == "validator"):
        for name, items, arms in sets:
            reply = config.decoding.max_tokens or get_domain(name).reply_tokens
            entry = _solving(stage, "validator", items, (arms, arms), reply, (0, STRATEGY_TOKENS))
            parts.append(_part(prices.price_of(spec), spec, entry))
    return parts


def validation_promise(config: RunConfig) -> str:
    """What the validation on other models can show of a strategy, to be read before anything is spent.

    The hardest of the comparisons that `supported` asks for: a two-sided test at 0.05 / 3 (Holm).
    """
    items, level = config.sizes.transfer, ALPHA / len(REQUIRED) / 2
    gains = [minimum_detectable_effect(items, level, noise=noise) for noise in (STEADY, None)]
    if gains[0] is None:
        return f"validation: {items} items, too few to show any gain over the control arms (raise sizes.transfer)"
    least, most = (f"{gain:.0%}" if gain is not None else "none" for gain in gains)
    return (
        f"validation: {items} items show with 80% probability a gain of {least} over each of {', '.join(REQUIRED)} if "
        f"replies hardly vary, {most} if they vary as much as they can"
    )


def _calls_of(role: str, spec: ModelSpec, config: RunConfig, problems: ProblemSet, reply: int) -> Iterator[_Calls]:
    if role == "validator":
        yield from _validator(spec, config, problems, reply)
    elif role == "judge":
        yield from _judge(config, problems, reply)
    elif role == "student":
        yield from _student(spec, config, problems, reply)
    else:
        share = 1 / len(config.teachers) if config.teaching == "round_robin" else 1.0
        writes = str(spec) == str(parse_spec(config.teacher))
        for entry in _teacher(config, problems, reply):
            if entry.stage in SOLVED_BY_ALL:
                yield replace(entry, calls=(entry.calls[0] * share, entry.calls[1] * share))
            elif writes:
                yield entry


def _student(spec: ModelSpec, config: RunConfig, problems: ProblemSet, reply: int) -> Iterator[_Calls]:
    """One behind an API is measured, not trained."""
    yield _solving("baseline", "student", _held_out(problems), (1, 1), reply)
    if parse_spec(config.teacher).provider == "oracle":  # then the gate asks the student
        yield _gate(config, problems, reply)
        yield from _source(parse_spec(config.student), config, problems, reply)
    low, high = APPROVED.get(config.approve, (0, 1))
    seeds = config.training_seeds if spec.local else 0
    times = {"base+strategy": (low, high), "lora_plain": (seeds, seeds)}
    times |= dict.fromkeys(("lora_strategy", "lora_distilled"), (low * seeds, high * seeds))
    found = [times[arm] for arm in config.student_arms if arm in times]
    least, most = sum(few for few, _ in found), sum(many for _, many in found)
    if most:
        yield _solving(
            "evaluation", "student", _held_out(problems), (least, most * config.rounds), reply, (0, STRATEGY_TOKENS)
        )
    if config.rounds > 1 and spec.local:
        items = problems.open("validation", "feedback")
        yield _solving("feedback", "student", items, (1, config.rounds), reply, (0, STRATEGY_TOKENS))
        tried = (config.rounds - 1) * config.feedback.batch * config.feedback.attempts / max(1, len(items))
        yield _solving("feedback", "student", items, (0, tried), reply, (0, STRATEGY_TOKENS))


def _gate(config: RunConfig, problems: ProblemSet, reply: int) -> _Calls:
    """At most every item once per strategy, the current ones and each round's candidate; none without a proposal."""
    items, rounds = problems.open("validation", "gate"), config.loop.rounds + config.rounds - 1
    rule = gate_rule(config)
    if isinstance(rule, ConfirmGate):
        later = (config.rounds - 1 + (config.rounds > 1)) * len(items)  # each edit there is tested by itself
        most = _searched(config, rule, items, len(problems.open("train", "curator"))) + later
        return _solving(
            "gate", "gate", items, (0, most / len(items) * config.gate.repeats), reply, (0, STRATEGY_TOKENS)
        )
    compared = sum(map(len, rule.batches(len(items), 0, config.seed))) / len(items)
    strategies = rounds + 1 + (config.rounds > 1)  # after the loop the distilled one is the current one
    times = min(strategies, 2 * rounds * compared) if compared < 1 else (strategies if rounds else 0)
    return _solving("gate", "gate", items, (0, times * config.gate.repeats), reply, (0, STRATEGY_TOKENS))


def _searched(config: RunConfig, rule: ConfirmGate, items: Sequence[Problem], train: int) -> int:
    """Replies at most: the search's items for the draft, each candidate, each merge and the final wording, or what
    GEPA may use; then the proof, of two strategies."""
    search, kept = rule.sizes(len(items))
    rounds = config.loop.rounds
    merges = rounds // MERGE_EVERY if config.searching == "pareto" else 0
    strategies = rounds + merges + 2
    asked = strategies * search
    if config.searching == "gepa":  # an iteration that was begun is ended, and then the final wording is measured
        asked = metric_calls(config, train, len(items)) + 2 * GEPA_MINIBATCH + 2 * search
    return asked + 2 * kept if rounds else 0


def _teacher(config: RunConfig, problems: ProblemSet, reply: int) -> Iterator[_Calls]:
    """All calls of one teacher that is alone."""
    loop, train = config.loop, problems.open("train", "curator")
    held_out = _held_out(problems)
    strategy = (0, STRATEGY_TOKENS)
    batch = min(loop.batch, len(train)) * loop.attempts
    solved = (loop.rounds * batch / len(train), (loop.rounds + _own_rounds(config)) * batch / len(train))
    tries = MAX_SAMPLES * (2 if "lora_distilled" in config.student_arms else 1)
    writes = loop.rounds + config.further_rounds
    yield _solving("baseline", "teacher", held_out, (1, 1), reply)
    yield _writing("draft", (1, 2), TEMPLATE_CHARS + MATERIAL_CHARS)
    if config.searching == "gepa":
        texts = metric_calls(config, len(train), config.sizes.gate) // (2 * GEPA_MINIBATCH) + 1 if loop.rounds else 0
        later = config.further_rounds * batch / len(train)
        yield _solving("lrl", "teacher", train, (0, later), reply, strategy)
        yield _writing("reflect", (0, texts + 2 * config.further_rounds), TEMPLATE_CHARS + MATERIAL_CHARS)
        yield _writing("propose", (0, 2 * config.further_rounds), TEMPLATE_CHARS + JOURNAL_CHARS)
    else:
        yield _solving("lrl", "teacher", train, solved, reply, strategy)
        yield _writing("reflect", (loop.rounds, 2 * writes), TEMPLATE_CHARS + MATERIAL_CHARS)
        yield _writing("propose", (0, 2 * writes), TEMPLATE_CHARS + JOURNAL_CHARS)
    yield _gate(config, problems, reply)
    yield from _source(parse_spec(config.teacher), config, problems, reply)
    unchanged = config.gate.rule == "confirm"  # then a draft that no edit has changed is not distilled
    yield _writing("distill", (0 if unchanged else 1, 2), TEMPLATE_CHARS)
    most = tries + _later_tries(config, len(train), tries)
    yield _solving("curation", "teacher", train, (1, most), reply, strategy if tries > MAX_SAMPLES else (0, 0))


def _own_rounds(config: RunConfig) -> int:
    """Rounds for validators that gain nothing."""
    return config.further_rounds - (config.rounds - 1)


def _later_tries(config: RunConfig, train: int, tries: int) -> float:
    """Tries per training problem of the student's later rounds: new examples, and all under another strategy."""
    new = config.feedback.examples / train * tries
    again = MAX_SAMPLES * (1 + config.feedback.examples / train) if tries > MAX_SAMPLES else 0
    return (config.rounds - 1) * (new + again)


def _source(spec: ModelSpec, config: RunConfig, problems: ProblemSet, reply: int) -> Iterator[_Calls]:
    """The lift on the model that the strategy was learned on, where it is no validator."""
    if config.crossmodel.source and str(spec) not in map(str, map(parse_spec, config.validators)):
        items = problems.open("validation", "validator")
        yield _solving("source", "validator", items, (2, 2 * config.rounds), reply, (0, STRATEGY_TOKENS))


def _held_out(problems: ProblemSet) -> list[Problem]:
    return [*problems.open("test", "evaluator"), *problems.open("ood", "evaluator")]


def _validator(spec: ModelSpec, config: RunConfig, problems: ProblemSet, reply: int) -> Iterator[_Calls]:
    arms, strategy = len(STRATEGY_ARMS), (0, STRATEGY_TOKENS)
    shown, items = problems.open("validation", "validator"), problems.open("validation", "gate")
    parts = item_parts(config, len(items))
    choosing, testing = [items[i] for i in parts.choosing], [items[i] for i in parts.testing] or items
    settings = config.crossmodel
    yield _solving("validation", "validator", shown, (arms, arms * config.rounds), reply, strategy)
    if settings.surveys:  # the problem alone, the draft, each accepted edit, the distilled one
        most = 3 + config.loop.rounds + _own_rounds(config)
        yield _solving("selection", "validator", choosing, (2 if settings.reoptimise_for else 0, most), reply, strategy)
    if spec in map(parse_spec, settings.reoptimise_for):
        most = (settings.reoptimise_rounds + 1) * config.gate.repeats
        yield _solving("gate", "gate", testing, (0, most), reply, strategy)
    if config.ablation.use:
        most = (config.ablation.bullets + 1) * config.rounds
        yield _solving("ablation", "validator", choosing, (0, most), reply, strategy)
    for name in config.transfer_to:
        targets = target_problems(config, name).open("validation", "validator")
        limit = config.decoding.max_tokens or get_domain(name).reply_tokens
        yield _solving("transfer", "validator", targets, (arms, arms * config.rounds), limit, strategy)


def _judge(config: RunConfig, problems: ProblemSet, reply: int) -> Iterator[_Calls]:
    """Two calls for each reply that is judged, whoever wrote it; the self-check's are not counted."""
    solved = [*_teacher(config, problems, reply), *_student(parse_spec(config.student), config, problems, reply)]
    for name in set(config.validators):
        solved += _validator(parse_spec(name), config, problems, reply)
    judged = [entry for entry in solved if entry.max_tokens != WRITING_TOKENS]
    calls = 2 * sum(entry.calls[0] for entry in judged), 2 * sum(entry.calls[1] for entry in judged)
    mean = sum(len(problem.prompt) for problem in _held_out(problems)) / max(1, len(_held_out(problems)))
    chars = (mean + JUDGE_CHARS, mean + JUDGE_CHARS + 8.0 * reply)
    yield _Calls(stage="judge", agent="judge", calls=calls, prompt_chars=chars, max_tokens=VERDICT_TOKENS)


def _solving(
    stage: str, agent: str, problems: Sequence[Problem], times: Range, reply: int, context: Range = (0, 0)
) -> _Calls:
    """Each problem so many times."""
    count = len(problems)
    mean = sum(len(problem.prompt) for problem in problems) / max(1, count)
    calls = (times[0] * count, times[1] * count)
    return _Calls(stage=stage, agent=agent, calls=calls, prompt_chars=(mean, mean), max_tokens=reply, context=context)


def _writing(stage: str, calls: Range, most_chars: int) -> _Calls:
    return _Calls(
        stage=stage,
        agent="teacher",
        calls=calls,
        prompt_chars=(TEMPLATE_CHARS / 2, most_chars),
        max_tokens=WRITING_TOKENS,
        context=(0, STRATEGY_TOKENS),
    )


def _part(price: Price | None, spec: ModelSpec, entry: _Calls) -> Part:
    low, high = TOKENS_PER_CHARACTER
    prompt = (
        entry.calls[0] * (entry.prompt_chars[0] * low + entry.context[0]),
        entry.calls[1] * (entry.prompt_chars[1] * high + entry.context[1]),
    )
    reply = (entry.calls[0] * entry.max_tokens * SHORT_REPLY, entry.calls[1] * entry.max_tokens)
    return Part(
        stage=entry.stage,
        agent=entry.agent,
        model=str(spec),
        calls=entry.calls,
        prompt_tokens=prompt,
        reply_tokens=reply,
        usd=_usd(price, prompt, reply) if price else None,
    )


def _usd(price: Price, prompt: Range, reply: Range) -> Range:
    low, high = (round(prompt[0]), round(reply[0])), (round(prompt[1]), round(reply[1]))
    return price.cost(*low), price.upper_cost(*high)
