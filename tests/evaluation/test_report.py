"""The report: the finding first, hostile text harmless, nothing from outside, the same bytes again."""

import random
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evaluation.figures import cost_text
from evaluation.gate import OpenGate, Round, SequentialGate
from evaluation.report import fenced, markdown, visible, write_report
from evaluation.sections import gate_section
from evaluation.summary import gate_entry
from evaluation.wording import cause, finding, points
from records.nouns import Bullet, Decision, Edit, GateResult, Reflection, Strategy
from records.rundir import RunDirectory
from tests.evaluation.rows import answers, make_run, row, solved

HOSTILE = (
    "<script>alert(1)</script><img src=http://evil/x.png> ![x](http://evil/y.png) | `$\\frac` \u202ednammoc {{7*7}}"
)


def full_run(path: Path, hostile: str = "Count first.") -> RunDirectory:
    """A run in which everything that a report can show is there."""
    rng = random.Random(3)
    strategy = Strategy(name="final", bullets=(Bullet(id="b1", section=hostile, text=hostile, origin=(hostile,)),))
    rows = [r for split in ("test", "ood") for r in student_rows(rng, split)]
    for arm, share in {"none": 0.1, "placebo": 0.1, "one_shot": 0.2, "learned": 0.9}.items():
        found = solved(arm, share, 24, rng, suite="strategy", split="validation", model=hostile[:30])
        rows += [r.model_copy(update={"strategy_hash": strategy.hash}) for r in found]
    run = make_run(path, rows, id="run")
    run.write_json(
        f"strategies/{strategy.hash}.json", {"strategy": strategy.model_dump(mode="json"), "status": "final"}
    )
    gate = GateResult(
        policy="exact paired", accepted=True, n=23, wins=8, losses=0, ungraded=1, p_value=0.004, alpha=0.025, reason=""
    )
    edit = Edit(operation="ADD", text=hostile, origin=("a",), reason=hostile)
    run.append("reflections.jsonl", [reflection(strategy, edit, gate, hostile)])
    run.append("decisions.jsonl", [decision(strategy, hostile)])
    done = {"settings": {"arm": "lora_plain", "seed": 0}, "rows": 40, "steps": 2, "seconds": 3.0, "final_loss": 0.1}
    run.write_json("adapters/lora_plain-seed0/done.json", done)
    run.file("adapters/lora_plain-seed0/progress.jsonl").write_text('{"step":1,"loss":1.0}\n{"step":2,"loss":0.1}\n')
    usage = {"stage": "baseline", "agent": "student", "model": hostile, "calls": 80, "prompt_tokens": 9000}
    run.write_json("usage.json", [{**usage, "completion_tokens": 900, "cost": None, "seconds": 4.2}])
    return run


def student_rows(rng: random.Random, split: str) -> list[object]:
    shares = {"base": 0.1, "lora_plain": 0.6, "lora_strategy": 0.9}
    return [r for arm, share in shares.items() for r in solved(arm, share, 40, rng, split=split)]


def reflection(strategy: Strategy, edit: Edit, gate: GateResult, note: str) -> Reflection:
    return Reflection(
        id="reflection-1",
        round=1,
        batch=1,
        attempt_ids=("a",),
        journal="j",
        edits=(edit,),
        parent_hash="p",
        candidate_hash=strategy.hash,
        gate=gate,
        accepted=True,
        note=note,
    )


def decision(strategy: Strategy, reason: str) -> Decision:
    return Decision(
        id="decision-1",
        action="approve",
        strategy_hash=strategy.hash,
        approved_hash=strategy.hash,
        who="rule: gate",
        reason=reason,
        time="2026-01-02T03:04:05",
    )


