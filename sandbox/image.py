"""The root file system of the sandbox, made offline from the running Python.

Guaranteed: it holds the interpreter, its standard library without tests, tools and site-packages,
the shared libraries these need, our worker, and nothing else: no shell, no pip. The tar is sorted,
with time 0 and owner root, and the .pyc files do not depend on times, so the same installation
gives the same bytes.
Not guaranteed: equal images from two different builds of Python.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import io
import marshal
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.nouns import TierUnavailable

LAYOUT = "2"  # change it when the layout of the image changes
HERE = Path(__file__).parent
OURS = (
    *("worker.py", "child.py", "trusted.py", "cage.py", "syscalls.py", "usage.py"),
    *("controls.py", "raised.py", "remote.py", "serving.py", "standard_types.py", "values.py"),
)
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = f"/python/bin/{VERSION}"
EMPTY = ("dev", "proc", "sys", "tmp", "run", "etc")
_LEFT_OUT = {
    *("site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"),
    *("__pycache__", "pydoc_data", "distutils", "venv", "turtle.py", "antigravity.py", "webbrowser.py"),
}
_LEFT_OUT_PARTS = re.compile(
    r"^(_test|_tkinter|_ctypes_test|xxlimited|config-\d|_ssl|_curses|readline|nis|_dbm|_gdbm|ossaudiodev|libpython)"
)


def key() -> str:
    """Identity of the inputs (16 hex digits): names, sizes and times of the library, content of our files."""
    digest = hashlib.sha256(f"{LAYOUT} {sys.version} {os.path.realpath(sys.executable)}".encode())
    for name in OURS:
        digest.update((HERE / name).read_bytes())
    for path in _library():
        facts = path.stat()
        digest.update(f"{path}:{facts.st_size}:{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def write_tar(path: Path) -> str:
    """Write the root file system as a tar. Returns the SHA-256 of its bytes."""
    files = _files()
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for folder in sorted(_folders(files)):
            tar.addfile(_header(folder, 0, 0o755, tarfile.DIRTYPE))
        for name in sorted(files):
            data = files[name]
            body = data if isinstance(data, bytes) else data.read_bytes()
            mode = 0o755 if name.startswith("python/bin/") or ".so" in name else 0o644
            tar.addfile(_header(name, len(body), mode), io.BytesIO(body))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def root_directory() -> tuple[Path, str]:
    """The file system unpacked in the user's cache, built if need be, and its SHA-256."""
    home = cache_home() / f"root-{key()}"
    stamp = home / "sha256"
    with building():
        if not stamp.exists():
            _unpack(home, stamp)
    return home / "root", stamp.read_text()


def _unpack(home: Path, stamp: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        archive, made = Path(scratch) / "root.tar", Path(scratch) / "made"
        digest = write_tar(archive)
        with tarfile.open(archive) as tar:
            tar.extractall(made / "root", filter="fully_trusted")
        (made / "sha256").write_text(digest)
        shutil.rmtree(home, ignore_errors=True)
        made.rename(home)
    for old in home.parent.glob("root-*"):
        if old != home and old.stat().st_mtime < stamp.stat().st_mtime - 86400:
            shutil.rmtree(old, ignore_errors=True)


def cache_home() -> Path:
    """Where unpacked file systems are kept; made if need be, readable by the user only."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = base / "linguistic-transfer" / "sandbox"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise TierUnavailable(f"cannot write {home}: {error}. Set XDG_CACHE_HOME to a folder of yours") from None
    return home


@contextmanager
def building() -> Iterator[None]:
    """One builder at a time, over all processes of this user."""
    home = cache_home()
    try:
        with open(home / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise TierUnavailable(
            f"the sandbox image cannot be made in {home}: {error}. Make room there, or set XDG_CACHE_HOME to a "
            "folder with 200 MB free"
        ) from None


def _files() -> dict[str, Path | bytes]:
    library = Path(sysconfig.get_path("stdlib"))
    executable = Path(os.path.realpath(sys.executable))
    files: dict[str, Path | bytes] = {PYTHON[1:]: executable}
    binaries = [executable]
    for path in _library():
        name = f"python/lib/{VERSION}/{path.relative_to(library)}"
        files[name] = path
        if path.suffix == ".py":
            files[_pyc_name(name)] = _timeless_pyc(path)
        elif ".so" in path.name:
            binaries.append(path)
    for name in OURS:
        files[f"sandbox/{name}"] = HERE / name
        files[_pyc_name(f"sandbox/{name}")] = _compiled(HERE / name)
    files.update(_shared_libraries(binaries))
    return files


def _library() -> list[Path]:
    """Files of the standard library that are worth shipping, sorted."""
    top = Path(sysconfig.get_path("stdlib"))
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(n for n in folders if n not in _LEFT_OUT and not _LEFT_OUT_PARTS.match(n))
        kept = (n for n in names if n not in _LEFT_OUT and not _LEFT_OUT_PARTS.match(n))
        found += [Path(folder, n) for n in kept if n.endswith(".py") or ".so" in n]
    return sorted(found)


def _pyc_name(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/__pycache__/{file[:-3]}.{sys.implementation.cache_tag}.pyc"


def _timeless_pyc(path: Path) -> bytes:
    """The installed .pyc with an unchecked-hash header, or a fresh one if it is absent or stale."""
    cached = Path(importlib.util.cache_from_source(str(path)))
    facts = path.stat()
    try:
        data = cached.read_bytes()
    except OSError:
        return _compiled(path)
    stamp = int(facts.st_mtime).to_bytes(4, "little") + facts.st_size.to_bytes(4, "little")
    if data[:4] != importlib.util.MAGIC_NUMBER or data[4:8] != bytes(4) or data[8:16] != stamp:
        return _compiled(path)
    return _pyc_header(path) + data[16:]


def _compiled(path: Path) -> bytes:
    try:
        code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except SyntaxError:  # some files of the library are data, on purpose
        return b""
    return _pyc_header(path) + marshal.dumps(code)


def _pyc_header(path: Path) -> bytes:
    unchecked = (1).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(path.read_bytes())


def _shared_libraries(binaries: list[Path]) -> dict[str, Path | bytes]:
    """What the dynamic loader would load, at the same paths as on this machine."""
    command = ["ldd", *map(str, binaries)]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    except OSError as error:
        raise TierUnavailable(f"ldd is needed to build the sandbox image: {error}. Install libc-bin") from None
    paths = set(re.findall(r"(?:=>\s*|^\s+)(/\S+)\s+\(0x", listing, re.MULTILINE))
    return {path.lstrip("/"): Path(os.path.realpath(path)) for path in sorted(paths)}


def library_path() -> str:
    """LD_LIBRARY_PATH for libraries outside the loader's default folders."""
    folder = sysconfig.get_config_var("LIBDIR") or ""
    return f"{folder}:{Path(os.path.realpath(sys.executable)).parent.parent / 'lib'}"


def _folders(files: dict[str, Path | bytes]) -> set[str]:
    folders = set(EMPTY)
    for name in files:
        parts = name.split("/")[:-1]
        folders.update("/".join(parts[: end + 1]) for end in range(len(parts)))
    return folders


def _header(name: str, size: int, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type, info.mtime = size, mode, kind, 0
    return info
