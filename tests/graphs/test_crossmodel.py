"""Candidates on all validators, rounds for one that gains nothing, and the ablation, in a whole run over HTTP.

Validator `easy` is helped by any version of the strategy, `hard` only by the bullet that the teacher proposes;
the teacher itself solves everything, so the edit is not kept until `hard` is asked at the gate.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from console.review import show_evidence
from console.show import show_strategy, show_summary
from evaluation.__main__ import check
from graphs.preflight import preflight
from graphs.runner import Finished, Stopped, create_run, replay_run, work
from graphs.settings import SettingsError, build_config
from graphs.strategies import load_version
from records.config import Budget, RunConfig
from records.nouns import Decision, EvaluationRow, Problem, Reflection
from records.rundir import RunDirectory
from tests.agents.test_over_http import EDITS
from tests.agents.test_teacher import LONG
from tests.agents.writing import teacher_writes
from tests.loopback import Loopback, Request

ITEMS, SHOWN = 12, 8
CHOOSING, TESTING = 4, 8  # of the gate's items: where candidates and bullets are compared, where edits are tested
FIRST, ADDED = str(EDITS["edits"][0]["text"]), "Check the rooms."
DRAFTED = LONG.splitlines()[-1].removeprefix("- ").strip()


class World:
    """What the models of the run answer; the right answers are learned from its problems file."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.answers: dict[str, str] = {}

    def reply(self, request: Request) -> str:
        edits = json.dumps(EDITS).replace("A2", "A1")
        if FIRST in request.prompt:  # it was rejected: another one
            edits = edits.replace(FIRST, ADDED)
        written = teacher_writes(request.prompt, "It forgot to check.", edits, "Check the rooms last.")
        if written is not None:
            return written
        if "could not be used" in request.prompt:  # it proposed the same edit again
            return '{"edits": []}'
        right = self.right(request.prompt)
        wrong = {"YES": "NO", "NO": "YES"}[right]
        system = request.body["messages"][0]["content"]
        helped = {"teach": True, "easy": DRAFTED in system, "hard": ADDED in system}.get(request.body["model"], False)
        return f"ANSWER: {right if helped else wrong}"

    def right(self, prompt: str) -> str:
        if prompt not in self.answers:
            for file in self.runs.glob("*/problems.jsonl"):
                problems = RunDirectory(file.parent).read("problems.jsonl", Problem)
                self.answers |= {problem.prompt: str(problem.answer) for problem in problems}
        return self.answers[prompt]


def settings(url: str, *overrides: str, **flags: object) -> RunConfig:
    names = {name: f"vllm:{name}@{url}" for name in ("teach", "easy", "hard", "student")}
    given = {"domain": "scheduling", "teacher": names["teach"], "student": names["student"], "approve": "gate"}
    given |= {"validators": [names["easy"], names["hard"]], "student_arms": ["base"], **flags}
    sizes = ("sizes.train=6", f"sizes.gate={ITEMS}", f"sizes.transfer={SHOWN}", "sizes.test=4", "sizes.ood=0")
    loop = ("loop.rounds=1", "loop.batch=2", "examples=4", "gate.rule=sequential")
    return build_config(given, [*sizes, *loop, *overrides])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunDirectory, Loopback]]:
    runs = tmp_path_factory.mktemp("runs")
    with Loopback(World(runs).reply) as server:
        hard = f"vllm:hard@{server.openai_url}"
        crossmodel = {"reoptimise_for": [hard], "source": True}
        config = settings(server.openai_url, "ablation.use=true", "ablation.bullets=3", crossmodel=crossmodel)
        outcome = asyncio.run(work(create_run(config, runs, "all"), config))
        assert isinstance(outcome, Finished)
        yield RunDirectory(runs / "all"), server


def names(row: EvaluationRow) -> tuple[str, str]:
    return row.arm, row.model.partition("@")[0].removeprefix("vllm:")


def test_the_neglected_validator_gets_rounds_in_which_its_own_gain_counts(
    finished: tuple[RunDirectory, Loopback],
) -> None:
    run, _ = finished
    reflections = run.read("reflections.jsonl", Reflection)
    assert [entry.accepted for entry in reflections] == [False, True, False]
    first, second, third = (entry.gate for entry in reflections)
    assert first and second and (first.wins, second.wins) == (0, TESTING)  # the teacher's gain, then the validator's
    assert first.alpha_spent == pytest.approx(0.03)  # the loop's part of the run's one budget
    assert second.alpha_spent == pytest.approx(0.01)  # one of two further rounds, which have 0.02 together
    assert third is None and reflections[2].note == "no edit was proposed"


