"""The estimate before a run: what the configuration allows, by stage and model."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from console.money import show_preflight
from evaluation.gate import promise
from graphs.preflight import preflight
from graphs.settings import build_config
from records.config import RunConfig

SIZES = ("sizes.train=20", "sizes.gate=4", "sizes.transfer=5", "sizes.test=6", "sizes.ood=4", "loop.rounds=2")


def config(*overrides: str, **flags: object) -> RunConfig:
    return build_config({"domain": "scheduling", **flags}, [*SIZES, "loop.batch=3", "loop.attempts=2", *overrides])


def test_free_runs_need_no_estimate() -> None:
    assert preflight(config()) == []


def test_calls_per_stage() -> None:
    parts = preflight(config(teacher="anthropic:claude-haiku-4-5", validators=["embedded", "openai:gpt-5-mini"]))
    calls = {(part.stage, part.model.partition(":")[0]): part.calls for part in parts}
    assert calls == {
        ("baseline", "anthropic"): (10, 10),
        ("draft", "anthropic"): (1, 2),
        ("lrl", "anthropic"): (12, 12),
        ("reflect", "anthropic"): (2, 4),
        ("propose", "anthropic"): (0, 4),
        ("gate", "anthropic"): (0, 11),
        ("distill", "anthropic"): (0, 2),
        ("curation", "anthropic"): (20, 60),
        ("validation", "openai"): (30, 30),
    }
    for part in parts:
        assert part.usd is not None
        for low, high in (part.prompt_tokens, part.reply_tokens, part.usd):
            assert 0 <= low <= high and high > 0


def test_student_behind_an_api_is_measured_on_what_is_held_out() -> None:
    settings = config(student="vllm:m@http://h/v1", validators=["embedded"], student_arms=("base", "base+strategy"))
    calls = {(part.stage, part.agent): part.calls for part in preflight(settings)}
    gate = ("gate", "gate"), (0, 11)  # a scripted teacher cannot try its edits on itself
    assert calls == dict([gate, (("baseline", "student"), (10, 10)), (("evaluation", "student"), (0, 10))])


@pytest.mark.parametrize(("arms", "most"), [(("base", "lora_plain"), 60), (("base", "lora_distilled"), 120)])
def test_curation_with_the_strategy_doubles_the_tries(arms: tuple[str, ...], most: int) -> None:
    parts = preflight(config(teacher="openai:gpt-5-mini", student_arms=arms))
    assert next(part for part in parts if part.stage == "curation").calls == (20, most)


def printed(settings: RunConfig) -> str:
    target = Console(file=io.StringIO(), width=160)
    show_preflight(target, settings)
    return " ".join(target.file.getvalue().split())  # type: ignore[attr-defined]


def test_table_names_total_and_budget_and_leaves_unknown_costs_unknown() -> None:
    text = printed(config(teacher="anthropic:claude-haiku-4-5", budget={"usd": 5, "calls": 70}))
    assert "Budget: $5.00, 70 calls" in text and "45 – 105" in text and "unknown" not in text
    assert "below the estimate" not in text
    assert "below the estimate" in printed(config(teacher="openai:gpt-5-mini", budget={"calls": 40}))
    house = printed(config(teacher="vllm:m@http://h/v1"))
    assert "unknown" in house and "Budget: none" in house
    assert printed(config()) == ""


@pytest.mark.parametrize(
    ("overrides", "most"),
    [
        ((), 11),  # one item of four for the search, asked of five strategies; three prove two of them
        (("search=greedy",), 10),
        (("search=gepa",), 2 * (3 * 2 + 1) + 1 + 2 * 3 + 2 * 1 + 2 * 3),  # and what it may overdraw
        (("gate.repeats=3", "decoding.temperature=0.5"), 33),
        (("gate.rule=sequential",), 12),
        (("gate.rule=sequential", "gate.repeats=3", "decoding.temperature=0.5"), 36),
        (("gate.rule=strict",), 12),
        (("gate.rule=strict", "gate.minibatch=1"), 4),
        (("gate.rule=none",), 0),
        (("loop.rounds=0",), 0),
    ],
)
def test_calls_of_the_gate_by_rule(overrides: tuple[str, ...], most: int) -> None:
    parts = preflight(config(*overrides, teacher="openai:gpt-5-mini"))
    assert next(part for part in parts if part.stage == "gate").calls == (0, most)


def test_what_the_gate_can_show_stands_below_the_table() -> None:
    settings = config("sizes.gate=60", teacher="anthropic:claude-haiku-4-5")
    assert promise(settings) in printed(settings)
