"""The report's contents as plain data, built once and rendered as Markdown and as HTML.

Guaranteed: every figure comes from the summary; nothing here is escaped, because the renderers
escape everything. Not guaranteed: that a section is there; a stage that was not run has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation import wording
from evaluation.evidence import ablation_section, rounds_section, selection_section, transfer_section
from evaluation.figures import cost_text
from evaluation.layout import Section, Table
from evaluation.looks import looks_section
from evaluation.tables import CONSTANT
from evaluation.wording import p_text, percent, points, span

Json = Mapping[str, Any]
SHOWN_ORIGINS = 4
SPLIT_NAMES = {"test": "Test", "ood": "Out of distribution (ood)", "validation": "Validation", "train": "Train"}


def sections(summary: Json, extras: Json) -> list[Section]:
    """All sections in reading order. `extras` holds what is measured in time (see report.py)."""
    found = [
        arms_section(summary),
        causes_section(summary),
        rounds_section(summary),
        strategy_section(summary),
        transfer_section(summary),
        ablation_section(summary),
        selection_section(summary),
        gate_section(summary),
        looks_section(summary),
        approval_section(summary, extras),
        problems_section(summary),
        training_section(summary, extras),
        usage_section(summary, extras),
        Section("Limits", bullets=wording.limits(summary)),
    ]
    return [section for section in found if section is not None]


def arms_section(summary: Json) -> Section:
    """The student arms per split, with the constant baseline as the last row."""
    tables: list[Table] = []
    for name, split in summary["splits"].items():
        tables += [arms_table(SPLIT_NAMES[name], split), *classes_table(SPLIT_NAMES[name], split)]
    folded = [families_table(SPLIT_NAMES[name], split) for name, split in summary["splits"].items()]
    words = [f"{arm}: {wording.ARM_WORDS[arm]}" for arm in _arms(summary) if arm in wording.ARM_WORDS]
    note = (
        "n counts graded replies. Unparsed replies count as wrong; truncated ones were cut at the token limit; "
        "ungraded ones could not be judged and are left out of n. Intervals are 95% Wilson intervals."
    )
    return Section("Student arms", [note], tables, words, figures=["student_arms"], folded=folded)


def arms_table(caption: str, figures: Json) -> Table:
    """Counts and accuracy, per seed where an arm has several, with the constant answer last."""
    arms, constant = figures["arms"], figures["constant_baseline"]
    columns = ["arm", "n", "correct", "accuracy", "95% interval", "unparsed", "truncated", "ungraded"]
    rows = [_arm_row(arm, values) for arm, values in arms.items()]
    if any(len(values["seeds"]) > 1 for values in arms.values()):
        columns.append("accuracy per seed")
        rows = [[*row, _per_seed(values)] for row, values in zip(rows, arms.values(), strict=True)]
    if constant:
        figures_of = [str(constant["n"]), str(constant["correct"]), percent(constant["accuracy"])]
        rows.append([f"always {constant['class']}", *figures_of, *[""] * (len(columns) - 4)])
    return Table(caption, columns, rows)


def _arm_row(arm: str, values: Json) -> list[str]:
    counts = [str(values[name]) for name in ("n", "correct")]
    apart = [str(values[name]) for name in ("unparsed", "truncated", "ungraded")]
    return [arm, *counts, percent(values["accuracy"]), span(values["ci95"]), *apart]


def _per_seed(values: Json) -> str:
    return ", ".join(percent(seed["accuracy"]) for seed in values["seeds"].values())


def classes_table(caption: str, figures: Json) -> list[Table]:
    """Balanced accuracy and recall per class; no table where the answer is no class."""
    constant = figures["constant_baseline"]
    labels = sorted({label for arm in figures["arms"].values() for label in arm["per_class"]})
    if not labels or not constant:
        return []
    rows = []
    for arm, values in figures["arms"].items():
        recalls = [values["per_class"].get(label, {}) for label in labels]
        shown = [f"{percent(r.get('recall'))} of {r.get('n', 0)}" for r in recalls]
        rows.append([arm, percent(values["balanced_accuracy"]), span(values["balanced_ci95"]), *shown])
    constants = [percent(float(label == constant["class"])) for label in labels]
    rows.append([f"always {constant['class']}", percent(1 / len(labels)), "", *constants])
    columns = ["arm", "balanced accuracy", "95% interval", *(f"recall of {label}" for label in labels)]
    return [Table(f"{caption}: balanced accuracy", columns, rows)]


def families_table(caption: str, figures: Json) -> Table:
    """Solved of graded replies, per family and arm."""
    arms = list(figures["arms"])
    rows = [
        [family, *(f"{found[arm]['correct']}/{found[arm]['n']}" if arm in found else "" for arm in arms)]
        for family, found in figures["families"].items()
    ]
    return Table(f"{caption}, per family", ["family", *arms], rows)


def causes_section(summary: Json) -> Section | None:
    """Matched comparisons and the split of the gain into training and strategy."""
    tables = []
    for name, split in summary["splits"].items():
        rows = split["comparisons"] + ([split["against_constant"]] if split["against_constant"] else [])
        if rows:
            tables.append(comparisons_table(SPLIT_NAMES[name], rows))
        if split["attribution"]:
            tables.append(attribution_table(SPLIT_NAMES[name], split["attribution"]))
    if not tables:
        return None
    note = (
        "Differences are paired: the same problems, the same decoding. Intervals are bootstrapped over problems; "
        "p is the exact McNemar test over problems, and p (Holm) is corrected for the number of comparisons."
    )
    rule = (
        f"The verdict is about the arm {summary['headline_arm']} on the test split, chosen by a fixed order and not "
        f"by its score: {summary['verdict']}, because {summary['verdict_reason']}."
    )
    return Section("What caused what", [rule, note], tables)


def comparisons_table(caption: str, rows: Sequence[Json]) -> Table:
    """One row per pair of arms."""
    columns = [
        "arm",
        "against",
        "difference, points",
        "95% interval",
        "p",
        "p (Holm)",
        "pairs",
        "won",
        "lost",
        "ungraded",
    ]
    return Table(caption, columns, [_comparison_row(row) for row in rows], words=2)


def _comparison_row(row: Json, corrected: bool = True) -> list[str]:
    constant = row["b"] == CONSTANT
    return [
        row["a"],
        "the constant answer" if constant else row["b"],
        points(row["difference"]),
        span(row["ci95"], signed=True),
        p_text(row["p"]),
        p_text(row["p_holm"]) if corrected and not constant else "",
        *(str(row[name]) for name in ("n", "wins", "losses", "ungraded")),
    ]


def lift_table(caption: str, suite: Json) -> Table:
    """The learned strategy against its controls; the verdict rests on the corrected ones."""
    columns = [
        "against",
        "difference, points",
        "95% interval",
        "Holm interval",
        "p",
        "p (Holm)",
        "pairs",
        "won",
        "lost",
    ]
    rows = []
    for row in suite["comparisons"] + suite["other_comparisons"]:
        corrected = row in suite["comparisons"]
        _, *cells = _comparison_row(row, corrected)
        holm = span(row["ci_holm"], signed=True) if corrected else ""
        rows.append([*cells[:3], holm, *cells[3:-1]])
    return Table(caption, columns, rows)


def attribution_table(caption: str, parts: Json) -> Table:
    """Total gain over the base model = plain training + strategy."""
    rows = []
    for arm, figures in parts.items():
        for name, words in (("total", "total gain"), ("training", "plain training"), ("strategy", "the strategy")):
            value = figures[name]
            share = figures["strategy_share"] if name == "strategy" else None
            shown = f"{percent(share['value'])} ({span(share['ci95'])})" if share else ""
            rows.append([arm, words, points(value["value"]), span(value["ci95"], signed=True), shown])
    return Table(
        f"{caption}: parts of the gain", ["arm", "part", "points", "95% interval", "share of the gain"], rows, 2
    )


def strategy_section(summary: Json) -> Section | None:
    """Zero-shot validation, the text, and where each bullet came from."""
    strategy = summary["strategy"]
    suites, leaks = strategy["validators"], strategy["leaks"]
    if not strategy["text"] and not suites:
        return None
    tables = [transfer_matrix(suites)] if suites else []
    tables += [lift_table(f"{model}: the learned strategy against each arm", suite) for model, suite in suites.items()]
    if strategy["bullets"]:
        tables.append(_bullets_table(strategy["bullets"]))
    paragraphs = [wording.strategy_line(strategy), _RULE] if suites else []
    paragraphs += [_leak_line(leaks)] if strategy["text"] else []
    listed = [f"Leak: {leak['kind']} of {', '.join(leak['problem_ids'][:3])}: {leak['excerpt']}" for leak in leaks]
    folded = [arms_table(f"{model}, all counts", suite) for model, suite in suites.items()]
    return Section(
        "The strategy", paragraphs, tables, listed, strategy["text"] or "", figures=["strategy_lift"], folded=folded
    )


def transfer_matrix(suites: Json, caption: str = "Transfer matrix: problems solved, zero-shot") -> Table:
    """Accuracy per validator model and strategy arm, with the verdict word."""
    arms = list(dict.fromkeys(arm for suite in suites.values() for arm in suite["arms"]))
    rows = [
        [model, suite["verdict"], *(percent(suite["arms"].get(arm, {}).get("accuracy")) for arm in arms)]
        for model, suite in suites.items()
    ]
    return Table(caption, ["validator", "verdict", *arms], rows, 2)


def _bullets_table(bullets: Sequence[Json]) -> Table:
    rows = [[b["id"], b["section"], b["text"], str(b["round"]), _origins(b["origin"])] for b in bullets]
    return Table("Where each bullet came from", ["id", "section", "bullet", "round", "attempts"], rows, 5)


_RULE = (
    "Supported means: better than none, placebo and one_shot, each with an interval above 0 and an exact p below "
    "0.05 after Holm's correction over the three. The other arms are shown for comparison and decide nothing."
)


def _leak_line(leaks: Sequence[Json]) -> str:
    if leaks:
        return f"The strategy carries {len(leaks)} leaks of held-out problems, so no gain with it can be believed."
    return "No problem id, literal answer or run of words of a validation, test or ood problem was found in it."


def _origins(origin: Sequence[str]) -> str:
    rest = f" and {len(origin) - SHOWN_ORIGINS} more" if len(origin) > SHOWN_ORIGINS else ""
    return ", ".join(origin[:SHOWN_ORIGINS]) + rest


def gate_section(summary: Json) -> Section | None:
    """One row per round: what was proposed and what the gate's rule said."""
    history = summary["strategy"]["gate"]
    if not history and not summary["strategy"].get("edit_gates"):
        return None
    columns = ["round", "decision", "rule", "edits", "items", "won", "lost", "ungraded", "p (one-sided)", "alpha"]
    rounds = Table("Rounds", [*columns, "spent"], [_gate_row(entry) for entry in history], 3)
    edits = [
        [
            str(entry["round"]),
            edit["operation"],
            edit["section"],
            edit["text"],
            edit["reason"],
            _origins(edit["origin"]),
        ]
        for entry in history
        for edit in entry["edits"]
    ]
    folded = [Table("Proposed edits", ["round", "operation", "section", "text", "reason", "attempts"], edits, 6)]
    strategy = summary["strategy"]
    proof = [proof_text(entry) for entry in strategy.get("confirmation", [])]
    proof += [edit_text(entry) for entry in strategy.get("edit_gates", [])]
    return Section("The gate", [*_gate_notes(history), *proof], [rounds], folded=folded if edits else ())


