"""A loopback HTTP server that speaks Anthropic Messages and Message Batches, OpenAI Chat Completions, Files and Batch.

The real client packages talk to it, so that nothing between our code and the wire is faked. It
answers from a script (one step per request; more requests than steps is an error), from a callable
that is given the request, or from a model (`backed_by`). Entries of a batch ask the same script.
Guaranteed: every request is counted and kept; `completed` counts the calls, by content, whose reply
was sent whole, alone or in a batch, so that a call paid twice shows; requests that the real services
would refuse (no key, no token limit, a batch with a repeated id) are refused.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from models.local import LocalModel

Line = Literal["once", "twice", "missing", "garbled", "strange", "expired", "canceled"]
CACHEABLE = 1024  # tokens of a prefix from which on the real service caches


@dataclass(frozen=True)
class Step:
    """One answer. Either a reply, or one of the failures."""

    text: str = "ok"
    finish: str = "stop"  # "stop", "length", or a provider's own word
    reasoning: str = ""
    reasoning_field: str = "reasoning_content"  # its name in OpenAI's form; newer vLLM says "reasoning"
    refusal: str = ""  # OpenAI's refusal in place of a text
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None  # instead of a well-formed one
    delay: float = 0.0  # seconds before answering
    hang: bool = False  # no answer at all while the server lives
    drop: bool = False  # the connection ends before the answer
    cut: bool = False  # the connection ends in the middle of the body
    undelimited: bool = False  # no content-length: the end of the connection is the end of the body
    again: bool = False  # the whole answer is delivered a second time, unasked
    drip: float = 0.0  # seconds between the bytes of the body
    usage: tuple[int, int] = (7, 3)  # prompt (without cached) and completion tokens
    cached: int = 0  # OpenAI: how many of the prompt's tokens were cached
    line: Line = "once"  # in a batch: what becomes of the result's line


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    method: str = "POST"
    raw: bytes = b""

    @property
    def prompt(self) -> str:
        """Text of the last user message."""
        content = [m["content"] for m in self.body["messages"] if m["role"] == "user"][-1]
        return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)

    @property
    def content(self) -> str:
        """The whole question in one canonical text: equal for equal calls."""
        return json.dumps(self.body, sort_keys=True)


Script = Sequence[Step | str] | Callable[[Request], Step | str]
Control = Callable[[Request], Step | None]


def rate_limited(seconds: float) -> Step:
    """HTTP 429 with Retry-After."""
    return failing(429, {"retry-after": str(seconds)})


def failing(
    status: int, headers: dict[str, str] | None = None, message: str = "loopback refuses", code: str | None = None
) -> Step:
    """An HTTP error in the providers' form."""
    error = {"type": "error", "error": {"type": "loopback_error", "message": message, "code": code}}
    return Step(status=status, headers=headers or {}, body=json.dumps(error).encode())


def web_page(status: int = 200) -> Step:
    """What a web server says that is no API."""
    page = b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>ok</body></html>"
    return Step(status=status, headers={"content-type": "text/html; charset=utf-8"}, body=page)


def malformed() -> Step:
    """JSON that ends too early, called JSON."""
    return Step(body=b'{"choices": [{"message": {"content": "four')


def backed_by(model: LocalModel) -> Callable[[Request], Step]:
    """A script that lets a local model answer."""
    from records.nouns import Message

    def script(request: Request) -> Step:
        body = request.body
        turns = [Message(role=turn["role"], content=_plain(turn["content"])) for turn in body["messages"]]
        if body.get("system"):
            turns.insert(0, Message(role="system", content=_plain(body["system"])))
        limit, temperature = _token_limit(body) or 1, body.get("temperature") or 0.0
        made = model.submit(turns, limit, temperature, body.get("seed") or 0).result()
        return Step(made.text, made.finish, usage=(made.prompt_tokens, made.completion_tokens))

    return script


@dataclass
class Batch:
    """A batch of either kind. `lines` are those of the results, `errors` of OpenAI's second file."""

    id: str
    total: int
    polls: int  # how often it is still said to be in work
    created: datetime
    facts: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    problem: str = ""
    worked: bool = False

    @property
    def ended(self) -> bool:
        """All entries are worked on, and it was asked for often enough."""
        return self.worked and self.polls <= 0


