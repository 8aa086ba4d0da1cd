"""A backend whose Lean is `lean_replay.py`: recorded answers, real walls."""

from __future__ import annotations

import sys
from pathlib import Path

from sandbox.lean_backends import LeanBackend

HERE = Path(__file__).parent
FIXTURES = HERE / "lean_fixtures"


def standin(mode: str = "replay") -> LeanBackend:
    """Answers from the fixtures, or misbehaves."""
    files = {f"/judge/{path.name}": str(path) for path in sorted(FIXTURES.glob("*.jsonl"))}
    return LeanBackend(
        name="recorded",
        about="recorded answers",
        toolchain="recorded",
        command=(sys.executable, "-I", "-S", "/judge/lean_replay.py", mode, *files),
        binds={**_python(), **files, "/judge/lean_replay.py": str(HERE / "lean_replay.py")},
        start_s=30.0,
        memory_mb=512,
    )


def _python() -> dict[str, str]:
    """The interpreter's folders, where they are not among the system's own."""
    places = {sys.base_prefix, sys.prefix, str(Path(sys.executable).resolve().parents[1])}
    return {place: place for place in places if not place.startswith("/usr")}
