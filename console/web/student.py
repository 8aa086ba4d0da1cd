"""The student: arms with their intervals, where they differ, and its answers before and after side by side."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from console.web.browse import Number
from console.web.facts import AttemptFact, Facts, word
from console.web.overview import config_of, curves, side_by_side
from console.web.questions import why_not
from console.web.render import Pages, run_link
from console.web.server import console_of, page
from console.web.store import NotThere, Row
from evaluation.summary import SUMMARY
from evaluation.tables import arm_order

router = APIRouter()
ROWS = 40
MOST_CLASSES = 12
STAGES = ("baseline", "evaluation")
Table = dict[str, dict[str, tuple[int, int]]]


@router.get("/runs/{name}/student")
def student(
    request: Request, name: str, problem: str = "", split: str = "", changed: str = "", number: Number = 1
) -> HTMLResponse:
    """Figures of all arms, a table of the problems with each arm's verdict, or one problem's answers."""
    store = console_of(request).library.store(name)
    facts = Facts(store)
    answers = facts.store.derived("answers", facts.attempts, lambda: _answers(facts))
    if problem:
        return _side_by_side(request, facts, problem, answers.get(problem, {}))
    arms = sorted({arm for found in answers.values() for arm in found}, key=arm_order)
    outcomes, kinds = facts.outcomes, {p.id: p for p in facts.problems.entries}
    listed = [
        p for p in answers
        if split in ("", kinds[p].split if p in kinds else "") and (not changed or _differ(answers[p], outcomes))
    ]  # fmt: skip
    pages = Pages(len(listed), number, ROWS)
    return page(
        request, "student.html", run=store, section="student", splits=side_by_side([name], [store.object(SUMMARY)]),
        curves=curves(store), arms=arms, pages=pages, problems=pages.of(listed), answers=answers, outcomes=outcomes,
        kinds=kinds, families=_table(facts, "family"), difficulties=_table(facts, "difficulty"), split=split,
        confusion=facts.store.derived("confusion", facts.evaluation, lambda: _confusion(facts)), changed=changed,
        turn=lambda n: run_link(name, "student", split=split, changed=changed, page=n), question="",
        why_not=why_not(store),
    )  # fmt: skip


def _answers(facts: Facts) -> dict[str, dict[str, AttemptFact]]:
    """Per held-out problem the attempt of each arm; of several seeds the first."""
    found: dict[str, dict[str, AttemptFact]] = defaultdict(dict)
    for attempt in facts.attempts.entries:
        if attempt.stage in STAGES:
            found[attempt.problem_id].setdefault(attempt.arm, attempt)
    return dict(found)


def _differ(arms: dict[str, AttemptFact], outcomes: dict[str, tuple[str, str]]) -> bool:
    """The untrained student and some other arm of it have another verdict."""
    verdicts = {arm: outcomes.get(a.id, ("", ""))[0] for arm, a in arms.items() if arm != "teacher"}
    return len({verdict for verdict in verdicts.values() if verdict}) > 1


def _table(facts: Facts, by: str) -> Table:
    """Right and graded replies per family or difficulty, and arm."""

    def make() -> Table:
        kinds = {p.id: getattr(p, by) for p in facts.problems.entries}
        found: Table = defaultdict(dict)
        for attempt in facts.attempts.entries:
            outcome = facts.outcomes.get(attempt.id, ("ungraded", ""))[0]
            if attempt.stage in STAGES and outcome != "ungraded":
                group = found[kinds.get(attempt.problem_id, "")]
                right, graded = group.get(attempt.arm, (0, 0))
                group[attempt.arm] = right + (outcome == "pass"), graded + 1
        return dict(sorted(found.items()))

    return facts.store.derived(f"by {by}", facts.attempts, make)


def _confusion(facts: Facts) -> list[dict[str, Any]]:
    """Per arm: expected class against what was read from the reply; empty where answers are no classes."""
    counts: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in facts.evaluation.rows():
        expected = row.get("expected")
        if row.get("suite") == "student" and isinstance(expected, str):
            counts[word(row, "arm")][expected, word(row, "predicted") or word(row, "outcome")] += 1
    classes = sorted({expected for found in counts.values() for expected, _ in found})
    if not 1 < len(classes) <= MOST_CLASSES:
        return []
    return [
        {"arm": arm, "classes": classes, "read": _columns(counts[arm], classes), "counts": counts[arm]}
        for arm in sorted(counts, key=arm_order)
    ]


def _columns(counts: Counter[tuple[str, str]], classes: list[str]) -> list[str]:
    """The classes, then what else was read, the most frequent first."""
    others = Counter[str]()
    for (_, read), number in counts.items():
        if read not in classes:
            others[read] += number
    return [*classes, *(read for read, _ in others.most_common(MOST_CLASSES))]


def _side_by_side(request: Request, facts: Facts, problem: str, arms: dict[str, AttemptFact]) -> HTMLResponse:
    if not arms:
        raise NotThere("No student has answered a problem with this name in this run.")
    numbers = facts.attempt_numbers
    shown: list[Row] = [
        {"arm": arm, "row": facts.attempts.row(numbers[arms[arm].id]), "judgement": facts.judgement(arms[arm].id)}
        for arm in sorted(arms, key=arm_order)
    ]
    return page(
        request, "answers.html", run=facts.store, section="student", id=problem, problem=facts.problem(problem),
        shown_arms=shown, domain=word(config_of(facts.store), "domain"),
    )  # fmt: skip
