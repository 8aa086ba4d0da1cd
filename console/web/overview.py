"""The table of runs, the comparison of some, and the page of one run, live while it is worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from console.web import plots
from console.web.calls import call_list, totals
from console.web.facts import Facts, bullets_of, word, words
from console.web.flow import Progress, is_worked_on, progress
from console.web.guard import REPORT_CSP
from console.web.render import Pages, link, run_link
from console.web.server import console_of, page
from console.web.store import Library, NotThere, Row, Store, signature
from console.web.words import bullet_changes
from evaluation.summary import STOPPED, SUMMARY
from graphs.inbox import pending_decision
from models.ledger import LedgerError
from records.rundir import RunError

router = APIRouter()
ROWS = 40  # runs per page
MOST_COMPARED = 6
LOOK_S = 1.0  # seconds between two looks at a run that is watched
QUIET_S = 15.0  # seconds after which a silent stream says that it is alive
WATCHED = (
    "run.json", "problems.jsonl", "attempts.jsonl", "verdicts.jsonl", "reflections.jsonl", "proposals.jsonl",
    "evaluation/rows.jsonl", "ledger.sqlite", "ledger.sqlite-wal", "decisions.jsonl", "inbox.jsonl", "pending.json",
    "dataset", "adapters", "manifest.json", STOPPED,
)  # fmt: skip
COLUMNS = ("name", "domain", "state", "progress", "cost", "verdict", "created")


@dataclass(frozen=True)
class Card:
    """One line of the table of runs. `fault` says why there is no more."""

    name: str
    domain: str = ""
    teachers: str = ""
    student: str = ""
    state: str = ""
    stage: str = ""
    progress: float = 0.0
    cost: float | None = 0.0
    known_cost: float = 0.0
    verdict: str = ""
    created: str = ""
    fault: str = ""


def waits(store: Store) -> bool:
    """A decision is asked for and not made yet."""
    try:
        return pending_decision(store.path) is not None
    except RunError:
        return False


def config_of(store: Store) -> Row:
    """The run's settings. Raises RunError if run.json holds none."""
    config = store.object("run.json").get("config")
    if not isinstance(config, dict):
        raise RunError(f"{store.path / 'run.json'} holds no settings: it is not from a program that this one can read")
    return config


def card(library: Library, store: Store) -> Card:
    """What the table says of a run, made again when the run has changed; a broken run is a card with a fault."""
    try:
        now = _seen(store)
        kept = library.cards.get(store.id)
        if kept is None or kept[0] != now:
            kept = library.cards[store.id] = (now, _card(store))
        made: Card = kept[1]
        return made
    except (RunError, LedgerError, OSError, NotThere, RecursionError) as error:
        return Card(store.id, fault=str(error))


def _card(store: Store) -> Card:
    config, about = config_of(store), store.object("run.json")
    now = progress(store, waits(store))
    spent = totals(call_list(store).calls)
    return Card(
        name=store.id,
        domain=word(config, "domain"),
        teachers=", ".join([word(config, "teacher"), *words(config, "more_teachers")]),
        student=word(config, "student"),
        state=now.state,
        stage=now.stage,
        progress=now.share,
        cost=spent["cost"],
        known_cost=spent["known_cost"],
        verdict=word(store.object("manifest.json"), "verdict"),
        created=word(about, "created"),
    )


@router.get("/")
def home() -> Response:
    """The runs are the first page."""
    return RedirectResponse("/runs", status_code=303)


@router.get("/runs")
def runs(
    request: Request, q: str = "", domain: str = "", state: str = "", sort: str = "", down: int = 0,
    number: Annotated[int, Query(alias="page", ge=1)] = 1,
) -> HTMLResponse:  # fmt: skip
    """The table, filtered and sorted."""
    library = console_of(request).library
    cards = [card(library, store) for store in _stores(library)]
    kept = [
        c for c in cards
        if q.casefold() in " ".join((c.name, c.teachers, c.student, c.verdict)).casefold()
        and domain in ("", c.domain) and state in ("", c.state)
    ]  # fmt: skip
    if sort in COLUMNS:
        kept.sort(key=lambda c: _sortable(getattr(c, sort)), reverse=bool(down))
    pages = Pages(len(kept), number, ROWS)
    return page(
        request, "runs.html", cards=pages.of(kept), pages=pages, q=q, domain=domain, state=state, sort=sort, down=down,
        domains=sorted({c.domain for c in cards if c.domain}), states=sorted({c.state for c in cards if c.state}),
        folder=str(library.runs), everything=len(cards),
        turn=lambda n: link("/runs", q=q, domain=domain, state=state, sort=sort, down=down or "", page=n),
        order=lambda name: link(
            "/runs", q=q, domain=domain, state=state, sort=name, down=int(sort == name and not down) or ""
        ),
    )  # fmt: skip


