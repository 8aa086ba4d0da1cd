"""The process that runs tests which cannot be expressed as calls and values.

Standard library only; copied into the image. It runs the test's own code under a uid of its own and
reaches the candidate, which is another process under another uid, by messages: a call's arguments
go out and its value comes back as canonical text, so the test handles plain data only.

Guaranteed: nothing of the candidate runs in this process, no object of its making arrives here (no
equal-to-everything, no patched method), and its end or silence is told from a wrong answer.
Not guaranteed: tests that pass functions or own objects to the candidate, or look at its
attributes. Those are `N`: inexpressible, and the submission stays ungraded.

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
import values

if TYPE_CHECKING:
    from syscalls import Filter
    from worker import Job

RESULT, REPLY, ASK = 3, 4, 5


class Refused(BaseException):
    """The candidate gave no usable value. Not an Exception: a test's own handlers must not catch it."""

    def __init__(self, kind: bytes, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text


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
    space: dict[str, Any] = {"__name__": "test"}
    try:
        exec(compile(body["trusted"], "trusted.py", "exec", dont_inherit=True), space)
    except BaseException as error:
        child.say(RESULT, b"N", f"the test's own definitions do not run: {raised.describe(error)}")
        return
    space[body["entry"]] = space["candidate"] = _ask
    for statements in body["tests"]:
        random.seed(0)  # a verdict must repeat
        kind, text = _test(statements, space)
        child.say(RESULT, kind, text)
        if kind == b"G":
            return
    child.say(RESULT, b"E", "0")


def _test(statements: str, space: dict[str, Any]) -> tuple[bytes, str]:
    try:
        program = compile(statements, "test.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        return b"N", raised.describe(error)
    try:
        exec(program, space)
    except Refused as refused:
        return refused.kind, refused.text
    except BaseException as error:
        told = getattr(error, "raised_by_candidate", None)
        if told is None and isinstance(error, NameError | ImportError | SyntaxError):
            return b"N", raised.describe(error)
        return (b"A", raised.describe(error)) if told is None else (b"X", told)
    return b"V", ""


def _ask(*arguments: Any, **named: Any) -> Any:
    """Call the candidate. Arguments that it changed in place are changed here too."""
    try:
        request = values.encode((arguments, named))
    except values.ValueProblem as problem:
        raise Refused(b"N", f"the test passes what is no plain data: {problem}") from None
    try:
        child.say(ASK, b"C", request)
        record = child.read_record(REPLY)
    except OSError:
        record = None
    except ValueError as error:
        raise Refused(b"T", str(error)) from None
    if record is None:
        raise Refused(b"G", "the candidate has gone")
    return _value(record, arguments, named)


def _value(record: tuple[bytes, str], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    kind, text = record
    if kind == b"X":
        raise _as_raised(text)
    if kind != b"V":
        raise Refused(kind if kind in (b"S", b"T") else b"U", text)
    try:
        value, changed = values.decode(text)
        if changed is not None:
            _change([*arguments, *named.values()], [*changed[0], *changed[1].values()])
    except (values.ValueProblem, TypeError, ValueError, AttributeError, LookupError) as error:
        raise Refused(b"U", str(error)) from None
    return value


def _change(old: list[Any], new: list[Any]) -> None:
    for before, after in zip(old, new, strict=True):
        if isinstance(before, list) and isinstance(after, list):
            before[:] = after
        elif isinstance(before, dict | set) and type(after) is type(before):
            before.clear()
            before.update(after)


def _as_raised(text: str) -> BaseException:
    """An exception of the built-in class nearest to the candidate's, so that a test may expect it."""
    message = text.partition("\n")[2]
    kind = next((k for k in raised.kinds(text) if issubclass(k, Exception)), Exception)
    try:
        error: Any = kind(message)
    except TypeError:  # such as UnicodeDecodeError, which needs five arguments
        error = Exception(message)
    error.raised_by_candidate = text
    kept: BaseException = error
    return kept
