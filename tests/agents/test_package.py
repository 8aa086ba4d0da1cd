"""The import name `agents` is shared with another well-known package: ours must win."""

import subprocess
import sys
from pathlib import Path

import agents

ROOT = Path(__file__).resolve().parents[2]


def test_agents_is_ours() -> None:
    assert agents.__file__ is not None
    assert Path(agents.__file__).resolve() == ROOT / "agents" / "__init__.py"


def test_the_agents_import_no_torch() -> None:
    code = (
        "import sys, agents.teacher, agents.oracle, agents.arms, agents.judge; "
        "sys.exit(bool({'torch', 'transformers'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
