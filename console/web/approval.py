"""The decision about a waiting strategy: the evidence, three buttons, and one row in the run's inbox.

Guaranteed: the first decision stands and whoever comes later is told; an edit that carries answers is given
back with its text. Not guaranteed: that the run goes on at once; it does when a process works on it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import escape
from pydantic import ValidationError

from console.asking import reviewer_name
from console.web.evidence import detectable, gain_plot, leaks_of, matrix_plot, split_leaks, suites_of
from console.web.facts import Facts, bullets_of, word
from console.web.flow import is_worked_on
from console.web.overview import config_of
from console.web.reflections import gate_of
from console.web.render import run_link
from console.web.server import console_of, page
from console.web.store import Library, NotThere, Row, Store
from console.web.words import bullet_changes, shown
from evaluation.looks import budget_figures, budget_text
from graphs.inbox import (
    MOST_TEXT,
    AlreadyDecided,
    DecisionRow,
    PendingDecision,
    decisions,
    pending_decision,
    submit_decision,
    submitted_decision,
)
from graphs.strategies import load_strategy
from records.config import RunConfig
from records.item_uses import FILE, ItemUse
from records.nouns import Action
from records.rundir import RunError

router = APIRouter()
MOST_LEAKS = 20
MOST_RUNS = 100  # in which a strategy that was approved is looked for


@router.get("/runs/{name}/approval")
def approval(request: Request, name: str, told: str = "") -> HTMLResponse:
    """What is asked, what it rests on, and the form; or what was decided."""
    return _approval(request, console_of(request).library.store(name), told)


@router.post("/runs/{name}/approval")
def decide(
    request: Request, name: str, interrupt_id: Annotated[str, Form()], strategy_hash: Annotated[str, Form()],
    action: Annotated[Action, Form()], who: Annotated[str, Form()] = "", reason: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Write the decision, or say why it cannot be taken; what was typed is kept."""
    store = console_of(request).library.store(name)
    text = text.replace("\r\n", "\n")  # as forms send it
    given = {"who": who, "reason": reason, "text": text, "action": action}
    try:
        leaks = leaks_of(store, text) if action == "edit" else ()
        if leaks:
            found = "; ".join(str(leak) for leak in leaks[:3])
            return _approval(request, store, refused=f"The edit carries answers: {found}", given=given)
        row = _row(interrupt_id, strategy_hash, action, who, reason, text)
        outcome = submit_decision(store.path, row)
    except RunError as error:
        return _approval(request, store, refused=str(error), given=given)
    told = "late" if isinstance(outcome, AlreadyDecided) and not _same(outcome.row, row) else "taken"
    return RedirectResponse(run_link(name, "approval", told=told), status_code=303)


def _same(first: DecisionRow, second: DecisionRow) -> bool:
    """A second click on the same button."""
    return first.model_dump(exclude={"time"}) == second.model_dump(exclude={"time"})


def _row(interrupt_id: str, strategy_hash: str, action: Action, who: str, reason: str, text: str) -> DecisionRow:
    return DecisionRow(
        interrupt_id=interrupt_id,
        strategy_hash=strategy_hash,
        action=action,
        who=who.strip() or reviewer_name(),
        text=text if action == "edit" else reason,
        reason=reason if action == "edit" else "",
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _approval(
    request: Request, store: Store, told: str = "", refused: str = "", given: Row | None = None
) -> HTMLResponse:
    pending, facts = pending_decision(store.path), Facts(store)
    given = {**(given or {}), "text": escape(shown((given or {}).get("text"), MOST_TEXT))}
    shared = {
        "told": told, "refused": refused, "given": given, "decisions": facts.decisions,
        "standing": submitted_decision(store.path), "inbox": decisions(store.path)[-20:],
        "worked_on": is_worked_on(store.path),
    }  # fmt: skip
    bases = _bases(console_of(request).library, facts, pending) if pending else []
    evidence = _evidence(store, facts, pending, bases) if pending else {"pending": None}
    status = 409 if refused else 200
    return page(request, "approval.html", status, run=store, section="approval", **shared, **evidence)


def _bases(library: Library, facts: Facts, pending: PendingDecision) -> list[dict[str, Any]]:
    """What the strategy is compared with: the one approved last in a run of this domain, and the first draft."""
    versions, draft = facts.versions(), word(pending.payload, "draft_hash")
    found = [last_approved(library, facts.store)]
    if draft in versions:
        found.append({"name": "the first draft", "hash": draft, "bullets": bullets_of(versions[draft])})
    return [base for base in found if base]


def last_approved(library: Library, store: Store) -> dict[str, Any] | None:
    """The strategy that was approved last in any run of the same domain; None if there is none."""
    approved = []
    for name in library.names()[:MOST_RUNS]:
        try:
            other = library.peek(name)
            same = config_of(other).get("domain") == config_of(store).get("domain")
            decided = Facts(other).decisions if same else []
        except (RunError, OSError, NotThere):  # another run's trouble is not this one's
            continue
        approved += [
            (word(row, "time"), name, word(row, "approved_hash")) for row in decided if row.get("approved_hash")
        ]
    for _, name, key in sorted(approved, reverse=True):
        version = Facts(library.peek(name)).versions().get(key)
        if version:
            where = "in this run" if name == store.id else f"in the run {name}"
            return {"name": f"the strategy approved last, {where}", "hash": key, "bullets": bullets_of(version)}
    return None


def _evidence(store: Store, facts: Facts, pending: PendingDecision, bases: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything that the decision rests on."""
    versions, suites = facts.versions(), suites_of(store, pending.strategy_hash)
    strategy = load_strategy(store.run, pending.strategy_hash)
    bullets = bullets_of(versions[pending.strategy_hash])
    return {
        "pending": pending,
        "notice": word(pending.payload, "notice"),
        "text": escape(shown(strategy.text, MOST_TEXT)),
        "diffs": [{**base, "changes": bullet_changes(base["bullets"], bullets)} for base in bases],
        "suites": suites,
        "matrix": matrix_plot(suites),
        "gains": gain_plot(suites),
        "detectable": detectable(suites),
        "leaks": leaks_of(store, strategy.text)[:MOST_LEAKS],
        "split_leaks": split_leaks(store),
        "rounds": [{"row": row, "gate": gate_of(row)} for row in facts.reflections],
        "later_tests": facts.later_tests,
        "budget": _budget(store),
        "reviewer": reviewer_name(),
    }


def _budget(store: Store) -> str:
    """What is left of the run's error budget, in a sentence; "" for a run whose settings or uses cannot be read."""
    try:
        config = RunConfig.model_validate(config_of(store))
        uses = store.run.read(FILE, ItemUse)
    except (ValidationError, RunError):
        return ""
    return budget_text(budget_figures(uses, config.error_budget)) if uses else ""
