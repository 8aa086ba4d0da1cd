"""Drawing problems from parametrised families, split by split.

Guaranteed: a family's parameters belong to one split by their hash, whatever the seed, so a model
trained on one seed's problems has not seen another seed's test problems either; `ood` takes all
parameters of the families that it is given; the same seed draws the same problems.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Protocol, TypeVar

from pydantic import JsonValue

from domains.base import DomainError
from records.config import Sizes
from records.nouns import Split, content_hash

_BUCKETS = 20
_SHARES: dict[Split, range] = {"train": range(13), "validation": range(13, 16), "test": range(16, 20)}
_TRIES = 300  # draws after which a family counts as exhausted for a split


class Parametrised(Protocol):
    """One problem of a family. `params` holds what makes it different from its siblings."""

    @property
    def params(self) -> tuple[JsonValue, ...]: ...


class Family(Protocol):
    """A source of problems."""

    @property
    def id(self) -> str: ...
    @property
    def area(self) -> str: ...
    @property
    def ood(self) -> bool: ...
    @property
    def build(self) -> Callable[[random.Random], Any]: ...  # a Parametrised


F = TypeVar("F", bound=Family)


def counts(sizes: Sizes) -> dict[Split, int]:
    """How many problems each split gets."""
    return {
        "train": sizes.train,
        "validation": sizes.gate + sizes.transfer,
        "test": sizes.test,
        "ood": sizes.ood,
    }


def draw(families: Sequence[F], split: Split, count: int, seed: int) -> Iterator[tuple[F, Any, str]]:
    """`count` different drafts with family and hash, the families taking turns, areas mixed. Raises DomainError."""
    rng = random.Random(f"{seed}/{split}")
    left, seen = list(families), set[str]()
    while len(seen) < count:
        if not left:
            raise DomainError(f"the families give {len(seen)} different problems for {split}, not {count}: lower sizes")
        for family in _mixed(left, rng)[: count - len(seen)]:
            draft = _fresh(family, split, seen, rng)
            if draft is None:
                left.remove(family)
                continue
            identity = identify(family, draft)
            seen.add(identity)
            yield family, draft, identity


def identify(family: Family, draft: Parametrised) -> str:
    """The hash that says which problem it is, however it is worded."""
    return content_hash([family.id, list(draft.params)])


def _mixed(families: Sequence[F], rng: random.Random) -> list[F]:
    """The families in random order, one of each area in turn."""
    areas: dict[str, list[F]] = {}
    for family in rng.sample(families, len(families)):
        areas.setdefault(family.area, []).append(family)
    return [family for row in zip_longest(*areas.values()) for family in row if family is not None]


def _fresh(family: Family, split: Split, seen: set[str], rng: random.Random) -> Any:
    for _ in range(_TRIES):
        draft = family.build(rng)
        identity = identify(family, draft)
        if identity not in seen and (split == "ood" or int(identity, 16) % _BUCKETS in _SHARES[split]):
            return draft
    return None
