"""What a comparison showed."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """Equal, different, or not shown (None), and why."""

    equal: bool | None
    reason: str
