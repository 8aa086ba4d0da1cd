"""`--dry-run`: nothing is called or written, and the counts are those of the run that follows."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from console.app import app
from graphs.preflight import preflight, validation_promise
from graphs.runner import create_run, work
from graphs.settings import build_config
from models.ledger import read_rows
from records.config import RunConfig
from records.nouns import Reflection
from tests.graphs.test_replay import model
from tests.loopback import Loopback

SIZES = ("sizes.train=24", "sizes.gate=4", "sizes.transfer=5", "sizes.test=6", "sizes.ood=4", "loop.batch=12")
STUDENT_ONLY = ("student_arms=[base, base+strategy]", "gate.rule=none", "loop.rounds=1")


def dry(runs: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments, "--dry-run", "--runs", str(runs / "runs")])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert not list(runs.iterdir())
    return result.exit_code, " ".join(result.output.split())


def estimated(config: RunConfig) -> dict[tuple[str, str], Any]:
    """Calls by stage and agent, all models together; stages without any are left out."""
    found: dict[tuple[str, str], Any] = {}
    for part in preflight(config, free=True):
        low, high = found.get((part.stage, part.agent), (0, 0))
        found[part.stage, part.agent] = (low + part.calls[0], high + part.calls[1])
    return {key: calls for key, calls in found.items() if calls[1]}


def made(ledger: Path) -> dict[tuple[str, str], int]:
    return dict(Counter((row["stage"], row["agent"]) for row in read_rows(ledger) if row["status"] == "ok"))


def test_the_counts_of_a_predictable_run_are_those_of_its_ledger(tmp_path: Path) -> None:
    """A scripted teacher, no gate and an approval without question leave nothing open."""
    with Loopback(lambda request: "ANSWER: YES") as server:
        spec = f"vllm:m@{server.openai_url}"
        flags = {"domain": "scheduling", "student": spec, "validators": [spec], "approve": "always"}
        config = build_config({**flags, "transfer_to": ["debugging"]}, [*SIZES, *STUDENT_ONLY])
        run = create_run(config, tmp_path, "r")
        before = estimated(config)
        assert server.count == 0 and all(low == high for low, high in before.values())
        asyncio.run(work(run, config))
        assert [r.accepted for r in run.read("reflections.jsonl", Reflection)] == [True]  # else two arms were one
        assert {key: (count, count) for key, count in made(run.path / "ledger.sqlite").items()} == before
        assert server.count == sum(low for low, _ in before.values()) == 10 + 5 * 6 + 5 * 6 + 10


def test_the_counts_of_a_teacher_by_api_hold_the_ledgers(tmp_path: Path) -> None:
    with Loopback(model) as server:
        names = [f"vllm:{name}@{server.openai_url}" for name in ("teacher", "student", "other")]
        flags = {"domain": "scheduling", "teacher": names[0], "student": names[1], "validators": names[2:]}
        settings = [*SIZES, "student_arms=[base, base+strategy]", "loop.rounds=1", "loop.batch=4", "sizes.train=8"]
        config = build_config({**flags, "approve": "always"}, settings)
        run = create_run(config, tmp_path, "r")
        asyncio.run(work(run, config))
    before, after = estimated(config), made(run.path / "ledger.sqlite")
    assert set(after) <= set(before)
    same = {"validation"}  # nothing was learned, so that two arms have the same text and share their calls
    for key, (low, high) in before.items():
        assert (key[0] in same or low <= after.get(key, 0)) and after.get(key, 0) <= high, key
    assert after["validation", "validator"] == before["validation", "validator"][1] * 5 / 6
    for key in (("baseline", "teacher"), ("baseline", "student"), ("lrl", "teacher"), ("evaluation", "student")):
        assert before[key] == (after[key], after[key])


def test_free_models_are_counted_too_and_trained_arms_with_every_seed(tmp_path: Path) -> None:
    config = build_config({"domain": "scheduling", "approve": "gate"}, [*SIZES, "training_seeds=3", "loop.rounds=2"])
    assert preflight(config) == []
    assert estimated(config) == {
        ("baseline", "student"): (10, 10),
        ("gate", "gate"): (0, 11),
        ("evaluation", "student"): (10 * 3, 10 * (1 + 3 + 3)),
        ("validation", "validator"): (30, 30),
    }
    never = estimated(config.model_copy(update={"approve": "never"}))
    assert never["evaluation", "student"] == (30, 30)


def test_it_prints_all_that_is_to_be_known_and_leaves_nothing_behind(tmp_path: Path) -> None:
    code, printed = dry(tmp_path, "--domain", "scheduling", "--profile", "full")
    assert code == 0
    for words in ("What the run would call", "validation", "evaluation", "total", "$0.00", "gate 'confirm'"):
        assert words in printed
    assert "show with 80% probability a gain of" in printed and "Budget: none" in printed
    assert "adapters on at most" in printed and "Nothing was called, nothing was written." in printed


def test_a_missing_key_is_said_and_does_not_hinder_the_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    code, printed = dry(
        tmp_path, "--domain", "scheduling", "--teacher", "anthropic:claude-haiku-4-5", "--budget", "0.01"
    )
    assert code == 0 and "would not start" in printed and "ANTHROPIC_API_KEY" in printed
    assert "reflect" in printed and "distill" in printed and "the run will stop early" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--domain", "chess"], "there is no domain 'chess'"),
        (["--domain", "scheduling", "--set", "loop.round=1"], "unknown setting 'loop.round'"),
        (["--domain", "debugging", "--problems", "humaneval"], "makes its own problems"),
        ([], "--domain is missing"),
    ],
)
def test_bad_input_is_refused_as_for_a_run(tmp_path: Path, arguments: list[str], words: str) -> None:
    code, printed = dry(tmp_path, *arguments)
    assert code == 2 and words in printed


@pytest.mark.parametrize(("items", "words"), [(4, "too few to show any gain"), (54, "a gain of 2")])
def test_what_the_validation_can_show(items: int, words: str) -> None:
    config = build_config({"domain": "scheduling"}, [f"sizes.transfer={items}"])
    assert words in validation_promise(config)