class Page(HTMLParser):
    """Collects tags, the addresses that would be loaded, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loaded: list[str] = []
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "srcset", "href")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_the_page_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    run = full_run(tmp_path / "run", HOSTILE)
    write_report(run)
    html = (run.path / "report.html").read_text("utf-8")
    page = Page(html)
    assert "script" not in page.tags and not page.handlers
    assert page.loaded and all(address.startswith("data:image/svg+xml;base64,") for address in page.loaded)
    assert "@import" not in html and "url(" not in html
    assert "&lt;script&gt;" in html and "\u202e" not in html and "{{7*7}}" in html
    assert "prefers-color-scheme: dark" in html and 'name="viewport"' in html


def test_markdown_is_not_led_astray_by_hostile_text(tmp_path: Path) -> None:
    run = full_run(tmp_path / "run", HOSTILE)
    write_report(run)
    outside = re.sub(r"(`{3,})text\n.*?\n\1\n", "", (run.path / "report.md").read_text("utf-8"), flags=re.DOTALL)
    assert "<script" not in outside and "<img" not in outside
    assert not re.search(r"(?<!\\)!\[[^\]]*\]\(http", outside)
    assert re.findall(r"!\[[^\]]*\]\(([^)]*)\)", outside) == [
        "figures/student_arms.svg",
        "figures/strategy_lift.svg",
        "figures/transfer_lifts.svg",
        "figures/training_loss.svg",
        "figures/calls_and_cost.svg",
    ]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    run = full_run(tmp_path / "run")
    names = ["report.md", "report.html", "evaluation/summary.json", *(f"figures/{n}.svg" for n in ("student_arms",))]
    write_report(run)
    first = [(run.path / name).read_bytes() for name in names]
    write_report(RunDirectory(run.path))
    assert [(run.path / name).read_bytes() for name in names] == first


def test_the_finding_comes_first_and_names_the_cause(tmp_path: Path) -> None:
    run = full_run(tmp_path / "run")
    summary = write_report(run)
    lines = (run.path / "report.md").read_text("utf-8").splitlines()
    assert lines[2].startswith("**improved** – The student got better at scheduling")
    assert "plain training on verified solutions explains" in lines[2] and "the strategy" in lines[2]
    assert "is not a language model" in lines[4]
    for word in ("Student arms", "What caused what", "The strategy", "The gate", "Approval", "Limits", "Recompute"):
        assert f"## {word}" in lines
    assert "single seed" in "\n".join(lines)
    assert summary["strategy"]["approved"] and "python -m evaluation RUN_DIR" in "\n".join(lines)


def test_below_the_constant_baseline_is_the_first_thing_said(tmp_path: Path) -> None:
    truth = ["YES"] * 132 + ["NO"] * 18
    said: list[str | None] = ["NO"] * 5 + ["YES"] * 145
    run = make_run(tmp_path / "run", answers("base", truth, ["NO"] * 150) + answers("lora_plain", truth, said))
    summary = write_report(run)
    text = (run.path / "report.md").read_text("utf-8")
    assert text.splitlines()[2].startswith("**below the constant baseline**")
    assert "always answering YES solves 88.0%" in text and "improved" not in text
    assert "got better" not in finding(summary)


def test_an_unshown_effect_of_the_strategy_is_not_claimed() -> None:
    rng = random.Random(0)
    from evaluation.summary import student_splits

    rows = solved("base", 0.1, 60, rng) + solved("lora_plain", 0.8, 60, rng) + solved("lora_strategy", 0.8, 60, rng)
    summary = {"splits": student_splits(rows), "headline_arm": "lora_strategy", "verdict": "improved"}
    assert "no effect of it is shown" in cause(summary)


def test_a_run_that_stopped_early_still_has_a_report(tmp_path: Path) -> None:
    empty = make_run(tmp_path / "empty", [])
    assert write_report(empty)["verdict"] == "not shown"
    assert "Nothing can be said of the student" in (empty.path / "report.md").read_text("utf-8")
    only_base = make_run(tmp_path / "base", [row("base", 0, "pass"), row("base", 1, "ungraded")])
    write_report(only_base)
    assert "could not be judged and are left out: base 1" in (only_base.path / "report.md").read_text("utf-8")


@pytest.mark.parametrize("text", ["a\n```\nb", "````", "plain", "`\n````text\n<b>"])
def test_a_fence_cannot_be_closed_from_inside(text: str) -> None:
    lines = fenced(text).splitlines()
    fence = lines[-1]
    assert set(fence) == {"`"} and lines[0] == f"{fence}text"
    assert all(fence not in line for line in lines[1:-1])


def test_small_words() -> None:
    assert visible("a\u202eb\x1b[0m\ud800\tc") == "a\\u202eb\\u001b[0m\\ud800\tc"
    assert markdown("a|b <i> [x](y) `c`\n# d") == "a\\|b &lt;i&gt; \\[x\\](y) \\`c\\` # d"
    assert points(-0.0512) == "−5.1" and points(None) == "–"
    assert cost_text([{"calls": 3, "cost": None}]) == "cost unknown"
    assert cost_text([{"calls": 3, "cost": 0.5, "unknown_cost_calls": 0}]) == "$0.50"
    assert cost_text([{"calls": 1, "cost": 0.5}, {"calls": 2, "cost": None}]) == "$0.50 + unknown"


def test_the_gate_section_names_the_rule_the_alpha_spent_and_an_early_stop() -> None:
    place, strategy = Round(1, 2, 0.025), Strategy(name="s", bullets=())
    edit = Edit(operation="ADD", text="t", origin=("a",), reason="r")
    stopped = SequentialGate().stop([True] * 12, [False] * 12, 24, place)
    assert stopped is not None
    for result, words in (
        (stopped, ("sequential", "12 of 24", "0.0500")),
        (OpenGate().decide([], [], place), ("none",)),
    ):
        entry = gate_entry(reflection(strategy, edit, result, ""))
        section = gate_section({"strategy": {"gate": [entry]}})
        assert section is not None
        row = dict(zip(section.tables[0].columns, section.tables[0].rows[0], strict=True))
        assert set(words) <= set(row.values())
        notes = " ".join(section.paragraphs)
        assert ("Stopped early: round 1: the other items cannot change this" in notes) == bool(result.stopped)
        assert ("is no test" in notes) == (result.policy == "none")