def _stores(library: Library) -> Iterable[Store]:
    for name in library.names():
        try:
            yield library.peek(name)
        except NotThere:
            continue  # deleted since the folder was read


def _sortable(value: Any) -> tuple[int, float, str]:
    if value is None:
        return (2, 0.0, "")
    return (0, float(value), "") if isinstance(value, int | float) else (1, 0.0, str(value).casefold())


@router.get("/compare")
def compare(request: Request, run: Annotated[list[str] | None, Query()] = None) -> HTMLResponse:
    """Arms side by side, what differs in the settings, and the strategies' differences."""
    names = list(dict.fromkeys(run or []))[:MOST_COMPARED]
    library = console_of(request).library
    stores = [library.store(name) for name in names]
    summaries = [store.object(SUMMARY) for store in stores]
    texts = [_decided_strategy(store) for store in stores]
    changes = [
        {"a": stores[0].id, "b": other.id, "bullets": bullet_changes(texts[0], text)}
        for other, text in zip(stores[1:], texts[1:], strict=True)
        if texts[0] and text
    ]
    return page(
        request, "compare.html", stores=stores, cards=[card(library, store) for store in stores], changes=changes,
        splits=side_by_side(names, summaries), settings=settings_that_differ([config_of(store) for store in stores]),
    )  # fmt: skip


def _decided_strategy(store: Store) -> list[dict[str, Any]]:
    """Bullets of the strategy that the run ended with."""
    facts = Facts(store)
    versions = facts.versions()
    approved = [word(row, "approved_hash") or word(row, "strategy_hash") for row in facts.decisions]
    accepted = [word(row, "candidate_hash") for row in facts.reflections if row.get("accepted")]
    named = next((name for name in [*reversed(approved), *reversed(accepted), *versions] if name in versions), None)
    return bullets_of(versions[named]) if named else []


def side_by_side(names: Sequence[str], summaries: Sequence[Row]) -> list[dict[str, Any]]:
    """Per split: a plot with one group per arm, and the same as a table."""
    found = []
    for split in ("test", "ood"):
        arms = [_inner(summary, "splits", split, "arms") for summary in summaries]
        every = list(dict.fromkeys(arm for figures in arms for arm in figures))
        groups = [(arm, [_point(name[-17:], f.get(arm)) for name, f in zip(names, arms, strict=True)]) for arm in every]
        if len(names) == 1:  # one run: one group
            groups = [("", [_point(arm, arms[0][arm]) for arm in every])] if every else []
        if groups:
            plot = plots.intervals(groups, f"Accuracy of each arm with 95% intervals, split {split}")
            found.append({"split": split, "arms": every, "figures": arms, "plot": plot})
    return found


def _point(label: str, figures: Any) -> dict[str, Any]:
    figures = figures if isinstance(figures, dict) else {}
    return {"label": label, "value": figures.get("accuracy"), "ci": figures.get("ci95")}


