"""The root file system: reproducible, small, and without tools."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from sandbox import image
from sandbox.worker import _empty


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
