"""One line that names the machine a figure was measured on."""

from __future__ import annotations

import os
from pathlib import Path

import psutil


def machine() -> str:
    """Processor, usable cores, memory, and whether bf16 matrix units are there."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    found = {key.strip(): value.strip() for key, value in lines.items()}
    flags = found.get("flags", "").split()
    bf16 = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags]
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{found.get('model name', 'unknown CPU')}, {cores} cores, {memory:.0f} GiB, {'/'.join(bf16) or 'no bf16'}"
