"""The renderer and the solver."""

import pytest

from agents.solver import Solver, attempt_id, model_slug, render_messages
from records.config import Decoding
from tests.agents.addition import FAILED_CALL, ScriptedGateway, problems

PROBLEM = problems("test", 1)[0]


def test_without_a_context_the_model_sees_the_problem_alone() -> None:
    (message,) = render_messages(PROBLEM, None)
    assert (message.role, message.content) == ("user", PROBLEM.prompt)


def test_the_context_is_the_system_message_as_it_is() -> None:
    system, user = render_messages(PROBLEM, "## Method\n- Costs $5; use {braces} and $names.")
    assert system.role == "system"
    assert system.content.endswith("## Method\n- Costs $5; use {braces} and $names.")
    assert (user.role, user.content) == ("user", PROBLEM.prompt)


async def test_an_attempt_records_where_it_came_from() -> None:
    gateway = ScriptedGateway([("lrl", "It is 7")])
    solver = Solver(gateway, "embedded", "student", Decoding(temperature=0.2), reply_tokens=64)
    attempt = await solver.solve(
        PROBLEM, stage="lrl", arm="learned", context="- x", strategy_hash="h", sample=2, round=1, seed=5
    )
    assert attempt.id == f"lrl/learned/embedded/{PROBLEM.id}/2/r1"
    assert (attempt.reply, attempt.model, attempt.agent, attempt.strategy_hash) == (
        "It is 7",
        "embedded",
        "student",
        "h",
    )
    (request,) = gateway.requests
    assert (request.max_tokens, request.temperature, request.sample, request.seed) == (64, 0.2, 2, 5)
    assert request.messages == render_messages(PROBLEM, "- x")
    assert request.prompt_hash != ""
    assert attempt.call_key


@pytest.mark.parametrize(("given", "configured", "expected"), [(None, None, 64), (None, 99, 99), (7, 99, 7)])
async def test_max_tokens_is_always_set(given: int | None, configured: int | None, expected: int) -> None:
    gateway = ScriptedGateway([("evaluation", "7")])
    solver = Solver(gateway, "embedded", "student", Decoding(max_tokens=configured), reply_tokens=64)
    await solver.solve(PROBLEM, stage="evaluation", arm="base", max_tokens=given)
    assert gateway.requests[0].max_tokens == expected


async def test_a_failed_call_is_an_attempt_with_an_error() -> None:
    solver = Solver(ScriptedGateway([("evaluation", FAILED_CALL)]), "embedded", "student", Decoding())
    attempt = await solver.solve(PROBLEM, stage="evaluation", arm="base")
    assert attempt.error == "429 after 5 tries"
    assert attempt.finish_reason == "error"


async def test_a_label_stands_for_the_model_in_the_id() -> None:
    solver = Solver(
        ScriptedGateway([("evaluation", "7")]),
        "embedded+/tmp/a/adapter",
        "student",
        Decoding(),
        label="lora_plain-seed0",
    )
    attempt = await solver.solve(PROBLEM, stage="evaluation", arm="lora_plain")
    assert attempt.id == f"evaluation/lora_plain/lora_plain-seed0/{PROBLEM.id}/0"
    assert attempt.model == "embedded+/tmp/a/adapter"


def test_slugs_are_readable_and_do_not_collide() -> None:
    specs = [
        "embedded",
        "anthropic:claude-x",
        "hf:/models/a/base",
        "hf:/models/b/base",
        "hf:org/name+/runs/1/adapter",
        "vllm:org/name@http://host:8000/v1",
        "vllm:org/name@http://host:8001/v1",
    ]
    slugs = [model_slug(spec) for spec in specs]
    assert len(set(slugs)) == len(specs)
    assert slugs[:2] == ["embedded", "anthropic-claude-x"]
    assert slugs[4].startswith("hf-name-adapter-")
    assert slugs[5].startswith("vllm-name-")
    assert all("/" not in slug for slug in slugs)
    assert attempt_id("s", "a", "m", "p", sample=0) == "s/a/m/p/0"
