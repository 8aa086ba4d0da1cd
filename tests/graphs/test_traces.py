"""With LangSmith's traces switched on, a run sends them, and no key is in them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.graphs.runs import run, settings
from tests.graphs.test_fault_matrix import KEYS, echoing, right
from tests.loopback import Loopback

INFO = {
    "version": "1.0",
    "batch_ingest_config": {
        "use_multipart_endpoint": False,
        "size_limit": 100,
        "size_limit_bytes": 20_000_000,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 1,
        "scale_down_nempty_trigger": 4,
    },
}


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Base URL of a service that takes every trace, and the bodies that it got."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(json.dumps(INFO).encode())

        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self._answer(b"{}")

        do_PATCH = do_POST

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("refusing", [False, True])  # a refusal quotes the key
def test_no_key_is_in_a_trace(refusing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    with (
        collector() as (address, bodies),
        Loopback(lambda request: echoing(request, 401) if refusing else right(request)) as server,
    ):
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", address)
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_pt_0123456789")
        monkeypatch.setenv("LANGSMITH_DISABLE_RUN_COMPRESSION", "true")
        local = f"vllm:student@{server.openai_url}"
        models = ["--teacher", "anthropic:teacher", "--student", local, "--validator", local]
        done = run(tmp_path, "--domain", "scheduling", *models, "--approve", "gate", *settings(student_arms="[base]"))
        assert server.count > 0
    assert done.returncode == (1 if refusing else 0), done.stderr
    sent = b"".join(bodies)
    assert b"student_baseline" in sent  # the graph's stages were traced
    assert not [name for name, key in KEYS.items() if key.encode() in sent]
