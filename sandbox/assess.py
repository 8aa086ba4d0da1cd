"""From what came out of the sandbox to a verdict. The only place where answers meet expectations.

Guaranteed: malformed or hostile bytes give a word of the taxonomy, never an exception of ours; a
test passes only if its answer satisfies the comparison rule; evidence is capped and printable.
Not guaranteed: figures on time and memory beyond the worker's own measurement.
"""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

from sandbox import values
from sandbox.link import Ended
from sandbox.nouns import Submission, SubmissionVerdict, TestCase, WorkerLost

EVIDENCE = 400
_PART = 130
_DIED = {"inodes": "output_limit"}


class Answer(NamedTuple):
    """One record of the child: its kind and its text."""

    kind: str
    text: str


class Assessed(NamedTuple):
    """One test's word and the line about what the candidate did."""

    word: str
    got: str


def assess(submission: Submission, ended: Ended) -> SubmissionVerdict:
    """The verdict, without the fields on where it was judged.

    Raises WorkerLost if the child could not even bind itself: nothing of the candidate ran.
    """
    answers = _answers(ended.answers, len(submission.tests) + 3)
    if not answers or answers[0].kind != "B":
        raise WorkerLost(f"the child could not enter its limits (wait status {ended.report['status']})")
    death = _death(submission, ended)
    assessed = _assess_tests(submission.tests, answers[1:], death)
    words = tuple(one.word for one in assessed)
    failed = next((index for index, word in enumerate(words) if word != "pass"), None)
    result = "pass" if failed is None else words[failed]
    evidence = "" if failed is None else _evidence(submission, failed, assessed[failed])
    if ended.report["killed"] and (failed is None or death.word == "result_limit"):
        result, evidence = death.word, death.got
    if ended.report["oom"] and result != "pass":
        result = "oom"
    threads = answers[-1].text if answers[-1].kind == "E" else ""
    return SubmissionVerdict(
        id=submission.id,
        passed=result == "pass",
        result=result,
        tests=words,
        evidence=evidence,
        cpu_s=round(ended.report["cpu_s"], 6),
        wall_s=round(ended.report["wall_s"], 6),
        peak_mb=round(ended.report["peak_kb"] / 1024, 2),
        leftovers=ended.report["leftovers"] + (int(threads) if threads.isdecimal() and len(threads) < 4 else 0),
    )


def _answers(data: bytes, most: int) -> list[Answer]:
    """Whole records only, at most as many as can be honest; anything after a malformed one is dropped."""
    found: list[Answer] = []
    position = 0
    while position + values.RECORD.size <= len(data) and len(found) < most:
        kind, size = values.RECORD.unpack_from(data, position)
        position += values.RECORD.size
        if size > len(data) - position:
            break
        try:
            found.append(Answer(kind.decode("ascii"), data[position : position + size].decode()))
        except UnicodeDecodeError:
            found.append(Answer("U", "not UTF-8"))
        position += size
    return found


def _death(submission: Submission, ended: Ended) -> Assessed:
    """The word for tests that were never answered."""
    report, limits = ended.report, submission.limits
    if report["killed"]:
        word = _DIED.get(report["killed"], report["killed"])
        if word == "timeout_wall" and report["cpu_s"] > limits.cpu_s:
            word = "timeout_cpu"
        return Assessed(word, f"stopped: {word}")
    if report["oom"]:
        return Assessed("oom", "killed for its memory")
    status = report["status"]
    if not os.WIFSIGNALED(status):
        return Assessed("early_exit", f"the process ended with status {os.waitstatus_to_exitcode(status)}")
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU or (number == signal.SIGKILL and report["cpu_s"] > limits.cpu_s):
        return Assessed("timeout_cpu", "stopped: timeout_cpu")
    name = signal.Signals(number).name if number in signal.valid_signals() else str(number)
    return Assessed("crash", f"killed by {name}")


def _assess_tests(tests: tuple[TestCase, ...], answers: list[Answer], death: Assessed) -> list[Assessed]:
    """One word per test. Before `L` there is at most one answer: why the code did not load."""
    if not answers or answers[0].kind != "L":
        first = _not_loaded(answers[0]) if answers else death
        return [first, *[Assessed("not_run", "")] * (len(tests) - 1)]
    assessed: list[Assessed] = []
    for test, answer in zip(tests, answers[1:], strict=False):
        if answer.kind == "E":
            break
        assessed.append(_assess(test, answer))
    missing = len(tests) - len(assessed)
    return assessed + [death][:missing] + [Assessed("not_run", "")] * (missing - 1)


def _not_loaded(answer: Answer) -> Assessed:
    if answer.kind == "M":
        return Assessed("missing_entry", answer.text)
    word = {"Y": "syntax_error", "S": "early_exit", "X": "runtime_error"}.get(answer.kind, "bad_result")
    return Assessed("memory" if _names(answer)[0] == "MemoryError" else word, _raised(answer))


def _assess(test: TestCase, answer: Answer) -> Assessed:
    if answer.kind == "X":
        names = _names(answer)
        if test.raises is not None and test.raises in names:
            return Assessed("pass", "")
        return Assessed("memory" if names[0] == "MemoryError" else "runtime_error", _raised(answer))
    if answer.kind == "S":
        return Assessed("early_exit", _raised(answer))
    if answer.kind == "T":
        return Assessed("result_limit", answer.text)
    if answer.kind != "V":
        return Assessed("bad_result", answer.text or "no usable value")
    return _compare(test, answer.text)


def _compare(test: TestCase, text: str) -> Assessed:
    try:
        got = values.parse(text)
    except values.ValueTooLarge as problem:
        return Assessed("result_limit", str(problem))
    except values.ValueProblem as problem:
        return Assessed("bad_result", str(problem))
    return Assessed(_word(test, got), values.show(got, _PART))


def _word(test: TestCase, got: values.Node) -> str:
    if test.raises is not None:
        return "wrong_answer"
    if test.expected is None:
        return "pass"
    expected = values.parse(test.expected)
    if values.same(got, expected, test.comparison, test.tolerance):
        return "pass"
    return "bad_result" if values.has_nan(got) and not values.has_nan(expected) else "wrong_answer"


def _names(answer: Answer) -> list[str]:
    return answer.text.partition("\n")[0].split(",")


def _raised(answer: Answer) -> str:
    message = answer.text.partition("\n")[2]
    return f"raised {_names(answer)[0]}: {message}" if message else f"raised {_names(answer)[0]}"


def _evidence(submission: Submission, index: int, assessed: Assessed) -> str:
    """What a person or a teacher is told about the first failing test."""
    if not submission.tests:
        return _clean(assessed.got, EVIDENCE)
    test = submission.tests[index]
    wanted = f"raises {test.raises}"
    if test.raises is None:
        wanted = "any value" if test.expected is None else values.show(values.parse(test.expected), _PART)
    got = _clean(assessed.got, _PART)
    return f"call: {_clean(test.call, _PART)}\nexpected: {_clean(wanted, _PART)}\ngot: {got}"


def _clean(text: str, cap: int) -> str:
    """Printable and capped: control characters escaped."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:cap])
    return text if len(text) <= cap else text[: cap - 1] + "…"