def proof_text(entry: Json) -> str:
    """What the one test at the end of a search said."""
    word = "is proved" if entry["gate"]["accepted"] else "is not proved, so the first draft stands"
    return f"The final strategy {entry['final_hash']} {word}: {_figures(entry['gate'], ' that the search never used')}."


def edit_text(entry: Json) -> str:
    """What the gate's test of an edit by a person said."""
    if not entry["gate"].get("tested", True):
        about = f"The text {entry['edited_hash']}, edited by a person, is chosen on these items, not proved"
        return f"{about}: every item that could test it had a part in the choice."
    word = "is shown to be better" if entry["gate"]["accepted"] else "is not shown to be better"
    about = f"The text {entry['edited_hash']}, edited by a person, {word} than the one before it"
    return f"{about} ({entry['before_hash']}): {_figures(entry['gate'])}."


def _figures(gate: Json, which: str = "") -> str:
    items = f"{gate['wins']} won, {gate['losses']} lost of {gate['n']} items{which}"
    return f"{items}, p = {p_text(gate['p_value'])} against {gate['alpha']:g}"


def _gate_notes(history: Sequence[Json]) -> list[str]:
    """What the rule is, what it can show, and why comparisons ended early."""
    gates = [entry["gate"] for entry in history if entry["gate"]]
    if any(gate["policy"] in ("strict", "none") for gate in gates):
        return ["This rule is no test: an edit that changes nothing can have been kept."]
    if any(gate["policy"] == "confirm" for gate in gates):
        return [
            "An edit is kept for now if it solves more of the search's validation items, which is no test. The final "
            "strategy is tested once against the first draft, on items that the search never used, by a one-sided "
            "exact paired test; it is used only if that shows a gain."
        ]
    notes = ["An edit is kept only if a one-sided exact test on validation items says so that no reflection saw."]
    gains = [gate["detectable"] for gate in gates if gate["detectable"] is not None]
    if gains:
        notes.append(f"When replies vary as much as they can, it shows gains of {max(gains):.0%} with 80% probability.")
    stops = [f"round {e['round']}: {e['gate']['stopped']}" for e in history if e["gate"] and e["gate"]["stopped"]]
    return notes + ([f"Stopped early: {'; '.join(stops)}."] if stops else [])


