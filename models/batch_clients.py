"""The batches of Anthropic and OpenAI, through their SDKs. What they guarantee: `models.batches`."""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from models.batches import BatchState, Item, MissingResult, Outcome
from models.calls import CallError, CallRequest, Reply
from models.clients import NotJsonError, open_client
from models.providers import RETRIED, call_error, failures, reply_of, settings_of, translated, turns_of
from models.redaction import without_secrets
from models.spec import ModelSpec

T = TypeVar("T")
P = ParamSpec("P")

_SKEW = timedelta(minutes=5)  # between our clock and the provider's
_DOWNLOADS = 2  # of results with missing lines, before these count as missing
_HEALED_BY_TIME = ("api_error", "overloaded_error", "rate_limit_error", "timeout_error")
_OPENAI_RUNNING = ("validating", "in_progress", "finalizing", "cancelling")


def _translating(
    method: Callable[Concatenate[_Batches, P], Awaitable[T]],
) -> Callable[Concatenate[_Batches, P], Coroutine[Any, Any, T]]:
    """Failures of the method are raised as CallErrors."""

    @wraps(method)
    async def call(self: _Batches, *args: P.args, **kwargs: P.kwargs) -> T:
        return await translated(self.spec, method(self, *args, **kwargs))

    return call


class _Batches(ABC):
    """What both providers' batches have in common."""

    def __init__(self, spec: ModelSpec, seconds: float) -> None:
        self.spec = spec
        self._client: Any = open_client(spec, seconds)
        self._sdk: Any = self._client.sdk

    @_translating
    async def submit(self, items: Sequence[Item]) -> str:
        """See BatchClient."""
        entries = [(custom_id(key), self._body(request)) for key, request in items]
        if len({identity for identity, _ in entries}) < len(entries) or not entries:
            raise ValueError("a batch needs items, each with a key of its own")
        return str(_json(await self._submit(entries)).id)

    @_translating
    async def poll(self, batch_id: str) -> BatchState:
        """See BatchClient."""
        return self._state(_json(await self._retrieve(batch_id)))

    @_translating
    async def results(self, batch_id: str, keys: Collection[str]) -> dict[str, Outcome]:
        """See BatchClient."""
        by_id = {custom_id(key): key for key in keys}
        found: dict[str, Outcome] = {}
        for _ in range(_DOWNLOADS):
            for identity, row in _rows(await self._download(batch_id)):
                # A line may come twice; a reply is not given up for an error.
                if identity in by_id and not isinstance(found.get(by_id[identity]), Reply):
                    found[by_id[identity]] = self._told(row)
            if len(found) == len(by_id):
                break
        missing = f"batch {batch_id} of '{self.spec}' has no readable result for this call"
        return {key: found.get(key) or MissingResult(missing, retry=True) for key in keys}

    @_translating
    async def cancel(self, batch_id: str) -> None:
        """See BatchClient."""
        await self._resource.cancel(batch_id)

    @_translating
    async def find(self, keys: Collection[str], since: datetime, besides: Collection[str] = ()) -> str | None:
        """See BatchClient."""
        identities = sorted(map(custom_id, keys))
        async for batch in self._resource.list(limit=100):
            if _time(batch.created_at) < since - _SKEW:
                return None  # the newest come first
            if batch.id not in besides and await self._is_of(batch, identities):
                return str(batch.id)
        return None

    async def close(self) -> None:
        """See BatchClient."""
        await self._client.aclose()

    def _body(self, request: CallRequest) -> dict[str, Any]:
        made: dict[str, Any] = self._client.body(turns_of(self.spec, request), **settings_of(self.spec, request))
        return made

    def _told(self, row: dict[str, Any]) -> Outcome:
        """The outcome of one line; one that cannot be read does not spoil the others."""
        try:
            return self._outcome(row)
        except failures() as error:
            return call_error(self.spec, error)

    def _read(self, raw: dict[str, Any]) -> Reply:
        return reply_of(self.spec, self._client.read(raw))

    def _error(self, what: str, words: object, retry: bool) -> CallError:
        return CallError(without_secrets(f"'{self.spec}' in a batch: {what}: {words}")[:1_000], retry)

    async def _retrieve(self, batch_id: str) -> Any:
        return await self._resource.retrieve(batch_id)

    @property
    @abstractmethod
    def _resource(self) -> Any:
        """The SDK's batches."""

    @abstractmethod
    async def _submit(self, entries: Sequence[tuple[str, dict[str, Any]]]) -> Any:
        """The SDK's batch for these ids and bodies."""

    @abstractmethod
    async def _is_of(self, batch: Any, identities: Sequence[str]) -> bool:
        """The batch has exactly the entries with these sorted ids, as far as can be known, and if it
        has ended, something was paid for."""

    @abstractmethod
    def _state(self, batch: Any) -> BatchState:
        """The SDK's batch in our terms."""

    @abstractmethod
    async def _download(self, batch_id: str) -> str:
        """The lines of the results."""

    @abstractmethod
    def _outcome(self, row: dict[str, Any]) -> Outcome:
        """The outcome that a line tells."""


