"""`--compose`: two runs' strategies merged, measured on both runs' items, interference planted and found."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from console.app import app
from domains import get_domain
from evaluation.__main__ import main as evaluation
from evaluation.composition import RESULT, interference_word
from graphs.runner import create_run
from graphs.settings import build_config
from graphs.strategies import save_strategy
from prompts import load_strategy_file
from records.nouns import Bullet, Decision, EvaluationRow, Strategy
from records.rundir import RunDirectory
from tests.loopback import Loopback, Request

ITEMS = 10
SIZES = ("sizes.train=30", "sizes.gate=4", f"sizes.transfer={ITEMS}", "sizes.test=4", "sizes.ood=4")


def finished_run(
    runs: Path, name: str, domain: str, spec: str, seed: int = 0, approve: bool = True, lines_of: str = ""
) -> Strategy:
    """A run directory as it stands after the approval of a strategy: the lines of a domain's seed strategy."""
    flags = {"domain": domain, "student": spec, "validators": [spec], "seed": seed}
    config = build_config(flags, [*SIZES, "student_arms=[base]"])
    run = create_run(config, runs, name)
    run.append("problems.jsonl", get_domain(domain).load(None, config.sizes, seed))
    lines = [line[2:] for line in load_strategy_file(lines_of or domain).splitlines() if line.startswith("- ")]
    bullets = [Bullet(id=f"b{n}", section="Method", text=line, origin=(f"lrl/{n}",)) for n, line in enumerate(lines, 1)]
    strategy = Strategy(name=domain, bullets=tuple(bullets))
    save_strategy(run, strategy, "final")
    fields = {"strategy_hash": strategy.hash, "who": "test", "reason": "fine", "time": ""}
    decision = {"id": "decision-1", "action": "approve", "approved_hash": strategy.hash if approve else None, **fields}
    run.append("decisions.jsonl", [Decision.model_validate(decision)])
    return strategy


class World:
    """Problems of either seed are solved with the strategy of scheduling, if nothing of mathematics is beside it."""

    def __init__(self) -> None:
        sizes = build_config({"domain": "scheduling"}, SIZES).sizes
        problems = [problem for seed in (0, 1) for problem in get_domain("scheduling").load(None, sizes, seed)]
        self.answers = {problem.prompt: str(problem.answer) for problem in problems}
        self.marks = {name: load_strategy_file(name).splitlines()[1][2:] for name in ("scheduling", "mathematics")}

    def __call__(self, request: Request) -> str:
        system = request.body["messages"][0]["content"]
        right = self.answers[request.prompt]
        helped = self.marks["scheduling"] in system and self.marks["mathematics"] not in system
        return f"ANSWER: {right if helped else {'YES': 'NO', 'NO': 'YES'}[right]}"