def _gate_row(entry: Json) -> list[str]:
    gate = entry["gate"]
    word = "kept" if entry["accepted"] else "not kept"
    note = f": {entry['note']}" if entry["note"] else ""
    policy = gate["policy"] if gate else ""
    return [str(entry["round"]), word + note, policy, str(len(entry["edits"])), *_gate_figures(gate)]


def _gate_figures(gate: Json | None) -> list[str]:
    """Items, wins, losses, ungraded, p, alpha, alpha spent so far; empty for a round without a test."""
    if gate is None:
        return [""] * 7
    used = gate["n"] + gate["ungraded"]
    items = str(gate["n"]) if gate["planned"] in (None, used) else f"{gate['n']} of {gate['planned']}"
    counts = [str(gate[name]) for name in ("wins", "losses", "ungraded")]
    spent = "" if gate["alpha_spent"] is None else f"{gate['alpha_spent']:.4f}"
    return [items, *counts, p_text(gate["p_value"]), f"{gate['alpha']:.4f}", spent]


def approval_section(summary: Json, extras: Json) -> Section | None:
    """Who decided what, and why."""
    decisions = summary["strategy"]["decisions"]
    if not decisions:
        return None
    times = extras["decision_times"]
    rows = [
        [
            d["action"],
            d["who"],
            d["reason"] or "–",
            d["strategy_hash"],
            d["approved_hash"] or "none",
            times.get(d["id"], ""),
        ]
        for d in decisions
    ]
    line = "The strategy was approved." if summary["strategy"]["approved"] else "No strategy was approved."
    return Section(
        "Approval", [line], [Table("Decisions", ["action", "who", "reason", "strategy", "approved", "time"], rows, 6)]
    )


