"""A strategy on another domain: arms, leaks, records, and what the summary and the report say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.runtime import Runtime

from agents.arms import STRATEGY_ARMS
from domains import DOMAINS, get_domain
from evaluation.report import write_report
from evaluation.summary import summarise
from graphs.context import RunContext, Silent
from graphs.runner import create_run, open_context
from graphs.settings import build_config
from graphs.state import TransferState
from graphs.strategies import save_strategy
from graphs.transfers import other_domains, placebo_for, target_problems
from models.ledger import read_rows
from records.config import RunConfig
from records.nouns import Attempt, Bullet, EvaluationRow, Problem, Strategy
from records.rundir import RunDirectory, RunError
from sandbox import SandboxError
from tests.loopback import Loopback, Request
from tests.needs import skip, tier_need

SIZES = ("sizes.train=60", "sizes.gate=4", "sizes.transfer=12", "sizes.test=6", "sizes.ood=4", "student_arms=[base]")


def strategy(name: str, *lines: str) -> Strategy:
    bullets = (Bullet(id=f"b{n}", section="Method", text=line) for n, line in enumerate(lines, 1))
    return Strategy(name=name, bullets=tuple(bullets))


DRAFT = strategy("draft", "Count what is there before you say anything about it.")
LEARNED = strategy("learned", "Look at the smallest thing first. MAGIC.")


@asynccontextmanager
async def room(tmp_path: Path, learned: Strategy = LEARNED) -> AsyncIterator[tuple[RunContext, Loopback]]:
    """A scheduling run that stands after the approval; MAGIC solves every debugging problem."""
    solutions: dict[str, str] = {}

    def reply(request: Request) -> str:
        helped = "MAGIC" in request.body["messages"][0]["content"]
        return solutions.get(request.prompt, "") if helped else "I cannot find it."

    with Loopback(reply) as server:
        spec = f"vllm:m@{server.openai_url}"
        flags = {"domain": "scheduling", "student": spec, "validators": [spec], "transfer_to": ["debugging"]}
        config = build_config(flags, SIZES)
        solutions |= {
            problem.prompt: problem.reference for problem in get_domain("debugging").load(None, config.sizes, 0)
        }
        run = create_run(config, tmp_path, "r")
        async with open_context(run, config, Silent()) as context:
            run.append("problems.jsonl", context.domain.load(None, config.sizes, 0))
            save_strategy(run, DRAFT, "draft")
            save_strategy(run, learned, "final")
            yield context, server


async def carried_over(context: RunContext, learned: Strategy = LEARNED, approved: bool = True) -> None:
    state: TransferState = {
        "current": learned.hash,
        "draft": DRAFT.hash,
        "approved": learned.hash if approved else None,
    }
    try:
        assert await other_domains(state, Runtime(context=context)) == {}
    except SandboxError as error:
        skip(tier_need(str(error)))


async def test_all_arms_are_measured_on_the_other_domains_unseen_validation_items(tmp_path: Path) -> None:
    async with room(tmp_path) as (context, server):
        await carried_over(context)
        run, folder = context.run, RunDirectory(context.run.path / "transfers" / "debugging")
        rows = folder.read("rows.jsonl", EvaluationRow)
        assert Counter(row.arm for row in rows) == dict.fromkeys(STRATEGY_ARMS, 12)
        problems = {p.id: p for p in folder.read("problems.jsonl", Problem)}
        gate_items = target_problems(context.config, "debugging").open("validation", "gate")
        assert {problems[row.problem_id].split for row in rows} == {"validation"}
        assert not {row.problem_id for row in rows} & {problem.id for problem in gate_items}
        assert {row.tier for row in rows} <= {"docker", "jail"} and {row.strategy_hash for row in rows} == {
            LEARNED.hash
        }
        assert run.read("attempts.jsonl", Attempt) == [] and not list(run.rows("evaluation/rows.jsonl"))
        calls = list(read_rows(run.path / "ledger.sqlite"))
        assert {(call["stage"], call["agent"]) for call in calls} == {("transfer", "validator")}
        assert server.count == len(calls) == 12 * 5  # without an example, few_shot is the problem alone
        await carried_over(context)  # a resumed node makes and writes nothing again
        assert server.count == len(calls) and folder.read("rows.jsonl", EvaluationRow) == rows
        check_summary(run)


def check_summary(run: RunDirectory) -> None:
    """A planted effect is found, with the same intervals and words as on the run's own domain."""
    summary = summarise(run)
    found = summary["transfers"]["debugging"]
    assert (found["verdict"], found["items"], found["placebo"], found["leaks"]) == ("supported", 12, "mathematics", {})
    (suite,) = found["validators"].values()
    assert [c["b"] for c in suite["comparisons"]] == ["none", "placebo", "one_shot"]
    assert all(c["difference"] == 1.0 and c["ci_holm"] == [1.0, 1.0] for c in suite["comparisons"])
    assert summary["strategy"]["validators"] == {}
    write_report(run)
    report = (run.path / "report.md").read_text().replace("\\", "")
    assert "## The strategy on other domains" in report and "On debugging: problems solved, zero-shot" in report
    assert "debugging: the approved strategy of scheduling on 12 problems: supported for vllm:m@" in report
    assert report.index("on other domains") < report.index("## Problems and data")


async def test_a_strategy_that_quotes_a_held_out_problem_there_is_not_tested(tmp_path: Path) -> None:
    config = build_config({"domain": "scheduling"}, SIZES)
    held_out = target_problems(config, "debugging").open("test", "evaluator")[0]
    leaking = strategy("leaking", f"Remember {held_out.id}, it is a hard one. MAGIC.")
    async with room(tmp_path, leaking) as (context, server):
        await carried_over(context, leaking, approved=False)
        assert server.count == 0
        found = summarise(context.run)["transfers"]["debugging"]
        assert found["verdict"] == "not shown" and found["verdict_by_validator"] == {} and not found["approved"]
        assert held_out.id in found["leaks"]["learned"][0]["problem_ids"]
        write_report(context.run)
        report = (context.run.path / "report.md").read_text().replace("\\", "")
        assert "debugging: the final, not approved strategy of scheduling was not tested, because it" not in report
        assert "was not tested, because the strategy quotes held-out problems of it" in report


def test_a_run_without_other_domains_has_no_such_section(tmp_path: Path) -> None:
    run = create_run(build_config({"domain": "scheduling"}, SIZES), tmp_path, "r")
    assert "transfers" not in summarise(run)


@pytest.mark.parametrize("own", sorted(DOMAINS))
def test_the_placebo_is_of_a_third_domain_that_is_like_neither(own: str) -> None:
    for target in sorted(set(DOMAINS) - {own}):
        placebo = placebo_for(own, get_domain(target))
        assert placebo not in (own, target)
        assert not ({placebo} & {"python", "debugging"} and {own, target} & {"python", "debugging"})


def config(**changes: Any) -> RunConfig:
    return build_config({"domain": "python", **changes}, SIZES)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (["python"], "another domain than the run's own; there are: debugging"),
        (["chess"], "--transfer-to chess"),
        (["debugging", "debugging"], "name each domain once"),
    ],
)
def test_targets_that_cannot_be_are_refused_before_the_run(targets: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=words):
        create_run(config(transfer_to=targets), tmp_path, "r")
    assert not list(tmp_path.iterdir())