def call(runs: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments, "--runs", str(runs)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def test_interference_is_found_and_everything_is_recomputed(tmp_path: Path) -> None:
    with Loopback(World()) as server:
        spec = f"vllm:m@{server.openai_url}"
        strategies = {
            "fits": finished_run(tmp_path, "fits", "scheduling", spec),
            "hurts": finished_run(tmp_path, "hurts", "scheduling", spec, seed=1, lines_of="mathematics"),
        }
        command = ("--compose", "fits", "hurts", "--run", "both")
        code, printed = call(tmp_path, *command, "--dry-run")
        assert code == 0 and server.count == 0 and not (tmp_path / "both").exists()
        code, printed = call(tmp_path, *command)
        assert code == 0, printed
        assert "the merged strategy interferes: −100.0 points" in printed
        assert "On scheduling (items of hurts)" in printed
        assert "no difference is shown: +0.0 points" in printed
        count = server.count
        assert count == 2 * ITEMS * 5
        assert call(tmp_path, *command)[0] == 0 and server.count == count  # goes on, and there is nothing left
        code, printed = call(tmp_path, "--domain", "python", "--run", "both")
        assert code == 2 and "run 'both' exists" in printed
        code, printed = call(tmp_path, *command, "--set", "decoding.max_tokens=7")
        assert code == 2 and "is not this composition with these settings" in printed
    check_result(RunDirectory(tmp_path / "both"), strategies)


def check_result(run: RunDirectory, strategies: dict[str, Strategy]) -> None:
    summary = run.read_json(RESULT)
    assert {source: about["hash"] for source, about in summary["sources"].items()} == {
        name: strategy.hash for name, strategy in strategies.items()
    }
    origins = {bullet["origin"][0].partition(":")[0] for bullet in summary["strategy"]["bullets"]}
    assert origins == {"fits", "hurts"} and summary["tokens"] <= 2_000
    words = {
        source: suite["verdict"] for source, found in summary["sets"].items() for suite in found["validators"].values()
    }
    assert words == {"fits": "worse", "hurts": "not shown"}
    (suite,) = summary["sets"]["fits"]["validators"].values()
    assert suite["interference"]["difference"] == -1.0 and suite["interference"]["ci95"] == [-1.0, -1.0]
    assert suite["arms"]["own_padded"]["accuracy"] == 1.0  # so it is not the length
    rows = RunDirectory(run.path / "on-fits").read("rows.jsonl", EvaluationRow)
    assert Counter(row.arm for row in rows) == dict.fromkeys(("none", "own", "own_padded", "other", "merged"), ITEMS)
    report = (run.path / "composition.md").read_text().replace("\\", "")
    for text in (
        "interferes",
        "fits:b1, fits:lrl/1",
        "## On scheduling, items of hurts",
        "own_padded",
    ):
        assert text in report
    assert evaluation([str(run.path), "--check"]) == 0
    run.write_json(RESULT, json.loads(json.dumps(summary).replace('"difference": -1.0', '"difference": 0.5')))
    assert evaluation([str(run.path), "--check"]) == 1


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["--compose", "a", "a"], "takes two runs; 'a' was named twice"),
        (["--compose", "a", "nothing"], "there is no run 'nothing'"),
        (["--compose", "a", "refused"], "run 'refused' has no approved strategy"),
        (["--compose", "a", "b", "--domain", "python"], "leave out --domain"),
        (["--compose", "a", "b", "--validator", "oracle"], "validator 'oracle': the oracle is no language model"),
        (["--compose", "a", "b", "--run", "a"], "choose another --run name"),
        (["--compose", "a", "b", "--budget", "1"], "no price is known"),
    ],
)
def test_what_cannot_be_composed_is_said_and_nothing_is_written(command: list[str], words: str, tmp_path: Path) -> None:
    spec = "vllm:m@http://127.0.0.1:9/v1"
    for name, domain, approved in (("a", "scheduling", True), ("b", "mathematics", True), ("refused", "python", False)):
        if name in command:
            finished_run(tmp_path, name, domain, spec, approve=approved)
    before = sorted(tmp_path.rglob("*"))
    code, printed = call(tmp_path, *command)
    assert code == 2 and words in printed
    assert sorted(tmp_path.rglob("*")) == before


def test_runs_of_one_domain_with_the_same_items_are_measured_on_them_once(tmp_path: Path) -> None:
    spec = "vllm:m@http://127.0.0.1:9/v1"
    for name in ("a", "b"):
        finished_run(tmp_path, name, "scheduling", spec)
    code, printed = call(tmp_path, "--compose", "a", "b", "--dry-run")
    assert code == 0 and f"total {4 * ITEMS} " in printed  # the merged one is no longer than its parts


def test_a_spent_budget_stops_it_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with Loopback(World()) as server:
        for name in ("a", "b"):
            finished_run(tmp_path, name, "scheduling", f"vllm:m@{server.openai_url}")
        command = ("--compose", "a", "b", "--run", "both")
        code, printed = call(tmp_path, *command, "--set", "budget.calls=5")
        assert code == 3 and "5 calls of 5 are spent" in printed and "--run both and a larger --budget" in printed
        assert server.count == 5 and not (tmp_path / "both" / "composition.md").exists()
        code, printed = call(tmp_path, *command)
        assert code == 0 and (tmp_path / "both" / "composition.md").exists()
        assert len({request.content for request in server.requests}) == server.count  # nothing was asked twice


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        ({"ci95": [-0.3, -0.1], "ci_holm": [-0.4, 0.0], "p_holm": 0.06}, "worse"),
        ({"ci95": [0.1, 0.3], "ci_holm": [0.05, 0.35], "p_holm": 0.01}, "improved"),
        ({"ci95": [0.1, 0.3], "ci_holm": [-0.05, 0.35], "p_holm": 0.01}, "not shown"),
        ({"ci95": [-0.1, 0.1], "ci_holm": [-0.2, 0.2], "p_holm": 1.0}, "not shown"),
        ({"ci95": None, "ci_holm": None, "p_holm": 1.0}, "not shown"),
    ],
)
def test_words_for_interference(figures: dict[str, Any], word: str) -> None:
    assert interference_word(figures) == word
