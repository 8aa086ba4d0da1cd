"""Report sections on what carries over: between models, bullet by bullet, and from round to round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.layout import Section, Table
from evaluation.wording import p_text, percent, points, span

Json = Mapping[str, Any]


def lift_text(found: Json | None) -> str:
    """ "+12.5 (+2.1 to +22.9)", a dash where nothing was graded."""
    return f"{points(found['lift'])} ({span(found['ci95'], signed=True)})" if found else "–"


def fraction_text(found: Json | None) -> str:
    """ "0.8 (0.3 to 1.4)", or why there is none."""
    if found is None:
        return "the source itself"
    if found["value"] is None:
        return f"undefined: {found['undefined']}"
    low, high = found["ci95"]
    return f"{found['value']:.2f} ({low:.2f} to {high:.2f})".replace("-", "−")


def transfer_section(summary: Json) -> Section | None:
    """Every strategy arm on every validator, and what share of the source's gain arrives."""
    transfer = summary["strategy"]["transfer"]
    if not transfer:
        return None
    lines = [_source_line(transfer), _worst_line(transfer), _FRACTION]
    return Section(
        "From model to model", [line for line in lines if line], [transfer_table(transfer)], figures=["transfer_lifts"]
    )


def transfer_table(transfer: Json) -> Table:
    """Lifts in points with intervals, one row per validator, and the transfer fraction."""
    arms = list(dict.fromkeys(arm for found in transfer["lifts"].values() for arm in found))
    rows = [
        [model, *(lift_text(found.get(arm)) for arm in arms), fraction_text(transfer["fractions"].get(model))]
        for model, found in transfer["lifts"].items()
    ]
    columns = ["validator", *(f"{arm} − none" for arm in arms), "transfer fraction"]
    return Table("Lift over no strategy in points, with 95% intervals", columns, rows)


_FRACTION = (
    "The transfer fraction is the learned strategy's lift on a validator divided by its lift on the source, on the "
    "same problems, with Fieller's 95% interval; it is undefined where the source's own lift is not shown."
)


def _source_line(transfer: Json) -> str:
    found = transfer["source_lift"]
    if transfer["source"] is None or found is None:
        return f"The source, {transfer['source'] or 'unknown'}, was not measured on these problems."
    return f"The strategy was learned on {transfer['source']}, whose own lift is {lift_text(found)} points."


def _worst_line(transfer: Json) -> str:
    worst = transfer["worst"]
    return f"The validator that gains least is {worst['model']}: {lift_text(worst)} points." if worst else ""


def ablation_section(summary: Json) -> Section | None:
    """What each bullet is worth, and which are proposed for deletion."""
    ablation = summary["strategy"]["ablation"]
    if not ablation:
        return None
    lines = [_ABLATION, harmful_line(ablation)]
    if ablation["hash"] != summary["strategy"]["hash"]:
        lines.append(f"It is that of version {ablation['hash']}, from which the strategy was edited by hand.")
    if ablation["unmeasured"]:
        lines.append(f"Not measured, for their number: {', '.join(ablation['unmeasured'])}.")
    return Section("Bullet by bullet", lines, [ablation_table(ablation)], figures=["bullet_lifts"])


_ABLATION = (
    "A bullet's lift is what the validator loses without it: all bullets against all but this one, on the gate's "
    "items. Intervals are 95% bootstrap intervals, not corrected for their number. Twins hide each other: a bullet "
    "without a lift may only be said twice."
)


def harmful_line(ablation: Json) -> str:
    """Which bullets are proposed for deletion, and how much chance there is in it."""
    chance = f"of {ablation['intervals']} intervals about {0.025 * ablation['intervals']:.1f} lie below 0 by chance"
    if not ablation["harmful"]:
        return "No bullet is shown to do harm."
    return f"Proposed for deletion, as the upper bound lies below 0: {', '.join(ablation['harmful'])} ({chance})."


def ablation_table(ablation: Json) -> Table:
    """One row per bullet: its lift on each validator and over all, and the proposal."""
    pooled = len(ablation["models"]) > 1
    columns = ["bullet", "section", "text", *ablation["models"], *(["all"] if pooled else []), "proposal"]
    rows = []
    for bullet in ablation["bullets"]:
        lifts = [lift_text(bullet["lifts"].get(model)) for model in ablation["models"]]
        lifts += [lift_text(bullet["pooled"])] if pooled else []
        proposal = f"delete (harmful to {', '.join(bullet['harmful_to'])})" if bullet["harmful_to"] else ""
        rows.append([bullet["id"], bullet["section"], bullet["text"], *lifts, proposal])
    return Table("Lift of each bullet in points", columns, rows, 3)


def selection_section(summary: Json) -> Section | None:
    """The loop's candidates on all validators, and which one went on."""
    selection = summary["strategy"]["selection"]
    if not selection:
        return None
    line = (
        "The candidate whose worst validator gains most went on. The lifts are on the gate's items, by which the "
        "choice was made, so they are too high for the chosen one; the validation above is on other items."
    )
    return Section("Candidates", [line], [selection_table(selection)])


def selection_table(selection: Json) -> Table:
    """One row per candidate: its lift on each validator and its worst one."""
    rows = []
    for entry in selection["candidates"]:
        worst = f"{points(entry['worst']['lift'])} on {entry['worst']['model']}" if entry["worst"] else "unknown"
        lifts = [lift_text(entry["lifts"].get(model)) for model in selection["validators"]]
        rows.append([entry["hash"], *lifts, worst, "chosen" if entry["hash"] == selection["chosen"] else ""])
    columns = ["candidate", *selection["validators"], "worst lift", ""]
    return Table("Lift over no strategy in points, on the gate's items", columns, rows)


def rounds_section(summary: Json) -> Section | None:
    """The student's accuracy round by round, and what each round changed."""
    found = summary["student_rounds"]
    if not found:
        return None
    tables = [rounds_table(found)] + ([changes_table(found["changes"])] if found["changes"] else [])
    return Section("Round by round", [_ROUNDS], tables, figures=["student_rounds"])


_ROUNDS = (
    "After each training the student's failures on the feedback items (validation problems that nothing else uses) "
    "chose what the teacher worked on next; test and ood decided nothing. The verdict of this report is about the "
    "last round, which was settled beforehand."
)


def rounds_table(found: Json) -> Table:
    """One row per round, split and arm."""
    rows = [
        [
            str(entry["round"]),
            split,
            arm,
            f"{row['correct']} of {row['n']}",
            percent(row["accuracy"]),
            span(row["ci95"]),
        ]
        for entry in found["rounds"]
        for split, arms in entry.items()
        if split != "round"
        for arm, row in arms.items()
    ]
    return Table("Accuracy per round", ["round", "items", "arm", "right", "accuracy", "95% interval"], rows, 3)


def changes_table(changes: Sequence[Json]) -> Table:
    """Each round against the one before."""
    rows = [
        [
            f"{row['b']} to {row['a']}",
            row["split"],
            row["arm"],
            points(row["difference"]),
            span(row["ci95"], signed=True),
            p_text(row["p"]),
            p_text(row["p_holm"]),
            row["verdict"],
        ]
        for row in changes
    ]
    columns = ["rounds", "items", "arm", "change, points", "95% interval", "p", "p (Holm)", "verdict"]
    return Table("What each round changed", columns, rows, 3)
