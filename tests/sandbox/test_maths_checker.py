"""The pool of workers: deadlines, memory, threads, asyncio, processes, the cache, the batch."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from sandbox.maths_checker import MathChecker
from tests.sandbox.maths_pairs import DIFFERENT, EQUAL, pairs

# Nothing in it is large, so no guard refuses it; the determinant has 9! terms.
LETTERS = iter(f"{a}_{{{n}}}" for a in "abcdfghkm" for n in range(9))
SLOW = r"\begin{vmatrix}" + r"\\".join("&".join(next(LETTERS) for _ in range(9)) for _ in range(9)) + r"\end{vmatrix}"
SAMPLE = [*pairs(EQUAL)[:20], *pairs(DIFFERENT)[:20]]


@pytest.fixture(scope="module")
def checker() -> Iterator[MathChecker]:
    with MathChecker(workers=2) as checker:
        checker.check("1", "1")
        yield checker


def verdicts(checker: MathChecker) -> list[str]:
    return [checker.check(gold, answer).verdict for gold, answer in SAMPLE]


def test_the_same_verdict_from_threads_asyncio_and_processes(checker: MathChecker) -> None:
    expected = ["equal"] * 20 + ["different"] * 20
    assert verdicts(checker) == expected
    checker.close()  # forgets the cache
    with ThreadPoolExecutor(4) as threads:
        assert [v.verdict for v in threads.map(lambda pair: checker.check(*pair), SAMPLE)] == expected

    async def together() -> list[str]:
        return [v.verdict for v in await asyncio.gather(*(checker.judge(*pair) for pair in SAMPLE))]

    checker.close()
    assert asyncio.run(together()) == expected
    context = multiprocessing.get_context("fork")  # inherits the open checker
    answers = context.SimpleQueue()
    child = context.Process(target=lambda: answers.put(verdicts(checker)))
    child.start()
    assert answers.get() == expected
    child.join()
    assert verdicts(checker) == expected  # and has left it usable


def test_what_takes_too_long_is_an_error_at_the_deadline(checker: MathChecker) -> None:
    with MathChecker(workers=1, deadline=0.5) as hasty:
        assert hasty.check("1", "1").verdict == "equal"
        took = []
        for n in range(3):  # the machine may be busy: the best of three
            started = time.monotonic()
            verdict = hasty.check(str(n), SLOW)
            took.append(time.monotonic() - started)
            assert verdict.verdict == "error" and "0.5 s" in verdict.reason
        assert 0.5 <= min(took) < 0.7
        assert hasty.check("2", "4/2").verdict == "equal"  # with a fresh worker


@pytest.mark.parametrize(
    "answer", ["9^{9^{9^9}}", "(10^9)!", "((2^{100})^{100})^{100}", r"(1000!)^{1000}", "9" * 10**6]
)
def test_bombs_return_at_once(checker: MathChecker, answer: str) -> None:
    started = time.monotonic()
    assert checker.check("1", answer).verdict == "different"
    assert time.monotonic() - started < 1


def test_a_worker_that_dies_is_an_error_and_is_replaced() -> None:
    with MathChecker(workers=1, deadline=30) as lone:
        lone.check("1", "1")
        (worker,) = _workers()
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(lone.check, "1", SLOW)
            time.sleep(0.2)
            os.kill(worker, signal.SIGKILL)
            assert waiting.result(5).verdict == "error"
        assert lone.check("3", "6/2").verdict == "equal"
        assert _workers() != {worker}


def test_memory_is_limited() -> None:
    with MathChecker(workers=1, memory_mb=700) as small:
        small.check("1", "1")
        (worker,) = _workers()
        limits = Path(f"/proc/{worker}/limits").read_text()
        assert f"{700 << 20}" in next(line for line in limits.split("\n") if "address space" in line)
        assert " 0 " in next(line for line in limits.split("\n") if "file size" in line)


def test_workers_are_recycled_and_end_with_the_checker() -> None:
    before = _workers()
    with MathChecker(workers=1, jobs_per_worker=2) as short:
        seen = set()
        for number in range(6):
            short.check(str(number), "7")
            seen |= _workers()
        assert len(seen) >= 2
    assert _workers() == before


def test_a_pair_is_compared_once(checker: MathChecker) -> None:
    first = checker.check("17/3", "34/6")
    started = time.monotonic()
    assert all(checker.check(" 17/3", "34/6 ") == first for _ in range(1000))
    assert time.monotonic() - started < 0.5
    assert checker.check("17/3", "34/6", "exact").verdict == "equal"


def test_a_batch_keeps_its_order(checker: MathChecker) -> None:
    found = checker.check_all((str(n), str(n + n % 3)) for n in range(60))
    assert [v.verdict for v in found] == ["equal" if n % 3 == 0 else "different" for n in range(60)]


def test_a_worker_sees_no_secrets(checker: MathChecker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_KEY", "x")
    with MathChecker(workers=1) as fresh:
        fresh.check("1", "1")
        for pid in _workers():
            assert b"A_SECRET_KEY" not in Path(f"/proc/{pid}/environ").read_bytes()


def _workers() -> set[int]:
    """Pids of the workers of the newest parent of workers."""
    me = psutil.Process()
    parents = [p for p in me.children() if p.status() != "zombie" and "sandbox.sympy_worker" in p.cmdline()]
    newest = max(parents, key=lambda p: p.create_time(), default=None)
    return {p.pid for p in newest.children()} if newest else set()
