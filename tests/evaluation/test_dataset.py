"""Curation: only verified work, nothing held out, the same examples for every arm."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from evaluation.dataset import CurationError, curate, dataset_card, is_example, verified, write_curation, write_dataset
from records.nouns import Attempt, Judgement, Outcome, Problem, Split, TrainingRow, Verdict, content_hash
from records.rundir import RunDirectory

STRATEGY = "## Method\n- Count first.\n- Then answer."
ARMS = ("lora_plain", "lora_strategy", "lora_distilled")


def problem(number: int, split: Split = "train", **changes: Any) -> Problem:
    values: dict[str, Any] = {
        "id": f"{split}-{number}",
        "domain": "sums",
        "split": split,
        "family": "sums",
        "difficulty": "easy",
        "prompt": f"What is {number} plus {number * 7}?",
        "reference": f"It is {number * 8}.",
        "content_hash": content_hash([split, number]),
        "answer": "EVEN" if number % 2 == 0 else "ODD",
    }
    return Problem(**{**values, **changes})


def attempt(number: int, strategy: str | None = None, sample: int = 0, **changes: Any) -> Attempt:
    values: dict[str, Any] = {
        "id": f"{'with' if strategy else 'plain'}/{number}/{sample}",
        "problem_id": f"train-{number}",
        "stage": "curation",
        "arm": "teacher",
        "agent": "teacher",
        "model": "oracle",
        "sample": sample,
        "strategy_hash": content_hash(strategy) if strategy else None,
        "reply": f"{'By the strategy' if strategy else 'Plainly'}: {number * 8}, sample {sample}",
    }
    return Attempt(**{**values, **changes})


def judged(attempts: Iterable[Attempt], outcome: Outcome = "pass") -> list[Verdict]:
    judgement = Judgement(outcome=outcome, kind=outcome)
    return [Verdict(id=a.id, problem_id=a.problem_id, judgement=judgement) for a in attempts]


PROBLEMS = [problem(i) for i in range(10)]
PLAIN = [attempt(i) for i in range(10)]
WITH = [attempt(i, STRATEGY) for i in range(10)]
DEFAULTS: dict[str, Any] = {"arms": ARMS, "strategy_text": STRATEGY, "held_out": [problem(30, "test")], "limit": 100}


def test_the_arms_have_the_same_problems_and_differ_only_where_they_should() -> None:
    curation = curate(PROBLEMS, PLAIN + WITH, judged(PLAIN + WITH), **DEFAULTS)
    plain, strategy, distilled = (curation.rows[arm] for arm in ARMS)
    assert [row.problem_id for row in plain] == [p.id for p in PROBLEMS]
    assert [r.problem_id for r in plain] == [r.problem_id for r in strategy] == [r.problem_id for r in distilled]
    assert [r.completion for r in plain] == [r.completion for r in strategy]
    assert [r.prompt for r in plain] == [r.prompt for r in distilled]
    assert [message.role for message in plain[0].prompt] == ["user"]
    assert [message.role for message in strategy[0].prompt] == ["system", "user"]
    assert STRATEGY in strategy[0].prompt[0].content and STRATEGY not in plain[0].prompt[0].content
    assert distilled[0].completion[0].content.startswith("By the strategy")
    assert {row.strategy_hash for row in plain} == {None}
    assert {row.strategy_hash for row in (*strategy, *distilled)} == {content_hash(STRATEGY)}


def test_only_complete_passed_attempts_count() -> None:
    cut = attempt(0, finish_reason="length")
    failed = attempt(1)
    ungraded = attempt(2)
    good, second = attempt(3), attempt(3, sample=1)
    verdicts = judged([cut, good, second]) + judged([failed], "fail") + judged([ungraded], "ungraded")
    chosen = verified([second, cut, failed, ungraded, good], verdicts, None)
    assert chosen == {"train-3": good}, "the first sample, whatever the order"


def test_an_arm_without_a_solution_removes_the_problem_from_all_arms() -> None:
    attempts = PLAIN + WITH[:6]
    curation = curate(PROBLEMS, attempts, judged(attempts), **DEFAULTS)
    assert {arm: len(rows) for arm, rows in curation.rows.items()} == dict.fromkeys(ARMS, 6)
    assert curation.unverified == 4


def test_held_out_problems_are_dropped_by_hash_and_by_prompt() -> None:
    held_out = [
        problem(50, "test", content_hash=PROBLEMS[2].content_hash),
        problem(51, "ood", prompt="WHAT is  4 plus 28?"),
    ]
    curation = curate(PROBLEMS, PLAIN, judged(PLAIN), **{**DEFAULTS, "arms": ("lora_plain",), "held_out": held_out})
    assert curation.contaminated == 2
    assert {"train-2", "train-4"}.isdisjoint(row.problem_id for row in curation.rows["lora_plain"])


def test_problems_of_other_splits_are_never_rows() -> None:
    test_item = problem(3, "test")
    stolen = attempt(3, problem_id=test_item.id)
    curation = curate(
        [*PROBLEMS, test_item], [*PLAIN, stolen], judged([*PLAIN, stolen]), **{**DEFAULTS, "arms": ("lora_plain",)}
    )
    assert test_item.id not in {row.problem_id for row in curation.rows["lora_plain"]}


def test_repeated_rows_and_the_limit() -> None:
    twin = problem(11, prompt="What is 5  plus 35?")
    reply = attempt(11, reply="Plainly: 40,  sample 0")
    options = {**DEFAULTS, "arms": ("lora_plain",), "limit": 8}
    curation = curate([*PROBLEMS, twin], [*PLAIN, reply], judged([*PLAIN, reply]), **options)
    assert (curation.repeated, curation.size, curation.over_limit) == (1, 8, 2)


def test_what_cannot_be_curated_says_why() -> None:
    with pytest.raises(CurationError, match="no verified example"):
        curate(PROBLEMS, PLAIN, judged(PLAIN, "fail"), **{**DEFAULTS, "arms": ("lora_plain",)})
    with pytest.raises(CurationError, match="needs an approved strategy"):
        curate(PROBLEMS, PLAIN, judged(PLAIN), **{**DEFAULTS, "strategy_text": None})
    with pytest.raises(CurationError, match="valid: lora_plain"):
        curate(PROBLEMS, PLAIN, judged(PLAIN), **{**DEFAULTS, "arms": ("lora",)})
    assert curate(PROBLEMS, PLAIN, judged(PLAIN), **{**DEFAULTS, "arms": ()}).rows == {}


def test_written_rows_are_read_back_and_a_repeat_changes_nothing(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    hostile = [a.model_copy(update={"reply": a.reply + " \ud800 </s>\u2028"}) for a in PLAIN]
    curation = curate(PROBLEMS, hostile, judged(hostile), **{**DEFAULTS, "arms": ("lora_plain",)})
    card = dataset_card(curation, run_id="r", domain="sums", teacher="the oracle", strategy_text=STRATEGY)
    write_curation(run, curation, card)
    path = run.path / "dataset" / "lora_plain.jsonl"
    first = path.read_bytes()
    write_dataset(run, "lora_plain", curation.rows["lora_plain"])
    assert path.read_bytes() == first
    assert tuple(run.read("dataset/lora_plain.jsonl", TrainingRow)) == curation.rows["lora_plain"]
    assert json.loads((run.path / "dataset" / "curation.json").read_text())["kept"] == 10
    assert "| **kept** | **10** |" in (run.path / "dataset" / "README.md").read_text()
    assert "EVEN 5, ODD 5" in card and content_hash(STRATEGY) in card


def test_rows_name_their_teacher_and_none_of_several_is_preferred() -> None:
    both = [attempt(i, model=name, id=f"{name}/{i}") for i in range(10) for name in ("first", "second")]
    late = [item.model_copy(update={"sample": 1, "model": "late", "id": f"late/{item.id}"}) for item in both]
    judged_both = judged(both) + judged(late)
    curation = curate(PROBLEMS, late + both, judged_both, **{**DEFAULTS, "arms": ("lora_plain", "lora_strategy")})
    plain, strategy = curation.rows["lora_plain"], curation.rows["lora_strategy"]
    assert [row.teacher for row in plain] == [row.teacher for row in strategy]
    assert {row.teacher for row in plain} == {"first", "second"}
    assert all(row.attempt_id.startswith(row.teacher) for row in plain)
    card = dataset_card(curation, run_id="r", domain="sums", teacher="two", strategy_text=STRATEGY)
    counts = {name: 2 * sum(row.teacher == name for row in plain) for name in ("first", "second")}
    assert f"Rows by teacher, over all arms: first {counts['first']}, second {counts['second']}." in card


@pytest.mark.parametrize(
    ("outcome", "kind", "kept", "kept_if_sound"),
    [
        ("pass", "pass", True, True),
        ("pass", "wrong_step", True, False),
        ("fail", "wrong_answer", False, False),
        ("ungraded", "checker_error", False, False),
    ],
)
def test_a_wrong_step_can_be_refused(outcome: Outcome, kind: str, kept: bool, kept_if_sound: bool) -> None:
    judgement = Judgement(outcome=outcome, kind=kind)
    assert is_example(judgement, require_sound_steps=False) is kept
    assert is_example(judgement, require_sound_steps=True) is kept_if_sound
