"""The training rows with where they come from, and leaving one out before the training begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from console.asking import reviewer_name
from console.web.browse import Number
from console.web.facts import word
from console.web.render import Pages, run_link
from console.web.server import console_of, page
from console.web.store import Lines, NotThere, Row, Store
from graphs.exclusions import exclude_row, exclusions, include_row, training_begun
from records.rundir import RunError

router = APIRouter()
ROWS = 20


@router.get("/runs/{name}/data")
def data(request: Request, name: str, arm: str = "", q: str = "", number: Number = 1) -> HTMLResponse:
    """The rows of one arm."""
    return _data(request, console_of(request).library.store(name), arm, q, number)


@router.post("/runs/{name}/data")
def change(
    request: Request, name: str, row_id: Annotated[str, Form()], do: Annotated[str, Form()],
    reason: Annotated[str, Form()] = "", who: Annotated[str, Form()] = "", arm: Annotated[str, Form()] = "",
    number: Annotated[int, Form(alias="page", ge=1)] = 1,
) -> Response:  # fmt: skip
    """Leave a row out, or take it back."""
    store = console_of(request).library.store(name)
    person = who.strip() or reviewer_name()
    try:
        if do == "exclude":
            exclude_row(store.path, row_id, reason, person)
        else:
            include_row(store.path, row_id, person, reason)
    except RunError as error:
        return _data(request, store, arm, "", number, refused=str(error))
    return RedirectResponse(run_link(name, "data", arm=arm, page=number), status_code=303)


def _data(request: Request, store: Store, arm: str, q: str, number: int, refused: str = "") -> HTMLResponse:
    arms = sorted(path.stem for path in (store.path / "dataset").glob("*.jsonl"))
    if arm and arm not in arms:
        raise NotThere("This run has no dataset with this name.")
    arm = arm or (arms[0] if arms else "")
    lines = store.lines(f"dataset/{arm}.jsonl", _slim) if arm else None
    numbers = (
        [n for n, entry in enumerate(lines.entries) if q.casefold() in " ".join(entry).casefold()] if lines else []
    )
    pages = Pages(len(numbers), number, ROWS)
    out = {exclusion.problem_id: exclusion for exclusion in exclusions(store.path)}
    return page(
        request, "data.html", status=409 if refused else 200, run=store, section="data", arms=arms, arm=arm, q=q,
        pages=pages, rows=_rows(lines, pages.of(numbers)), out=out, begun=training_begun(store.path), refused=refused,
        reviewer=reviewer_name(), curation=store.object("dataset/curation.json"),
        turn=lambda n: run_link(store.id, "data", arm=arm, q=q, page=n),
    )  # fmt: skip


def _slim(row: Row) -> tuple[str, str, str]:
    return word(row, "id"), word(row, "problem_id"), word(row, "teacher")


def _rows(lines: Lines[tuple[str, str, str]] | None, numbers: Sequence[int]) -> list[Row]:
    """Whole rows; prompt and completion as lists of messages, whatever the file holds."""
    if lines is None:
        return []
    whole = [lines.row(number) for number in numbers]
    return [{**row, **{side: _messages(row.get(side)) for side in ("prompt", "completion")}} for row in whole]


def _messages(value: object) -> list[Row]:
    listed = value if isinstance(value, list) else []
    return [{"role": word(item, "role"), "content": word(item, "content")} for item in listed if isinstance(item, dict)]
