"""How the strategy came to be: the rounds in order, and each with its attempts, journal, edits and gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from console.web.browse import Number
from console.web.facts import AttemptFact, Facts, bullets_of, word, words
from console.web.overview import config_of
from console.web.render import Pages, linked, run_link
from console.web.server import console_of, page
from console.web.store import NotThere, Row, Store
from console.web.words import bullet_changes
from evaluation.intervals import paired_difference

router = APIRouter()
ROUNDS = 25  # per page of the timeline
PROBLEMS = 8  # per page of a round
MOST_REPLY = 2_500  # characters of a reply among others; the attempt's own page has all
MOST_LINKED = 60  # attempts that are links in a journal


@router.get("/runs/{name}/reflections")
def timeline(request: Request, name: str, number: Number = 1) -> HTMLResponse:
    """The rounds of the loop, the newest last, between the first draft and the decision."""
    store = console_of(request).library.store(name)
    facts = Facts(store)
    rows = facts.reflections
    pages = Pages(len(rows), number, ROUNDS)
    versions = facts.versions()
    drafts = [(key, value) for key, value in versions.items() if value.get("status") == "draft"]
    rounds = [{"row": row, "batch": _batch(facts, row), "gate": gate_of(row)} for row in pages.of(rows)]
    return page(
        request, "reflections.html", run=store, section="reflections", rounds=rounds, pages=pages, drafts=drafts,
        finals=[(key, value) for key, value in versions.items() if value.get("status") in ("final", "edited")],
        decisions=facts.decisions, later_tests=facts.later_tests, bullets_of=bullets_of,
        turn=lambda n: run_link(name, "reflections", page=n),
    )  # fmt: skip


def gate_of(row: Row) -> Row:
    """The gate's figures of a reflection; {} if nothing was tested."""
    gate = row.get("gate")
    return gate if isinstance(gate, dict) else {}


def _batch(facts: Facts, row: Row) -> dict[str, Any]:
    """Counts of the attempts that a reflection read."""
    outcomes, ids = facts.outcomes, words(row, "attempt_ids")
    found = Counter(outcomes.get(name, ("not judged", ""))[0] for name in ids)
    kinds = Counter(outcomes[name][1] for name in ids if name in outcomes and outcomes[name][0] != "pass")
    return {"attempts": len(ids), "outcomes": found, "kinds": kinds.most_common(6)}


@router.get("/runs/{name}/reflections/{round_number}")
def one_round(
    request: Request, name: str, round_number: int, only: Annotated[str, Query()] = "", number: Number = 1
) -> HTMLResponse:
    """One round: problems with their attempts, the journal, the edits, the gate's figures."""
    store = console_of(request).library.store(name)
    facts = Facts(store)
    rows = {row["round"]: row for row in facts.reflections}
    row = rows.get(round_number)
    if row is None:
        raise NotThere(f"This run has no reflection of round {round_number}.")
    groups = _groups(facts, words(row, "attempt_ids"), only)
    pages = Pages(len(groups), number, PROBLEMS)
    return page(
        request, "reflection.html", run=store, section="reflections", row=row, gate=gate_of(row), only=only,
        batch=_batch(facts, row), pages=pages, problems=[_problem(facts, *group) for group in pages.of(groups)],
        journal=_journal(store, row), edits=_edits(row), changes=_changes(facts, row), lift=gate_lift(facts, row),
        before=round_number - 1 if round_number - 1 in rows else None, domain=word(config_of(store), "domain"),
        after=round_number + 1 if round_number + 1 in rows else None, most=MOST_REPLY,
        turn=lambda n: run_link(name, f"reflections/{round_number}", only=only, page=n),
    )  # fmt: skip


def _groups(facts: Facts, ids: Sequence[str], only: str) -> list[tuple[str, list[AttemptFact]]]:
    """Attempts by problem, those with a failure first; `only`: problems with an attempt of this outcome."""
    numbers, entries, outcomes = facts.attempt_numbers, facts.attempts.entries, facts.outcomes
    groups: dict[str, list[AttemptFact]] = {}
    for fact in (entries[numbers[name]] for name in ids if name in numbers):
        groups.setdefault(fact.problem_id, []).append(fact)
    found = {key: [outcomes.get(a.id, ("not judged", ""))[0] for a in group] for key, group in groups.items()}
    kept = [(key, group) for key, group in groups.items() if not only or only in found[key]]
    return sorted(kept, key=lambda pair: all(outcome == "pass" for outcome in found[pair[0]]))


def _problem(facts: Facts, name: str, group: Sequence[AttemptFact]) -> dict[str, Any]:
    """A problem with its attempts in full."""
    numbers, origins = facts.attempt_numbers, facts.origins()
    attempts = [
        {
            "row": facts.attempts.row(numbers[fact.id]),
            "judgement": facts.judgement(fact.id),
            "bullets": origins.get(fact.id, []),
        }
        for fact in group
    ]
    return {"id": name, "problem": facts.problem(name), "attempts": attempts}


def _journal(store: Store, row: Row) -> Any:
    """The journal with the attempts that it names as links."""
    ids = words(row, "attempt_ids")[:MOST_LINKED]
    return linked(word(row, "journal"), {name: run_link(store.id, "attempt", id=name) for name in ids})


def _edits(row: Row) -> list[Row]:
    edits = row.get("edits")
    return [edit for edit in edits if isinstance(edit, dict)] if isinstance(edits, list) else []


def _changes(facts: Facts, row: Row) -> list[dict[str, Any]]:
    """What the edits did to the bullets; empty if there was no candidate or a file is gone."""
    versions = facts.versions()
    old, new = versions.get(word(row, "parent_hash")), versions.get(word(row, "candidate_hash"))
    if not old or not new:
        return []
    return [change for change in bullet_changes(bullets_of(old), bullets_of(new)) if change["kind"] != "kept"]


def gate_lift(facts: Facts, row: Row) -> dict[str, Any] | None:
    """Gain of a candidate over its parent on the gate's items, with a 95% bootstrap interval; None without any."""
    parent, candidate = word(row, "parent_hash"), word(row, "candidate_hash")
    if not candidate or not gate_of(row).get("n"):
        return None
    arms = f"strategy-{parent}", f"strategy-{candidate}"
    return facts.store.derived(f"lift {parent} {candidate}", facts.attempts, lambda: _gate_lift(facts, *arms))


def _gate_lift(facts: Facts, parent: str, candidate: str) -> dict[str, Any] | None:
    outcomes = facts.outcomes
    replies: dict[str, dict[tuple[str, int], bool]] = {parent: {}, candidate: {}}
    for fact in facts.attempts.entries:
        outcome = outcomes.get(fact.id, ("ungraded", ""))[0]
        if fact.stage == "gate" and fact.arm in replies and outcome != "ungraded":
            replies[fact.arm][fact.problem_id, fact.sample] = outcome == "pass"
    pairs: dict[str, list[tuple[bool, bool]]] = {}
    for key, solved in replies[candidate].items():
        if key in replies[parent]:
            pairs.setdefault(key[0], []).append((solved, replies[parent][key]))
    result = paired_difference(pairs)
    return {"difference": result.difference, "ci95": result.ci95, "n": result.n} if result.n else None
