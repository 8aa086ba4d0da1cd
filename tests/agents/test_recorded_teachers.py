"""Strategies and journals that real teachers wrote (qwen2.5:7b, claude-3-5-haiku) for the origin experiment.

They were never asked for our format: the reader, the leak guard and the teacher's error paths must take them
as they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.arms import arm_contexts
from agents.edit_replies import parse_edits
from agents.playbook import (
    MAX_BULLETS,
    EditError,
    apply_edits,
    check_size,
    parse_strategy,
    strategy_text_in,
)
from agents.solver import render_messages
from agents.teacher import LLMTeacher
from domains import get_domain
from evaluation.ablation import without
from evaluation.leakage import StrategyCheck
from models.tokens import count_tokens
from prompts import load_strategy_file
from records.config import Decoding, Sizes
from records.nouns import Edit, Problem, Strategy
from tests.agents.addition import ScriptedGateway, problems
from tests.agents.test_material import BATCH
from tests.agents.test_teacher import STRATEGY, teacher
from tests.needs import data_need

FILE = Path(__file__).parents[3] / "shared" / "data" / "scheduling" / "reflections_strategies.jsonl"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason=str(data_need("scheduling", "reflections_strategies.jsonl")))


def recorded(*kinds: str) -> list[dict[str, Any]]:
    if not FILE.exists():
        return []
    rows = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
    return [row for row in rows if row["kind"] in kinds]


STRATEGIES = recorded("strategy_distillation", "final_strategy")
JOURNALS = recorded("journal")


def read(row: dict[str, Any]) -> Strategy:
    return parse_strategy(strategy_text_in(row["text"]), name="scheduling")


def name(row: dict[str, Any]) -> str:
    return f"{row['model'].partition('-')[0]}-{row['kind']}-{row.get('batch', 'last')}"


@pytest.fixture(scope="module")
def made() -> list[Problem]:
    """The origin's own 150 test problems beside generated ones."""
    return get_domain("scheduling").load("origin", Sizes(train=300, gate=24, transfer=24, test=60, ood=30), 0)


def test_there_are_strategies_and_journals_of_two_models() -> None:
    assert len(STRATEGIES) == 7 and len(JOURNALS) == 45
    assert len({row["model"] for row in STRATEGIES}) == len({row["model"] for row in JOURNALS}) == 2


@pytest.mark.parametrize("row", STRATEGIES, ids=name)
def test_a_recorded_strategy_is_read_and_rendered_to_the_same_bullets(row: dict[str, Any]) -> None:
    strategy = read(row)
    assert 15 <= len(strategy.bullets) <= MAX_BULLETS
    assert check_size(strategy.text, count_tokens) is None  # 300 to 2,000 tokens
    again = parse_strategy(strategy.text, name="scheduling", parent=strategy)
    assert again.bullets == strategy.bullets and again.hash == strategy.hash
    assert "```" not in strategy.text and all(bullet.text == bullet.text.strip() for bullet in strategy.bullets)


def test_a_label_that_stands_in_every_section_is_one_bullet() -> None:
    """Else no edit of such a strategy could be applied: it would say the same thing twice."""
    repeated = next(row for row in STRATEGIES if row["text"].count("**Actionable Steps:**") > 3)
    texts = [bullet.text for bullet in read(repeated).bullets]
    assert texts.count("**Actionable Steps:**") == 1 and len(set(texts)) == len(texts)


@pytest.mark.parametrize("row", STRATEGIES, ids=name)
def test_a_recorded_strategy_can_be_edited_and_taken_apart(row: dict[str, Any]) -> None:
    strategy = read(row)
    first, second, *_ = strategy.bullets
    edits = [
        Edit(operation="MERGE", bullet_ids=(first.id, second.id), text="Count what goes on at once."),
        Edit(operation="ADD", section="Checks", text="Compare the count with the rooms."),
    ]
    edited = apply_edits(strategy, edits, 1)
    assert len(edited.bullets) == len(strategy.bullets) and edited.parent == strategy.hash
    parts = [without(strategy, bullet) for bullet in strategy.bullets]
    assert len({part.hash for part in parts}) == len(parts) and strategy.hash not in {part.hash for part in parts}


@pytest.mark.parametrize("row", STRATEGIES, ids=name)
def test_the_leak_guard_passes_it_and_catches_what_is_planted_in_it(row: dict[str, Any], made: list[Problem]) -> None:
    text, guard = read(row).text, StrategyCheck(made)
    assert guard.leaks(text) == []
    for problem in [p for p in made if p.split in ("validation", "test", "ood")][::40]:
        for planted in (problem.id, problem.prompt.splitlines()[1]):
            assert guard.leaks(f"{text}\n- Remember: {planted}"), planted


@pytest.mark.parametrize("row", STRATEGIES, ids=name)
def test_it_stands_in_the_arms_whole_with_a_placebo_of_its_length(row: dict[str, Any], made: list[Problem]) -> None:
    text = read(row).text
    seed, placebo = load_strategy_file("scheduling"), load_strategy_file("python")
    examples = [(p.prompt, p.reference) for p in made if p.split == "train"][:20]
    contexts = arm_contexts(
        learned=text, one_shot=text, seed=seed, placebo=placebo, examples=examples, count_tokens=count_tokens
    )
    assert render_messages(made[0], contexts["learned"])[0].content.endswith(text)
    lengths = {arm: count_tokens(str(contexts[arm])) / count_tokens(text) for arm in ("placebo", "few_shot")}
    assert 0.9 <= lengths["placebo"] <= 1.05 and 0.6 <= lengths["few_shot"] <= 1.05  # whole examples only


@pytest.mark.parametrize("row", STRATEGIES, ids=name)
async def test_a_teacher_that_replies_with_it_has_written_a_first_strategy(row: dict[str, Any]) -> None:
    gateway = ScriptedGateway([("draft", row["text"])])
    llm = LLMTeacher(gateway, "anthropic:some-model", "scheduling", Decoding())
    draft = await llm.draft(problems("train", 3))
    assert draft.bullets == read(row).bullets and llm.note == "" and len(gateway.requests) == 1


@pytest.mark.parametrize("row", JOURNALS, ids=name)
async def test_a_recorded_journal_is_kept_as_reflection_and_is_no_edit(row: dict[str, Any]) -> None:
    llm, _ = teacher(("reflect", row["text"]), ("propose", row["text"]), ("propose", row["text"]))
    journal = await llm.reflect(BATCH, STRATEGY, (), 1)
    assert journal == row["text"].strip() and llm.note == ""
    assert await llm.propose(journal, BATCH, STRATEGY, (), 1) == ()
    assert llm.note.startswith("propose: ")
    with pytest.raises(EditError):
        parse_edits(row["text"])


def test_the_leak_guard_knows_a_journal_that_quotes_held_out_problems(made: list[Problem]) -> None:
    """The batches that the journals are about hold the answers: put in a strategy they would leak."""
    batch = next(row for row in JOURNALS if row.get("input"))["input"]
    line = next(line for line in batch.splitlines() if "Problem:" in line)
    meetings = line.partition("Problem:")[2].partition("|")[0].strip()
    quoted = made[0].model_copy(update={"id": "q", "split": "test", "prompt": f"Meetings: {meetings}\nRooms: 3"})
    found = StrategyCheck([*made, quoted]).leaks(f"- For example {meetings} is possible.")
    assert [leak.kind for leak in found] and all(leak.problem_ids == ("q",) for leak in found)
