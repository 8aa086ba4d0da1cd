"""A backend whose Lean is `lean_replay.py`: made answers, real walls."""

from __future__ import annotations

import sys
from pathlib import Path

from sandbox.lean_backends import LeanBackend
from tests.needs import require_bubblewrap

HERE = Path(__file__).parent


def standin(mode: str, *, started: bool = True) -> LeanBackend:
    """Answers, or misbehaves, as the mode says. Skips the test where its walls cannot be built and it is started."""
    if started:
        require_bubblewrap()
    return LeanBackend(
        name="made",
        about="made answers",
        toolchain="made",
        command=(sys.executable, "-I", "-S", "/judge/lean_replay.py", mode),
        binds={**_python(), "/judge/lean_replay.py": str(HERE / "lean_replay.py")},
        start_s=30.0,
        memory_mb=512,
    )


def _python() -> dict[str, str]:
    """The interpreter's folders, where they are not among the system's own."""
    places = {sys.base_prefix, sys.prefix, str(Path(sys.executable).resolve().parents[1])}
    return {place: place for place in places if not place.startswith("/usr")}
