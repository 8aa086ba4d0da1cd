"""Builds the jail's walls without bubblewrap: `launcher.py ROOT CGROUP COMMAND…`.

Standard library only; run by the host's Python with `-I -S`. New mount, pid, net, ipc and uts
namespaces (and a user namespace, for an ordinary user), ROOT read-only as `/`, an empty /dev with
five devices, a private /proc and a small /tmp; then COMMAND as PID 1.
Guaranteed: COMMAND does not run if a step fails (exit status 125, the reason on stderr); it dies
with this process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from typing import NoReturn

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (1 << bit for bit in (17, 26, 27, 28, 29, 30))
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH, _PDEATHSIG = 2, 1
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_DEVICES = ("null", "zero", "full", "random", "urandom")
_libc = ctypes.CDLL(None, use_errno=True)


def main(root: str, group: str, command: list[str]) -> NoReturn:
    """Enter new namespaces, fork, build, execute; returns the command's exit status."""
    _unshare()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _checked(_libc.prctl(_PDEATHSIG, signal.SIGKILL), "death signal")
        if os.getppid() not in (0, parent):
            os._exit(125)
        _build(root, group)
        _enter(root)
        os.execv(command[0], command)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    _, status = os.waitpid(pid, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 255)


def _unshare() -> None:
    uid, gid = os.getuid(), os.getgid()
    spaces = _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS
    if uid == 0:
        _checked(_libc.unshare(spaces), "new namespaces")
        return
    _checked(_libc.unshare(spaces | _NEWUSER), "new namespaces")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _build(root: str, group: str) -> None:
    _mount("none", "/", "", _REC | _PRIVATE)
    _mount(root, root, "", _BIND)
    _mount("proc", f"{root}/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    _mount("tmpfs", f"{root}/tmp", "tmpfs", _NOSUID | _NODEV | _NOEXEC, "size=16m,nr_inodes=1024,mode=0777")
    _mount("tmpfs", f"{root}/dev", "tmpfs", _NOSUID | _NOEXEC, "size=64k,nr_inodes=16,mode=0755")
    _mount("tmpfs", f"{root}/run", "tmpfs", _NOSUID | _NODEV | _NOEXEC, "size=64k,nr_inodes=16,mode=0755")
    for name in _DEVICES:
        os.close(os.open(f"{root}/dev/{name}", os.O_CREAT, 0o666))
        _mount(f"/dev/{name}", f"{root}/dev/{name}", "", _BIND)
    if group:
        os.mkdir(f"{root}/run/cgroup")
        _mount(group, f"{root}/run/cgroup", "", _BIND)
        _read_only(f"{root}/run/cgroup")
    for place in ("dev", "run", ""):
        _read_only(f"{root}/{place}".rstrip("/"))


def _read_only(place: str) -> None:
    locked = os.statvfs(place).f_flag & (_NOSUID | _NODEV | _NOEXEC | 1024 | 2048)
    relatime = 1 << 21 if os.statvfs(place).f_flag & 4096 else 0
    _mount("none", place, "", _REMOUNT | _BIND | _RDONLY | locked | relatime)


def _enter(root: str) -> None:
    os.chdir(root)
    _checked(_libc.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _DETACH), "leave the old root")
    os.chdir("/")
    socket.sethostname("sandbox")
    os.setsid()


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    answer = _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _checked(answer, f"mount {target}")


def _checked(answer: int, what: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
    except OSError as error:
        print(f"launcher: {error}", file=sys.stderr, flush=True)
        os._exit(125)
