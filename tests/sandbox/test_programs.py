"""Programs that read stdin and print: a fresh process per test, compared on the host."""

from __future__ import annotations

import pytest

from sandbox import Limits, Sandbox, Submission, TestCase
from sandbox.values import encode
from tests.sandbox.conftest import TIERS, require_tier


def program(code: str, *tests: tuple[str, str], **limits: float) -> Submission:
    cases = tuple(TestCase(stdin=stdin, expected=encode(printed)) for stdin, printed in tests)
    return Submission(
        id="program", code=code, tests=cases, style="program", limits=Limits.model_validate({"cpu_s": 5, **limits})
    )


ADD = "a, b = map(int, input().split())\nprint(a + b)"


@pytest.fixture(params=TIERS)
def tier(request: pytest.FixtureRequest) -> str:
    require_tier(request.param)
    return str(request.param)


async def test_each_test_has_its_word_and_its_own_process(tier: str) -> None:
    code = "import os\n" + ADD + "\nif a == 9: raise KeyError(a)\nif a == 8: os.kill(os.getpid(), 9)"
    tests = (("1 2\n", "3\n"), ("2 2\n", "5\n"), ("9 1\n", "10\n"), ("8 1\n", "9\n"), ("4 4", "8"))
    async with Sandbox.open(tier, slots=1) as sandbox:
        verdict = await sandbox.judge(program(code, *tests))
    assert verdict.tests == ("pass", "wrong_answer", "runtime_error", "crash", "pass")
    assert (verdict.result, verdict.passed) == ("wrong_answer", False)
    assert verdict.evidence == "call: stdin '2 2\\n'\nexpected: '5\\n'\ngot: '4\\n'"
    assert verdict.cpu_s > 0
    assert verdict.peak_mb > 5


async def test_an_exception_is_named_in_the_evidence(tier: str) -> None:
    async with Sandbox.open(tier, slots=1) as sandbox:
        verdict = await sandbox.judge(program("print(42)\nraise ValueError('no \\x1b[31m')", ("", "42\n")))
    assert verdict.result == "runtime_error"
    assert verdict.evidence.endswith("got: raised ValueError: no \\x1b[31m")


async def test_large_inputs_and_outputs_arrive_whole(tier: str) -> None:
    text = "".join(f"{n} ünï\n" for n in range(30_000))
    code = "import sys\nfor line in sys.stdin: sys.stdout.write(line)"
    async with Sandbox.open(tier, slots=1) as sandbox:
        verdict = await sandbox.judge(program(code, (text, text), output_kb=1024))
        short = await sandbox.judge(program(code, (text, text), output_kb=64))
    assert verdict.passed, verdict.evidence
    assert short.result == "output_limit"


async def test_the_time_limit_holds_for_all_tests_together(tier: str) -> None:
    code = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\nprint(1)"
    async with Sandbox.open(tier, slots=1) as sandbox:
        verdict = await sandbox.judge(program(code, *[("", "1\n")] * 5, cpu_s=0.5, wall_s=30))
    assert verdict.result == "timeout_cpu"
    assert verdict.tests == ("pass", "pass", "timeout_cpu", "not_run", "not_run")


async def test_printing_without_a_newline_at_exit_is_flushed(tier: str) -> None:
    code = "import atexit, sys\natexit.register(print, 'end')\nsys.stdout.write('start ')\nsys.exit()"
    async with Sandbox.open(tier, slots=1) as sandbox:
        assert (await sandbox.judge(program(code, ("", "start end")))).passed
