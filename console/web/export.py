"""The pages of one run as files, for an appendix: the same pages, without forms, scripts and a server.

Guaranteed: each file is whole by itself (the style sheet is in it) and loads nothing; links lead to other
files of the folder, or are plain text where the page was not written. Not guaranteed: all pages of a very
large run; they are written in the order in which links are met, `most` of them.
"""

from __future__ import annotations

import asyncio
import html
import re
import shutil
from collections import deque
from pathlib import Path
from urllib.parse import quote

import httpx

from console.web.guard import Access
from console.web.render import ROOM, run_link
from console.web.server import make_app
from console.web.store import NAME
from records.nouns import content_hash
from records.rundir import RunError

BASE = "http://127.0.0.1:80"
CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_HREF = re.compile(r'<a((?:\s[^<>]*?)?)\shref="(/[^"#]*)(#[^"]*)?"([^<>]*)>')
_STYLE = '<link rel="stylesheet" href="/static/console.css">'


def write_pages(runs: Path, run: str, folder: Path, most: int) -> tuple[int, int]:
    """Write the pages of a run; returns how many were written and how many were left out.

    Raises RunError if there is no such run, or if the folder holds something else.
    """
    if not NAME.fullmatch(run) or not (runs / run / "run.json").exists():
        raise RunError(f"there is no run '{run}' in {runs}")
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "index.html").exists():
        raise RunError(f"{folder} holds other files; name a new or empty folder")
    return asyncio.run(_write(runs, run, folder, most))


async def _write(runs: Path, run: str, folder: Path, most: int) -> tuple[int, int]:
    access = Access(80)
    transport = httpx.ASGITransport(make_app(runs, access, static=True), raise_app_exceptions=False)
    headers = {"host": f"127.0.0.1:{access.port}", "cookie": f"{access.cookie_name}={access.cookie}"}
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        pages, left_out = await _collect(client, run, most)
    folder.mkdir(parents=True, exist_ok=True)
    style = (ROOM / "static" / "console.css").read_text("utf-8")
    report = runs / run / "report.html"
    for address, page in pages.items():
        text = _as_file(page, style, run, pages)
        (folder / file_name(address, run)).write_text(text, "utf-8", errors="backslashreplace")
    if report.exists() and report.resolve().is_relative_to((runs / run).resolve()):
        shutil.copyfile(report, folder / "report.html")
    return len(pages), left_out


async def _collect(client: httpx.AsyncClient, run: str, most: int) -> tuple[dict[str, str], int]:
    """Follow the links of the run from its first page; address -> page."""
    first = run_link(run)
    waiting, known, pages = deque([first]), {first}, dict[str, str]()
    while waiting and len(pages) < most:
        address = waiting.popleft()
        response = await client.get(address)
        if response.status_code != 200 or "text/html" not in response.headers["content-type"]:
            continue
        pages[address] = response.text
        for link in _links(response.text):
            if link not in known and _is_page(link, run):
                known.add(link)
                waiting.append(link)
    return pages, len(waiting)


def _links(page: str) -> list[str]:
    return [html.unescape(match[2]) for match in _HREF.finditer(page)]


def _is_page(address: str, run: str) -> bool:
    first = run_link(run)
    return address.split("?", maxsplit=1)[0].startswith(first + "/") and address != f"{first}/report"


def file_name(address: str, run: str) -> str:
    """Name of the file of a page."""
    first = run_link(run)
    if address == first:
        return "index.html"
    rest = address.removeprefix(first + "/")
    path, _, query = rest.partition("?")
    stem = re.sub(r"[^A-Za-z0-9]+", "-", path)
    return f"{stem}-{content_hash(query)[:12]}.html" if query else f"{stem}.html"


def _as_file(page: str, style: str, run: str, pages: dict[str, str]) -> str:
    """The page with its style inside and its links between the files."""

    def relinked(match: re.Match[str]) -> str:
        address = html.unescape(match[2])
        if address == f"{run_link(run)}/report":
            return f'<a{match[1]} href="report.html"{match[4]}>'
        if address not in pages:
            return f"<a{match[1]}{match[4]}>"  # without a target it is plain text
        return f'<a{match[1]} href="{quote(file_name(address, run))}{match[3] or ""}"{match[4]}>'

    head = f'<meta http-equiv="Content-Security-Policy" content="{CSP}"><style>\n{style}</style>'
    return _HREF.sub(relinked, page.replace(_STYLE, head, 1))
