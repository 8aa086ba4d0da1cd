"""The server's command line: a taken port and a wrong one are one clear line."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.__main__ import app as pages
from console.app import app

runner = CliRunner()


@pytest.mark.parametrize(("program", "command"), [(app, ["ui"]), (pages, [])])
def test_a_taken_port_is_named(tmp_path: Path, program: object, command: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = runner.invoke(program, [*command, "--port", port, "--runs", str(tmp_path)])  # type: ignore[arg-type]
    assert result.exit_code == 2 and port in result.output and "--port" in result.output


def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    assert runner.invoke(pages, ["--port", "70000"]).exit_code == 2


def test_the_export_names_the_runs_that_there_are(tmp_path: Path) -> None:
    result = runner.invoke(pages, ["export", "nothing", str(tmp_path / "out"), "--runs", str(tmp_path)])
    assert result.exit_code == 2 and "there is no run 'nothing'" in result.output and not (tmp_path / "out").exists()
