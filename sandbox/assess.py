"""From what came out of the sandbox to a verdict. The only place where answers meet expectations.

Guaranteed: malformed or hostile bytes give a word of the taxonomy, never an exception of ours; a
test passes only if its answer satisfies the comparison rule; evidence is capped and printable.
Not guaranteed: figures on time and memory beyond the worker's own measurement.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import NamedTuple

from sandbox import raised, values
from sandbox.json_answers import as_in_json
from sandbox.link import Ended
from sandbox.nouns import Style, Submission, SubmissionVerdict, TestCase, WorkerLost
from sandbox.output import same_output

EVIDENCE = 400
_PART = 130
_DIED = {"inodes": "output_limit"}
_WORDS = {"X": "runtime_error", "S": "early_exit", "T": "result_limit"}
_TRUSTED_WORDS = {"V": "pass", "A": "wrong_answer", "N": "unsupported_test"}


class Answer(NamedTuple):
    """One record of the child: its kind and its text."""

    kind: str
    text: str


class Assessed(NamedTuple):
    """One test's word and the line about what the candidate did."""

    word: str
    got: str


def assess(submission: Submission, ends: Sequence[Ended]) -> SubmissionVerdict:
    """The verdict, without the fields on where it was judged.

    Raises WorkerLost if a child could not even bind itself: nothing of the candidate ran.
    """
    runs = [_answers(ended, len(submission.tests) + 3) for ended in ends]
    deaths = [_death(submission, ended) for ended in ends]
    if submission.style == "program":
        assessed = _assess_program(submission, ends, runs, deaths)
    else:
        if submission.style == "trusted":
            _check_trusted(ends[0], runs[0])
        assessed = _assess_tests(submission, runs[0], deaths[0])
    result, evidence = _summarise(submission, assessed, ends[-1], deaths[-1])
    return SubmissionVerdict(
        id=submission.id,
        passed=result == "pass",
        result=result,
        tests=tuple(one.word for one in assessed),
        evidence=evidence,
        cpu_s=round(sum(ended.report["cpu_s"] for ended in ends), 6),
        wall_s=round(sum(ended.report["wall_s"] for ended in ends), 6),
        peak_mb=round(max(ended.report["peak_kb"] for ended in ends) / 1024, 2),
        leftovers=sum(ended.report["leftovers"] for ended in ends) + _threads(runs[-1]),
    )


def _summarise(submission: Submission, assessed: list[Assessed], last: Ended, death: Assessed) -> tuple[str, str]:
    """Result and evidence: the first test that failed decides, one that could not be judged only if none did."""
    words = [one.word for one in assessed]
    failed = [index for index, word in enumerate(words) if word not in ("pass", "unsupported_test", "not_run")]
    index = next(iter(failed), words.index("unsupported_test") if "unsupported_test" in words else None)
    result = "pass" if index is None else words[index]
    evidence = "" if index is None else _evidence(submission, index, assessed[index])
    if last.report["killed"] and last.report["killed"] != "gone" and (index is None or death.word == "result_limit"):
        result, evidence = death.word, death.got
    if last.report["oom"] and result != "pass":
        result = "oom"
    return result, evidence


def _threads(answers: list[Answer]) -> int:
    text = answers[-1].text if answers and answers[-1].kind == "E" else ""
    return int(text) if text.isdecimal() and len(text) < 4 else 0


def _check_trusted(ended: Ended, answers: list[Answer]) -> None:
    """Raise WorkerLost where the trusted process itself failed, for no fault of the candidate's."""
    report = ended.report
    if report["killed"] or report["oom"]:
        return
    if (answers and answers[0].kind == "W") or report["trusted_status"] != 0:
        raise WorkerLost(f"the trusted process did not work (wait status {report['trusted_status']})")


def _assess_program(
    submission: Submission, ends: Sequence[Ended], runs: list[list[Answer]], deaths: list[Assessed]
) -> list[Assessed]:
    """One word per test: what a program printed counts only if it ended well."""
    assessed = [
        _assess_run(test, ended, answers, death)
        for test, ended, answers, death in zip(submission.tests, ends, runs, deaths, strict=False)
    ]
    if len(ends) < len(submission.tests) and not (ends[-1].report["killed"] or ends[-1].report["oom"]):
        cpu_s = sum(ended.report["cpu_s"] for ended in ends)
        word = "timeout_cpu" if cpu_s >= submission.limits.cpu_s else "timeout_wall"
        assessed.append(Assessed(word, f"stopped: {word}"))  # the runs before it have used up the time
    return assessed + [Assessed("not_run", "")] * (len(submission.tests) - len(assessed))


def _assess_run(test: TestCase, ended: Ended, answers: list[Answer], death: Assessed) -> Assessed:
    if ended.report["killed"] or ended.report["oom"] or death.word == "crash":
        return death
    if ended.report["status"] != 0:
        if answers and answers[0].kind in "YX":
            return _not_loaded(answers[0], "program")
        return Assessed("runtime_error", death.got)
    try:
        printed = ended.printed.decode()
    except UnicodeDecodeError:
        return Assessed("bad_result", "printed bytes that are not UTF-8")
    if test.expected is None:
        return Assessed("pass", "")
    expected = str(values.decode(test.expected))
    same = same_output(printed, expected, test.comparison, test.tolerance)
    return Assessed("pass" if same else "wrong_answer", repr(printed[:_PART]))


