"""Tests that no call and value can express run in a process of their own and ask by messages."""

from __future__ import annotations

import pytest

from sandbox import Sandbox, Submission, SubmissionVerdict, TestCase, submission_from_humaneval, submission_from_mbpp
from tests.sandbox.conftest import TIERS, require_tier


@pytest.fixture(params=TIERS)
def tier(request: pytest.FixtureRequest) -> str:
    require_tier(request.param)
    return str(request.param)


def trusted(code: str, *tests: str, definitions: str = "") -> Submission:
    cases = tuple(TestCase(call=test) for test in tests)
    return Submission(id="t", code=code, tests=cases, style="trusted", trusted=definitions, entry_point="f")


async def judge(tier: str, submission: Submission) -> SubmissionVerdict:
    async with Sandbox.open(tier, slots=1) as sandbox:
        return await sandbox.judge(submission)


async def test_words_of_the_tests(tier: str) -> None:
    code = "def f(x):\n    if x == 0: raise KeyError('zero')\n    return [x] * 2"
    verdict = await judge(
        tier,
        trusted(
            code,
            "assert f(1) == [1, 1] and len(f(2)) > 1",
            "assert f(1) < [0]",
            "assert f(0)",
            "try:\n    f(0)\nexcept LookupError as e:\n    assert 'zero' in str(e)\nelse:\n    raise AssertionError",
            "assert f(len) == 1",
            "assert f(unknown) == 1",
            "assert f(1)['key'] == 1",
            "assert helper(f(3)) == 6",
            "import random\nassert f(random.random())[0] < 1",
            definitions="def helper(items): return sum(items)",
        ),
    )
    words = ("pass", "wrong_answer", "runtime_error", "pass", "unsupported_test", "unsupported_test", "wrong_answer")
    assert verdict.tests == (*words, "pass", "pass")
    assert verdict.result == "wrong_answer"
    assert "assert f(1) < [0]" in verdict.evidence


async def test_a_test_that_cannot_be_run_is_ungraded_unless_another_fails(tier: str) -> None:
    verdict = await judge(tier, trusted("def f(x): return x", "assert f(1) == 1", "assert f(print) is print"))
    assert (verdict.result, verdict.graded) == ("unsupported_test", False)
    deep = await judge(tier, trusted("def f(x): return x", f"assert f(1) == {'-' * 50_000}1"))
    assert (deep.result, deep.graded) == ("unsupported_test", False)
    broken = await judge(tier, trusted("def f(x): return x", "assert f(1) == 1", definitions="1 / 0"))
    assert (broken.result, broken.graded) == ("unsupported_test", False)
    assert "ZeroDivisionError" in broken.evidence


async def test_changes_in_place_reach_the_test(tier: str) -> None:
    code = "def f(a, d, s):\n    a.append(4); a.sort(); d['k'] = (1,); s.discard(1)"
    test = (
        "a, d, s = [9, 1], {}, {1, 2}\nassert f(a, d, s=s) is None\nassert (a, d, s) == ([1, 4, 9], {'k': (1,)}, {2})"
    )
    assert (await judge(tier, trusted(code, test))).passed


async def test_the_candidate_sees_no_expected_value_and_no_other_argument(tier: str) -> None:
    code = (
        "import os\ndef f(x):\n    seen = []\n"
        "    for p in filter(str.isdigit, os.listdir('/proc')):\n"
        "        for name in ('mem', 'environ', 'maps', 'fd/3'):\n"
        "            try: seen.append(open(f'/proc/{p}/{name}', 'rb').read(1) and p != str(os.getpid()))\n"
        "            except OSError: pass\n    return any(seen)"
    )
    assert (await judge(tier, trusted(code, "assert f(1) is False"))).passed


async def test_the_state_of_the_candidate_lives_from_call_to_call(tier: str) -> None:
    code = "calls = []\ndef f(x):\n    calls.append(x)\n    return len(calls)"
    assert (await judge(tier, trusted(code, "assert [f(0), f(0)] == [1, 2]", "assert f(0) == 3"))).passed


HUMANEVAL = {
    "task_id": "own/1",
    "entry_point": "decode",
    "prompt": 'def encode(s):\n    return s[::-1]\n\n\ndef decode(s):\n    """Undo encode."""\n',
    "test": "def check(candidate):\n    from random import choice\n    for _ in range(9):\n"
    "        s = ''.join(choice('ab') for _ in range(9))\n        assert candidate(encode(s)) == s\n",
}


@pytest.mark.parametrize(
    ("completion", "result"),
    [("    return s[::-1]\n", "pass"), ("    return s\n", "wrong_answer"), ("    return encode\n", "bad_result")],
)
async def test_a_humaneval_row_with_random_tests(tier: str, completion: str, result: str) -> None:
    submission = submission_from_humaneval(HUMANEVAL, completion)
    assert submission.style == "trusted"
    assert (await judge(tier, submission)).result == result


async def test_an_mbpp_row_with_an_inequality(tier: str) -> None:
    row = {"task_id": 1, "test_setup_code": "low = 2", "test_list": ["assert grow(1) > low", "assert grow(2) == 4"]}
    right = submission_from_mbpp(row, "def grow(x): return x + 2")
    assert right.style == "trusted"
    assert (await judge(tier, right)).tests == ("pass", "pass")
    assert (await judge(tier, submission_from_mbpp(row, "def grow(x): return 4 - x"))).tests == ("pass", "wrong_answer")
