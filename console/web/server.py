"""The server: the pages behind the guard, on the loopback address, and what is said when something fails.

Guaranteed: a page that cannot be made says what happened and where, never a traceback; the server listens
on 127.0.0.1 only. Not guaranteed: secrecy from other programs of the same user.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from console.web import render
from console.web.guard import Access, Guard
from console.web.store import Library, NotThere
from graphs.context import StageError
from graphs.inbox import PENDING
from models.ledger import LedgerError
from records.rundir import RunError

LOG = logging.getLogger("console")
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Console:
    """What the pages share. `static`: the pages are written to files, without forms and live updates."""

    library: Library
    access: Access
    static: bool = False


def make_app(runs: Path, access: Access, static: bool = False) -> Guard:
    """The application behind its guard; `access` holds the token and the port that it will be served on."""
    from console.web import approval, browse, data, overview, questions, reflections, strategy, student

    app = FastAPI(title="console", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.console = Console(Library(runs), access, static)
    app.state.templates = render.environment()
    for pages in (overview, browse, reflections, strategy, approval, data, student, questions):
        app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=render.ROOM / "static"), name="static")
    for kind, words in _FAILURES.items():
        app.add_exception_handler(kind, _explaining(*words))
    return Guard(app, access)


_UNREADABLE = "This part of the run cannot be read"
_FAILURES: dict[type[Exception], tuple[int, str, str]] = {  # status, title, sentence; "": the error's own
    NotThere: (404, "Not found", ""),
    RunError: (422, _UNREADABLE, ""),
    StageError: (422, _UNREADABLE, ""),
    LedgerError: (422, _UNREADABLE, ""),
    RecursionError: (422, _UNREADABLE, "A file of the run holds JSON that is nested too deeply."),
    OSError: (404, "The run cannot be read", "A file of the run is gone or locked: is the run being deleted?"),
    RequestValidationError: (
        400,
        "The address is not right",
        "A value in it or in the form is missing or of the wrong kind.",
    ),
    HTTPException: (404, "There is no such page", "The address leads nowhere; go back to the runs."),
    Exception: (500, "The page could not be made", "A record of the run is not of the form that this program reads."),
}


def _explaining(status: int, title: str, sentence: str) -> Callable[[Request, Exception], Response]:
    def explain(request: Request, error: Exception) -> Response:
        if status == 500:
            LOG.error("%s %s", request.method, request.url.path, exc_info=error)
        code = error.status_code if isinstance(error, HTTPException) else status
        return page(request, "error.html", status=code, title=title, message=sentence or str(error))

    return explain


def console_of(request: Request) -> Console:
    """What the pages share."""
    console: Console = request.app.state.console
    return console


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """One page. `run` among the values is the run's Store; its pages get a navigation."""
    console = console_of(request)
    path = request.url.path
    run = values.get("run")
    shared = {
        "csrf": console.access.csrf, "static": console.static, "here": path, "run": None, "section": "",
        "waiting": run is not None and (run.path / PENDING).exists(),
    }  # fmt: skip
    text = request.app.state.templates.get_template(template).render({**shared, **values})
    return HTMLResponse(text.encode("utf-8", "backslashreplace"), status_code=status)


def serve(runs: Path, port: int, tell: Callable[[str], None]) -> None:
    """Listen until interrupted; `tell` gets the address with the token. Raises OSError if the port is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:  # named: no Nagle then
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        access = Access(listener.getsockname()[1])
        app = make_app(runs, access)
        tell(f"http://{HOST}:{access.port}/?token={access.token}")
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
        )
        uvicorn.Server(config).run(sockets=[listener])
