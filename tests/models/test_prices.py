"""Costs: known, local, unknown; and tables that break the rules."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from models.prices import PriceError, load_prices
from models.spec import parse_spec

HAIKU = parse_spec("anthropic:claude-haiku-4-5-20251001")
OWN = """
[openai."house-model"]
date = 2026-11-01
input = 10.0
output = 20.0

[anthropic."claude-haiku-4-5"]
date = "2026-11-01"
input = 7.0
output = 8.0
"""


def test_local_is_free_and_says_so() -> None:
    assert load_prices().cost_of(parse_spec("embedded+x"), 1000, 1000) == 0.0


def test_unknown_is_never_zero() -> None:
    prices = load_prices()
    for text in ("openai:no-such-model", "vllm:m@http://h/v1", "anthropic:claude-haiku-4-5x"):
        assert prices.price_of(parse_spec(text)) is None
        assert prices.cost_of(parse_spec(text), 10, 10) is None
    assert prices.cost_of(parse_spec("anthropic:claude-haiku-4-5"), None, 10) is None


def test_tokens_read_from_and_written_to_the_cache_have_their_own_price() -> None:
    prices = load_prices()
    price = prices.price_of(HAIKU)
    assert price is not None and price.cache_read is not None and price.cache_write is not None
    million = 1_000_000
    assert prices.cost_of(HAIKU, million, 0) == pytest.approx(price.input)
    assert prices.cost_of(HAIKU, million, 0, million) == pytest.approx(price.cache_read)
    assert prices.cost_of(HAIKU, million, 0, 0, million) == pytest.approx(price.cache_write)
    mixed = prices.cost_of(HAIKU, million, million, 400_000, 100_000)
    assert mixed == pytest.approx(0.5 * price.input + 0.4 * price.cache_read + 0.1 * price.cache_write + price.output)
    assert price.upper_cost(million, million) == pytest.approx(price.cache_write + price.output)


def test_batch_discount() -> None:
    prices = load_prices()
    whole = prices.cost_of(HAIKU, 1000, 1000, 500, 100)
    assert whole is not None
    assert prices.cost_of(HAIKU, 1000, 1000, 500, 100, batch=True) == pytest.approx(whole / 2)


def test_every_shipped_price_is_dated_and_plausible() -> None:
    for provider in ("anthropic", "openai"):
        for price in load_prices()._rows[provider].values():
            assert date(2026, 1, 1) <= price.date
            assert price.cache_read is not None and 0 < price.cache_read < price.input < price.output
            assert price.batch_discount == 0.5


def test_own_table_goes_over_the_shipped_one(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(OWN)
    prices = load_prices(file)
    assert prices.cost_of(parse_spec("openai:house-model"), 1_000_000, 0) == 10.0
    assert prices.cost_of(HAIKU, 1_000_000, 0, 1_000_000) == 7.0  # the whole entry is replaced
    assert prices.price_of(parse_spec("openai:gpt-5-mini")) == load_prices().price_of(parse_spec("openai:gpt-5-mini"))


def test_entry_of_a_dated_version_goes_before_that_of_its_family(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(OWN.replace("claude-haiku-4-5", HAIKU.name))
    prices = load_prices(file)
    assert prices.cost_of(HAIKU, 1_000_000, 0) == 7.0
    assert prices.price_of(parse_spec("anthropic:claude-haiku-4-5")) != prices.price_of(HAIKU)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[openai."m"]\ninput = 1\noutput = 1', [r'[openai."m"]', "'date' is missing"]),
        ('[openai."m"]\ndate = "soon"\ninput = 1\noutput = 1', ["'date'", "soon"]),
        ('[openai."m"]\ndate = "2026-01-01"\ninput = -1\noutput = 1', ["'input'", "-1"]),
        ('[openai."m"]\ndate = "2026-01-01"\ninput = 1\noutput = nan', ["'output'", "nan"]),
        ('[openai."m"]\ndate = "2026-01-01"\ninput = 1\noutput = 1\ncached = 1', ["'cached'", "cache_read"]),
        ('[openai."m"]\ndate = "2026-01-01"\ninput = 1\noutput = 1\nbatch_discount = 50', ["'batch_discount'"]),
        ("[openai]\nm = 3", [r'[openai."m"]', "with fields date"]),
        ('[open-ai."m"]\ndate = "2026-01-01"\ninput = 1\noutput = 1', ["open-ai", "anthropic, openai"]),
        ("prices: 1", ["not TOML", "line 1"]),
    ],
)
def test_malformed_table_names_file_entry_and_field(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(PriceError) as caught:
        load_prices(file)
    for word in [str(file), *words]:
        assert word in str(caught.value)


def test_absent_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match=r"none\.toml: cannot be read"):
        load_prices(tmp_path / "none.toml")