class AnthropicBatches(_Batches):
    """Message Batches."""

    @property
    def _resource(self) -> Any:
        return self._sdk.messages.batches

    async def _submit(self, entries: Sequence[tuple[str, dict[str, Any]]]) -> Any:
        requests = [{"custom_id": identity, "params": body} for identity, body in entries]
        return await self._resource.create(requests=requests)

    async def _is_of(self, batch: Any, identities: Sequence[str]) -> bool:
        counts = batch.request_counts
        if sum(counts.model_dump().values()) != len(identities):
            return False
        if batch.processing_status != "ended":
            return True
        return counts.succeeded > 0 and {identity for identity, _ in _rows(await self._download(batch.id))} <= set(
            identities
        )

    def _state(self, batch: Any) -> BatchState:
        counts = batch.request_counts.model_dump()
        total = sum(counts.values())
        status: Literal["running", "ended"] = "ended" if batch.processing_status == "ended" else "running"
        return BatchState(id=batch.id, status=status, done=total - counts["processing"], total=total)

    async def _download(self, batch_id: str) -> str:
        async with self._resource.with_streaming_response.results(batch_id) as response:
            return str(await response.text())

    def _outcome(self, row: dict[str, Any]) -> Outcome:
        result = row["result"]
        if result["type"] == "succeeded":
            return self._read(result["message"])
        error = (result.get("error") or {}).get("error") or {}
        kind = error.get("type", "")
        retry = result["type"] in ("expired", "canceled") or kind in _HEALED_BY_TIME
        return self._error(f"{result['type']} {kind}".strip(), error.get("message", "it was not executed"), retry)


class OpenAIBatches(_Batches):
    """The Batch API, with its files."""

    @property
    def _resource(self) -> Any:
        return self._sdk.batches

    async def _submit(self, entries: Sequence[tuple[str, dict[str, Any]]]) -> Any:
        rows = [
            {"custom_id": identity, "method": "POST", "url": "/v1/chat/completions", "body": body}
            for identity, body in entries
        ]
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        file = _json(await self._sdk.files.create(file=("batch.jsonl", data), purpose="batch"))
        return await self._resource.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"calls": _label(identity for identity, _ in entries)},
        )

    async def _is_of(self, batch: Any, identities: Sequence[str]) -> bool:
        paid = batch.status in _OPENAI_RUNNING or (batch.request_counts and batch.request_counts.completed > 0)
        return bool(paid) and (batch.metadata or {}).get("calls") == _label(identities)

    def _state(self, batch: Any) -> BatchState:
        counts = batch.request_counts
        status: Literal["running", "ended", "failed"] = "running" if batch.status in _OPENAI_RUNNING else "ended"
        problems = [f"{error.message} (line {error.line})" for error in (batch.errors and batch.errors.data) or []]
        return BatchState(
            id=batch.id,
            status="failed" if batch.status == "failed" else status,
            done=counts.completed + counts.failed if counts else 0,
            total=counts.total if counts else 0,
            problem=without_secrets("; ".join(problems[:3])),
        )

    async def _download(self, batch_id: str) -> str:
        batch = _json(await self._retrieve(batch_id))
        names = [name for name in (batch.output_file_id, batch.error_file_id) if name]
        return "\n".join([(await self._sdk.files.content(name)).text for name in names])

    def _outcome(self, row: dict[str, Any]) -> Outcome:
        response, error = row.get("response"), row.get("error")
        if error or not response:
            said = error or {}
            return self._error(said.get("code", "not executed"), said.get("message", ""), retry=True)
        status, body = response["status_code"], response["body"]
        if status == 200:
            return self._read(body)
        words = (body.get("error") or {}).get("message", "")
        return self._error(f"HTTP {status}", words, retry=status in RETRIED or status >= 500)


def custom_id(key: str) -> str:
    """The id of an entry with this key: the key, where the providers take it (SHA-256 in hex they do)."""
    fits = re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", key)
    return key if fits else hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _label(identities: Iterable[str]) -> str:
    """One name for a set of entries."""
    return hashlib.sha256("\n".join(sorted(identities)).encode()).hexdigest()


def _rows(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ids and contents of the lines that can be read."""
    if text.lstrip().startswith("<"):
        _json(text)
    for line in text.split("\n"):  # not splitlines: JSON may hold other line separators
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue  # empty, damaged or nested without end: then its entry is missing
        if isinstance(row, dict) and isinstance(row.get("custom_id"), str):
            yield row["custom_id"], row


def _json(made: Any) -> Any:
    """What the SDK made of an answer, which is a text if the answer was no JSON."""
    if isinstance(made, str):
        raise NotJsonError(made)
    return made


def _time(created: datetime | int) -> datetime:
    return created if isinstance(created, datetime) else datetime.fromtimestamp(created, UTC)
