"""The process that runs tests which cannot be expressed as calls and values.

Standard library only; copied into the image. It runs the test's own code (made ready by sandbox/instrument.py) under a
uid of its own and reaches the candidate, which is another process under another uid, by messages (sandbox/remote.py).

Guaranteed: nothing of the candidate runs in this process, no object of its making arrives here (no
equal-to-everything, no patched method), its end or silence is told from a wrong answer, every comparison is made here
on exact values, and a test that holds whatever is answered is not passed (sandbox/controls.py).
Not guaranteed: tests that pass functions or objects of their own to the candidate, or compare objects of the
candidate's. Those are `N`: inexpressible, and the submission stays ungraded.

Records to the host: `B` bound; what the candidate said of its loading (`L`, `Y`, `X`, `S`, `M`);
per test `V` it held, `A` it did not, `X` `S` `U` `T` what the candidate did instead of answering, `N`,
or `G` the candidate has gone; at the end `E`. `W`: the candidate could not enter its limits.
"""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING, Any, NoReturn

import child
import raised
import remote
from controls import Controls
from remote import ASK, REPLY, RESULT, Line, Refused, Remote

if TYPE_CHECKING:
    from syscalls import Filter
    from worker import Job


def main(job: Job, uid: int, seccomp: Filter, base_kb: int, ends: tuple[int, int, int]) -> NoReturn:
    """Run the tests that wait on stdin; `ends` are the pipes RESULT, REPLY and ASK. Never returns."""
    code = 1
    try:
        body = json.loads(child.take_body(job.trusted))
        null = os.open("/dev/null", os.O_RDWR)
        child.wire(ends, null, null)
        child.bind(job, uid, base_kb)
        seccomp.install()
        child.say(RESULT, b"B", "")
        os.write(ASK, b"!")  # the candidate may read its part of stdin now
        if _introduced():
            _run(body)
        code = 0
    finally:
        os._exit(code)


def _introduced() -> bool:
    """Hear that the candidate is bound and loaded, and pass it on."""
    try:
        bound, loaded = child.read_record(REPLY), child.read_record(REPLY)
    except ValueError as error:
        child.say(RESULT, b"U", str(error))
        return False
    if bound is None or bound[0] != b"B":
        child.say(RESULT, b"W", "")
        return False
    if loaded is None:
        return False  # it ended while loading; the host knows how
    known = loaded[0] in (b"L", b"Y", b"X", b"S", b"M")  # the others are ours to say
    child.say(RESULT, loaded[0] if known else b"U", loaded[1])
    return loaded[0] == b"L"


def _run(body: dict[str, Any]) -> None:
    line = Line(frozenset(body["looked_at"]))
    entry, objects = body["entry"], frozenset(body["objects"])
    candidate = Remote(line, 0, bool(objects & {entry, "candidate"}), entry)
    space = _space(line)
    if (problem := _define(body, space, line, candidate)) is not None:
        child.say(RESULT, *problem)
        return
    controls = Controls(body["definitions"], body["tests"], [*body["names"], entry, "candidate"], lambda: _space(line))
    for number, source in enumerate(body["tests"]):
        kind, text = _test(source, space, line)
        if kind == b"V" and not controls.can_fail(number):
            kind, text = b"N", "it holds whatever the candidate answers"
        child.say(RESULT, kind, text)
        if kind == b"G":
            return
    child.say(RESULT, b"E", "0")


def _space(line: Line) -> dict[str, Any]:
    """A namespace for the test's code, with what sandbox/instrument.py makes it call."""
    return {
        "__name__": "test",
        "callable": remote.can_be_called,
        "id": line.identity,
        "_sandbox_holds": remote.holds,
        "_sandbox_identical": line.identical,
        "_sandbox_kinds": remote.kinds,
        "_sandbox_kind_of": remote.kind_of,
        "_sandbox_thrown": _thrown,
    }


def _define(body: dict[str, Any], space: dict[str, Any], line: Line, candidate: Remote) -> tuple[bytes, str] | None:
    """Give the test its names and run its definitions. What to say instead of a verdict if they do not run."""
    own = {body["entry"]: candidate, "candidate": candidate}
    try:
        for name in body["names"]:
            own[name] = line.named(name, name in body["objects"])
    except Refused as refused:
        return refused.kind, refused.text
    space.update(own)
    kind, text = _test(body["definitions"], space, line)
    space.update({name: candidate for name in (body["entry"], "candidate")})  # which they may have defined as well
    if kind == b"V":
        return None
    return (b"N", f"the test's own definitions do not run: {text}") if kind in (b"A", b"N") else (kind, text)


def _thrown(error: Any) -> Any:
    """Mark what the test raises itself, to tell it from an error in it."""
    if isinstance(error, type) and issubclass(error, BaseException):
        error = error()
    if isinstance(error, BaseException):
        error.raised_by_test = True  # type: ignore[attr-defined]
    return error


def _test(source: str | None, space: dict[str, Any], line: Line) -> tuple[bytes, str]:
    """Run statements: the word of the records, and why."""
    line.refused = None
    random.seed(0)  # a verdict must repeat
    try:
        program = compile(source or "", "test.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        return b"N", raised.describe(error)
    if source is None:
        return b"N", "its code cannot be made ready"
    ended: BaseException | None = None
    try:
        exec(program, space)
    except BaseException as error:
        ended = error
    if line.refused is not None:  # whatever the test's own handlers made of it
        return line.refused.kind, line.refused.text
    return (b"V", "") if ended is None else _word(ended, line)


def _word(error: BaseException, line: Line) -> tuple[bytes, str]:
    """What an exception that ended a test says."""
    told: tuple[bytes, str] | None = getattr(error, "raised_by_candidate", None)
    if told is not None:
        return told
    text = raised.describe(error)
    meant = isinstance(error, AssertionError) or getattr(error, "raised_by_test", False)
    if line.asked == 0 or (not meant and isinstance(error, NameError | ImportError | SyntaxError)):
        return b"N", text
    if not meant and line.objects and isinstance(error, TypeError | AttributeError):
        return (b"N" if line.intended else b"U"), f"an object of the candidate's does not fit: {text}"
    return b"A", text
