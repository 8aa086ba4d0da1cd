"""What this machine computes with, and settings of the C library that training wants.

Guaranteed: bf16 is chosen only where the processor multiplies it in hardware. Not guaranteed: the
CUDA choice, which no test here has run.
"""

from __future__ import annotations

import ctypes
import platform

import torch

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # mallopt(3)


def cpu_has_bf16() -> bool:
    """The CPU multiplies bf16 matrices in hardware (AMX or AVX512-BF16)."""
    flags = torch.cpu.get_capabilities()
    return bool(flags.get("amx_bf16") or flags.get("avx512_bf16"))


def best_dtype() -> torch.dtype:
    """bf16 on a GPU that has it and on a CPU with bf16 matrix instructions, else fp32."""
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if cpu_has_bf16() else torch.float32


def keep_freed_memory() -> bool:
    """Have glibc reuse large blocks instead of giving them back after each op.

    A training step frees and takes the same few megabytes thousands of times; each time the kernel
    clears the pages anew (about 10% of a step). Returns whether it could be set (glibc only).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 2**26))
    return all([mallopt(name, value) == 1 for name, value in settings])
