"""What is found on a machine, and what is said where nothing is."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.__main__ import app
from sandbox.lean_backends import INSTALL, LeanBackend, Missing, examine_backend, find_backend
from sandbox.nouns import SandboxError


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("LRL_LEAN", "LRL_LEAN_REPL", "LRL_LEAN_WASM", "LRL_LEAN_PROJECT", "LRL_LEAN_SAFEVERIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def script(place: Path, text: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)
    return place


@pytest.mark.parametrize("name", ["lean_file", "repl", "wasm"])
def test_what_is_missing_says_how_to_get_it(name: str) -> None:
    found = examine_backend(name)
    assert isinstance(found, Missing) and found.install == INSTALL[name]
    with pytest.raises(SandboxError, match="No Lean here"):
        find_backend(name)


def test_safeverify_is_part_of_a_lean_that_is_there(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = nothing_set / "lean"
    script(prefix / "bin" / "lean", f'case "$1" in --print-prefix) echo {prefix} ;; *) echo "Lean 4.28" ;; esac')
    monkeypatch.setenv("LRL_LEAN", str(prefix / "bin" / "lean"))
    plain = find_backend("lean_file")
    assert plain.safeverify is None
    monkeypatch.setenv("LRL_LEAN_SAFEVERIFY", str(nothing_set / "safe_verify"))
    missing = examine_backend("lean_file")
    assert isinstance(missing, Missing) and "is no file" in missing.why
    place = script(nothing_set / "safe_verify", "exit 0")
    found = find_backend("lean_file")
    assert found.safeverify == str(prefix / "bin" / "lean") and found.binds["/judge/safe_verify"] == str(place)
    assert found.toolchain != plain.toolchain and found.environment["PATH"].startswith(str(prefix / "bin"))


def test_unknown_backends_are_named() -> None:
    with pytest.raises(SandboxError, match="no Lean backend 'coq'"):
        find_backend("coq")


def test_a_lean_behind_a_proxy_is_called_directly(nothing_set: Path) -> None:
    prefix = nothing_set / "toolchain"
    script(prefix / "bin" / "lean", "exit 1")
    script(nothing_set / "lean", f'case "$1" in --version) echo "Lean (version 4.30.0)";; *) echo {prefix};; esac')
    found = find_backend()
    assert isinstance(found, LeanBackend) and found.name == "lean_file"
    assert found.command[0] == str(prefix / "bin" / "lean") and found.binds[str(prefix)] == str(prefix)
    assert "4.30.0" in found.about


@pytest.mark.parametrize("text", ["exit 1", "true", "echo /nowhere"])
def test_a_lean_that_does_not_work_is_a_finding(nothing_set: Path, text: str) -> None:
    script(nothing_set / "lean", text)
    assert isinstance(examine_backend("lean_file"), Missing)


def test_a_project_must_be_one(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = nothing_set / "toolchain"
    script(prefix / "bin" / "lean", "exit 1")
    script(nothing_set / "lean", f"echo {prefix}")
    monkeypatch.setenv("LRL_LEAN_PROJECT", str(nothing_set))
    found = examine_backend("lean_file")
    assert isinstance(found, Missing) and "lake-manifest.json" in found.why
    (nothing_set / "lake-manifest.json").write_text("{}")
    script(nothing_set / "lake", "echo /a:/b")
    project = examine_backend("lean_file")
    assert isinstance(project, LeanBackend) and project.environment == {"LEAN_PATH": "/a:/b"}
    monkeypatch.delenv("LRL_LEAN_PROJECT")
    plain = examine_backend("lean_file")
    assert isinstance(plain, LeanBackend) and plain.toolchain != project.toolchain


def test_the_wasm_folder_says_what_it_lacks(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRL_LEAN_WASM", str(nothing_set))
    found = examine_backend("wasm")
    assert isinstance(found, Missing) and "lean.wasm" in found.why


def test_the_command_without_lean_says_what_to_do(nothing_set: Path) -> None:
    rows = nothing_set / "rows.jsonl"
    rows.write_text('{"id": 1, "statement": "theorem t : 1 = 1", "proof": "rfl"}\n')
    result = CliRunner().invoke(app, ["lean", "--file", str(rows)])
    assert result.exit_code == 1 and "elan" in result.output and "Traceback" not in result.output
    absent = CliRunner().invoke(app, ["lean", "--file", str(nothing_set / "absent")])
    assert absent.exit_code == 2 and "no such file" in absent.output
