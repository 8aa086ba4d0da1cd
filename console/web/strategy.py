"""The strategy: its bullets with origin and measured lift, and how one version became another."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from console.web import plots
from console.web.facts import Facts, bullets_of, whole, word
from console.web.reflections import gate_lift, gate_of
from console.web.render import run_link
from console.web.server import console_of, page
from console.web.store import NotThere, Row
from console.web.words import bullet_changes
from evaluation.summary import SUMMARY
from graphs.inbox import pending_decision
from records.rundir import RunError

router = APIRouter()
MOST_NODES = 60  # versions in the picture
FROM_DRAFT = "first draft, no result seen"


@router.get("/runs/{name}/strategy")
def strategy(request: Request, name: str, v: str = "", against: str = "") -> HTMLResponse:
    """One version: bullets, lifts, its place in the tree, and what it changes."""
    store = console_of(request).library.store(name)
    facts = Facts(store)
    versions = facts.versions()
    if not versions:
        return page(request, "strategy.html", run=store, section="strategy", versions={}, chosen=None)
    chosen = v or current(facts, versions)
    if chosen not in versions or (against and against not in versions):
        raise NotThere("This run has no such version of the strategy.")
    other = against or word(versions[chosen]["strategy"], "parent")
    bullets = bullets_of(versions[chosen])
    changes = bullet_changes(bullets_of(versions[other]), bullets) if other in versions else []
    return page(
        request, "strategy.html", run=store, section="strategy", versions=versions, chosen=chosen, other=other,
        version=versions[chosen], bullets=bullets, changes=changes, lifts=lifts(facts, chosen, bullets),
        sections=_sections(bullets), tree=_tree(name, versions, chosen), gate=gate_of(versions[chosen]),
        decisions=decisions_on(facts, chosen), writers=writers(versions),
    )  # fmt: skip


def current(facts: Facts, versions: dict[str, Row]) -> str:
    """The version that waits, was decided on, or was accepted last; else the first."""
    named = [word(row, "candidate_hash") for row in facts.reflections if row.get("accepted")]
    named += [key for key, value in versions.items() if value.get("status") == "final"]
    named += [word(row, "approved_hash") or word(row, "strategy_hash") for row in facts.decisions]
    try:
        pending = pending_decision(facts.store.path)
    except RunError:
        pending = None
    named += [pending.strategy_hash] if pending else []
    return next((key for key in reversed(named) if key in versions), next(iter(versions)))


def _tree(run: str, versions: dict[str, Row], chosen: str) -> Any:
    """The versions as a picture, parents above their children."""
    children: dict[str, list[str]] = {}
    for key, value in versions.items():
        parent = word(value["strategy"], "parent")
        children.setdefault(parent if parent in versions else "", []).append(key)
    order, waiting = list[str](), list(reversed(children.get("", [])))
    while waiting:
        order.append(waiting.pop())
        waiting += reversed(children.get(order[-1], []))
    nodes = [
        {
            "id": key,
            "parent": word(versions[key]["strategy"], "parent"),
            "label": _label(key, versions[key]),
            "status": word(versions[key], "status"),
            "href": run_link(run, "strategy", v=key),
            "chosen": key == chosen,
        }
        for key in order[:MOST_NODES]
    ]
    return plots.tree(nodes, "Versions of the strategy, each below the one that it was edited from")


def _sections(bullets: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Bullets by section, in the order in which models read them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for bullet in bullets:
        found.setdefault(bullet["section"], []).append(bullet)
    return found


def writers(versions: dict[str, Row]) -> dict[str, str]:
    """Of each bullet's text, who wrote it where no attempt stands behind it: the draft, a person, or nobody known."""
    found: dict[str, str] = {}
    for version in sorted(versions.values(), key=lambda one: word(one["strategy"], "parent") in versions):
        about = version["strategy"]
        parent = versions.get(word(about, "parent"))
        earlier = {bullet["text"] for bullet in bullets_of(parent)} if parent else set()
        kind, _, who = word(about, "name").partition("edited by ")
        writer = f"written by {who}" if who and not kind else "no attempt is named" if parent else FROM_DRAFT
        for bullet in bullets_of(version):
            if bullet["text"] not in earlier:
                found.setdefault(bullet["text"], writer)
    return found


def _label(key: str, version: Row) -> str:
    return f"{key[:8]} · round {whole(version['strategy'], 'round') or 0} · {word(version, 'status')}"


def lifts(facts: Facts, version: str, bullets: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What is measured of each bullet, by its id: left out one by one if that was done, else its round's gate."""
    measured = _ablation(facts, version)
    accepted = {row["round"]: row for row in facts.reflections if row.get("accepted")}
    found = {}
    for bullet in bullets:
        if bullet["id"] in measured:
            found[bullet["id"]] = {**measured[bullet["id"]], "how": "with it against without it"}
        elif bullet["round"] in accepted and (lift := gate_lift(facts, accepted[bullet["round"]])):
            edits = accepted[bullet["round"]].get("edits")
            together = f"the {len(edits)} edits" if isinstance(edits, list) and len(edits) > 1 else "the edit"
            found[bullet["id"]] = {**lift, "how": f"{together} of round {bullet['round']} at the gate"}
    return found


def _ablation(facts: Facts, version: str) -> dict[str, dict[str, Any]]:
    """Lifts by leaving a bullet out, where the summary has them for this version."""
    section = facts.store.object(SUMMARY).get("strategy")
    section = section if isinstance(section, dict) and section.get("hash") == version else {}
    ablation = section.get("ablation")
    listed = ablation.get("bullets") if isinstance(ablation, dict) else None
    found = {}
    for entry in listed if isinstance(listed, list) else []:
        lift = entry.get("pooled") or next(iter((entry.get("lifts") or {}).values()), None)
        if isinstance(lift, dict):
            found[word(entry, "id")] = {"difference": lift.get("lift"), "ci95": lift.get("ci95"), "n": lift.get("n")}
    return found


def decisions_on(facts: Facts, version: str) -> list[Row]:
    """What was decided about a version."""
    return [row for row in facts.decisions if version in (row.get("strategy_hash"), row.get("approved_hash"))]
