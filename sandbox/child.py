"""The process of one submission: binds itself, then runs the candidate and answers its calls.

Standard library only; copied into the image. From the moment the candidate's code runs, nothing
here can be trusted: it only produces claims, which the host compares with what it alone knows.

Answers are records of one kind byte, a length and UTF-8 text: `B` bound, sent before any code of
the candidate runs; `L` loaded, then per test `V` canonical value, `X` exception (names of its
classes, newline, last line), `U` unusable value, `T` value too large, `S` SystemExit; before or
instead of those `Y` syntax error, `M` entry point missing; at the end `E` and the number of threads
still alive. Under a trusted process (trusted.py) they go to that process, one per call of its own.
A program prints instead; its records only explain how it ended.
"""

from __future__ import annotations

# Preloaded because programs commonly import them; a child starts with them warm. Not rarer ones, such as
# dataclasses or decimal: each of their pages takes every fork and every end its time. Nor threading: its hook
# after a fork would cost every child a tenth of its time.
import _sitebuiltins
import atexit
import bisect  # noqa: F401
import builtins
import collections  # noqa: F401
import copy  # noqa: F401
import functools  # noqa: F401
import heapq  # noqa: F401
import itertools  # noqa: F401
import json
import math
import os
import random  # noqa: F401
import re  # noqa: F401
import resource
import select
import string  # noqa: F401
import sys
import types
import typing  # noqa: F401
from typing import TYPE_CHECKING, Any, NoReturn

import raised
import serving
import standard_types
import values

if TYPE_CHECKING:
    from syscalls import Filter
    from worker import Job, Pipes

NOWHERE, RESULT, ASK = 0, 3, 4  # descriptors in the child: /dev/null, what it says, and what a trusted process asks
STREAM, TELL = 4, 5  # while a child waits for its submission: the host's stream, and the worker
HIGH = 200
IDLE_S = 0.0005  # without a submission, after which a waiting child has time for itself
PROCESSES, FILES, FILE_BYTES = 16, 64, 8 << 20
MAX_RECORD = 4 * values.MAX_CHARS
SLACK_KB = 128 * 1024  # address space for thread stacks


def main(job: Job, uid: int, seccomp: Filter, base_kb: int, pipes: Pipes, tell: int | None = None) -> NoReturn:
    """Run the submission whose body waits on stdin or, with `tell`, the next one on it; never returns."""
    code = 1
    try:
        if tell is None:
            body = _bound_after(job, uid, base_kb, pipes)
            seccomp.install()
            say(RESULT, b"B", "")
        else:
            wire((pipes.written["result"], 0, tell), pipes.written["output"], pipes.written["output"])
            bind(job, uid, base_kb)
            seccomp.install()
            say(RESULT, b"B", "")
            body = _awaited(job)
        if "stdin" in body:
            code = _program(body["code"])
        else:
            _answer(body, job.result_kb * 1024, RESULT)
            code = 0
    finally:
        os._exit(code)


def add_site_names() -> None:
    """Give programs the names that `site` adds to the built-in ones: exit, quit, copyright, credits, license, help."""
    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    for name, text in (("copyright", sys.copyright), ("credits", ""), ("license", "See https://www.python.org/psf/")):
        setattr(builtins, name, _sitebuiltins._Printer(name, text))
    builtins.help = _sitebuiltins._Helper()


def warm_up(times: int, sink: int) -> None:
    """Answer for code of our own, in the worker and in a child that waits; what it says goes to `sink`.

    The interpreter specialises what it runs and writes that into its memory; a child that finds it done
    copies fewer pages.
    """
    told = {"code": "def f(n):\n    return [n, str(n), {n: (n, 0.5)}]", "entry": "f", "tests": [["", "f(1)", None]] * 3}
    text = json.dumps(told).encode()
    for _ in range(times):
        _answer(json.loads(text), 4096, sink)
        values.decode(values.encode(((1, "a"), {"b": [None]})))
        raised.describe(ValueError("x"))
    del sys.modules["solution"]


def _bound_after(job: Job, uid: int, base_kb: int, pipes: Pipes) -> Any:
    """Take the body, then enter the limits."""
    if "ask" in pipes.read:
        os.read(pipes.read["ask"], 1)  # the trusted process has taken its part of stdin
    body = json.loads(take_body(job.body))
    _enter(job, uid, base_kb, pipes, body.get("stdin"))
    return body


def _awaited(bound: Job) -> Any:
    """Wait for a submission that suits the limits; nothing that leads back to the host or the worker stays open."""
    if not select.select([STREAM], [], [], IDLE_S)[0]:
        warm_up(1, NOWHERE)  # nobody waits: the pages that a submission writes to are copied now
    header = take_body(bound.header_size(), STREAM)
    os.write(TELL, header)
    job = bound.unpacked(header)
    if not job.suits(bound):
        os._exit(1)  # the worker forks another
    body = take_body(job.body, STREAM)
    os.close(STREAM)
    os.close(TELL)
    return json.loads(body)


def take_body(size: int, fd: int = 0) -> bytes:
    """Exactly `size` bytes of the host's stream."""
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            os._exit(1)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _enter(job: Job, uid: int, base_kb: int, pipes: Pipes, stdin: str | None) -> None:
    output, errors = pipes.written["output"], pipes.written.get("errors", pipes.written["output"])
    if "ask" in pipes.read:
        wire((pipes.written["reply"], pipes.read["ask"]), output, errors)
    else:
        wire((pipes.written["result"],), output, errors, stdin)
    bind(job, uid, base_kb)


