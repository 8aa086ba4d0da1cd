"""How the program is called, for the lines that tell what to type; and its environment."""

import os

PROGRAM = "python -m graphs.transfer"


def quieten() -> None:
    """Keep the model libraries' bars and telemetry away; to be called before they are loaded."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # the bars here are ours
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
