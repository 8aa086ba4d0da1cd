"""The process of one submission: binds itself, then runs the candidate and answers its calls.

Standard library only; copied into the image. From the moment the candidate's code runs, nothing
here can be trusted: it only produces claims, which the host compares with what it alone knows.

Answers are records of one kind byte, a length and UTF-8 text: `B` bound, sent before any code of
the candidate runs; `L` loaded, then per test `V`
canonical value, `X` exception (names of its classes, newline, last line), `U` unusable value, `T`
value too large, `S` SystemExit; before or instead of those `Y` syntax error, `M` entry point
missing; at the end `E` and the number of threads still alive.
"""

from __future__ import annotations

# Preloaded because programs commonly import them; a child starts with them warm.
import bisect  # noqa: F401
import collections  # noqa: F401
import copy  # noqa: F401
import dataclasses  # noqa: F401
import datetime  # noqa: F401
import decimal  # noqa: F401
import fractions  # noqa: F401
import functools  # noqa: F401
import hashlib  # noqa: F401
import heapq  # noqa: F401
import itertools  # noqa: F401
import json
import math
import os
import random  # noqa: F401
import re  # noqa: F401
import resource
import statistics  # noqa: F401
import string  # noqa: F401
import sys
import threading
import types
import typing  # noqa: F401
from typing import TYPE_CHECKING, Any, NoReturn

import values

if TYPE_CHECKING:
    from syscalls import Filter
    from worker import Job

PROCESSES, FILES, FILE_BYTES = 16, 64, 8 << 20
SLACK_KB = 128 * 1024  # address space for thread stacks
MESSAGE = 1000


def main(job: Job, uid: int, seccomp: Filter, base_kb: int, result: int, output: int) -> NoReturn:
    """Run the submission whose body waits on stdin; never returns."""
    code = 1
    try:
        body = _take_body(job.body)
        result = _wire(result, output)
        _bind(job, uid, base_kb)
        seccomp.install()
        _say(result, b"B", "")
        _answer(json.loads(body), result, job.result_kb * 1024)
        code = 0
    finally:
        os._exit(code)


def _take_body(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            os._exit(1)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _wire(result: int, output: int) -> int:
    """Only /dev/null, the output pipe and the result pipe stay open. Returns the result pipe."""
    null = os.open("/dev/null", os.O_RDWR)
    kept = os.dup2(result, 3) if result != 3 else 3
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(4, 256)
    return kept


def _bind(job: Job, uid: int, base_kb: int) -> None:
    """Own session, limits, first in line for the OOM killer, the slot's user."""
    os.setsid()
    cpu = math.ceil(job.cpu_s) + 1
    space = (base_kb + SLACK_KB) * 1024 + job.memory_mb * 1024 * 1024
    for kind, limit in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NPROC, PROCESSES),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 256),
    ):
        resource.setrlimit(kind, (limit, limit))
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    os.umask(0o077)
    if uid != os.getuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    else:
        import cage

        cage.shed_all()
    os.chdir("/tmp")


def _answer(body: dict[str, Any], result: int, room: int) -> None:
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    space = module.__dict__
    try:
        program = compile(body["code"], "solution.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        _say(result, b"Y", _describe(error))
        return
    try:
        exec(program, space)
    except BaseException as error:
        _say(result, b"S" if isinstance(error, SystemExit) else b"X", _describe(error))
        return
    if body["entry"] is not None and not callable(space.get(body["entry"])):
        _say(result, b"M", f"{body['entry']} is not defined")
        return
    _say(result, b"L", "")
    for setup, call in body["tests"]:
        _say(result, *_test(space, setup, call, room))
    _say(result, b"E", str(threading.active_count() - 1))


def _test(space: dict[str, Any], setup: str, call: str, room: int) -> tuple[bytes, str]:
    try:
        if setup:
            exec(compile(setup, "test.py", "exec", dont_inherit=True), space)
        value = eval(compile(call, "test.py", "eval", dont_inherit=True), space)
    except SystemExit as error:
        return b"S", _describe(error)
    except BaseException as error:
        return b"X", _describe(error)
    try:
        return b"V", values.encode(value, min(room - 64, values.MAX_CHARS))
    except values.ValueTooLarge as error:
        return b"T", str(error)
    except BaseException as error:
        return b"U", _describe(error).partition("\n")[2]


def _describe(error: BaseException) -> str:
    """Class names, most derived first, then the last line of the message; the candidate may lie."""
    names = ",".join(kind.__name__ for kind in type(error).__mro__[:-1])
    try:
        lines = [line for line in str(error).splitlines() if line.strip()]
    except BaseException:
        lines = ["(its message cannot be read)"]
    return f"{names}\n{lines[-1][:MESSAGE] if lines else ''}"


def _say(result: int, kind: bytes, text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    view = memoryview(values.RECORD.pack(kind, len(data)) + data)
    while view:
        view = view[os.write(result, view) :]
