"""Parametrised families of problems: how one is written down and found again in its module."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from records.nouns import Difficulty

DraftT = TypeVar("DraftT")
AreaT = TypeVar("AreaT", bound=str)


@dataclass(frozen=True)
class Family(Generic[AreaT, DraftT]):
    """A function from a random generator to drafts. `ood` families are never in train, validation or test."""

    id: str
    area: AreaT
    difficulty: Difficulty
    ood: bool
    build: Callable[[random.Random], DraftT] = field(repr=False)


def gather(module: dict[str, Any]) -> tuple[Family[Any, Any], ...]:
    """All families of a module, in order of their definition."""
    return tuple(value for value in module.values() if isinstance(value, Family))