class Loopback:
    """`with Loopback(script) as server:` — the server runs in threads of this process.

    `control` may answer requests about batches and files with a failure (None: the natural answer);
    a batch is done after `polls` questions about it.
    """

    def __init__(self, script: Script, control: Control = lambda request: None, polls: int = 1) -> None:
        self._script = script
        self.control = control
        self._polls = polls
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self.requests: list[Request] = []  # calls of a model, also those in batches
        self.controls: list[Request] = []  # requests about batches and files
        self.completed: Counter[str] = Counter()  # replies sent whole, by content
        self.unexpected = 0  # requests after the end of the script
        self.batches: dict[str, Batch] = {}
        self.files: dict[str, bytes] = {}
        self.file_problem = ""  # why every batch's file is refused
        self._prefixes: set[str] = set()

    def __enter__(self) -> Loopback:
        handler = type("Handler", (_Handler,), {"loopback": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
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
        """Calls of a model so far."""
        return len(self.requests)

    @property
    def repeated(self) -> list[str]:
        """Contents of the calls that were completed more than once."""
        return [content for content, times in self.completed.items() if times > 1]

    def next_step(self, request: Request) -> Step:
        """The answer to a call of a model."""
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
            if not callable(self._script) and number > len(self._script):
                self.unexpected += 1
                return failing(400, message="the script is exhausted")
        if refused := _refusal(request):
            return refused
        step = self._script(request) if callable(self._script) else self._script[number - 1]
        return Step(text=step) if isinstance(step, str) else step

    def control_step(self, request: Request) -> Step:
        """The answer to a request about batches and files."""
        with self._lock:
            self.controls.append(request)
            return self.control(request) or self.natural_step(request)

    def natural_step(self, request: Request) -> Step:
        """The answer to such a request where nothing fails."""
        return _refused_key(request) or _answer_control(self, request)

    def note_completed(self, request: Request) -> None:
        """A reply was sent whole."""
        with self._lock:
            self.completed[request.content] += 1

    def cache(self, prefix: str) -> bool:
        """Whether the prefix was in the prompt cache; now it is."""
        known = prefix in self._prefixes
        self._prefixes.add(prefix)
        return known

    def new_batch(self, entries: Sequence[tuple[str, Request]], facts: dict[str, Any], problem: str = "") -> Batch:
        """Begin to work on all entries; the results wait until the batch has ended."""
        number = len(self.batches) + 1
        batch = Batch(f"batch_{number}", len(entries), self._polls, datetime.now(UTC), facts, problem=problem)
        self.batches[batch.id] = batch
        worker = threading.Thread(target=_work, args=(self, batch, [] if problem else entries), daemon=True)
        self._lock.release()  # the entries are calls like any other
        try:
            worker.start()
            worker.join(0.5)
        finally:
            self._lock.acquire()
        return batch


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # a wave of new connections must not wait for a resent SYN


class _Handler(BaseHTTPRequestHandler):
    loopback: Loopback
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length)
        if len(raw) == length:
            self._answer(raw)
        else:
            self.close_connection = True  # the client died while it sent

    def _answer(self, raw: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(raw) if raw and "json" in headers.get("content-type", "") else {}
        request = Request(self.path, headers, body, self.command, raw)
        if not _is_call(self.path):
            return self._deliver(self.loopback.control_step(request), None)
        step = self.loopback.next_step(request)
        whole = step.body is None
        step = step if step.body is not None else _filled(step, reply_body(self.loopback, request, step))
        return self._deliver(step, request if whole else None)

    def _deliver(self, step: Step, call: Request | None) -> None:
        """Send the step's body; a call is noted as completed once all of it is sent."""
        self.loopback.closing.wait(3600.0 if step.hang else step.delay)
        if step.hang or step.drop:
            self.close_connection = True
            return
        try:
            self._send(step, step.body or b"")
        except (BrokenPipeError, ConnectionResetError):
            return  # the client gave up waiting, as some tests want
        if call is not None and not step.cut and step.status == 200:
            self.loopback.note_completed(call)
        if step.again:
            with suppress(BrokenPipeError, ConnectionResetError):  # who uses a connection once is gone
                self._send(step, step.body or b"")

    def _send(self, step: Step, body: bytes) -> None:
        self.send_response(step.status)
        for name, value in {"content-type": "application/json", **step.headers}.items():
            self.send_header(name, value)
        if not step.undelimited:
            self.send_header("content-length", str(len(body)))
        self.close_connection = self.close_connection or step.cut or step.undelimited
        self.end_headers()
        for part in _parts(step, body[: len(body) // 2] if step.cut else body):
            self.wfile.write(part)
            time.sleep(step.drip)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


def _parts(step: Step, body: bytes) -> list[bytes]:
    return [body[index : index + 1] for index in range(len(body))] if step.drip else [body]


def _filled(step: Step, body: dict[str, Any]) -> Step:
    return Step(**{**vars(step), "body": json.dumps(body).encode()})


def _is_call(path: str) -> bool:
    return path.endswith(("/messages", "/chat/completions"))


def _plain(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _token_limit(body: dict[str, Any]) -> int | None:
    return body.get("max_tokens") or body.get("max_completion_tokens")


def _refusal(request: Request) -> Step | None:
    """What the real service would object to."""
    body = request.body
    if not body.get("model") or not body.get("messages"):
        return failing(400, message="model and messages are needed")
    if not _token_limit(body):
        return failing(400, message="a token limit is needed")
    if body.get("stream"):
        return failing(400, message="this server does not stream")
    return _refused_key(request)


def _refused_key(request: Request) -> Step | None:
    """Anthropic's newer clients send the key as a bearer token, the older ones as x-api-key."""
    headers = request.headers
    bearer = headers.get("authorization", "").startswith("Bearer ")
    anthropic = "anthropic-version" in headers and headers.get("x-api-key")
    return None if bearer or anthropic else failing(401, message="the key is missing")


def reply_body(server: Loopback, request: Request, step: Step) -> dict[str, Any]:
    """A whole reply in the form of the request's API."""
    made = _anthropic_body if request.path.endswith("/messages") else _openai_body
    return made(server, request, step)


def _anthropic_body(server: Loopback, request: Request, step: Step) -> dict[str, Any]:
    reasons = {"stop": "end_turn", "length": "max_tokens"}
    handed_in = _tool_use(request, step)
    thoughts = [{"type": "thinking", "thinking": step.reasoning, "signature": "c2ln"}] if step.reasoning else []
    return {
        "id": "msg_loopback",
        "type": "message",
        "role": "assistant",
        "model": request.body["model"],
        "content": [*thoughts, {"type": "text", "text": step.text} if handed_in is None else handed_in],
        "stop_reason": "tool_use" if handed_in and step.finish == "stop" else reasons.get(step.finish, step.finish),
        "stop_sequence": None,
        "usage": {"input_tokens": step.usage[0], "output_tokens": step.usage[1], **_cache_usage(server, request)},
    }


def _tool_use(request: Request, step: Step) -> dict[str, Any] | None:
    """A text that is a JSON object goes to the tool that must be used, as with the real service."""
    try:
        given = json.loads(step.text) if request.body.get("tool_choice") else None
    except ValueError:
        return None
    name = (request.body.get("tool_choice") or {}).get("name")
    return {"type": "tool_use", "id": "toolu_1", "name": name, "input": given} if isinstance(given, dict) else None


def _cache_usage(server: Loopback, request: Request) -> dict[str, Any]:
    """As the real service counts: a marked prefix is written once and read from then on."""
    system = request.body.get("system")
    marked = isinstance(system, list) and any("cache_control" in block for block in system)
    tokens = len(_plain(system)) // 4 if marked and system else 0
    if tokens < CACHEABLE:
        return {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    if server.cache(json.dumps([request.body["model"], system])):
        return {"cache_read_input_tokens": tokens, "cache_creation_input_tokens": 0}
    kinds = {"ephemeral_5m_input_tokens": tokens, "ephemeral_1h_input_tokens": 0}
    return {"cache_read_input_tokens": 0, "cache_creation_input_tokens": tokens, "cache_creation": kinds}


def _openai_body(server: Loopback, request: Request, step: Step) -> dict[str, Any]:
    text = None if step.refusal else step.text
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": step.refusal or None}
    if step.reasoning:
        message[step.reasoning_field] = step.reasoning
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
            "prompt_tokens_details": {"cached_tokens": step.cached},
        },
    }


# Batches and files


def _answer_control(server: Loopback, request: Request) -> Step:
    """The natural answer to a request about batches and files."""
    path = request.path.partition("?")[0].removeprefix("/v1")
    for method, pattern, answer in _ROUTES:
        found = re.fullmatch(pattern, path)
        if found and method == request.method:
            made = answer(server, request, *found.groups())
            return made if isinstance(made, Step) else Step(body=json.dumps(made).encode())
    return failing(404, message=f"no such address: {request.method} {request.path}")


def _work(server: Loopback, batch: Batch, entries: Sequence[tuple[str, Request]]) -> None:
    for identity, request in entries:
        _answer_entry(server, batch, identity, request)
    batch.worked = True


def _answer_entry(server: Loopback, batch: Batch, identity: str, request: Request) -> None:
    """Answer one entry and write the lines of its result."""
    step = server.next_step(request)
    fate = step.line if step.line in ("expired", "canceled") else "succeeded" if step.status == 200 else "errored"
    if fate == "succeeded":
        server.note_completed(request)
    batch.counts[fate] += 1
    made = _anthropic_line if request.path.endswith("/messages") else _openai_line
    row = made(server, identity, request, step, fate)
    line = json.dumps({"custom_id": identity, "response": {"status_code": 200}} if step.line == "strange" else row)
    times = {"twice": 2, "missing": 0}.get(step.line, 1)
    lines = batch.errors if fate != "succeeded" and made is _openai_line else batch.lines
    lines.extend([line[: len(line) // 2] if step.line == "garbled" else line] * times)


def _anthropic_line(server: Loopback, identity: str, request: Request, step: Step, fate: str) -> dict[str, Any]:
    result: dict[str, Any] = {"type": fate}
    if fate == "succeeded":
        result["message"] = reply_body(server, request, step)
    if fate == "errored":
        kinds = {400: "invalid_request_error", 429: "rate_limit_error", 529: "overloaded_error"}
        error = {"type": kinds.get(step.status, "api_error"), "message": "loopback refuses"}
        result["error"] = {"type": "error", "error": error, "request_id": None}
    return {"custom_id": identity, "result": result}


def _openai_line(server: Loopback, identity: str, request: Request, step: Step, fate: str) -> dict[str, Any]:
    row: dict[str, Any] = {"id": f"batch_req_{identity[:8]}", "custom_id": identity, "response": None, "error": None}
    if fate in ("expired", "canceled"):
        code = {"expired": "batch_expired", "canceled": "batch_cancelled"}[fate]
        return {**row, "error": {"code": code, "message": "This request was not executed."}}
    body = reply_body(server, request, step) if fate == "succeeded" else json.loads(step.body or b"{}")
    return {**row, "response": {"status_code": step.status, "request_id": "req_1", "body": body}}


def _create_anthropic(server: Loopback, request: Request) -> Any:
    entries = [(entry["custom_id"], entry["params"]) for entry in request.body["requests"]]
    if not all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", identity) for identity, _ in entries):
        return failing(400, message="custom_id must be 1 to 64 of letters, digits, - and _")
    if len({identity for identity, _ in entries}) < len(entries) or not entries:
        return failing(400, message="custom_id must be unique")
    calls = [(identity, Request("/v1/messages", request.headers, params)) for identity, params in entries]
    return _anthropic_batch(server, server.new_batch(calls, {}))


def _anthropic_batch(server: Loopback, batch: Batch) -> dict[str, Any]:
    ended = batch.ended
    kinds = ("succeeded", "errored", "canceled", "expired")
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if ended else "in_progress",
        "request_counts": {
            "processing": 0 if ended else batch.total,
            **{kind: batch.counts[kind] if ended else 0 for kind in kinds},
        },
        "created_at": batch.created.isoformat(),
        "expires_at": (batch.created + timedelta(hours=24)).isoformat(),
        "ended_at": batch.created.isoformat() if ended else None,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": f"{server.url}/v1/messages/batches/{batch.id}/results" if ended else None,
    }


def _poll(batch: Batch) -> Batch:
    batch.polls -= 1
    return batch


def _get_batch(server: Loopback, request: Request, identity: str) -> Any:
    if identity not in server.batches:
        return failing(404, message=f"no batch {identity}")
    made = _anthropic_batch if "/messages/" in request.path else _openai_batch
    return made(server, _poll(server.batches[identity]))


def _list_batches(server: Loopback, request: Request) -> Any:
    made = _anthropic_batch if "/messages/" in request.path else _openai_batch
    rows = [made(server, batch) for batch in reversed(server.batches.values())]
    return {"object": "list", "data": rows, "has_more": False, "first_id": None, "last_id": None}


def _cancel_batch(server: Loopback, request: Request, identity: str) -> Any:
    server.batches[identity].polls = 0
    return _get_batch(server, request, identity)


def _anthropic_results(server: Loopback, request: Request, identity: str) -> Step:
    lines = server.batches[identity].lines
    return Step(headers={"content-type": "application/x-jsonl"}, body="".join(f"{x}\n" for x in lines).encode())


def _upload(server: Loopback, request: Request) -> dict[str, Any]:
    kind = request.headers["content-type"].encode()
    parts: Any = message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + request.raw).get_payload()
    fields = {part.get_param("name", header="content-disposition"): part for part in parts}
    assert fields["purpose"].get_payload() == "batch"
    name = f"file-{len(server.files) + 1}"
    server.files[name] = fields["file"].get_payload(decode=True)
    return {
        "id": name,
        "object": "file",
        "bytes": len(server.files[name]),
        "created_at": int(time.time()),
        "filename": fields["file"].get_filename(),
        "purpose": "batch",
        "status": "processed",
    }


def _file_content(server: Loopback, request: Request, name: str) -> Step:
    """A file of results, by its batch's id and kind."""
    identity, _, kind = name.partition("-")
    if identity not in server.batches:
        return failing(404, message=f"no file {name}")
    lines = getattr(server.batches[identity], kind)
    return Step(headers={"content-type": "application/octet-stream"}, body="".join(f"{x}\n" for x in lines).encode())


def _create_openai(server: Loopback, request: Request) -> Any:
    facts = {name: request.body[name] for name in ("input_file_id", "endpoint", "completion_window")}
    facts["metadata"] = request.body.get("metadata")
    rows = [json.loads(line) for line in server.files[facts["input_file_id"]].splitlines()]
    problem = server.file_problem or _file_problem(rows)
    calls = [(row["custom_id"], Request(row["url"], request.headers, row["body"])) for row in rows]
    return _openai_batch(server, server.new_batch(calls, facts, problem))


def _file_problem(rows: Sequence[dict[str, Any]]) -> str:
    """Why the real service would refuse the file; empty if it would not."""
    if len({row["custom_id"] for row in rows}) < len(rows):
        return "a custom_id appears twice"
    if len({row["body"]["model"] for row in rows}) > 1:
        return "a file may name one model only"
    fit = all(row["method"] == "POST" and row["url"] == "/v1/chat/completions" for row in rows)
    return "" if fit else "method or url does not fit"


def _openai_batch(server: Loopback, batch: Batch) -> dict[str, Any]:
    ended = batch.ended
    status = "failed" if batch.problem else "completed" if ended else "in_progress"
    errors = [{"code": "invalid_file", "message": batch.problem, "line": 1, "param": None}]
    return {
        "id": batch.id,
        "object": "batch",
        "created_at": int(batch.created.timestamp()),
        "status": status,
        "errors": {"object": "list", "data": errors} if batch.problem else None,
        "output_file_id": f"{batch.id}-lines" if status == "completed" and batch.lines else None,
        "error_file_id": f"{batch.id}-errors" if status == "completed" and batch.errors else None,
        "request_counts": {
            "total": batch.total,
            "completed": batch.counts["succeeded"] if ended else 0,
            "failed": batch.total - batch.counts["succeeded"] if ended else 0,
        },
        **batch.facts,
    }


_ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("POST", r"/messages/batches", _create_anthropic),
    ("GET", r"/messages/batches", _list_batches),
    ("GET", r"/messages/batches/([^/]+)", _get_batch),
    ("POST", r"/messages/batches/([^/]+)/cancel", _cancel_batch),
    ("GET", r"/messages/batches/([^/]+)/results", _anthropic_results),
    ("POST", r"/files", _upload),
    ("GET", r"/files/([^/]+)/content", _file_content),
    ("POST", r"/batches", _create_openai),
    ("GET", r"/batches", _list_batches),
    ("GET", r"/batches/([^/]+)", _get_batch),
    ("POST", r"/batches/([^/]+)/cancel", _cancel_batch),
)
