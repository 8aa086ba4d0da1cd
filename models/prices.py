"""What a call cost, from a dated price table.

Guaranteed: a model without a price has cost None (unknown), never 0. Not guaranteed: that a price
is still current; the table's dates say when it was. Discounts and cache-write surcharges are not
counted.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path

from models.spec import ModelSpec
from records.nouns import Record

_DATED = r"(-\d{8}|-\d{4}-\d{2}-\d{2}|-latest)?"


class Price(Record):
    """US dollars per million tokens, as of `date`."""

    date: str
    input: float
    output: float
    cached: float | None = None


def price_of(spec: ModelSpec) -> Price | None:
    """The model's price; None if it is not known."""
    if spec.local:
        return Price.model_validate(_table()["local"])
    for name, row in _table().get(spec.provider, {}).items():
        if re.fullmatch(re.escape(name) + _DATED, spec.name):
            return Price.model_validate(row)
    return None


def cost_of(
    spec: ModelSpec, prompt_tokens: int | None, completion_tokens: int | None, cached_tokens: int | None = None
) -> float | None:
    """US dollars for one call. `prompt_tokens` includes the cached ones. None if unknown."""
    price = price_of(spec)
    if price is None or prompt_tokens is None or completion_tokens is None:
        return None
    cached = (cached_tokens or 0) if price.cached is not None else 0
    total = (prompt_tokens - cached) * price.input + completion_tokens * price.output
    return (total + cached * (price.cached or 0.0)) / 1e6


@lru_cache(maxsize=1)
def _table() -> dict[str, dict]:
    return tomllib.loads((Path(__file__).parent / "prices.toml").read_text("utf-8"))
