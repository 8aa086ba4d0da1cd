"""The commands, and the jail as an ordinary user sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import USER_TOOLS, require_bubblewrap, require_programs, require_root
from tests.sandbox.conftest import require_tier

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


RIGHT, WRONG, REFUSED = (
    {
        "id": 1,
        "code": "def f(x): return (x,)",
        "entry_point": "f",
        "tests": [{"args": [1], "expected": [1], "comparison": "json"}],
    },
    {
        "id": "w",
        "code": "def f(x): return x",
        "entry_point": "f",
        "tests": [{"args": [1], "expected": 1}, {"args": [1], "expected": 2}],
    },
    {"id": "r", "code": 7, "entry_point": "f", "tests": [{"args": [1], "expected": 1}]},
)


def sandbox(*arguments: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, cwd=ROOT, check=False, env={**os.environ, **environment}
    )


@pytest.fixture
def jail() -> None:
    require_tier("jail")


@pytest.mark.usefixtures("jail")
def test_the_doctor_says_what_works_and_tries_each_limit() -> None:
    done = sandbox("doctor", PATH=os.environ["PATH"])
    assert done.returncode == 0, done.stdout + done.stderr
    tiers = done.stdout.split("jail: ")
    assert tiers[1].startswith("works. ")
    assert "DOES NOT BIND" not in tiers[1]
    for limit in ("CPU time", "wall time", "memory of all processes", "an internet socket", "size of a result"):
        assert any(
            line.split("  ")[1] == limit and "binds" in line for line in tiers[1].splitlines() if line[:1] == " "
        )
    assert tiers[0].startswith("docker: ")


def test_the_doctor_says_how_to_mend(tmp_path: Path) -> None:
    done = sandbox("doctor", PATH=str(tmp_path), LRL_SANDBOX_IMAGE="python:3.11-slim")
    assert done.returncode == 1
    assert "docker command is not installed" in done.stdout
    assert "jail has no base image" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("jail")
def test_judge_writes_one_row_each_in_order(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in [RIGHT, WRONG] * 20))
    done = sandbox("judge", str(file), "--tier", "jail", "--slots", "2")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["id"] for row in rows] == [1, "w"] * 20
    assert [row["result"] for row in rows] == ["pass", "wrong_answer"] * 20
    assert rows[1]["tests"] == ["pass", "wrong_answer"]
    assert set(rows[0]) == {"id", "passed", "result", "tests", "cpu_s", "wall_s", "peak_mb", "leftovers", "tier"}
    assert rows[0]["tier"] == "jail"
    assert "20 pass, 20 wrong_answer" in done.stderr


@pytest.mark.usefixtures("jail")
def test_a_refused_row_has_its_number_and_the_batch_goes_on() -> None:
    text = "\n".join([json.dumps(RIGHT), json.dumps(REFUSED), "{", json.dumps(WRONG)])
    done = sandbox("judge", "-", "--tier", "jail", "--evidence", text=text)
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["result"] for row in rows] == ["pass", "unsupported_test", "unsupported_test", "wrong_answer"]
    assert rows[1]["error"].startswith("row 2: field 'code'")
    assert rows[3]["evidence"] == "call: f(1)\nexpected: 2\ngot: 1"
    assert "row 2: not judged. field 'code'" in done.stderr
    assert "row 3: not judged. not JSON" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["judge", "no-such-file"], 2, "no such file"),
        (["judge", "-", "--tier", "none"], 1, "Valid: auto, docker, jail"),
        (["judge", "-", "--tier", "jail", "--image", "x"], 1, "jail has no base image"),
        (["judge", "-", "--slots", "0"], 2, "slots"),
    ],
)
def test_bad_input_is_said_in_a_line(arguments: list[str], code: int, words: str) -> None:
    done = sandbox(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("builder", ["bwrap", "unshare"])
def test_the_jail_works_for_an_ordinary_user(builder: str, tmp_path: Path) -> None:
    require_root()  # to become an ordinary user
    require_programs("unshare", "setpriv", "mount", need=USER_TOOLS)
    if builder == "bwrap":
        require_bubblewrap()
    require_tier("jail")
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
