"""A seccomp filter in plain Python: an allow list, built as BPF and loaded through ctypes.

Standard library only: it runs inside the sandbox, in the child, right before hostile code.

Guaranteed: a call that is not listed fails with EPERM, one newer than the table with ENOSYS (as
clone3 does, so that threads fall back to clone), a foreign architecture kills. There is no exec,
no socket but AF_UNIX, no namespace, no tracing, no System V or POSIX IPC, no io_uring, no signal
to "everybody", and no reaching for another process's limits or affinity.
Not guaranteed: anything about calls that are allowed; limits are the business of rlimits and cgroups.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

Line = tuple[int, int, int, int]  # of a filter: operation, jump if true, jump if false, value
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _ABOVE, _FROM, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_JUMP = 0x05
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_NAMESPACES = 0x7E020000  # CLONE_NEW* (CLONE_NEWTIME exists for clone3 and unshare only)
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2

# name: (x86_64, aarch64); None where the architecture lacks the call.
TABLE: dict[str, tuple[int | None, int | None]] = {
    **{"read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None)},
    **{"fstat": (5, 80), "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222)},
    **{"mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134)},
    **{"rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "pread64": (17, 67), "pwrite64": (18, 68)},
    **{"readv": (19, 65), "writev": (20, 66), "access": (21, None), "pipe": (22, None), "select": (23, None)},
    **{"sched_yield": (24, 124), "mremap": (25, 216), "msync": (26, 227), "mincore": (27, 232)},
    **{"madvise": (28, 233), "dup": (32, 23), "dup2": (33, None), "pause": (34, None), "nanosleep": (35, 101)},
    **{"getitimer": (36, 102), "alarm": (37, None), "setitimer": (38, 103), "getpid": (39, 172)},
    **{"sendfile": (40, 71), "connect": (42, 203), "accept": (43, 202), "sendto": (44, 206)},
    **{"recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212), "shutdown": (48, 210)},
    **{"bind": (49, 200), "listen": (50, 201), "getsockname": (51, 204), "getpeername": (52, 205)},
    **{"setsockopt": (54, 208), "getsockopt": (55, 209), "fork": (57, None), "vfork": (58, None)},
    **{"exit": (60, 93), "wait4": (61, 260), "uname": (63, 160), "fcntl": (72, 25), "flock": (73, 32)},
    **{"fsync": (74, 82), "fdatasync": (75, 83), "truncate": (76, 45), "ftruncate": (77, 46)},
    **{"getdents": (78, None), "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "rename": (82, None)},
    **{"mkdir": (83, None), "rmdir": (84, None), "creat": (85, None), "link": (86, None), "unlink": (87, None)},
    **{"symlink": (88, None), "readlink": (89, None), "chmod": (90, None), "fchmod": (91, 52)},
    **{"umask": (95, 166), "gettimeofday": (96, 169), "getrlimit": (97, 163), "getrusage": (98, 165)},
    **{"sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176)},
    **{"geteuid": (107, 175), "getegid": (108, 177), "getppid": (110, 173), "getpgrp": (111, None)},
    **{"setsid": (112, 157), "getgroups": (115, 158), "getresuid": (118, 148), "getresgid": (120, 150)},
    **{"getpgid": (121, 155), "getsid": (124, 156), "capget": (125, 90), "rt_sigpending": (127, 136)},
    **{"rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132)},
    **{"utime": (132, None), "statfs": (137, 43), "fstatfs": (138, 44), "getpriority": (140, 141)},
    **{"sched_getparam": (143, 121), "sched_getscheduler": (145, 120), "sched_get_priority_max": (146, 125)},
    **{"sched_get_priority_min": (147, 126), "setrlimit": (160, 164), "gettid": (186, 178)},
    **{"getxattr": (191, 8), "lgetxattr": (192, 9), "fgetxattr": (193, 10), "listxattr": (194, 11)},
    **{"llistxattr": (195, 12), "flistxattr": (196, 13), "time": (201, None), "futex": (202, 98)},
    **{"sched_getaffinity": (204, 123), "epoll_create": (213, None), "getdents64": (217, 61)},
    **{"set_tid_address": (218, 96), "restart_syscall": (219, 128), "fadvise64": (221, 223)},
    **{"timer_create": (222, 107), "timer_settime": (223, 110), "timer_gettime": (224, 108)},
    **{"timer_getoverrun": (225, 109), "timer_delete": (226, 111), "clock_gettime": (228, 113)},
    **{"clock_getres": (229, 114), "clock_nanosleep": (230, 115), "exit_group": (231, 94)},
    **{"epoll_wait": (232, None), "epoll_ctl": (233, 21), "utimes": (235, None), "waitid": (247, 95)},
    **{"openat": (257, 56), "mkdirat": (258, 34), "newfstatat": (262, 79), "unlinkat": (263, 35)},
    **{"renameat": (264, 38), "linkat": (265, 37), "symlinkat": (266, 36), "readlinkat": (267, 78)},
    **{"fchmodat": (268, 53), "faccessat": (269, 48), "pselect6": (270, 72), "ppoll": (271, 73)},
    **{"set_robust_list": (273, 99), "get_robust_list": (274, 100), "splice": (275, 76), "tee": (276, 77)},
    **{"sync_file_range": (277, 84), "utimensat": (280, 88), "epoll_pwait": (281, 22), "signalfd": (282, None)},
    **{"timerfd_create": (283, 85), "eventfd": (284, None), "fallocate": (285, 47), "timerfd_settime": (286, 86)},
    **{"timerfd_gettime": (287, 87), "accept4": (288, 242), "signalfd4": (289, 74), "eventfd2": (290, 19)},
    **{"epoll_create1": (291, 20), "dup3": (292, 24), "pipe2": (293, 59), "preadv": (295, 69)},
    **{"pwritev": (296, 70), "recvmmsg": (299, 243), "sendmmsg": (307, 269), "getcpu": (309, 168)},
    **{"renameat2": (316, 276), "getrandom": (318, 278), "membarrier": (324, 283), "copy_file_range": (326, 285)},
    **{"preadv2": (327, 286), "pwritev2": (328, 287), "statx": (332, 291), "rseq": (334, 293)},
    **{"arch_prctl": (158, None), "close_range": (436, 436), "faccessat2": (439, 439), "epoll_pwait2": (441, 441)},
}
# Calls that are allowed for some arguments only, built in `program`.
GUARDED = {
    **{"socket": (41, 198), "socketpair": (53, 199), "clone": (56, 220), "kill": (62, 129), "tgkill": (234, 131)},
    **{"tkill": (200, 130), "prlimit64": (302, 261), "sched_setaffinity": (203, 122), "prctl": (157, 167)},
    **{"ioctl": (16, 29)},
}
CLONE3, NEWEST = 435, 462
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FIO(N)CLEX
_PRCTLS = (1, 3, 15, 16, 23, 38, 0x53564D41)  # PDEATHSIG, dumpable?, names, bounding set?, no_new_privs, VMA names
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def program(machine: str) -> bytes:
    """The filter as an array of struct sock_filter. Raises KeyError for an unknown machine.

    A balanced tree of comparisons: the kernel walks the filter once for every call number when it is
    installed, in every child, so its depth is time.
    """
    column, audit = _MACHINES[machine]
    code = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, audit), _give(KILL), (_LOAD, 0, 0, _NUMBER)]
    code += _tree(_segments(column))
    return b"".join(struct.pack("HBBI", *line) for line in code)


def _segments(column: int) -> list[tuple[int, list[Line]]]:
    """First number of each run of calls that are treated alike, and the instructions for them."""
    bodies = {number: [_give(ALLOW)] for pair in TABLE.values() if (number := pair[column]) is not None}
    bodies |= {pair[column]: _guard(name) for name, pair in GUARDED.items()}
    bodies[CLONE3] = [_fail(errno.ENOSYS)]
    bodies |= {number: [_fail(errno.EPERM)] for number in range(NEWEST + 1) if number not in bodies}
    bodies[NEWEST + 1] = [_fail(errno.ENOSYS)]
    return [(number, body) for number, body in sorted(bodies.items()) if body != bodies.get(number - 1)]


def _tree(segments: list[tuple[int, list[Line]]]) -> list[Line]:
    if len(segments) == 1:
        return segments[0][1]
    middle = len(segments) // 2
    low, high = _tree(segments[:middle]), _tree(segments[middle:])
    pivot = segments[middle][0]
    if len(low) < 256:  # the reach of a conditional jump
        return [(_FROM, len(low), 0, pivot), *low, *high]
    return [(_FROM, 0, 1, pivot), (_JUMP, 0, 0, len(low)), *low, *high]


def _give(action: int) -> Line:
    return (_RETURN, 0, 0, action)


def _fail(number: int) -> Line:
    return _give(ERRNO | number)


def _argument(index: int) -> Line:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index)  # low half, on little-endian machines


def _only(index: int, values: tuple[int, ...], otherwise: int) -> list[Line]:
    """Allow if the argument is one of `values`."""
    body = [_argument(index)]
    for value in values:
        body += [(_EQUAL, 0, 1, value), _give(ALLOW)]
    return [*body, _fail(otherwise)]


def _guard(name: str) -> list[Line]:
    if name in ("socket", "socketpair"):
        return _only(0, (1,), errno.EPERM)
    if name in ("prlimit64", "sched_setaffinity"):
        return _only(0, (0,), errno.EPERM)  # oneself only
    if name == "prctl":
        return _only(0, _PRCTLS, errno.EPERM)
    if name == "ioctl":
        return _only(1, _IOCTLS, errno.ENOTTY)
    if name == "clone":
        return [_argument(0), (_ANY_BIT, 0, 1, _NAMESPACES), _fail(errno.EPERM), _give(ALLOW)]
    everybody = 0xFFFFFFFF  # kill(-1): never; PID 1 is out of reach too
    return [_argument(0), (_EQUAL, 1, 0, everybody), (_EQUAL, 0, 1, 1), _fail(errno.EPERM), _give(ALLOW)]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Filter:
    """The compiled filter: built once, installed in every child."""

    def __init__(self) -> None:
        code = program(os.uname().machine)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._buffer = ctypes.create_string_buffer(code, len(code))
        self._program = _Program(len(code) // 8, ctypes.cast(self._buffer, ctypes.c_void_p))

    def install(self) -> None:
        """Bind the calling process, for ever. Raises OSError if the kernel refuses."""
        self._prctl(_PR_SET_NO_NEW_PRIVS, 1, None)
        self._prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(self._program))

    def _prctl(self, option: int, first: int, second: object) -> None:
        if self._libc.prctl(option, ctypes.c_ulong(first), second, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
            raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
