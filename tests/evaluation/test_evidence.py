"""The report's sections and plots on what carries over, with hostile text in them and with nothing to show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evaluation.ablation import ALL, WITHOUT
from evaluation.crossmodel import CANDIDATE
from evaluation.evidence import fraction_text, harmful_line, lift_text
from evaluation.evidence_figures import draw_evidence, round_curves
from evaluation.report import render_html, render_markdown
from evaluation.summary import summarise
from records.nouns import Bullet, EvaluationRow, Strategy
from records.rundir import RunDirectory
from tests.evaluation.rows import make_run, row
from tests.evaluation.test_report import HOSTILE, Page

N = 16


def rows(suite: str, arms: dict[str, int], model: str, version: str | None, **fields: object) -> list[EvaluationRow]:
    """The first so many of N items solved, per arm."""
    made = [
        row(arm, i, "pass" if i < right else "fail", suite=suite, split="validation", model=model)
        for arm, right in arms.items()
        for i in range(N)
    ]
    changes = {"strategy_hash": version, **fields}
    return [r.model_copy(update={**changes, "id": f"{r.id}/{r.suite}/{fields}"}) for r in made]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Two validators and a source, a harmful bullet with a hostile text, two candidates, two rounds of a student."""
    texts = (HOSTILE, "Count first.")
    bullets = tuple(Bullet(id=f"b{i}", section="Method", text=text) for i, text in enumerate(texts, 1))
    strategy = Strategy(name="s", bullets=bullets)
    name = strategy.hash
    found = [row("base", i, "fail") for i in range(N)]
    for model, right in (("embedded", 12), (HOSTILE[:30], 6)):
        found += rows("strategy", {"none": 2, "learned": right, "one_shot": 2, "placebo": 2}, model, name)
        found += rows("ablation", {ALL: 4, WITHOUT + "b1": 12, WITHOUT + "b2": 4}, model, name)
        found += rows("selection", {f"{CANDIDATE}0": 3, f"{CANDIDATE}1": 5}, model, name)
        found += rows("selection", {"none": 2}, model, None)
    for number in (1, 2):
        found += rows("feedback", {"lora_plain": 4 * number}, "embedded+a", None, round=number)
        trained = [row("lora_plain", i, "pass" if i < 5 * number else "fail") for i in range(N)]
        found += [r.model_copy(update={"round": number, "id": f"{r.id}/{number}"}) for r in trained]
    made = make_run(tmp_path_factory.mktemp("runs") / "run", found)
    made.write_json(f"strategies/{name}.json", {"strategy": strategy.model_dump(mode="json"), "status": "final"})
    return made


def test_every_section_is_in_both_reports_and_nothing_in_it_runs(run: RunDirectory) -> None:
    summary = summarise(run)
    plots = draw_evidence(summary)
    assert [plot.name for plot in plots] == ["transfer_lifts", "bullet_lifts", "student_rounds"]
    text, html = render_markdown(run, summary, plots), render_html(run, summary, plots)
    for words in ("From model to model", "Bullet by bullet", "Candidates", "Round by round", "What each round changed"):
        assert words in text and words in html
    page = Page(html)
    assert "script" not in page.tags and not page.handlers and "\u202e" not in html
    assert all(address.startswith("data:image/svg+xml;base64,") for address in page.loaded)
    outside = re.sub(r"(`{3,})text\n.*?\n\1\n", "", text, flags=re.DOTALL)  # the strategy stands in a fence
    assert "<script" not in outside and "\u202e" not in outside and "\\`$\\\\frac\\`" in outside


def test_the_figures_are_those_of_the_rows(run: RunDirectory) -> None:
    summary = summarise(run)
    found = summary["strategy"]
    assert found["ablation"]["harmful"] == ["b1"] and found["ablation"]["intervals"] == 4
    assert "Proposed for deletion" in harmful_line(found["ablation"]) and "b1 (of 4 intervals" in harmful_line(
        found["ablation"]
    )
    fraction = found["transfer"]["fractions"][HOSTILE[:30]]
    assert fraction["value"] == pytest.approx(4 / 10) and found["transfer"]["source"] == "embedded"
    assert fraction_text(fraction).startswith("0.40 (") and fraction_text(None) == "the source itself"
    curves = round_curves(summary["student_rounds"])
    assert {number: accuracy for number, (accuracy, _) in curves["lora_plain, feedback"].items()} == {1: 0.25, 2: 0.5}
    assert summary["splits"]["test"]["arms"]["lora_plain"]["correct"] == 10  # the last round's


def test_a_plain_run_has_none_of_it(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", [row("base", 0, "fail"), row("lora_plain", 0, "pass")])
    summary = summarise(made)
    assert draw_evidence(summary) == []
    text = render_markdown(made, summary, ())
    assert not any(words in text for words in ("From model", "Bullet by bullet", "Candidates", "Round by round"))


def test_small_words() -> None:
    assert lift_text(None) == "–" and lift_text({"lift": -0.125, "ci95": (-0.25, 0.0)}) == "−12.5 (−25.0 to +0.0)"
    assert fraction_text({"value": None, "undefined": "because"}) == "undefined: because"
    assert harmful_line({"harmful": [], "intervals": 3}) == "No bullet is shown to do harm."
