"""What goes into the sandbox and what comes out of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from records.nouns import Record

Comparison = Literal["exact", "typed", "float", "unordered", "json"]
Style = Literal["calls", "program", "trusted"]

# Words of `SubmissionVerdict.result`. UNGRADED ones say nothing about the code.
UNGRADED = frozenset({"infra_error", "quarantined", "unsupported_test"})
RESULTS = UNGRADED | {
    *("pass", "wrong_answer", "runtime_error", "syntax_error", "missing_entry", "early_exit", "timeout_cpu"),
    *("timeout_wall", "memory", "oom", "output_limit", "result_limit", "crash", "bad_result"),
}


class SandboxError(Exception):
    """No tier works, or its limits do not bind. The message holds the diagnosis and the mending command."""


class TierUnavailable(Exception):
    """This tier cannot work on this machine; the message says why and what would mend it."""


class WorkerLost(Exception):
    """A worker died, hung or broke the protocol: nothing is known about the submission."""


class Limits(Record):
    """Bounds of one submission; all its tests together."""

    cpu_s: float = Field(default=5.0, gt=0, le=300)
    wall_s: float = Field(default=15.0, gt=0, le=600)
    memory_mb: int = Field(default=256, ge=32, le=384)
    output_kb: int = Field(default=64, ge=1, le=1024)
    result_kb: int = Field(default=1024, ge=1, le=4096)


class TestCase(Record):
    """One question to the candidate, and the answer that only the host knows.

    calls: `call` is an expression and `setup` statements run before it, both in the candidate's
    namespace; with `inputs` (canonical text of (args, kwargs)) the value of `call` is called with
    them. `expected` is canonical text (`sandbox.values.encode`); `raises` names the exception class
    that is expected instead.
    `json_lists` says that the lists of `expected` were written in JSON, which has no other sequences: what the
    comparison makes of that is in sandbox/json_answers.py.
    program: `stdin` is fed to a fresh process, `expected` is the canonical text of what it prints.
    trusted: `call` holds statements, such as asserts, that the trusted process runs.
    """

    __test__ = False  # not a test class for pytest

    call: str = ""
    setup: str = ""
    inputs: str | None = None
    stdin: str = ""
    expected: str | None = None
    raises: str | None = None
    comparison: Comparison = "exact"
    tolerance: float = 1e-6
    json_lists: bool = False


class Submission(Record):
    """Candidate code and its tests. `unsupported` names tests that could not be expressed.

    `style` says how the tests ask. "calls": the candidate's process evaluates calls, the host
    compares. "program": a fresh process per test reads stdin and prints, the host compares.
    "trusted": for tests that neither can express, a second process under another uid runs `trusted`
    (definitions that the tests need) and the tests; it reaches `entry_point` by messages of plain data.
    """

    id: str
    code: str
    tests: tuple[TestCase, ...]
    style: Style = "calls"
    trusted: str = ""
    entry_point: str | None = None
    limits: Limits = Limits()
    unsupported: tuple[str, ...] = ()


class SubmissionVerdict(Record):
    """What the host found. `result` is a word of RESULTS; `tests` holds one word per test.

    `evidence` is made by the host from the first failing test: call, expected, got. `leftovers`
    counts processes and threads that outlived the last test. `tier`, `image` and `attestation`
    say which walls the code ran behind.
    """

    id: str
    passed: bool
    result: str
    tests: tuple[str, ...] = ()
    evidence: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_mb: float = 0.0
    leftovers: int = 0
    tier: str = ""
    image: str = ""
    attestation: str = ""

    @property
    def graded(self) -> bool:
        """Whether the result says something about the code."""
        return self.result not in UNGRADED
