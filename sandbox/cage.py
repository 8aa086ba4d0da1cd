"""What the worker does to its own surroundings at boot, before any submission.

Standard library only; copied into the image. Guaranteed on return: the only place where the slot's
user can write is the private /tmp; the worker keeps the capabilities in KEEP and no others; other
processes of the same user cannot look into it. The attestation checks all that from a child.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from contextlib import suppress

KEEP = (1, 5, 6, 7)  # CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID
_SYS_ADMIN = 21
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 2, 4, 8, 32
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 24, 38
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAP_VERSION = 0x20080522


def enter(uid: int, tmp: str, inodes: int) -> int:
    """Close what is open to the world, shed privileges, give `tmp` to the slot.

    Returns the uid that submissions get: `uid`, or our own where the namespace maps only one user
    (then the system-call filter and the dumpable flag stand between child and worker).
    Raises OSError where the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if _effective() >> _SYS_ADMIN & 1:
        flags = _MS_REMOUNT | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
        options = f"size=16m,nr_inodes={inodes},mode=0755".encode()
        _check(libc.mount(b"tmpfs", tmp.encode(), b"tmpfs", flags, options), "remount /tmp")
    for shared in ("/dev/mqueue", "/dev/shm"):
        if os.path.isdir(shared) and os.stat(shared).st_mode & stat.S_IWOTH:
            with suppress(OSError):  # read-only already; the attestation tries to write there
                os.chmod(shared, stat.S_IRWXU)
    os.chmod(tmp, 0o777)
    slot = usable(uid, 10_000 + uid % 50_000)
    _shed(libc, KEEP)
    return slot


def shed_all() -> None:
    """Drop every capability of the calling process, for ever."""
    _shed(ctypes.CDLL(None, use_errno=True), ())


def usable(*uids: int) -> int:
    """The first of `uids` that exists in this user namespace, our own if none does."""
    with open("/proc/self/uid_map") as file:
        ranges = [tuple(map(int, line.split())) for line in file]
    for wanted in uids:
        if any(start <= wanted < start + count for start, _, count in ranges):
            return wanted
    return os.getuid()


def _effective() -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1], 16) for line in file if line.startswith("CapEff"))


def _shed(libc: ctypes.CDLL, kept: tuple[int, ...]) -> None:
    """Drop every capability but `kept` from all sets, for ever, and become unreadable to our own uid."""
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    if _effective() >> 8 & 1:  # CAP_SETPCAP
        for capability in range(64):
            if capability not in kept:
                libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # EINVAL beyond the last one
    keep = sum(1 << capability for capability in kept) & _effective()
    head = ctypes.create_string_buffer(struct.pack("Ii", _CAP_VERSION, 0))
    sets = ctypes.create_string_buffer(struct.pack("6I", keep, keep, 0, 0, 0, 0))
    _check(libc.syscall(_CAPSET[os.uname().machine], head, sets), "capset")
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _check(libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def _check(answer: int, what: str) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), f"cage: {what} failed")