def test_the_candidate_with_the_best_worst_validator_goes_on(finished: tuple[RunDirectory, Loopback]) -> None:
    run, _ = finished
    found = run.read_json("evaluation/summary.json")["strategy"]
    draft, edited = found["selection"]["candidates"]
    assert [sorted(lift["lift"] for lift in entry["lifts"].values()) for entry in (draft, edited)] == [[0, 1], [1, 1]]
    assert draft["worst"]["model"].startswith("vllm:hard") and found["selection"]["chosen"] == edited["hash"]
    decision = run.read("decisions.jsonl", Decision)[-1]
    assert decision.approved_hash == edited["hash"] == found["hash"]
    assert set(found["verdict_by_validator"].values()) == {"not shown", "supported"}  # one_shot helps `easy` as much


def test_the_choice_is_made_on_other_items_than_the_validation(finished: tuple[RunDirectory, Loopback]) -> None:
    rows = finished[0].read("evaluation/rows.jsonl", EvaluationRow)
    items = {suite: {r.problem_id for r in rows if r.suite == suite} for suite in ("selection", "ablation", "strategy")}
    assert items["selection"] == items["ablation"] and len(items["selection"]) == CHOOSING
    assert len(items["strategy"]) == SHOWN and not items["strategy"] & items["selection"]
    assert {row.split for row in rows if row.suite != "student"} == {"validation"}


def test_lifts_and_fractions(finished: tuple[RunDirectory, Loopback]) -> None:
    transfer = finished[0].read_json("evaluation/summary.json")["strategy"]["transfer"]
    learned = {model.partition("@")[0]: arms["learned"]["lift"] for model, arms in transfer["lifts"].items()}
    assert learned == {"vllm:easy": 1, "vllm:hard": 1}
    assert transfer["source"].startswith("vllm:teach") and transfer["source_lift"]["lift"] == 0
    assert all("is not shown" in found["undefined"] for found in transfer["fractions"].values())


def test_each_bullet_was_left_out_and_its_lift_is_kept(finished: tuple[RunDirectory, Loopback]) -> None:
    run, server = finished
    summary = run.read_json("evaluation/summary.json")["strategy"]
    bullets = {entry["text"]: entry for entry in summary["ablation"]["bullets"]}
    assert len(bullets) == 3 and len(summary["ablation"]["unmeasured"]) == len(summary["bullets"]) - 3
    lifts = {model.partition("@")[0]: lift["lift"] for model, lift in bullets[ADDED]["lifts"].items()}
    assert lifts == {"vllm:easy": 0, "vllm:hard": 1}
    version = load_version(run, summary["hash"])
    kept = version.lifts[bullets[ADDED]["id"]][f"vllm:hard@{server.openai_url}"]
    assert (kept.lift, kept.low, kept.high, kept.n) == (1, 1, 1, CHOOSING) and version.status == "accepted"
    rows = run.read("evaluation/rows.jsonl", EvaluationRow)
    assert sum(row.suite == "ablation" for row in rows) == (3 + 1) * CHOOSING * 2


def shown(view: object) -> str:
    console = Console(file=io.StringIO(), width=250)
    view(console)  # type: ignore[operator]
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_report_and_terminal_show_it_and_the_figures_are_recomputed(finished: tuple[RunDirectory, Loopback]) -> None:
    run, _ = finished
    text, page = (run.path / "report.md").read_text(), (run.path / "report.html").read_text()
    for words in ("From model to model", "Bullet by bullet", "Candidates", "Lift of each bullet", "transfer fraction"):
        assert words in text and words in page
    for name in ("transfer_lifts", "bullet_lifts"):
        assert (run.path / "figures" / f"{name}.svg").exists() and f"figures/{name}.svg" in text
    assert check(run) == 0
    summary = run.read_json("evaluation/summary.json")
    hashes = {
        "strategy_hash": summary["strategy"]["hash"],
        "draft_hash": load_version(run, summary["strategy"]["hash"]).strategy.parent,
    }
    for view in (lambda c: show_evidence(c, run, hashes), lambda c: show_strategy(c, run, 5)):
        printed = shown(view)
        assert "Lift of each bullet" in printed and "No bullet is shown to do harm" in printed
        assert "transfer fraction" in printed and "worst lift" in printed
    assert "Lift on vllm:hard" in shown(lambda c: show_summary(c, run, summary))