def problems_section(summary: Json) -> Section:
    """Splits, what they share, and the training examples."""
    tables = [_splits_table(summary["problems"])]
    overlaps = [o for o in summary["leaks"]["overlaps"] if o["b"] != "train"]
    if overlaps:
        tables.append(_overlaps_table(overlaps))
    if summary["dataset"]["rows"]:
        tables.append(_dataset_table(summary["dataset"]))
    if excluded := summary["dataset"].get("excluded"):
        rows = [[row[name] for name in ("problem_id", "reason", "who")] for row in excluded]
        tables.append(
            Table("Left out by a person before training, in every arm", ["problem", "reason", "who"], rows, 3)
        )
    errors = summary["leaks"]["errors"]
    line = f"{len(errors)} problems stand in two splits." if errors else "No problem stands in two splits."
    note = (
        "Problems of one family differ in their parameters only, so alike texts between train and test are expected "
        "and counted here; items alike to another family's are counted apart."
    )
    return Section("Problems and data", [f"{line} {note}"] if overlaps else [line], tables)


def _splits_table(problems: Json) -> Table:
    rows = []
    for split, counts in problems.items():
        if not counts["problems"]:
            continue
        classes = ", ".join(f"{label} {count}" for label, count in counts["classes"].items()) or "–"
        rows.append([split, str(counts["problems"]), str(counts["families"]), classes])
    return Table("Splits", ["split", "problems", "families", "classes"], rows)


