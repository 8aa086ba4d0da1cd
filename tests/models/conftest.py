"""What the tests of this room share: the real embedded model, and gateways in tmp_path."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from models.embedded import EmbeddedModelError, embedded_model_directory, is_prepared, source_file
from models.gateway import CallRequest, Gateway, RetryPolicy
from models.local import LocalModel
from records.config import RunConfig
from records.nouns import Message
from tests.needs import EMBEDDED, skip

FAST = RetryPolicy(attempts=3, first=0.01, longest=0.02, patience=5.0)
OpenGateway = Callable[..., AbstractAsyncContextManager[Gateway]]


@pytest.fixture(scope="session")
def embedded() -> Path:
    """Directory of the converted embedded model (about 30 s the first time on a machine)."""
    try:
        if not is_prepared():
            source_file()
    except EmbeddedModelError:
        skip(EMBEDDED)
    return embedded_model_directory()


@pytest.fixture(scope="session")
def local(embedded: Path) -> Iterator[LocalModel]:
    """The embedded model, loaded once."""
    model = LocalModel(embedded)
    yield model
    model.close()


@pytest.fixture
def open_gateway(tmp_path: Path) -> OpenGateway:
    """Opens a gateway whose ledger is in tmp_path; keyword arguments change the configuration."""

    def opened(retry: RetryPolicy = FAST, **changes: object) -> AbstractAsyncContextManager[Gateway]:
        config = RunConfig.model_validate({"domain": "python", **changes})
        return Gateway.open(tmp_path / "ledger.sqlite", config, retry)

    return opened


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and addresses of the developer's own environment play no part."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "OPENAI_", "VLLM_")):
            monkeypatch.delenv(name)


def ask(text: str, model: str, **changes: object) -> CallRequest:
    """A request with one user message."""
    values: dict[str, object] = {"max_tokens": 16, "temperature": 0.0, "stage": "test", "agent": "tester", **changes}
    return CallRequest.model_validate({"model": model, "messages": (Message(role="user", content=text),), **values})
