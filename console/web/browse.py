"""Attempts and calls, one by one and in lists, and the search through a run's texts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup, escape

import prompts
from console.web.calls import call, call_list, find_calls
from console.web.facts import AttemptFact, Facts, bullets_of, word, words
from console.web.overview import config_of
from console.web.render import Pages, run_link
from console.web.server import console_of, page
from console.web.store import NotThere, Row, Store
from console.web.words import shown

router = APIRouter()
Number = Annotated[int, Query(alias="page", ge=1)]
ROWS = 60
MOST_HITS = 40  # per kind of text
LEAST_QUERY = 2
AROUND = 90  # characters shown on each side of a hit


@router.get("/runs/{name}/attempts")
def attempts(
    request: Request, name: str, stage: str = "", arm: str = "", outcome: str = "", problem: str = "",
    number: Number = 1,
) -> HTMLResponse:  # fmt: skip
    """All attempts that fit the filter, the newest first."""
    store = console_of(request).library.store(name)
    facts = Facts(store)
    outcomes, everything = facts.outcomes, facts.attempts.entries
    kept = [
        a for a in reversed(everything)
        if stage in ("", a.stage) and arm in ("", a.arm) and problem in ("", a.problem_id)
        and (not outcome or outcomes.get(a.id, ("not judged", ""))[0] == outcome)
    ]  # fmt: skip
    pages = Pages(len(kept), number, ROWS)
    chosen = {"stage": stage, "arm": arm, "outcome": outcome, "problem": problem}
    return page(
        request, "attempts.html", run=store, section="attempts", attempts=pages.of(kept), pages=pages, chosen=chosen,
        outcomes=outcomes, stages=_values(everything, "stage"), arms=_values(everything, "arm"),
        kinds=Counter(outcomes.get(a.id, ("not judged", ""))[0] for a in kept), text=problem and facts.problem(problem),
        turn=lambda n: run_link(name, "attempts", **chosen, page=n),
    )  # fmt: skip


def _values(facts: list[AttemptFact], name: str) -> list[str]:
    return sorted({getattr(fact, name) for fact in facts})


@router.get("/runs/{name}/attempt")
def attempt(request: Request, name: str, id: str) -> HTMLResponse:
    """One attempt: problem, reply, verdict with its evidence, and what became of it."""
    store = console_of(request).library.store(name)
    facts = Facts(store)
    number = facts.attempt_numbers.get(id)
    if number is None:
        raise NotThere("This run has no attempt with this name.")
    row = facts.attempts.row(number)
    siblings = [a for a in facts.attempts.entries if a.problem_id == word(row, "problem_id") and a.id != id]
    return page(
        request, "attempt.html", run=store, section="attempts", row=row, problem=facts.problem(word(row, "problem_id")),
        judgement=facts.judgement(id), domain=word(config_of(store), "domain"), siblings=siblings[-12:],
        outcomes=facts.outcomes, sources=_bullets_from(facts, id), readers=_readers(facts, id),
        call=call_list(store).numbers.get(word(row, "call_key")),
    )  # fmt: skip


def _bullets_from(facts: Facts, attempt_id: str) -> list[Row]:
    """Bullets that name this attempt as where they came from."""
    versions = facts.versions()
    found = []
    for version, bullet_id in facts.origins().get(attempt_id, []):
        bullet = next(b for b in bullets_of(versions[version]) if b["id"] == bullet_id)
        found.append({**bullet, "version": version})
    return found


def _readers(facts: Facts, attempt_id: str) -> list[Row]:
    """Reflections that read this attempt."""
    return [row for row in facts.reflections if attempt_id in words(row, "attempt_ids")]


@router.get("/runs/{name}/calls")
def calls(
    request: Request, name: str, stage: str = "", agent: str = "", status: str = "", number: Number = 1
) -> HTMLResponse:
    """All model calls that fit the filter, the newest first."""
    store = console_of(request).library.store(name)
    everything = call_list(store).calls
    kept = [
        c for c in reversed(everything)
        if stage in ("", c.stage) and agent in ("", c.agent) and status in ("", c.status)
    ]  # fmt: skip
    pages = Pages(len(kept), number, ROWS)
    chosen = {"stage": stage, "agent": agent, "status": status}
    return page(
        request, "calls.html", run=store, section="calls", calls=pages.of(kept), pages=pages, chosen=chosen,
        stages=sorted({c.stage for c in everything}), agents=sorted({c.agent for c in everything}),
        statuses=sorted({c.status for c in everything}), turn=lambda n: run_link(name, "calls", **chosen, page=n),
    )  # fmt: skip


@router.get("/runs/{name}/call")
def one_call(request: Request, name: str, key: str) -> HTMLResponse:
    """One model call: prompt, reply, usage, and the prompt file that it was made from."""
    store = console_of(request).library.store(name)
    row = call(store, key)
    files = [file for file, file_hash in prompts.all_hashes().items() if file_hash == row.get("prompt_hash")]
    tried = [a for a in Facts(store).attempts.entries if a.call_key == key][:20]
    return page(
        request, "call.html", run=store, section="calls", row=row, files=files, attempts=tried,
        domain=word(config_of(store), "domain"), outcomes=Facts(store).outcomes,
    )  # fmt: skip


@router.get("/runs/{name}/search")
def search(request: Request, name: str, q: str = "") -> HTMLResponse:
    """Where a text occurs: problems, replies, journals, edits, strategies, calls. Upper and lower case are one."""
    store = console_of(request).library.store(name)
    query = q.strip()[:200]
    groups = list(_found(store, query)) if len(query) >= LEAST_QUERY else []
    return page(request, "search.html", run=store, section="search", q=query, groups=groups, most=MOST_HITS)


def _found(store: Store, query: str) -> Iterator[dict[str, Any]]:
    """Per kind of text: its hits, each with an address, a name and the words around."""
    run, facts = store.id, Facts(store)
    reflections = [
        (f"Round {row['round']}", run_link(run, f"reflections/{row['round']}"), row) for row in facts.reflections
    ]
    yield _group("Journals", [(n, url, word(row, "journal")) for n, url, row in reflections], query)
    edits = [
        (f"{n}, {word(edit, 'operation')}", url, f"{word(edit, 'text')} {word(edit, 'reason')}")
        for n, url, row in reflections
        for edit in row.get("edits") or ()
        if isinstance(edit, dict)
    ]
    yield _group("Edits", edits, query)
    bullets = [
        (f"{b['id']} of {version}", run_link(run, "strategy", v=version), b["text"])
        for version, value in facts.versions().items()
        for b in bullets_of(value)
    ]
    yield _group("Strategies", bullets, query)
    yield _group("Problems", _lines(store, "problems.jsonl", "prompt", query, "attempts", "problem"), query)
    yield _group("Attempts", _lines(store, "attempts.jsonl", "reply", query, "attempt", "id"), query)
    found = find_calls(store, query)
    yield _group("Calls", [(key[:16], run_link(run, "call", key=key), text) for key, text in found], query)


def _lines(store: Store, file: str, field: str, query: str, target: str, name: str) -> list[tuple[str, str, str]]:
    """Rows of a file whose field has the text; the bytes are looked at first, and only hits are parsed."""
    path = store.inside(file)
    needle = json.dumps(query)[1:-1].lower().encode()  # as it stands in the file
    found = list[tuple[str, str, str]]()
    if not path.exists():
        return found
    with path.open("rb") as lines:
        for line in lines:
            if needle in line.lower() and line.endswith(b"\n") and (hit := _hit(line, field, query)):
                found.append((hit[0], run_link(store.id, target, **{name: hit[0]}), hit[1]))
                if len(found) > MOST_HITS:
                    break
    return found


def _hit(line: bytes, field: str, query: str) -> tuple[str, str] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    text = word(row, field) if isinstance(row, dict) else ""
    return (word(row, "id"), text) if query.lower() in text.lower() else None


def _group(title: str, texts: list[tuple[str, str, str]], query: str) -> dict[str, Any]:
    """The hits of one kind; `more` if there are more than are shown."""
    hits = [
        {"name": name, "url": url, "snippet": _snippet(text, query)}
        for name, url, text in texts
        if query.lower() in text.lower()
    ]
    return {"title": title, "hits": hits[:MOST_HITS], "more": len(hits) > MOST_HITS}


def _snippet(text: str, query: str) -> Markup:
    """The words around the first hit, with the hit marked."""
    place = text.lower().find(query.lower())
    end = place + len(query)
    before, hit, after = text[max(0, place - AROUND) : place], text[place:end], text[end : end + AROUND]
    marked = Markup("{}<mark>{}</mark>{}").format(*(escape(shown(part, 400)) for part in (before, hit, after)))
    return Markup("{}{}{}").format("…" if place > AROUND else "", marked, "…" if end + AROUND < len(text) else "")
