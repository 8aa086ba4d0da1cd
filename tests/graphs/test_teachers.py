"""Whole small runs with two teachers, in turn and by vote, beside each other's providers."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from console.money import batch_line, show_preflight
from graphs.preflight import preflight
from graphs.runner import create_run, refuse_difference
from graphs.settings import build_config
from records.config import RunConfig
from records.nouns import Attempt, EvaluationRow, Reflection, Verdict
from records.rundir import RunDirectory, RunError
from tests.graphs.runs import run, settings
from tests.graphs.test_replay import model
from tests.loopback import Loopback, Request, Step

SIZES = ("sizes.train=20", "sizes.gate=4", "sizes.transfer=5", "sizes.test=6", "sizes.ood=4", "loop.rounds=2")


def yes_or_no(request: Request) -> Step:
    """The first teacher always says YES and writes; the second says NO."""
    text = model(request)
    return Step(text.replace("YES", "NO") if request.body["model"] == "second" else text)


@pytest.mark.parametrize("teaching", ["round_robin", "vote"])
def test_two_teachers_from_end_to_end(teaching: str, tmp_path: Path) -> None:
    """Nothing is trained: the run ends where the trainer would begin."""
    with Loopback(yes_or_no) as server:
        names = [f"vllm:first@{server.openai_url}", f"vllm:second@{server.openai_url}"]
        models = [part for name in names for part in ("--teacher", name)]
        models += ["--validator", names[0], "--student", f"vllm:student@{server.openai_url}"]
        arms = ["--set", "student_arms=[base]", "--set", f"teaching={teaching}", "--set", "loop.attempts=2"]
        ended = run(
            tmp_path,
            "--domain",
            "scheduling",
            *models,
            "--approve",
            "gate",
            "--run",
            "two",
            *settings(examples=16),
            *arms,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        count = server.count
        if teaching == "vote":
            again = run(tmp_path, "--replay", "two")
            assert again.returncode == 0 and "byte for byte" in again.stdout, again.stdout + again.stderr
        assert server.count == count
    directory = RunDirectory(tmp_path / "two")
    check_attempts(directory, names, teaching)
    summary = directory.read_json("evaluation/summary.json")
    teacher = summary["models"]["teacher"]
    assert (teacher["specs"], teacher["teaching"], teacher["writer"]) == (names, teaching, names[0])
    assert set(summary["splits"]["test"]["teachers"]) == set(names)
    report = (directory.path / "report.md").read_text().replace("\\", "")
    assert "The teachers are" in report and f"written by {names[0]} alone" in report
    assert {entry.teacher for entry in directory.read("reflections.jsonl", Reflection)} == {names[0]}
    usage = directory.read_json("usage.json")
    assert {row["model"] for row in usage if row["agent"] == "teacher"} == set(names)
    assert {row["model"] for row in usage if row["stage"] in ("draft", "reflect", "propose", "distill")} == {names[0]}


def check_attempts(directory: RunDirectory, names: list[str], teaching: str) -> None:
    """Who was asked, whose answers are counted."""
    attempts = {a.id: a for a in directory.read("attempts.jsonl", Attempt) if a.agent == "teacher"}
    passed = {v.id for v in directory.read("verdicts.jsonl", Verdict) if v.judgement.outcome == "pass"}
    rows = [row for row in directory.read("evaluation/rows.jsonl", EvaluationRow) if row.arm == "teacher"]
    assert Counter(row.model for row in rows) == dict.fromkeys(names, 10 if teaching == "vote" else 5)
    loop = Counter((a.problem_id, a.model) for a in attempts.values() if a.stage == "lrl")
    assert set(loop.values()) == {2 if teaching == "vote" else 1} and {name for _, name in loop} == set(names)
    curated = [a for a in attempts.values() if a.stage == "curation"]
    solved = {a.problem_id for a in curated if a.id in passed}
    assert solved == {a.problem_id for a in curated}  # one of the two is always right
    for a in curated:  # who was right at the first try is not asked again
        assert a.sample == 0 or not [
            b for b in curated if b.problem_id == a.problem_id and b.sample < a.sample and b.id in passed
        ]


def two(*overrides: str, **flags: object) -> RunConfig:
    flags = {"teacher": "anthropic:claude-haiku-4-5", "more_teachers": ["openai:gpt-5.4-mini"], **flags}
    return build_config({"domain": "scheduling", **flags}, [*SIZES, "loop.batch=4", "loop.attempts=2", *overrides])


@pytest.mark.parametrize(("teaching", "share"), [("round_robin", 0.5), ("vote", 1.0)])
def test_the_estimate_shares_what_is_solved_and_lets_the_first_write(teaching: str, share: float) -> None:
    parts = preflight(two(f"teaching={teaching}"))
    calls = {(part.stage, part.model.partition(":")[0]): part.calls for part in parts}
    for stage, most in (("baseline", 10), ("lrl", 16), ("curation", 60)):
        assert calls[stage, "anthropic"][1] == calls[stage, "openai"][1] == most * share
    assert {stage for stage, name in calls if name == "openai"} == {"baseline", "lrl", "curation"}


def test_batches_halve_the_estimate_of_the_stages_that_wait() -> None:
    plain, batched = (preflight(two(f"batches.use={use}")) for use in ("false", "true"))
    for one, other in zip(plain, batched, strict=True):
        factor = 0.5 if one.stage in ("baseline", "curation") else 1.0
        assert one.usd and other.usd and other.usd[1] == pytest.approx(one.usd[1] * factor)
    assert batch_line(two()) == ""
    assert batch_line(two("batches.use=true")).startswith(
        "Calls of anthropic:claude-haiku-4-5 and openai:gpt-5.4-mini in"
    )
    assert "changes nothing" in batch_line(build_config({"domain": "scheduling"}, ["batches.use=true"]))
    target = Console(file=io.StringIO(), width=160)
    show_preflight(target, two())
    assert "claude-haiku-4-5" in target.file.getvalue() and "gpt-5.4-mini" in target.file.getvalue()  # type: ignore[attr-defined]


def test_estimate_of_an_api_student() -> None:
    config = build_config({"domain": "scheduling", "student": "vllm:s@http://h/v1", "validators": ["embedded"]}, SIZES)
    assert {part.stage: part.calls for part in preflight(config)} == {
        "baseline": (10, 10), "gate": (0, 11), "evaluation": (0, 10),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["oracle"], "the oracle teaches alone"),
        (["anthropic:claude-haiku-4-5"], "named twice"),
        (["nobody:x"], "Valid forms"),
    ],
)
def test_teachers_that_do_not_go_together(
    more: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-x")
    with pytest.raises((RunError, ValueError), match=words):
        create_run(two(more_teachers=more), tmp_path, "x")
    assert not list(tmp_path.iterdir())


def test_other_teachers_and_another_way_are_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-x")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    directory = create_run(two(), tmp_path, "x")
    refuse_difference(directory, two("batches.use=true"))
    for other in (two("teaching=vote"), two(more_teachers=["openai:gpt-5-mini"])):
        with pytest.raises(RunError, match="teach"):
            refuse_difference(directory, other)
