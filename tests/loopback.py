"""A loopback HTTP server that speaks Anthropic Messages and OpenAI Chat Completions.

The real client packages talk to it, so that nothing between our code and the wire is faked. It
answers from a script (one step per request; more requests than steps is an error) or from a
callable that is given the request. Every request is counted and kept.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Step:
    """One answer. Either a reply, or one of the failures."""

    text: str = "ok"
    finish: str = "stop"  # "stop" or "length"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None  # instead of a well-formed one
    delay: float = 0.0  # seconds before answering
    cut: bool = False  # the connection ends in the middle of the body
    usage: tuple[int, int] = (7, 3)  # prompt and completion tokens


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        """Text of the last user message."""
        content = [m["content"] for m in self.body["messages"] if m["role"] == "user"][-1]
        return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


Script = Sequence[Step | str] | Callable[[Request], Step | str]


def rate_limited(seconds: float) -> Step:
    """HTTP 429 with Retry-After."""
    return failing(429, {"retry-after": str(seconds)})


def failing(status: int, headers: dict[str, str] | None = None, message: str = "loopback refuses") -> Step:
    """An HTTP error in the providers' form."""
    error = {"type": "error", "error": {"type": "loopback_error", "message": message}}
    return Step(status=status, headers=headers or {}, body=json.dumps(error).encode())


class Loopback:
    """`with Loopback(script) as server:` — the server runs in threads of this process."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        self.unexpected = 0  # requests after the end of the script

    def __enter__(self) -> Loopback:
        handler = type("Handler", (_Handler,), {"loopback": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if kind is None and self.unexpected:
            raise AssertionError(f"{self.unexpected} requests more than the script has steps")

    @property
    def url(self) -> str:
        """Base URL without a path: for ANTHROPIC_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def openai_url(self) -> str:
        """Base URL for OPENAI_BASE_URL and vllm specs."""
        return self.url + "/v1"

    @property
    def count(self) -> int:
        """Requests so far."""
        return len(self.requests)

    def next_step(self, request: Request) -> Step:
        """The answer to a request."""
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
            if not callable(self._script) and number > len(self._script):
                self.unexpected += 1
                return failing(400, message="the script is exhausted")
        step = self._script(request) if callable(self._script) else self._script[number - 1]
        return Step(text=step) if isinstance(step, str) else step


class _Handler(BaseHTTPRequestHandler):
    loopback: Loopback
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, body)
        step = self.loopback.next_step(request)
        time.sleep(step.delay)
        try:
            self._send(step, step.body if step.body is not None else self._well_formed(request, step))
        except (BrokenPipeError, ConnectionResetError):
            return  # the client gave up waiting, as some tests want

    def _well_formed(self, request: Request, step: Step) -> bytes:
        made = _anthropic_body if request.path.endswith("/messages") else _openai_body
        return json.dumps(made(request, step)).encode()

    def _send(self, step: Step, body: bytes) -> None:
        self.send_response(step.status)
        for name, value in {"content-type": "application/json", **step.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if step.cut else body)
        self.wfile.flush()
        if step.cut:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


def _anthropic_body(request: Request, step: Step) -> dict[str, Any]:
    reasons = {"stop": "end_turn", "length": "max_tokens"}
    return {
        "id": "msg_loopback",
        "type": "message",
        "role": "assistant",
        "model": request.body["model"],
        "content": [{"type": "text", "text": step.text}],
        "stop_reason": reasons.get(step.finish, step.finish),
        "stop_sequence": None,
        "usage": {"input_tokens": step.usage[0], "output_tokens": step.usage[1]},
    }


def _openai_body(request: Request, step: Step) -> dict[str, Any]:
    message = {"role": "assistant", "content": step.text}
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": 0,
        "model": request.body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": step.finish, "logprobs": None}],
        "usage": {
            "prompt_tokens": step.usage[0],
            "completion_tokens": step.usage[1],
            "total_tokens": sum(step.usage),
        },
    }
