"""A row that a person leaves out is in no arm, in the card and in the report; after training begins it stays."""

from pathlib import Path

import pytest

from domains import get_domain
from evaluation.dataset import write_card, write_dataset
from evaluation.sections import problems_section
from evaluation.summary import summarise
from graphs.exclusions import (
    ExclusionRefused,
    exclude_row,
    exclusions,
    freeze_datasets,
    include_row,
    training_begun,
    without_excluded,
)
from records.config import Sizes
from records.nouns import Message, TrainingRow
from records.rundir import RunDirectory, RunError
from training.errors import TrainingError
from training.rows import load_rows

ARMS = ("lora_plain", "lora_strategy")
HOSTILE = "wrong | <script>alert(1)</script>\n[x](http://e.test)\x1b[2J"


def rows(arm: str, count: int = 3) -> list[TrainingRow]:
    return [
        TrainingRow(
            id=f"{arm}/p{n}", problem_id=f"p{n}", attempt_id=f"a{n}", arm=arm, strategy_hash=None,
            prompt=(Message(role="user", content="?"),), completion=(Message(role="assistant", content="!"),),
        )
        for n in range(count)
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "r")
    run.write_json("run.json", {"id": "r", "config": {"domain": "scheduling"}})
    for arm in ARMS:
        write_dataset(run, arm, rows(arm))
    write_card(run, "# card\n")
    return run


def trained_on(run: RunDirectory, arm: str) -> list[str]:
    return [row.problem_id for row in load_rows(run, arm)]


def test_row_is_left_out_of_every_arm_and_kept_aside(run: RunDirectory) -> None:
    exclude_row(run.path, "lora_plain/p1", "the answer is guessed", "ada")
    assert [(e.problem_id, e.reason, e.who) for e in exclusions(run.path)] == [("p1", "the answer is guessed", "ada")]
    freeze_datasets(run)
    freeze_datasets(run)  # again, after a crash
    assert [trained_on(run, arm) for arm in ARMS] == [["p0", "p2"], ["p0", "p2"]]
    assert run.read("dataset/excluded/lora_strategy.jsonl", TrainingRow) == [rows("lora_strategy")[1]]


def test_card_and_report_say_what_was_left_out_and_why(run: RunDirectory) -> None:
    exclude_row(run.path, "lora_plain/p1", HOSTILE, "ada")
    freeze_datasets(run)
    card = (run.path / "dataset" / "README.md").read_text()
    assert "| p1 |" in card and "ada" in card and card.startswith("# card") and card.count("p1") == 1
    assert "<script>" not in card and "\x1b" not in card and "](" not in card
    summary = summarise(run)
    assert summary["dataset"]["rows"] == {"lora_plain": 2, "lora_strategy": 2}
    (table,) = [table for table in problems_section(summary).tables if "Left out" in table.caption]
    assert list(table.rows[0]) == ["p1", HOSTILE, "ada"]  # made inert where the report is rendered


def test_first_reason_stands_and_a_row_can_be_taken_back(run: RunDirectory) -> None:
    exclude_row(run.path, "lora_plain/p1", "guessed", "ada")
    assert exclude_row(run.path, "lora_strategy/p1", "other", "bob").reason == "guessed"
    include_row(run.path, "lora_strategy/p1", "bob")
    assert exclusions(run.path) == []
    with pytest.raises(ExclusionRefused, match="not left out"):
        include_row(run.path, "lora_plain/p1", "bob")
    freeze_datasets(run)
    assert trained_on(run, "lora_plain") == ["p0", "p1", "p2"] and "excluded" not in summarise(run)["dataset"]


@pytest.mark.parametrize("mark", ["dataset/frozen.json", "adapters/lora_plain-seed0/job.json"])
def test_nothing_changes_once_training_has_begun(run: RunDirectory, mark: str) -> None:
    exclude_row(run.path, "lora_plain/p1", "guessed", "ada")
    run.write_json(mark, {})
    assert training_begun(run.path)
    for change in (lambda: exclude_row(run.path, "lora_plain/p2", "x", "ada"), lambda: include_row(run.path, "a", "b")):
        with pytest.raises(ExclusionRefused, match="has begun"):
            change()
    assert len(exclusions(run.path)) == 1


def test_adapters_of_a_fork_do_not_count_as_begun(run: RunDirectory) -> None:
    run.write_json("adapters/lora_plain-seed0/done.json", {})
    assert not training_begun(run.path)


@pytest.mark.parametrize(
    ("row", "reason", "who", "words"),
    [
        ("lora_plain/p9", "x", "ada", "no training row"),
        ("lora_plain/p1", " ", "ada", "needs a reason"),
        ("lora_plain/p1", "x", "", "a name"),
    ],
)
def test_bad_exclusion_says_why(run: RunDirectory, row: str, reason: str, who: str, words: str) -> None:
    with pytest.raises(ExclusionRefused, match=words):
        exclude_row(run.path, row, reason, who)


def test_last_row_and_a_run_without_rows_are_refused(run: RunDirectory, tmp_path: Path) -> None:
    exclude_row(run.path, "lora_plain/p0", "x", "ada")
    exclude_row(run.path, "lora_plain/p1", "x", "ada")
    with pytest.raises(ExclusionRefused, match="last row"):
        exclude_row(run.path, "lora_plain/p2", "x", "ada")
    bare = RunDirectory(tmp_path / "bare")
    bare.write_json("run.json", {})
    with pytest.raises(ExclusionRefused, match="no training rows yet"):
        exclude_row(bare.path, "lora_plain/p0", "x", "ada")
    with pytest.raises(RunError, match="no run"):
        exclude_row(tmp_path / "none", "lora_plain/p0", "x", "ada")


def test_what_was_left_out_stays_out_of_later_rounds(run: RunDirectory) -> None:
    """A later round would otherwise take it again, and the trainer would refuse the dataset."""
    problems = get_domain("scheduling").load(None, Sizes(train=4, gate=4, transfer=4, test=4, ood=0), seed=1)[:3]
    named = [problem.model_copy(update={"id": f"p{n}"}) for n, problem in enumerate(problems)]
    exclude_row(run.path, "lora_plain/p1", "guessed", "ada")
    freeze_datasets(run)
    assert [problem.id for problem in without_excluded(run, named)] == ["p0", "p2"]


def test_training_by_hand_refuses_a_row_that_is_still_there(run: RunDirectory) -> None:
    exclude_row(run.path, "lora_plain/p1", "guessed", "ada")
    with pytest.raises(TrainingError, match="left out by ada"):
        load_rows(run, "lora_plain")
