"""The suite on a machine with neither bubblewrap nor Docker: green, and every skip says how to mend it.

`make test-bare` runs the whole suite that way; here are the tests that use a sandbox or walls.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HIDDEN = re.compile(r"bwrap|docker.*|containerd.*|runc")
FILES = ("docker_tier", "image", "lean", "lean_process", "lean_repl", "lean_safeverify", "main", "programs", "trusted")


def path_without_walls(folder: Path) -> str:
    """A PATH with all programs of this machine but bubblewrap and the engine."""
    for place in map(Path, os.environ["PATH"].split(os.pathsep)):
        for program in place.iterdir() if place.is_dir() else ():
            link = folder / program.name
            if not HIDDEN.fullmatch(program.name) and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


@pytest.fixture(scope="module")
def bare() -> Iterator[subprocess.CompletedProcess[str]]:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # some tests become an ordinary user, who needs the programs too
        yield suite(path_without_walls(Path(folder)))


def suite(path: str) -> subprocess.CompletedProcess[str]:
    """The sandbox's tests with this PATH."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment["PATH"] = path
    environment["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    files = [f"tests/sandbox/test_{name}.py" for name in FILES]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *files]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)


def test_the_command_ends_green(bare: subprocess.CompletedProcess[str]) -> None:
    assert bare.returncode == 0, bare.stdout[-4000:]
    assert re.search(r"\d+ passed, \d+ skipped", bare.stdout)


def test_every_skip_is_listed_with_its_reason_and_the_line_that_mends_it(
    bare: subprocess.CompletedProcess[str],
) -> None:
    _, _, listed = bare.stdout.partition("not run on this machine")
    reasons = re.findall(r"^(\d+) tests: (.+)$", listed, re.MULTILINE)
    remedies = re.findall(r"^    to run them: (.+)$", listed, re.MULTILINE)
    assert len(reasons) == len(remedies)

    skipped = re.search(r"(\d+) skipped", bare.stdout)
    assert skipped is not None
    assert sum(int(count) for count, _ in reasons) == int(skipped[1])

    assert any("bubblewrap" in reason for _, reason in reasons)
    assert any("docker" in reason for _, reason in reasons)
    assert "apt-get install bubblewrap" in remedies


def test_the_jail_still_runs_there(bare: subprocess.CompletedProcess[str]) -> None:
    """Without bubblewrap the walls are built by unshare."""
    _, _, listed = bare.stdout.partition("not run on this machine")
    assert "jail:" not in listed
