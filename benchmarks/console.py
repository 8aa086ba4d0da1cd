"""How long the console's pages take on a large run: `python -m benchmarks.console`.

    python -m benchmarks.console [--attempts 10000] [--calls 20000] [--rounds 5] [--waiting] [--runs FOLDER]

Makes two run directories (kept in FOLDER, if one is given), serves them by the real server in a process of its
own and asks for every page over HTTP: the median of `--rounds` warm requests, the first one, the size, and at the
end the server's memory. Beside each page stands the same page of a run a thirtieth as large, asked in turn with
it: what the size of a run costs is their ratio.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import psutil

from benchmarks.machine import machine

GOAL_MS, GOAL_KB, GOAL_MB = 300, 300, 300
SMALLER = 30
PAGES = (
    "", "reflections", "reflections/1", "strategy", "approval", "data", "attempts", "attempts?page=40",
    "attempts?stage=lrl&outcome=fail", "calls", "calls?page=200", "search?q=rooms", "search?q=nothing-like-this",
)  # fmt: skip


def _serve(runs: Path, connection: Connection) -> None:
    from console.web.server import serve

    serve(runs, 0, connection.send)


@contextmanager
def _server(runs: Path) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """A server of its own and a client that has come in."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(runs, theirs), daemon=True)
    process.start()
    try:
        address = str(ours.recv())
        with httpx.Client(base_url=address.split("/?", maxsplit=1)[0], timeout=120) as client:
            _wait_for(client, address)
            yield client, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.join()


def _wait_for(client: httpx.Client, address: str) -> None:
    for _ in range(100):
        try:
            client.get(address)
            return
        except httpx.ConnectError:
            time.sleep(0.1)
    raise SystemExit("the server did not answer")


def _timed(client: httpx.Client, address: str) -> tuple[float, int, str]:
    begun = time.perf_counter()
    answer = client.get(address)
    milliseconds = 1000 * (time.perf_counter() - begun)
    if answer.status_code != 200:
        raise SystemExit(f"{address}: {answer.status_code}")
    return milliseconds, len(answer.content), answer.text


def _addresses(client: httpx.Client, run: str) -> list[str]:
    """The pages of a run, and of one attempt, one call and one problem in the middle of it."""
    found = [f"/runs/{run}/{page}".rstrip("/") for page in PAGES]
    for page, kind in (("attempts?page=40", "attempt"), ("calls?page=100", "call"), ("reflections/1", "attempts")):
        links = re.findall(rf'href="(/runs/{run}/{kind}\?[^"]+)"', client.get(f"/runs/{run}/{page}").text)
        found += [unescape(link) for link in links[:1]]
    return ["/runs", *found]


def measure(runs: Path, large: str, small: str, rounds: int) -> bool:
    """Print one line per page; True if every goal is met."""
    with _server(runs) as (client, process):
        addresses = _addresses(client, large)
        others = _addresses(client, small)
        print(f"{'page':<46}{'first':>9}{'median':>9}{'size':>9}{'small run':>11}{'ratio':>8}")
        fine = True
        for address, other in zip(addresses, others, strict=False):
            first, size, _ = _timed(client, address)
            pairs = [(_timed(client, address)[0], _timed(client, other)[0]) for _ in range(rounds)]
            median, small_median = (statistics.median(times) for times in zip(*pairs, strict=True))
            fine = fine and median < GOAL_MS and size < GOAL_KB * 1000
            name = address.removeprefix(f"/runs/{large}")[:44] or "(the run)"
            print(
                f"{name:<46}{first:>6.0f} ms{median:>6.0f} ms{size / 1000:>6.0f} kB{small_median:>8.0f} ms"
                f"{median / small_median:>7.1f}×"
            )
        memory = process.memory_info().rss / 2**20
        print(f"memory of the server: {memory:.0f} MB")
    return fine and memory < GOAL_MB


def main() -> None:
    """Parse the command line, make the runs, measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--attempts", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--waiting", action="store_true", help="the run stands at the approval")
    parser.add_argument("--runs", type=Path, help="folder that keeps the generated runs for the next time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        runs = given.runs or Path(temporary)
        for name, share in (("large", 1), ("small", SMALLER)):
            _generate(runs / name, given.attempts // share, given.calls // share, given.waiting)
        print(f"{given.attempts:,} attempts, {given.calls:,} calls; {machine()}")
        met = measure(runs, "large", "small", given.rounds)
    goals = f"every page under {GOAL_MS} ms (median, warm) and {GOAL_KB} kB, the server under {GOAL_MB} MB"
    print(f"{'met' if met else 'NOT MET'}: {goals}")


def _generate(path: Path, attempts: int, calls: int, waiting: bool) -> None:
    from benchmarks.run_directory import FEWEST, generate

    if not (path / "run.json").exists():
        attempts = max(FEWEST, attempts)
        generate(path, attempts, max(attempts + 100, calls), waiting=waiting)


if __name__ == "__main__":
    main()
