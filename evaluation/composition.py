"""A merged strategy beside the two that it was made of: figures, words and the report.

Guaranteed: every figure comes from the rows, and `merged` against `own` is compared on the same items, with
paired bootstrap intervals and exact tests that are corrected over all item sets and validators together.
The words: `worse` (they interfere: the interval lies below 0), `improved` (shown after Holm's correction), else
`not shown`, with the loss that the interval leaves possible. `own_padded` is the own strategy filled up to the
merged one's length with advice of a third domain: what it loses too is due to length, not to content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation import tables, verdicts
from evaluation.pairs import align
from evaluation.report import render_page
from evaluation.sections import Section, Table, arms_table, comparisons_table
from evaluation.summary import plain, read
from evaluation.wording import points, span
from records.nouns import EvaluationRow
from records.rundir import RunDirectory, write_atomically

ABOUT = "compose.json"  # what was merged, and where it was measured
RESULT = "composition.json"
REPORT = "composition.md"
ARMS = ("none", "own", "own_padded", "other", "merged")
OTHERS = (("merged", "own_padded"), ("own_padded", "own"), ("merged", "none"), ("own", "none"), ("other", "none"))

Json = dict[str, Any]
Key = tuple[str, str]  # item set (by its run), validator


def is_composition(run: RunDirectory) -> bool:
    """The directory holds a merged strategy's measurement, not a run."""
    return (run.path / ABOUT).exists()


def item_folder(run: RunDirectory, source: str) -> RunDirectory:
    """Where the records on the items of one of the two runs lie."""
    return RunDirectory(run.path / f"on-{source}")


def summarise_composition(run: RunDirectory) -> Json:
    """All figures, from compose.json and the rows. Raises RunError for a broken file."""
    about = run.read_json(ABOUT)
    rows: dict[Key, list[EvaluationRow]] = {}
    for source in about["measured_on"]:
        for row in sorted(read(item_folder(run, source), "rows.jsonl", EvaluationRow), key=lambda row: row.id):
            rows.setdefault((source, row.model), []).append(row)
    return plain({**about, "sets": _sets(about, rows)})


def _sets(about: Mapping[str, Any], rows: Mapping[Key, Sequence[EvaluationRow]]) -> Json:
    arms = {key: tables.by_arm(found) for key, found in rows.items()}
    whole = [key for key in arms if arms[key].get("merged") and arms[key].get("own")]
    first = tables.compare_all([("merged", "own", align([arms[key]["merged"], arms[key]["own"]])) for key in whole])
    sets: Json = {source: {"domain": about["measured_on"][source], "validators": {}} for source in about["measured_on"]}
    for (source, spec), comparison in zip(whole, first, strict=True):
        found = arms[source, spec]
        sets[source]["validators"][spec] = {
            "arms": {arm: tables.arm_figures(found[arm]) for arm in ARMS if arm in found},
            "constant_baseline": tables.constant_figures(rows[source, spec]),
            "interference": comparison,
            "comparisons": tables.comparisons(found, OTHERS),
            "verdict": interference_word(comparison),
        }
    return sets


def interference_word(comparison: Mapping[str, Any]) -> str:
    """The word for merged against own; the cautious side differs with the word."""
    if comparison["ci95"] is not None and verdicts.is_harm(comparison):
        return verdicts.WORSE
    shown = comparison["ci_holm"] is not None and verdicts.is_shown_holm(comparison)
    return verdicts.IMPROVED if shown else verdicts.NOT_SHOWN


def write_composition(run: RunDirectory) -> Json:
    """Compute composition.json and composition.md; returns the figures."""
    summary = summarise_composition(run)
    run.write_json(RESULT, summary)
    page = render_page(f"Merged strategy: {' and '.join(summary['sources'])}", findings(summary), sections(summary))
    write_atomically(run.file(REPORT), page)
    return summary


def findings(summary: Json) -> list[str]:
    """One sentence per item set and validator."""
    return [
        _finding(source, found["domain"], spec, figures)
        for source, found in summary["sets"].items()
        for spec, figures in found["validators"].items()
    ]


def _finding(source: str, domain: str, spec: str, figures: Json) -> str:
    compared = figures["interference"]
    head = f"On {domain} (items of {source}), {spec}"
    if compared["difference"] is None:
        return f"{head}: nothing was graded."
    change = f"{points(compared['difference'])} points ({span(compared['ci95'], signed=True)}) against its own strategy"
    words = {
        verdicts.WORSE: f"the merged strategy interferes: {change}",
        verdicts.IMPROVED: f"the merged strategy is better: {change}",
        verdicts.NOT_SHOWN: f"no difference is shown: {change}; a loss of {points(min(0.0, compared['ci95'][0]))} "
        "points is not excluded",
    }
    return f"{head}: {words[figures['verdict']]}."


def sections(summary: Json) -> list[Section]:
    """Figures, the strategy, and what is not in it."""
    found = []
    for source, items in summary["sets"].items():
        shown = []
        for spec, figures in items["validators"].items():
            shown.append(arms_table(f"{spec}: problems solved", figures))
            rows = [figures["interference"], *figures["comparisons"]]
            shown.append(comparisons_table(f"{spec}: what changes with what", rows))
        found.append(Section(f"On {items['domain']}, items of {source}", [_ARMS], shown))
    return [*found, _strategy_section(summary)]


_ARMS = (
    "own is the approved strategy of this domain's run, other that of the other run, merged both together; own_padded "
    "is own with unrelated advice up to the length of merged. p (Holm) of merged against own is corrected over "
    "all item sets and validators, that of the others within their list."
)


def _strategy_section(summary: Json) -> Section:
    bullets = [[b["id"], b["section"], b["text"], ", ".join(b["origin"])] for b in summary["strategy"]["bullets"]]
    missing = [[one["source"], one["bullet_id"], one["text"], one["reason"]] for one in summary["left_out"]]
    listed = [Table("Where each bullet came from", ["id", "section", "bullet", "run and attempts"], bullets, 4)]
    if missing:
        listed.append(Table("Left out", ["run", "bullet", "text", "why"], missing, 4))
    head = f"{len(bullets)} bullets, {summary['tokens']} tokens, hash {summary['merged']}."
    return Section("The merged strategy", [head], listed, text=summary["text"])
