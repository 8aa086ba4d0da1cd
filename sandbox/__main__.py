"""`python -m sandbox doctor`: which tiers work on this machine, and what would mend the others.

Exit status 0 if at least one tier judges a right and a wrong program correctly, else 1.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time

from sandbox.attest import PROBE
from sandbox.nouns import SandboxError
from sandbox.pool import Sandbox


async def examine(tier: str) -> str:
    """Open one tier, judge a right and a wrong program, time it. Raises SandboxError with the diagnosis."""
    started = time.perf_counter()
    async with Sandbox.open(tier, slots=1) as sandbox:
        opened = time.perf_counter() - started
        wrong = PROBE.model_copy(update={"code": "def probe(n):\n    return n"})
        right, refused = await sandbox.judge(PROBE), await sandbox.judge(wrong)
        if (right.result, refused.result) != ("pass", "wrong_answer"):
            raise SandboxError(f"it judged {right.result} and {refused.result}, not pass and wrong_answer")
        times = []
        for _ in range(50):
            started = time.perf_counter()
            await sandbox.judge(PROBE)
            times.append(time.perf_counter() - started)
        speed = 1000 * statistics.median(times)
    return f"works: open {opened:.1f} s, {speed:.1f} ms a submission, {right.image[:19]}, attested {right.attestation}"


def doctor() -> int:
    """Print one line per tier. Returns the exit status."""
    working = 0
    for tier in ("docker", "jail"):
        try:
            line = asyncio.run(examine(tier))
            working += 1
        except SandboxError as problem:
            line = f"does not work. {problem}"
        print(f"{tier}: {line}")
    return 0 if working else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("command", choices=["doctor"])
    parser.parse_args()
    sys.exit(doctor())
