"""The doctor's words, and the jail as an ordinary user sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.conftest import problem_with

ROOT = Path(__file__).resolve().parents[2]
# A private view of the machine in which the interpreter's home is readable by everybody.
AS_NOBODY = """
set -e
mkdir -p "$1/base"
mount --bind "$2" "$1/base"
case "$2" in /root/*) mount -t tmpfs -o mode=755 tmpfs /root; mkdir -p "$2"; mount --bind "$1/base" "$2";; esac
mkdir -m 777 "$1/home"
export HOME="$1/home" XDG_CACHE_HOME="$1/home/.cache" PYTHONPATH="$3"
cd /
shift 3
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
"""


def test_the_doctor_says_what_works() -> None:
    if (problem := problem_with("jail")) is not None:
        pytest.skip(problem)
    command = [sys.executable, "-m", "sandbox", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert next(line for line in lines if line.startswith("jail:")).startswith("jail: works")
    assert any(line.startswith("docker: ") for line in lines)


@pytest.mark.parametrize("builder", ["bwrap", "unshare"])
def test_the_jail_works_for_an_ordinary_user(builder: str, tmp_path: Path) -> None:
    if os.getuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        pytest.skip("needs root, unshare and setpriv to become an ordinary user")
    if builder == "bwrap" and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    if (problem := problem_with("jail")) is not None:
        pytest.skip(problem)
    script = (
        "import asyncio, os\nfrom sandbox import Sandbox\nfrom sandbox.jail_tier import JailTier\n"
        "from sandbox.attest import PROBE\nassert os.getuid() == 65534\n"
        f"make = JailTier.__init__\nJailTier.__init__ = lambda self: make(self, {builder!r})\n"
        "async def main():\n    async with Sandbox.open('jail', slots=1) as sandbox:\n"
        "        print((await sandbox.judge(PROBE)).result)\nasyncio.run(main())"
    )
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:2]:
        parent.chmod(0o755)
    paths = [str(tmp_path), sys.base_prefix, str(ROOT)]
    command = ["unshare", "--mount", "sh", "-c", AS_NOBODY, "sh", *paths, sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "pass\n", done.stderr
