"""Wall time and peak memory of a whole run, all its processes together.

    python -m benchmarks.demo [-- --domain scheduling --profile full …]

Without arguments: the demo (`--domain python --approve gate`). Memory is the sum over the process
tree, sampled every 0.5 s, of the proportional set sizes (a page shared by n processes counts 1/n in
each), or of the resident sets where the system does not tell.
"""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

from benchmarks.machine import machine


def tree_memory(root: psutil.Process) -> int:
    """Bytes of memory of a process and all its descendants."""
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            total += getattr(process.memory_full_info(), "pss", 0) or process.memory_info().rss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def main() -> None:
    """Run, watch, print."""
    arguments = (
        sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else ["--domain", "python", "--approve", "gate"]
    )
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "graphs.transfer", *arguments], stdin=subprocess.DEVNULL)
    root, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            peak = max(peak, tree_memory(root))
        except psutil.NoSuchProcess:
            break
        time.sleep(0.5)
    seconds = time.monotonic() - started
    figures = f"exit {process.wait()}, {seconds / 60:.1f} min, peak {peak / 1e9:.1f} GB"
    print(f"{' '.join(arguments)}: {figures}; {machine()}")


if __name__ == "__main__":
    main()
