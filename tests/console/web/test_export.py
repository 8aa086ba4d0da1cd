"""The exported pages need nothing but themselves, and bad targets are refused."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.__main__ import app
from console.web.export import write_pages
from records.rundir import RunError
from tests.console.web.made import Made
from tests.console.web.test_hostile import EVIL


def test_pages_link_to_each_other_and_to_nothing_else(runs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    result = CliRunner().invoke(app, ["export", "done", str(folder), "--runs", str(runs)])
    assert result.exit_code == 0, result.output
    names = {path.name for path in folder.iterdir()}
    assert {"index.html", "reflections.html", "strategy.html", "approval.html", "report.html"} <= names
    for path in folder.glob("*.html"):
        page = path.read_text("utf-8")
        if path.name != "report.html":
            assert "<style>" in page and "<script" not in page and "<form" not in page and "csrf" not in page
        targets = set(re.findall(r'(?:href|src)="([^"#]+)[#"]', page)) - {"data:,"}
        assert targets <= names, targets - names


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    Made(tmp_path / "runs", "evil", hostile=EVIL).complete()
    written, left_out = write_pages(tmp_path / "runs", "evil", tmp_path / "pages", 1_000)
    assert written > 20 and left_out == 0
    for path in (tmp_path / "pages").glob("*.html"):
        page = path.read_text("utf-8")
        assert "<script>alert" not in page and "<img src=x" not in page and "\u202e" not in page


def test_fewer_pages_leave_no_dead_link(runs: Path, tmp_path: Path) -> None:
    written, left_out = write_pages(runs, "done", tmp_path / "few", 5)
    assert written == 5 and left_out > 5
    names = {path.name for path in (tmp_path / "few").iterdir()}
    for path in (tmp_path / "few").glob("*.html"):
        assert set(re.findall(r'href="([^"#]+)[#"]', path.read_text("utf-8"))) - {"data:,"} <= names


@pytest.mark.parametrize("run", ["gone", "../done", ".", ""])
def test_a_run_that_is_none_is_refused(runs: Path, tmp_path: Path, run: str) -> None:
    with pytest.raises(RunError):
        write_pages(runs, run, tmp_path / "pages", 5)
    assert not (tmp_path / "pages").exists()


def test_a_folder_with_other_files_is_left_alone(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunError, match="holds other files"):
        write_pages(runs, "done", tmp_path, 5)
    result = CliRunner().invoke(app, ["export", "done", str(tmp_path / "thesis.tex"), "--runs", str(runs)])
    assert result.exit_code == 2 and [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
