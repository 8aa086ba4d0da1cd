"""What a test needs of the machine, and how it is got.

Every skip of the suite is made here, so that each one says what is missing and the line that mends it; conftest.py
lists them at the end of a run. On CI, where everything is installed first, a skip counts as a failure.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MENDED_BY = " — to run it: "


@dataclass(frozen=True)
class Need:
    """Something that may be missing, and the line that gets it."""

    missing: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.missing}{MENDED_BY}{self.remedy}"


BUBBLEWRAP = Need("bubblewrap is not installed", "apt-get install bubblewrap")
ROOT = Need("this user is not root", "run the tests as root, in a container if you like")
EMBEDDED = Need("the embedded model is not installed", "make install")
KERNEL_HEADERS = Need("the kernel's headers are not installed", "apt-get install linux-libc-dev gcc-aarch64-linux-gnu")
LOCKS = Need("this system does not say who holds a lock", "use a Linux with /proc/locks")
USER_TOOLS = Need("unshare, setpriv or mount is missing", "apt-get install util-linux mount")
ENGINE = Need("dockerd is not installed", "apt-get install docker.io")


def skip(need: Need | str) -> NoReturn:
    """Skip this test for a reason with its remedy."""
    pytest.skip(str(need))


def require(present: object, need: Need) -> None:
    """Skip this test if what it needs is not there."""
    if not present:
        skip(need)


def require_bubblewrap() -> None:
    """Lean's walls are built by it, and one of the jail's two builders is it."""
    require(shutil.which("bwrap"), BUBBLEWRAP)


def require_root() -> None:
    """Some tests look into other users' processes, or fill a disk of their own."""
    require(os.getuid() == 0, ROOT)


def require_programs(*names: str, need: Need) -> None:
    """All of these programs are on the PATH."""
    require(all(map(shutil.which, names)), need)


def data_file(*parts: str) -> Path:
    """A file of the public problems and recorded replies that stand beside the repository; skips without it."""
    path = DATA.joinpath(*parts)
    require(path.is_file(), data_need(*parts))
    return path


def data_need(*parts: str) -> Need:
    """The need for one of the data files."""
    name = "/".join(("shared", "data", *parts))
    return Need("a file of public test data is not here", f"put it at ../{name} beside this folder")


def tier_need(problem: str) -> Need:
    """A sandbox tier that cannot be used, with what the product says of it."""
    return Need(problem, "python -m sandbox doctor, which says how to mend it")
