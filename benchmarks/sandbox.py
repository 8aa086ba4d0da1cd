"""How fast a warm sandbox judges: `python -m benchmarks.sandbox [TIER]`.

Prints the time to open the pool, and milliseconds per submission with three tests, one after
another and from as many tasks as there are workers. Nothing is asserted.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from sandbox import Sandbox, Submission, TestCase
from sandbox.values import encode

RUNS = 300
TESTS = tuple(TestCase(call=f"f({n})", expected=encode(n * n)) for n in range(3))
SUBMISSION = Submission(id="square", code="def f(n):\n    return n * n", tests=TESTS, entry_point="f")


async def timed(sandbox: Sandbox) -> float:
    """Milliseconds for one submission."""
    started = time.perf_counter()
    verdict = await sandbox.judge(SUBMISSION)
    if not verdict.passed:
        raise SystemExit(f"the benchmark's own program did not pass: {verdict}")
    return 1000 * (time.perf_counter() - started)


async def main(tier: str) -> None:
    """Run and print."""
    started = time.perf_counter()
    async with Sandbox.open(tier, slots=2) as sandbox:
        print(f"{sandbox.tier}: opened in {time.perf_counter() - started:.2f} s")
        times = sorted([await timed(sandbox) for _ in range(RUNS)])
        print(f"one client: median {statistics.median(times):.2f} ms, p95 {times[int(0.95 * RUNS)]:.2f} ms")
        started = time.perf_counter()
        await asyncio.gather(*(timed(sandbox) for _ in range(RUNS)))
        print(f"two workers: {RUNS / (time.perf_counter() - started):.0f} submissions/s")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "auto"))