def _inner(value: Any, *keys: str) -> Row:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def settings_that_differ(configs: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """Name and values of the settings that are not the same in all runs."""
    flat = [dict(_flat(config, "")) for config in configs]
    names = list(dict.fromkeys(name for config in flat for name in config))
    rows = [(name, [config.get(name, "–") for config in flat]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def _flat(value: Any, path: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}".lstrip("."))
    else:
        yield path, str(value)


@router.get("/runs/{name}")
def one_run(request: Request, name: str) -> HTMLResponse:
    """The run: where it stands, what came out, what it cost."""
    store = console_of(request).library.store(name)
    summary = store.object(SUMMARY)
    return page(
        request, "run.html", run=store, section="run", config=config_of(store), about=store.object("run.json"),
        summary=summary, splits=side_by_side([name], [summary]), settings=list(_flat(config_of(store), "")),
        gains=_gains(summary), curves=curves(store), has_report=(store.path / "report.html").exists(), **_live(store),
    )  # fmt: skip


def _live(store: Store, streamed: bool = False) -> dict[str, Any]:
    """What changes while the run is worked on; `streamed`: the page around it is an older one."""
    now, calls = progress(store, waits(store)), call_list(store)
    return {
        "streamed": streamed,
        "progress": now,
        "costs": calls.costs(),
        "total": totals(calls.calls),
        "warnings": _warnings(store, now),
        "newest": list(reversed(Facts(store).attempts.entries[-5:])),
        "outcomes": Facts(store).outcomes,
    }


def _warnings(store: Store, now: Progress) -> list[str]:
    found = []
    if (store.path / STOPPED).exists():
        found.append(word(store.object(STOPPED), "reason"))
    calls = totals(call_list(store).calls)
    if calls["failed"]:
        found.append(f"{_number(calls['failed'], 'call')} failed")
    if calls["unknown"]:
        found.append(f"the price of {_number(calls['unknown'], 'call')} is not known, so that the cost is not either")
    ungraded = sum(outcome == "ungraded" for outcome, _ in Facts(store).outcomes.values())
    if ungraded:
        found.append(f"{_number(ungraded, 'attempt')} could not be judged: counted neither as right nor as wrong")
    if now.state == "stands still":
        found.append(f"nobody works on this run; go on with: python -m graphs.transfer resume {store.id}")
    return found + store.warnings()


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _gains(summary: Row) -> list[dict[str, Any]]:
    """Comparisons per split, as a plot."""
    found = []
    for split in ("test", "ood"):
        listed = _inner(summary, "splits", split).get("comparisons")
        rows = [
            {"label": f"{c['a']} − {c['b']}", "value": c.get("difference"), "ci": c.get("ci95"), "p": c.get("p_holm")}
            for c in (listed if isinstance(listed, list) else [])
            if isinstance(c, dict) and "a" in c and "b" in c
        ]
        if rows:
            found.append({"split": split, "rows": rows})
    return found


def curves(store: Store) -> list[tuple[str, Any]]:
    """Training loss of each adapter."""
    found = []
    for path in sorted(store.path.glob("adapters/*/training_log.jsonl")):
        rows = store.lines(f"adapters/{path.parent.name}/training_log.jsonl", lambda row: row.get("loss")).entries
        losses = [float(loss) for loss in rows if isinstance(loss, int | float)]
        caption = f"{len(losses)} steps, last loss {losses[-1]:.3f}" if losses else ""
        thin = losses[:: max(1, len(losses) // 300)]
        found.append((path.parent.name, plots.curve(thin, f"Training loss of {path.parent.name}", caption)))
    return found


@router.get("/runs/{name}/events")
async def events(request: Request, name: str) -> Response:
    """Server-sent events: `progress` with the part of the page that has changed, `done` when the run is complete."""
    store = await run_in_threadpool(console_of(request).library.store, name)
    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(_stream(request, store), media_type="text/event-stream", headers=headers)


async def _stream(request: Request, store: Store) -> AsyncIterator[str]:
    seen, quiet = None, 0.0
    while not await request.is_disconnected():
        now = await run_in_threadpool(_seen, store)
        if now != seen:
            seen, quiet = now, 0.0
            over = store.run.complete or not store.path.exists()  # before the page is made, which shows it then
            yield _event("progress", await run_in_threadpool(_part, request, store))
            if over:
                yield _event("done", "complete")
                return
        elif quiet >= QUIET_S:
            quiet = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_S)
        quiet += LOOK_S


def _seen(store: Store) -> tuple[Any, ...]:
    """What is another when the page is; also whether a process works on the run, which no file says."""
    files = [*(store.path / name for name in WATCHED), *sorted(store.path.glob("adapters/*/progress.jsonl"))]
    return (is_worked_on(store.path), *map(signature, files))


def _part(request: Request, store: Store) -> str:
    try:
        body = page(request, "_live.html", run=store, **_live(store, streamed=True)).body
        return bytes(body).decode()
    except (RunError, LedgerError, OSError, NotThere, RecursionError) as error:
        body = page(request, "_gone.html", message=str(error)).body
        return bytes(body).decode()


def _event(kind: str, text: str) -> str:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {kind}\n{lines}\n"


@router.get("/runs/{name}/report")
def report(request: Request, name: str) -> Response:
    """The report as it was written, without any right to run or to load anything."""
    store = console_of(request).library.store(name)
    path = store.inside("report.html")
    if not path.exists():
        raise NotThere("This run has no report yet.")
    return HTMLResponse(path.read_bytes(), headers={"content-security-policy": REPORT_CSP})


__all__ = ["card", "config_of", "router", "run_link", "waits"]
