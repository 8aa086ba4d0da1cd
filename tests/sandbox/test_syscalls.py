"""The system-call table against this machine's headers, and the shape of the filter."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from sandbox.syscalls import CLONE3, GUARDED, TABLE, program

HEADERS = {
    0: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    1: Path("/usr/include/asm-generic/unistd.h"),
}
GENERIC_NAMES = {"newfstatat": "fstatat"}
DANGEROUS = {
    **{"ptrace": 101, "shmget": 29, "msgget": 68, "semget": 64, "mq_open": 240, "execve": 59, "execveat": 322},
    **{"unshare": 272, "setns": 308, "mount": 165, "bpf": 321, "keyctl": 250, "io_uring_setup": 425, "setuid": 105},
    **{"process_vm_readv": 310, "pidfd_getfd": 438, "memfd_create": 319, "perf_event_open": 298, "chroot": 161},
}


@pytest.mark.parametrize("column", HEADERS)
def test_numbers_are_the_kernels(column: int) -> None:
    if not HEADERS[column].exists():
        pytest.skip(f"{HEADERS[column]} is not installed")
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[column].read_text()))
    for name, numbers in {**TABLE, **GUARDED}.items():
        known = found.get(name) or found.get(GENERIC_NAMES.get(name, name))
        assert numbers[column] == (None if known is None else int(known)), name


def test_dangerous_calls_are_not_listed() -> None:
    allowed = {numbers[0] for numbers in (TABLE | GUARDED).values()}
    assert allowed.isdisjoint(DANGEROUS.values())
    assert CLONE3 not in allowed


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_well_formed(machine: str) -> None:
    code = list(struct.iter_unpack("HBBI", program(machine)))
    assert 100 < len(code) < 4096
    for index, (operation, if_true, if_false, _) in enumerate(code):
        if operation & 7 == 5:  # a jump lands inside
            assert index + 1 + max(if_true, if_false) < len(code)
    assert code[-1][0] == 6  # the last instruction returns


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(KeyError):
        program("pdp11")