def test_a_replay_makes_no_call_and_comes_to_the_same_bytes(finished: tuple[RunDirectory, Loopback]) -> None:
    run, server = finished
    count = server.count
    again, config = replay_run(run, run.path.parent)
    assert isinstance(asyncio.run(work(again, config)), Finished)
    assert server.count == count
    for name in ("report.md", "evaluation/summary.json"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes()


def test_a_run_that_stops_in_between_goes_on_and_pays_nothing_twice(tmp_path: Path) -> None:
    """The budget ends after the first survey."""
    with Loopback(World(tmp_path).reply) as server:
        crossmodel = {"reoptimise_for": [f"vllm:hard@{server.openai_url}"]}
        config = settings(server.openai_url, "ablation.use=true", "ablation.bullets=2", crossmodel=crossmodel)
        run = create_run(config, tmp_path, "cut")
        assert isinstance(asyncio.run(work(RunDirectory(run.path), within(config, 100))), Stopped)
        assert server.count <= 100 and {r.suite for r in rows_of(run)} >= {"selection"}
        assert isinstance(asyncio.run(work(RunDirectory(run.path), within(config, None))), Finished)
        assert max(server.completed.values()) == 1
    assert run.read_json("evaluation/summary.json")["strategy"]["selection"]["chosen"]


def rows_of(run: RunDirectory) -> list[EvaluationRow]:
    return RunDirectory(run.path).read("evaluation/rows.jsonl", EvaluationRow)


def within(config: RunConfig, calls: int | None) -> RunConfig:
    return config.model_copy(update={"budget": Budget(calls=calls)})


def test_quick_makes_no_further_call_and_full_measures_all() -> None:
    quick, full = (build_config({"domain": "scheduling", "profile": name}, []) for name in ("quick", "full"))
    assert not (quick.ablation.use or quick.crossmodel.surveys or quick.crossmodel.source) and quick.rounds == 1
    assert full.ablation.use and full.crossmodel.select == "maximin" and full.crossmodel.source
    assert not build_config({"domain": "scheduling", "profile": "full"}, ["ablation.use=false"]).ablation.use


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"crossmodel": {"reoptimise_for": ["embedded:x"]}}, "it is no validator of this run"),
        ({"rounds": 2, "student_arms": ["base"]}, "no lora_ arm"),
        ({"rounds": 0}, "setting 'rounds'"),
        ({"profile": "fast"}, "--profile fast: there are quick, full"),
    ],
)
def test_settings_that_cannot_be_are_said(given: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        build_config({"domain": "scheduling", "validators": ["embedded"], **given}, [])


def test_the_estimate_counts_them() -> None:
    url = "http://h/v1"
    base = settings(url)
    parts = {(p.stage, p.model.partition("@")[0]): p.calls for p in preflight(base)}
    assert not any(stage in ("ablation", "selection", "source") for stage, _ in parts)
    crossmodel = {"reoptimise_for": [f"vllm:hard@{url}"], "source": True, "reoptimise_rounds": 2}
    more = settings(url, "ablation.use=true", "ablation.bullets=3", crossmodel=crossmodel)
    found = {(p.stage, p.model.partition("@")[0]): p.calls for p in preflight(more)}
    for name in ("vllm:easy", "vllm:hard"):
        assert found["ablation", name] == (0, 4 * CHOOSING)
        assert found["selection", name] == (2 * CHOOSING, 6 * CHOOSING)  # none, draft, three edits, the distilled one
    assert found["gate", "vllm:hard"] == (0, 3 * TESTING) and ("gate", "vllm:easy") not in found
    assert found["source", "vllm:teach"] == (2 * SHOWN, 2 * SHOWN)
    assert found["lrl", "vllm:teach"] == (8, 24) and parts["lrl", "vllm:teach"] == (8, 8)
