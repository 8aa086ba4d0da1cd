"""What the summary says of synthetic runs, of the origin's rows, and of broken ones."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation.__main__ import main
from evaluation.pairs import align
from evaluation.summary import differences, strategy_suites, student_split, summarise, without_clock, write_summary
from records.nouns import EvaluationRow
from records.rundir import RunDirectory, RunError
from tests.evaluation.rows import answers, make_run, row, solved
from tests.needs import data_need

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "scheduling" / "responses.jsonl"
TRUTH = ["YES"] * 132 + ["NO"] * 18


def predicted(right_no: int) -> list[str | None]:
    """145 YES and 5 NO, of which `right_no` are right."""
    wrong_no = 5 - right_no
    return ["NO"] * wrong_no + ["YES"] * (132 - wrong_no) + ["NO"] * right_no + ["YES"] * (18 - right_no)


@pytest.mark.parametrize("right_no", [0, 1, 2])
@pytest.mark.parametrize("arm", ["lora_plain", "lora_strategy", "lora_distilled"])
def test_rows_shaped_like_the_origins_are_below_the_constant_baseline(tmp_path: Path, right_no: int, arm: str) -> None:
    rows = answers("base", TRUTH, ["NO"] * 150) + answers(arm, TRUTH, predicted(right_no))
    summary = summarise(make_run(tmp_path / "run", rows))
    assert summary["verdict"] == "below the constant baseline"
    assert summary["constant_baseline"] == 0.88
    split = summary["splits"]["test"]
    assert split["constant_baseline"] == {"class": "YES", "correct": 132, "n": 150, "accuracy": 0.88}
    assert split["arms"]["base"]["accuracy"] == 0.12 and split["arms"]["base"]["balanced_accuracy"] == 0.5
    assert split["comparisons"][0]["difference"] > 0.7, "the gain over the base model is real, and beside the point"


@pytest.mark.parametrize("right_no", range(6))
def test_no_such_rows_are_ever_called_improved(right_no: int) -> None:
    rows = answers("base", TRUTH, ["NO"] * 150) + answers("lora_plain", TRUTH, predicted(right_no))
    assert student_split(rows)["verdict"] != "improved"


def test_always_yes_is_not_above_the_constant_baseline() -> None:
    rows = answers("base", TRUTH, ["NO"] * 150) + answers("lora_plain", TRUTH, ["YES"] * 150)
    assert student_split(rows)["verdict"] == "below the constant baseline"


@pytest.mark.skipif(not REAL.exists(), reason=str(data_need("scheduling", "responses.jsonl")))
@pytest.mark.parametrize("size", ["1.5b", "qwen3b"])
@pytest.mark.parametrize("field", ["their_answer", "last_caps_yesno"])
def test_the_origins_real_rows_are_below_the_constant_baseline(tmp_path: Path, size: str, field: str) -> None:
    replies = [json.loads(line) for line in REAL.read_text("utf-8").splitlines()]
    after = [r for r in replies if r["stage"] == "4_student_lora" and size in r["source_file"]]
    before = [r for r in replies if r["stage"] == "0_student_baseline"]
    assert len(after) == len(before) == 150

    def rows(arm: str, found: list[dict[str, str]]) -> list[EvaluationRow]:
        said = [r[field] if r[field] in ("YES", "NO") else None for r in found]
        return answers(arm, [r["expected_recomputed"] for r in found], said)

    summary = summarise(make_run(tmp_path / "run", rows("base", before) + rows("lora_strategy", after)))
    assert summary["verdict"] == "below the constant baseline"
    assert summary["constant_baseline"] == 0.88


def test_a_real_gain_is_improved_and_explained() -> None:
    rng = random.Random(0)
    rows = solved("base", 0.1, 60, rng) + solved("lora_plain", 0.5, 60, rng) + solved("lora_strategy", 0.9, 60, rng)
    split = student_split(rows)
    assert split["verdict"] == "improved" and split["headline_arm"] == "lora_strategy"
    assert split["constant_baseline"] is None and split["against_constant"] is None
    parts = split["attribution"]["lora_strategy"]
    assert parts["total"]["value"] == pytest.approx(parts["training"]["value"] + parts["strategy"]["value"])
    assert 0.2 < parts["strategy_share"]["value"] < 0.8
    assert parts["strategy_share"]["ci95"][0] < parts["strategy_share"]["value"] < parts["strategy_share"]["ci95"][1]


def test_the_headline_arm_is_chosen_by_name_not_by_score() -> None:
    rng = random.Random(0)
    rows = solved("base", 0.5, 60, rng) + solved("lora_plain", 1.0, 60, rng) + solved("lora_distilled", 0.0, 60, rng)
    split = student_split(rows)
    assert split["headline_arm"] == "lora_distilled" and split["verdict"] == "worse"


def test_chance_is_not_shown() -> None:
    rng = random.Random(2)
    rows = solved("base", 0.5, 40, rng) + solved("lora_plain", 0.5, 40, rng)
    split = student_split(rows)
    assert split["verdict"] == "not shown"


def test_three_wins_of_three_prove_nothing() -> None:
    rows = [row("base", i, "fail") for i in range(3)] + [row("lora_plain", i, "pass") for i in range(3)]
    split = student_split(rows)
    assert split["comparisons"][0]["ci95"] == (1.0, 1.0) and split["verdict"] == "not shown"


def test_unparsed_truncated_and_ungraded_are_counted_apart() -> None:
    rows = [
        row("base", 0, "pass"),
        row("base", 1, "unparsed", truncated=True),
        row("base", 2, "ungraded"),
        row("base", 3, "fail"),
    ]
    figures = student_split(rows)["arms"]["base"]
    counts = {name: figures[name] for name in ("n", "correct", "unparsed", "truncated", "ungraded")}
    assert counts == {"n": 3, "correct": 1, "unparsed": 1, "truncated": 1, "ungraded": 1}
    assert figures["accuracy"] == pytest.approx(1 / 3)


def test_an_arm_of_ungraded_rows_has_no_accuracy() -> None:
    split = student_split([row("base", 0, "ungraded"), row("lora_plain", 0, "ungraded")])
    assert split["arms"]["base"]["accuracy"] is None and split["arms"]["base"]["ci95"] is None
    assert split["verdict"] == "not shown"


def test_one_seed_of_the_base_is_compared_with_each_seed_of_an_arm() -> None:
    base = [row("base", i, "fail") for i in range(10)]
    after = [row("lora_plain", i, "pass", seed=seed) for i in range(10) for seed in (0, 1, 2)]
    aligned = align([base, after])
    assert aligned.n == 30 and len(aligned.units) == 10
    split = student_split(base + after)
    assert split["arms"]["lora_plain"]["n"] == 30 and set(split["arms"]["lora_plain"]["seeds"]) == {"0", "1", "2"}
    assert split["comparisons"][0]["wins"] == 10, "thirty replies to ten problems are ten observations"


def test_ungraded_pairs_are_left_out() -> None:
    base = [row("base", i, "fail") for i in range(4)]
    after = [row("lora_plain", i, "ungraded" if i < 2 else "pass") for i in range(4)]
    compared = student_split(base + after)["comparisons"][0]
    assert compared["n"] == 2 and compared["ungraded"] == 2


def strategy_rows(shares: dict[str, float], model: str = "embedded", n: int = 60) -> list[EvaluationRow]:
    rng = random.Random(5)
    return [
        r
        for arm, share in shares.items()
        for r in solved(arm, share, n, rng, suite="strategy", model=model, split="validation")
    ]


def test_a_strategy_is_supported_only_against_all_three_arms() -> None:
    better = {"none": 0.1, "placebo": 0.1, "one_shot": 0.3, "learned": 0.9}
    rows = strategy_rows(better) + strategy_rows({**better, "one_shot": 0.88}, "other")
    suites = strategy_suites(rows)
    assert suites["embedded"]["verdict"] == "supported"
    assert suites["other"]["verdict"] == "not shown" and "one_shot" in suites["other"]["verdict_reason"]


def test_a_strategy_without_its_placebo_is_not_shown_and_a_bad_one_is_harmful() -> None:
    assert (
        strategy_suites(strategy_rows({"none": 0.1, "one_shot": 0.1, "learned": 0.9}))["embedded"]["verdict"]
        == "not shown"
    )
    assert strategy_suites(strategy_rows({"none": 0.8, "learned": 0.2}))["embedded"]["verdict"] == "harmful"


def mixed_run(path: Path, shuffle: bool = False) -> Path:
    rng = random.Random(2)
    rows = solved("base", 0.2, 40, rng) + solved("lora_plain", 0.7, 40, rng)
    rows += solved("base", 0.1, 20, rng, split="ood") + solved("lora_plain", 0.4, 20, rng, split="ood")
    rows += strategy_rows({"none": 0.1, "placebo": 0.1, "one_shot": 0.3, "learned": 0.9})
    if shuffle:
        random.Random(9).shuffle(rows)
    make_run(path, rows, id="run")
    return path


def test_the_order_of_the_rows_changes_nothing(tmp_path: Path) -> None:
    first, second = (RunDirectory(mixed_run(tmp_path / str(flag), flag)) for flag in (False, True))
    write_summary(first), write_summary(second)
    assert (first.path / "evaluation/summary.json").read_bytes() == (
        second.path / "evaluation/summary.json"
    ).read_bytes()
    assert json.loads((first.path / "evaluation/summary.json").read_text()) == summarise(first)


def test_the_summary_has_the_promised_shape(tmp_path: Path) -> None:
    summary = summarise(RunDirectory(mixed_run(tmp_path / "run")))
    assert {"domain", "seed", "profile", "tier", "models", "constant_baseline", "splits", "strategy", "verdict"} <= set(
        summary
    )
    assert set(summary["models"]) == {"teacher", "student", "validators"}
    arm = summary["splits"]["test"]["arms"]["base"]
    assert {"n", "correct", "unparsed", "ungraded", "truncated", "accuracy", "ci95", "balanced_accuracy"} <= set(arm)
    assert {"a", "b", "difference", "ci95", "p", "p_holm"} <= set(summary["splits"]["ood"]["comparisons"][0])
    assert summary["strategy"]["verdict_by_validator"] == {"embedded": "supported"}
    assert summary["strategy"]["approved"] is False


def test_the_command_recomputes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = mixed_run(tmp_path / "run")
    assert main([str(run), "--check"]) == 2
    assert "no evaluation/summary.json" in capsys.readouterr().err
    line = [sys.executable, "-m", "evaluation", str(run)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("improved: The student got better at scheduling")
    assert main([str(run), "--check"]) == 0
    stored = json.loads((run / "evaluation/summary.json").read_text())
    stored["splits"]["test"]["arms"]["base"]["correct"] += 1
    (run / "evaluation/summary.json").write_text(json.dumps(stored))
    assert main([str(run), "--check"]) == 1
    assert "splits.test.arms.base.correct" in capsys.readouterr().err


def broken(change: Callable[[str], str]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        rows = path / "evaluation" / "rows.jsonl"
        rows.write_text(change(rows.read_text()))

    return apply


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (broken(lambda text: re.sub(r'"outcome": ?"pass"', '"outcome": "good"', text, count=1)), "outcome"),
        (broken(lambda text: "{\n" + text), "line 1"),
        (lambda path: (path / "run.json").unlink(), "run.json"),
    ],
)
def test_a_broken_run_is_a_clear_error(tmp_path: Path, change: Callable[[Path], None], words: str) -> None:
    path = mixed_run(tmp_path / "run")
    change(path)
    with pytest.raises(RunError, match=words):
        summarise(RunDirectory(path))


def test_differences_name_the_place() -> None:
    assert differences({"a": [{"b": 1}]}, {"a": [{"b": 2}]}) == ["a[0].b: 1 is stored, 2 is right"]
    assert differences({"a": 1}, {"a": 1}) == []


def test_only_times_are_dropped() -> None:
    value = {"candidate": 1, "seconds": 2, "wall_seconds": 3, "tokens_per_s": 4, "steps": [{"time": 5, "loss": 6}]}
    assert without_clock(value) == {"candidate": 1, "steps": [{"loss": 6}]}