def wire(kept: tuple[int, ...], output: int, errors: int, stdin: str | None = None) -> None:
    """Only stdin (a text, or nothing), the output pipes and, from RESULT on, `kept` stay open."""
    source = os.open("/dev/null", os.O_RDWR)
    if stdin is not None:
        source = os.memfd_create("stdin")
        with open(source, "wb", closefd=False) as file:
            file.write(stdin.encode("utf-8", "surrogatepass"))
        os.lseek(source, 0, os.SEEK_SET)
    wanted = (source, output, errors, *kept)
    for place, fd in enumerate(wanted):
        os.dup2(fd, HIGH + place)  # out of the way first: targets and sources may overlap
    for place in range(len(wanted)):
        os.dup2(HIGH + place, place)
    os.closerange(len(wanted), 256)


def bind(job: Job, uid: int, base_kb: int) -> None:
    """Enter the limits, for ever: own session, limits, first in line for the OOM killer, the slot's user."""
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
    last = os.open("/proc/self/oom_score_adj", os.O_WRONLY)  # a file object would cost ten times as much
    os.write(last, b"1000")
    os.close(last)
    os.umask(0o077)
    if uid != os.getuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    else:
        import cage

        cage.shed_all()
    os.chdir("/tmp")


def _answer(body: dict[str, Any], room: int, to: int) -> None:
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    space = module.__dict__
    standard_types.take(body["code"])
    if (refused := _load(body["code"], "solution.py", space)) is not None:
        say(to, refused[0], raised.describe(refused[1]))
        return
    entry = body["entry"]
    if entry is not None and not callable(space.get(entry)):
        say(to, b"M", f"{entry} is not defined")
        return
    say(to, b"L", "")
    if body["tests"] is None:
        _serve(serving.Served(space, entry, room))
        return
    for setup, call, inputs in body["tests"]:
        say(to, *_test(space, setup, call, inputs, room))
    threads = sys.modules["threading"].active_count() - 1 if "threading" in sys.modules else 0
    say(to, b"E", str(threads))


def _load(code: str, name: str, space: dict[str, Any]) -> tuple[bytes, BaseException] | None:
    """Run the candidate's code. The kind of record that says why it did not load and the error, None if it did."""
    try:
        program = compile(code, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        return b"Y", error
    try:
        exec(program, space)
    except BaseException as error:
        return (b"S" if isinstance(error, SystemExit) else b"X"), error
    return None


def _test(space: dict[str, Any], setup: str, call: str, inputs: str | None, room: int) -> tuple[bytes, str]:
    try:
        if setup:
            exec(compile(setup, "test.py", "exec", dont_inherit=True), space)
        value = eval(compile(call, "test.py", "eval", dont_inherit=True), space)
        if inputs is not None:
            arguments, named = values.decode(inputs)
            value = value(*arguments, **named)
    except BaseException as error:
        return (b"S" if isinstance(error, SystemExit) else b"X"), raised.describe(error)
    return _encoded(value, room)


def _encoded(value: Any, room: int) -> tuple[bytes, str]:
    try:
        return b"V", values.encode(value, min(room - 64, values.MAX_CHARS), other=standard_types.text_of)
    except values.ValueTooLarge as error:
        return b"T", str(error)
    except BaseException as error:
        return b"U", raised.describe(error).partition("\n")[2]


def _serve(served: serving.Served) -> None:
    """Answer the trusted process's questions."""
    while (request := read_record(ASK)) is not None:
        say(RESULT, *served.answer(request[1]))


def _program(code: str) -> int:
    """Run the code as a script does: as __main__, threads joined and streams flushed. Its exit status."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = ["program.py"]
    refused = _load(code, "program.py", module.__dict__)
    if refused is not None:
        say(RESULT, refused[0], raised.describe(refused[1]))
    joined = [sys.modules["threading"]._shutdown] if "threading" in sys.modules else []
    for ending in (*joined, atexit._run_exitfuncs, sys.stdout.flush, sys.stderr.flush):
        try:
            ending()
        except BaseException as error:
            refused = refused or (b"X", error)
    return 0 if refused is None else _exit_status(refused[1])


def _exit_status(error: BaseException) -> int:
    """What ended a program: for sys.exit(…) nothing or None is 0, a number itself; all else is 1."""
    code = error.code if isinstance(error, SystemExit) else 1
    if code is None:
        return 0
    return code & 255 if isinstance(code, int) else 1


def say(fd: int, kind: bytes, text: str) -> None:
    """Write one record."""
    data = text.encode("utf-8", "backslashreplace")
    view = memoryview(values.RECORD.pack(kind, len(data)) + data)
    while view:
        view = view[os.write(fd, view) :]


def read_record(fd: int) -> tuple[bytes, str] | None:
    """One whole record of a pipe; None at its end. Raises ValueError for one that is too large."""
    head = _exactly(fd, values.RECORD.size)
    if head is None:
        return None
    kind, size = values.RECORD.unpack(head)
    if size > MAX_RECORD:
        raise ValueError("a record that is too large")
    body = _exactly(fd, size)
    return None if body is None else (kind, body.decode("utf-8", "replace"))


def _exactly(fd: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
