"""A verdict does not depend on how busy the machine is."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
from collections.abc import Iterator

import pytest

from domains import get_domain
from domains.python import submission
from domains.python_replies import extract_code
from records.config import Sizes
from sandbox import Sandbox, Submission
from tests.domains.mistakes import spoiled_code
from tests.sandbox.conftest import TIERS, require_tier

pytestmark = pytest.mark.slow
PAIRS = 500


def submissions() -> list[Submission]:
    """Right and wrong answers to generated problems, in turn."""
    domain = get_domain("python")
    problems = domain.load(None, Sizes(train=PAIRS, gate=4, transfer=4, test=4, ood=4), seed=5)[:PAIRS]
    found = []
    for number, problem in enumerate(problems):
        for reply in (problem.reference, spoiled_code(problem, random.Random(number))[1]):
            found.append(submission(problem, extract_code(reply, str(problem.payload["entry"])) or ""))
    return found


def spin() -> None:
    while True:
        pass


@contextlib.contextmanager
def oversubscribed(factor: int) -> Iterator[None]:
    """`factor` busy processes per core."""
    processes = [multiprocessing.Process(target=spin, daemon=True) for _ in range(factor * (os.cpu_count() or 1))]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


@pytest.mark.parametrize("tier", TIERS)
async def test_verdicts_are_the_same_idle_and_under_four_times_the_load(tier: str) -> None:
    require_tier(tier)
    rows = submissions()
    results = []
    async with Sandbox.open(tier, slots=2) as sandbox:
        for factor in (0, 4):
            with oversubscribed(factor):
                verdicts = [v async for _, v in sandbox.judge_all(rows, lambda row: row) if v is not None]
            results.append([(verdict.result, verdict.tests) for verdict in verdicts])
    idle, busy = results
    assert len(idle) == len(rows) == 2 * PAIRS
    assert {result for result, _ in idle[::2]} == {"pass"}
    assert "pass" not in {result for result, _ in idle[1::2]}
    same = sum(one == other for one, other in zip(idle, busy, strict=True))
    assert same >= 0.999 * len(rows), [pair for pair in zip(idle, busy, strict=True) if pair[0] != pair[1]]