def _overlaps_table(overlaps: Sequence[Json]) -> Table:
    columns = ["between", "text", "items", "identical", "shared word runs", "alike", "alike, other family"]
    names = ("items", "identical", "shared_grams", "near", "near_other_family")
    rows = [[f"{o['a']} and {o['b']}", o["text"], *(str(o[name]) for name in names)] for o in overlaps]
    return Table("Texts that splits share (items of the second split)", columns, rows, 2)


def _dataset_table(dataset: Json) -> Table:
    rows = [
        [f"trained on in {arm}" if dataset.get("excluded") else f"kept for {arm}", str(count)]
        for arm, count in dataset["rows"].items()
    ]
    curation = dataset["curation"] or {}
    rows += [[words, str(curation[name])] for name, words in _LEFT_OUT.items() if name in curation]
    return Table("Training examples: verified, the same problems for each arm", ["", "problems"], rows)


_LEFT_OUT = {
    "offered": "training problems offered",
    "unverified": "left out: no complete verified solution in every arm",
    "contaminated": "left out: equal to a validation, test or ood problem",
    "repeated": "left out: repeats an earlier row",
    "over_limit": "left out: over the limit of the run",
    "alike": "kept, though alike to a held-out problem but for its parameters",
}


def training_section(summary: Json, extras: Json) -> Section | None:
    """One row per adapter."""
    if not summary["training"]:
        return None
    columns = ["adapter", "rows", "steps", "tokens", "final loss", "device", "dtype", "seconds"]
    rows = []
    for name, done in summary["training"].items():
        loss = "–" if done["final_loss"] is None else f"{done['final_loss']:.4f}"
        counts = [str(done[key]) for key in ("rows", "steps", "tokens")]
        rows.append([name, *counts, loss, str(done["device"]), str(done["dtype"]), extras["seconds"].get(name, "")])
    shared = [
        f"{name} shares the adapter of {done['copied_from']}: prompts, completions, seed and settings are the same, so "
        "that a training would have repeated it to the bit. The two arms are one measurement."
        for name, done in summary["training"].items()
        if done.get("copied_from")
    ]
    return Section("Training", shared, [Table("Adapters", columns, rows)], figures=["training_loss"])


def usage_section(summary: Json, extras: Json) -> Section | None:
    """Calls, tokens and cost per stage, agent and model."""
    usage = summary["usage"]
    if not usage:
        return None
    columns = ["stage", "agent", "model", "calls", "prompt tokens", "completion tokens", "cost"]
    rows = [
        [
            *(str(row.get(name) or "–") for name in ("stage", "agent", "model")),
            *(
                str(row.get(name) if row.get(name) is not None else "–")
                for name in ("calls", "prompt_tokens", "completion_tokens")
            ),
            cost_text([row]),
        ]
        for row in usage
    ]
    calls = sum(row.get("calls") or 0 for row in usage)
    return Section(
        "Calls and cost",
        [f"{calls} model calls, {cost_text(usage)}."],
        [Table("Usage", columns, rows, 3)],
        figures=["calls_and_cost"],
    )


def _arms(summary: Json) -> list[str]:
    return list(dict.fromkeys(arm for split in summary["splits"].values() for arm in split["arms"]))
