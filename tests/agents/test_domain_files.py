"""The files that each domain brings for its teachers, and the oracle on a real domain."""

import pytest

import prompts
from agents.graded import Graded
from agents.judge import judge_attempt
from agents.oracle import OracleTeacher
from agents.plain_text import clean_text
from agents.playbook import apply_edits, check_size, parse_strategy
from domains import get_domain
from models.tokens import count_tokens
from records.config import RunConfig, Sizes

DOMAINS = ("debugging", "mathematics", "python", "scheduling")


@pytest.mark.parametrize("name", DOMAINS)
def test_the_seed_strategy_is_in_bullets_and_of_the_right_size(name: str) -> None:
    text = prompts.load_strategy_file(name)
    strategy = parse_strategy(text, name=name)
    assert strategy.text == text
    assert check_size(text, count_tokens) is None


@pytest.mark.parametrize("name", DOMAINS)
async def test_the_oracle_stays_within_the_size_limits_with_every_lesson(name: str) -> None:
    rules = prompts.load_oracle_rules(name)
    draft = await OracleTeacher(get_domain(name)).draft()
    assert check_size(draft.text, count_tokens) is None
    lessons = "\n".join(f"## {lesson.section}\n- {lesson.text}" for lesson in rules.lesson)
    full = parse_strategy(f"{draft.text}\n{lessons}", name=name)
    assert check_size(full.text, count_tokens) is None
    assert {clean_text(lesson.text) for lesson in rules.lesson} <= {bullet.text for bullet in full.bullets}


async def test_a_round_of_the_oracle_on_scheduling() -> None:
    domain = get_domain("scheduling")
    problems = domain.load(None, Sizes(train=24, gate=4, transfer=4, test=4, ood=4), 0)
    teacher = OracleTeacher(domain, spoil_rate=0.5)
    draft = await teacher.draft()
    graded = []
    async with domain.verifier(RunConfig(domain="scheduling")) as verifier:
        for problem in [problem for problem in problems if problem.split == "train"]:
            attempt = await teacher.solve(problem, draft, stage="lrl", arm="learning", round=1)
            verdict = await judge_attempt(verifier, problem, attempt)
            graded.append(Graded(problem=problem, attempt=attempt, judgement=verdict.judgement))
    spoiled = {item.attempt.id for item in graded if item.attempt.reply != item.problem.reference}
    assert spoiled == {item.attempt.id for item in graded if item.judgement.outcome != "pass"}
    assert 6 <= len(spoiled) <= 18
    edits = await teacher.propose("", graded, draft, (), 1)
    assert edits
    assert all(set(edit.origin) <= spoiled for edit in edits)
    learned = apply_edits(draft, edits, 1)
    assert teacher.current_spoil_rate(learned) < teacher.current_spoil_rate(draft)
