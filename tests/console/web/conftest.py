"""Runs that the tests only read are made once."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.console.web.made import Made, client


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run that is complete and one that waits for a decision."""
    folder = tmp_path_factory.mktemp("runs")
    Made(folder, "done").complete()
    Made(folder, "asks").waiting()
    return folder


@pytest.fixture(scope="session")
def browser(runs: Path) -> TestClient:
    """A client of these runs that has come in."""
    return client(runs)
