"""The root file system: reproducible, small, and without tools."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox, SandboxError, image
from sandbox.attest import PROBE
from sandbox.docker_tier import REPOSITORY
from sandbox.worker import _empty
from tests.sandbox.conftest import require_tier


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("image") / "root.tar"
    return path, image.write_tar(path)


def test_two_builds_give_the_same_bytes(archive: tuple[Path, str], tmp_path: Path) -> None:
    assert image.write_tar(tmp_path / "again.tar") == archive[1]
    assert image.key() == image.key()


def test_entries_are_timeless_sorted_and_owned_by_root(archive: tuple[Path, str]) -> None:
    with tarfile.open(archive[0]) as tar:
        members = tar.getmembers()
    assert {(member.mtime, member.uid, member.gid) for member in members} == {(0, 0, 0)}
    files = [member.name for member in members if member.isfile()]
    assert files == sorted(files)
    assert not [member.name for member in members if member.mode & 0o7022]


def test_it_holds_python_and_the_worker_but_no_tools(archive: tuple[Path, str]) -> None:
    with tarfile.open(archive[0]) as tar:
        names = set(tar.getnames())
    assert {f"sandbox/{name}" for name in image.OURS} <= names
    assert image.PYTHON[1:] in names
    assert f"python/lib/{image.VERSION}/heapq.py" in names
    bad = ("bin/sh", "bin/bash", "site-packages", "ensurepip", "/test/", "docker", ".git")
    assert not [name for name in names for word in bad if word in name]
    assert archive[0].stat().st_size < 150 << 20


def test_emptying_follows_no_link_and_knows_no_depth(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(outside)
    (top / "dangling").symlink_to("/nowhere")
    (top / "closed").mkdir(mode=0)
    deep = top
    for _ in range(120):
        deep = deep / ("d" * 20)
        deep.mkdir()
        (deep / "file").write_text("")
        (deep / "link").symlink_to(outside)
    assert _empty(str(top))
    assert list(top.iterdir()) == []
    assert (outside / "precious").read_text() == "kept"


@pytest.fixture
def base_image(tmp_path: Path) -> Iterator[str]:
    """A base image such as a registry has: Python as `python3`, without our worker. Its digest."""
    require_tier("docker")
    archive, stripped = tmp_path / "root.tar", tmp_path / "base.tar"
    image.write_tar(archive)
    with tarfile.open(archive) as source, tarfile.open(stripped, "w") as target:
        for member in source:
            if not member.name.startswith("sandbox"):
                target.addfile(member, source.extractfile(member) if member.isfile() else None)
        link = tarfile.TarInfo("python/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, image.PYTHON
        target.addfile(link)
    environment = f"ENV LD_LIBRARY_PATH={image.library_path()}"
    command = ["docker", "import", "--change", environment, str(stripped), "linguistic-transfer-base:test"]
    digest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    yield digest
    listing = ["docker", "images", "--quiet", "--filter", f"label={REPOSITORY}.base={digest}"]
    derived = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["docker", "rmi", "--force", *derived, digest], capture_output=True)


async def test_a_base_image_by_digest_judges_behind_the_same_walls(base_image: str) -> None:
    async with Sandbox.open("docker", slots=1, image=base_image) as sandbox:
        assert base_image in sandbox.about
        verdict = await sandbox.judge(PROBE)
        again = sandbox.image
    assert verdict.passed
    assert verdict.image == again != base_image
    async with Sandbox.open("docker", slots=1, image=base_image) as sandbox:
        assert sandbox.image == again  # made once


@pytest.mark.parametrize("name", ["python:3.11-slim", "python", "python@sha256:12", "--privileged"])
async def test_a_base_image_without_a_digest_is_refused(name: str) -> None:
    require_tier("docker")
    with pytest.raises(SandboxError, match="not named by its digest"):
        async with Sandbox.open("docker", slots=1, image=name):
            pass