def _answers(ended: Ended, most: int) -> list[Answer]:
    """What the child said after it was bound.

    Whole records only, at most as many as can be honest; anything after a malformed one is dropped.
    """
    data, found = ended.answers, list[Answer]()
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
    if not found or found[0].kind != "B":
        raise WorkerLost(f"the child could not enter its limits (wait status {ended.report['status']})")
    return found[1:]


def _death(submission: Submission, ended: Ended) -> Assessed:
    """The word for tests that were never answered."""
    report, limits = ended.report, submission.limits
    if report["killed"] and report["killed"] != "gone":
        word = _DIED.get(report["killed"], report["killed"])
        if word == "timeout_wall" and report["cpu_s"] > limits.cpu_s:
            word = "timeout_cpu"
        return Assessed(word, f"stopped: {word}")
    if report["oom"]:
        return Assessed("oom", "killed for its memory")
    status = report["status"]
    if status is None:  # its descriptors were closed, or its children held them
        return Assessed("early_exit", "the process stopped answering")
    if not os.WIFSIGNALED(status):
        return Assessed("early_exit", f"the process ended with status {os.waitstatus_to_exitcode(status)}")
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU or (number == signal.SIGKILL and report["cpu_s"] > limits.cpu_s):
        return Assessed("timeout_cpu", "stopped: timeout_cpu")
    name = signal.Signals(number).name if number in signal.valid_signals() else str(number)
    return Assessed("crash", f"killed by {name}")


def _assess_tests(submission: Submission, answers: list[Answer], death: Assessed) -> list[Assessed]:
    """One word per test. Before `L` there is at most one answer: why the code did not load."""
    tests = submission.tests
    if not answers or answers[0].kind != "L":
        first = _not_loaded(answers[0], submission.style) if answers else death
        return [first, *[Assessed("not_run", "")] * (len(tests) - 1)]
    assessed: list[Assessed] = []
    for test, answer in zip(tests, answers[1:], strict=False):
        if answer.kind in "EG":
            break
        assessed.append(_assess(submission.style, test, answer))
    missing = len(tests) - len(assessed)
    return assessed + [death][:missing] + [Assessed("not_run", "")] * (missing - 1)


def _not_loaded(answer: Answer, style: Style) -> Assessed:
    if answer.kind == "M":
        return Assessed("missing_entry", answer.text)
    words = {"Y": "syntax_error", "S": "early_exit", "X": "runtime_error"}
    word = words.get(answer.kind, "bad_result")
    if style == "trusted" and answer.kind == "N":  # only the trusted process may say so
        return Assessed("unsupported_test", answer.text.replace("\n", ": "))
    return Assessed("memory" if _names(answer)[0] == "MemoryError" else word, _raised(answer))


def _assess(style: Style, test: TestCase, answer: Answer) -> Assessed:
    if answer.kind == "V" and style != "trusted":
        return _compare(test, answer.text)
    if answer.kind == "X" and test.raises is not None and raised.known_as(test.raises) in _names(answer):
        return Assessed("pass", "")
    if style == "trusted" and answer.kind in _TRUSTED_WORDS:
        said = answer.text.replace("\n", ": ") if answer.kind == "N" else _raised(answer)
        return Assessed(_TRUSTED_WORDS[answer.kind], said)
    word = _WORDS.get(answer.kind, "bad_result")
    if word == "runtime_error" and _names(answer)[0] == "MemoryError":
        word = "memory"
    return Assessed(word, _raised(answer) if answer.kind in "XS" else answer.text or "no usable value")


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
    if test.json_lists:
        got, expected = as_in_json(got, expected, test.comparison)
    if values.same(got, expected, test.comparison, test.tolerance):
        return "pass"
    return "bad_result" if values.has_nan(got) and not values.has_nan(expected) else "wrong_answer"


def _names(answer: Answer) -> list[str]:
    return raised.names(answer.text)


def _raised(answer: Answer) -> str:
    message = answer.text.partition("\n")[2]
    return f"raised {_names(answer)[0]}: {message}" if message else f"raised {_names(answer)[0]}"


def _evidence(submission: Submission, index: int, assessed: Assessed) -> str:
    """What a person or a teacher is told about the first failing test."""
    if not submission.tests:
        return _clean(assessed.got, EVIDENCE)
    test = submission.tests[index]
    asked = _asked(submission.style, test)
    if submission.style == "trusted":
        return f"test: {_clean(asked, _PART)}\ngot: {_clean(assessed.got, _PART)}"
    wanted = f"raises {test.raises}"
    if test.raises is None:
        wanted = "any value" if test.expected is None else values.show(values.parse(test.expected), _PART)
    got = _clean(assessed.got, _PART)
    return f"call: {_clean(asked, _PART)}\nexpected: {_clean(wanted, _PART)}\ngot: {got}"


def _asked(style: Style, test: TestCase) -> str:
    """The question of one test, for a person."""
    if style == "program":
        return f"stdin {test.stdin[:_PART]!r}"
    if test.inputs is None:
        return test.call
    arguments, named = values.parse(test.inputs).items
    shown = [values.show(item, _PART) for item in arguments.items]
    shown += [f"{k.value}={values.show(v, _PART)}" for k, v in zip(named.items[::2], named.items[1::2], strict=True)]
    return f"{test.call}({', '.join(shown)})"


def _clean(text: str, cap: int) -> str:
    """Printable and capped: control characters escaped."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:cap])
    return text if len(text) <= cap else text[: cap - 1] + "…"
