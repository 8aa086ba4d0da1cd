"""Who may talk to the console: the browser that has the printed token, on this machine, from our pages.

Guaranteed for every request, before any page is made: the Host header names this server (against DNS
rebinding); the token, or the cookie that it was exchanged for, is right; a POST comes from a page of ours
(its Origin, Sec-Fetch-Site and form token) and is small. Every response forbids scripts, styles, frames
and connections that are not ours. Not guaranteed: anything against a program of the same user, which can
read the run directories anyway.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
REPORT_CSP = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer a form's Origin would be "null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
MOST_BODY = 1_000_000  # bytes of a POST
READS = ("GET", "HEAD")


class Access:
    """The secrets of one server."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.port = port
        self.token = token or secrets.token_urlsafe(24)
        self.cookie_name = f"console_{port}"  # cookies are not kept apart by port
        self._secret = secrets.token_bytes(32)
        self.cookie = self._derived("cookie")
        self.csrf = self._derived("form")

    def _derived(self, purpose: str) -> str:
        return hmac.new(self._secret, purpose.encode(), hashlib.sha256).hexdigest()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The values of Host that mean this server."""
        return (f"127.0.0.1:{self.port}", f"localhost:{self.port}")

    def refusal(self, method: str, headers: Headers) -> str | None:
        """Why a request with a right token is still not served, None if it is."""
        if headers.get("host", "") not in self.hosts:
            return "the Host header does not name this server"
        if method in READS:
            return None
        if method != "POST":
            return "only GET and POST are served"
        if headers.get("origin", f"http://{headers['host']}") != f"http://{headers['host']}":
            return "the form was not on a page of this server"
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return "the form was not on a page of this server"
        return None

    def knows(self, headers: Headers) -> bool:
        """The request has our cookie."""
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        found = cookies.get(self.cookie_name)
        return bool(found and _same(found.value, self.cookie))


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


class Guard:
    """The checks as ASGI middleware, in front of everything, static files included."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, exchange the token for the cookie, or refuse."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets here
        headers, method = Headers(scope=scope), scope["method"]
        if why := self.access.refusal(method, headers):
            await _answer(send, 403, _page("Refused", f"This request is refused: {why}."))
            return
        query = scope.get("query_string", b"").decode("latin-1")
        given = parse_qs(query).get("token")  # the server limits the length of a request line
        if given and method in READS and _same(given[0], self.access.token):
            await self._let_in(scope, query, send)
        elif not self.access.knows(headers):
            words = "Open the address that the program printed when it started; it carries the token."
            await _answer(send, 403, _page("The token is missing or wrong", words))
        else:
            await self._serve(scope, receive, send)

    async def _let_in(self, scope: Scope, query: str, send: Send) -> None:
        """Set the cookie and go on by a page of ours, so that a SameSite=Strict cookie is sent even from a link."""
        rest = urlencode([pair for pair in parse_qsl(query) if pair[0] != "token"])
        path = scope.get("raw_path", b"/").split(b"?")[0].decode("latin-1")
        target = escape("/" + path.lstrip("/") + (f"?{rest}" if rest else ""), quote=True)
        extra = {"set-cookie": f"{self.access.cookie_name}={self.access.cookie}; Path=/; HttpOnly; SameSite=Strict"}
        link = f'<meta http-equiv="refresh" content="0;url={target}"><p><a href="{target}">Go on</a></p>'
        await _answer(send, 200, _page("Welcome", "", link), extra)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            body = await _body(receive)
            if body is None:
                await _answer(send, 413, _page("Too large", f"A form holds {MOST_BODY:,} bytes at most."))
                return
            if not self._has_form_token(body):
                await _answer(send, 403, _page("Refused", "The form's token is missing or old; load the page again."))
                return
            receive = _again(body, receive)
        await self.app(scope, receive, _with_headers(send))

    def _has_form_token(self, body: bytes) -> bool:
        try:
            given = parse_qs(body.decode("latin-1"), max_num_fields=100).get("csrf", [""])[0]
        except ValueError:  # more fields than any form of ours has
            return False
        return _same(given, self.access.csrf)


async def _body(receive: Receive) -> bytes | None:
    """The whole body, None if it is too large."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > MOST_BODY:
            return None
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return wrapped


def _page(title: str, words: str, more: str = "") -> str:
    head = '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    head += f'<link rel="icon" href="data:,"><title>{escape(title)}</title></head>'
    return f"{head}<body><main><h1>{escape(title)}</h1><p>{escape(words)}</p>{more}</main></body></html>"


async def _answer(send: Send, status: int, page: str, extra: Mapping[str, str] | None = None) -> None:
    body = page.encode()
    headers = {**HEADERS, "content-type": "text/html; charset=utf-8", "content-length": str(len(body)), **(extra or {})}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
