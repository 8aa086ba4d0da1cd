"""Costs: known, local, unknown."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest

import models.prices
from models.prices import cost_of, price_of
from models.spec import parse_spec


def test_local_is_free_and_says_so() -> None:
    assert cost_of(parse_spec("embedded+x"), 1000, 1000) == 0.0


def test_unknown_is_never_zero() -> None:
    for text in ("openai:no-such-model", "vllm:m@http://h/v1", "anthropic:claude-haiku-4-5x"):
        assert price_of(parse_spec(text)) is None
        assert cost_of(parse_spec(text), 10, 10) is None
    assert cost_of(parse_spec("anthropic:claude-haiku-4-5"), None, 10) is None


def test_dated_names_and_cached_tokens() -> None:
    spec = parse_spec("anthropic:claude-haiku-4-5-20251001")
    price = price_of(spec)
    assert price is not None and price.cached is not None
    full, cached = cost_of(spec, 1_000_000, 0), cost_of(spec, 1_000_000, 0, 1_000_000)
    assert full == pytest.approx(price.input) and cached == pytest.approx(price.cached)


def test_every_price_is_dated_and_plausible() -> None:
    table = tomllib.loads((Path(models.prices.__file__).parent / "prices.toml").read_text("utf-8"))
    rows = [table["local"], *table["anthropic"].values(), *table["openai"].values()]
    for row in rows:
        date.fromisoformat(row["date"])
        assert 0 <= row["cached"] <= row["input"] <= row["output"]
