"""The four accidents that no report may survive unnoticed, each through the parts that a run uses.

One: rows like the origin's, worse than always answering YES. Two: an edit that changes nothing. Three: a
strategy that carries held-out problems. Four: a verdict that comes late, and none at all.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agents.graded import Graded
from domains import get_domain
from domains.scheduling import SchedulingVerifier
from evaluation.evidence import rounds_section
from evaluation.gate import ONCE, ConfirmGate, Round, gate_rule
from evaluation.leakage import StrategyCheck
from evaluation.report import render_html, render_markdown
from evaluation.summary import student_split, summarise
from graphs.attempts import evaluation_row
from graphs.further import rule_of
from records.config import RunConfig, Sizes
from records.nouns import Attempt, Bullet, EvaluationRow, Problem, Strategy
from records.rundir import RunDirectory
from tests.evaluation.rows import answers, make_run
from tests.evaluation.test_summary import TRUTH, predicted


@pytest.mark.parametrize("last", [1, 2])
def test_one_a_student_below_the_constant_answer_is_never_improved(tmp_path: Path, last: int) -> None:
    """145 YES and 5 NO against 132 and 18; also as the second round of a student that began at 0."""
    rows = answers("base", TRUTH, ["NO"] * 150)
    if last == 2:
        rows += answers("lora_strategy", TRUTH, [None] * 150)
    found = answers("lora_strategy", TRUTH, predicted(0))
    rows += [row.model_copy(update={"round": last, "id": f"{row.id}/r{last}"}) for row in found]
    run = make_run(tmp_path / "run", rows)
    summary = summarise(run)
    assert summary["verdict"] == "below the constant baseline"
    for render in (render_markdown, render_html):
        text = render(run, summary, ()).lower()
        assert "below the constant baseline" in text and "always answering yes solves 88.0%" in text
        assert "got better" not in text and "is improved" not in text
    assert (rounds_section(summary) is not None) == (last == 2)


@pytest.mark.parametrize("further", [False, True])
def test_two_an_edit_that_changes_nothing_is_accepted_in_at_most_five_percent(further: bool) -> None:
    """200 trials of a whole loop with the rule that a run has by default, and of the rounds that follow it.

    By default an edit may be kept for the search; what counts is whether the run goes on with it after the proof.
    """
    config = RunConfig.model_validate({"domain": "scheduling", "rounds": 4})
    rule, rounds = (rule_of(config), config.further_rounds) if further else (gate_rule(config), config.loop.rounds)
    rng, accepted = random.Random(rounds), 0
    searched, proved = rule.sizes(24) if isinstance(rule, ConfirmGate) else (24, 0)
    for _ in range(200):
        spent, kept = 0.0, False
        for index in range(rounds):
            old, new = ([rng.random() < 0.5 for _ in range(searched)] for _ in range(2))
            result = rule.decide(old, new, Round(index, rounds, spent))
            spent, kept = float(result.alpha_spent or 0), kept or result.accepted
        if kept and isinstance(rule, ConfirmGate):
            old, new = ([rng.random() < 0.5 for _ in range(proved)] for _ in range(2))
            kept = rule.proof.decide(old, new, ONCE).accepted
        accepted += kept
    assert accepted <= 10


@pytest.mark.parametrize("kind", ["id", "prompt", "reference"])
def test_three_a_planted_leak_is_said_in_the_report(tmp_path: Path, kind: str) -> None:
    problems = get_domain("scheduling").load(None, Sizes(train=60, gate=8, transfer=8, test=12, ood=6), 3)
    for split in ("validation", "test", "ood"):
        problem = next(p for p in problems if p.split == split)
        planted = {"id": problem.id, "prompt": problem.prompt.splitlines()[1], "reference": problem.reference}[kind]
        strategy = Strategy(name="s", bullets=(Bullet(id="b1", section="Method", text=f"Mind that {planted}"),))
        assert StrategyCheck(problems).leaks(strategy.text)
        run = leaking(tmp_path / split, problems, strategy)
        summary = summarise(run)
        assert summary["strategy"]["leaks"]
        assert "so no gain with it can be believed" in render_markdown(run, summary, ())


def leaking(path: Path, problems: list[Problem], strategy: Strategy) -> RunDirectory:
    rows = answers("learned", TRUTH[:12], TRUTH[:12], suite="strategy", split="validation")
    run = make_run(path, [row.model_copy(update={"strategy_hash": strategy.hash}) for row in rows])
    run.append("problems.jsonl", problems)
    run.write_json(f"strategies/{strategy.hash}.json", strategy.model_dump(mode="json"))
    return run


async def test_four_a_late_verdict_is_read_and_a_missing_one_is_not_no(tmp_path: Path) -> None:
    problems = get_domain("scheduling").load(None, Sizes(train=4, gate=4, transfer=4, test=20, ood=0), 0)
    test = [problem for problem in problems if problem.split == "test"]
    late = [
        await row_of(p, f"Let's solve this step by step. Some meetings overlap, therefore {p.answer}") for p in test
    ]
    silent = [await row_of(p, "Let's solve this step by step. Some meetings overlap.", "lora_strategy") for p in test]
    figures = student_split(late + silent)["arms"]
    assert (figures["lora_plain"]["correct"], figures["lora_plain"]["unparsed"]) == (20, 0)
    assert (figures["lora_strategy"]["correct"], figures["lora_strategy"]["unparsed"]) == (0, 20)
    assert {row.predicted for row in silent} == {None}, "a reply without a verdict is no NO"
    assert all(recall["correct"] == 0 for recall in figures["lora_strategy"]["per_class"].values())
    summary = summarise(make_run(tmp_path / "run", late + silent))
    assert summary["splits"]["test"]["arms"]["lora_strategy"]["unparsed"] == 20


async def row_of(problem: Problem, reply: str, arm: str = "lora_plain") -> EvaluationRow:
    judgement = await SchedulingVerifier().judge(problem, reply)
    attempt = Attempt(
        id=f"evaluation/{arm}/{problem.id}", problem_id=problem.id, stage="evaluation", arm=arm, agent="student",
        model="m", reply=reply,
    )  # fmt: skip
    return evaluation_row(Graded(problem=problem, attempt=attempt, judgement=judgement), "student", arm, "m")
