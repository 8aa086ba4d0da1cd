"""The system-call table against this machine's headers, and the shape of the filter."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest

from sandbox.syscalls import ALLOW, CLONE3, GUARDED, TABLE, program
from tests.needs import KERNEL_HEADERS, require

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
    require(HEADERS[column].exists(), KERNEL_HEADERS)
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
    for index, (operation, if_true, if_false, value) in enumerate(code):
        if operation == 0x05:  # a jump lands inside
            assert index + 1 + value < len(code)
        elif operation & 7 == 5:
            assert index + 1 + max(if_true, if_false) < len(code)
    assert code[-1][0] == 6  # the last instruction returns


def verdict(code: list[tuple[int, int, int, int]], number: int, audit: int, arguments: tuple[int, ...] = ()) -> int:
    """What the kernel would return: a small interpreter of the instructions that the filter uses."""
    facts = {0: number, 4: audit, **{16 + 8 * place: value for place, value in enumerate(arguments)}}
    accumulator = place = 0
    while True:
        operation, if_true, if_false, value = code[place]
        place += 1
        if operation == 0x20:
            accumulator = facts.get(value, 0)
        elif operation == 0x06:
            return value
        elif operation == 0x05:
            place += value
        else:
            tests = {0x15: accumulator == value, 0x25: accumulator > value, 0x35: accumulator >= value}
            place += if_true if tests.get(operation, bool(accumulator & value)) else if_false


@pytest.mark.parametrize(("machine", "column", "audit"), [("x86_64", 0, 0xC000003E), ("aarch64", 1, 0xC00000B7)])
def test_exactly_the_listed_calls_are_allowed(machine: str, column: int, audit: int) -> None:
    code = list(struct.iter_unpack("HBBI", program(machine)))
    allowed = {number for number in range(1000) if verdict(code, number, audit, (999,)) == ALLOW}
    listed = {numbers[column] for numbers in TABLE.values()} - {None}
    guarded = {numbers[column] for numbers in GUARDED.values()}
    assert listed <= allowed <= listed | guarded
    assert verdict(code, CLONE3, audit) == 0x00050000 | errno.ENOSYS
    assert verdict(code, 999, audit) == 0x00050000 | errno.ENOSYS
    assert verdict(code, 0x40000000, audit) == 0x00050000 | errno.ENOSYS  # the x32 numbers
    assert verdict(code, 0, audit ^ 1) == 0x80000000
    kill, socket = GUARDED["kill"][column], GUARDED["socket"][column]
    assert [verdict(code, kill, audit, (pid,)) == ALLOW for pid in (5, 1, 0xFFFFFFFF)] == [True, False, False]
    assert [verdict(code, socket, audit, (family,)) == ALLOW for family in (1, 2, 16)] == [True, False, False]


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(KeyError):
        program("pdp11")
