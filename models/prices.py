"""What a call cost, from a dated price table.

Guaranteed: a model without a price has cost None (unknown), never 0; a table that breaks a rule is
refused as a whole, with the entry and the field named. Not guaranteed: that a price is still
current; the table's dates say when it was.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from models.spec import ModelSpec
from records.nouns import Record

SHIPPED = Path(__file__).parent / "prices.toml"
_DATED = r"(-\d{8}|-\d{4}-\d{2}-\d{2}|-latest)?"
_PROVIDERS = ("anthropic", "openai", "vllm")


class PriceError(Exception):
    """A price table that cannot be used; the message names file, entry and field."""


class Price(Record, allow_inf_nan=False):
    """US dollars per million tokens, as of `date`. A cache price that is None: as any prompt token."""

    date: datetime.date
    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_read: float | None = Field(None, ge=0)
    cache_write: float | None = Field(None, ge=0)
    batch_discount: float | None = Field(None, ge=0, lt=1, description="share taken off in the provider's batches")

    def cost(
        self, prompt: int, completion: int, cache_read: int | None = None, cache_write: int | None = None
    ) -> float:
        """US dollars for these tokens; `prompt` includes those read from and written to the cache."""
        read, written = cache_read or 0, cache_write or 0
        plain = max(0, prompt - read - written)
        read_price = self.input if self.cache_read is None else self.cache_read
        write_price = self.input if self.cache_write is None else self.cache_write
        return (plain * self.input + read * read_price + written * write_price + completion * self.output) / 1e6

    def upper_cost(self, prompt: int, completion: int) -> float:
        """US dollars if every prompt token is charged at the highest price there is for one."""
        dearest = max(self.input, self.cache_read or 0.0, self.cache_write or 0.0)
        return (prompt * dearest + completion * self.output) / 1e6

    def batched(self) -> Price:
        """The price inside a provider's batch; unchanged where no discount is known."""
        share = 1 - (self.batch_discount or 0.0)
        names = ("input", "output", "cache_read", "cache_write")
        values = {name: getattr(self, name) for name in names}
        return self.model_copy(update={n: None if v is None else v * share for n, v in values.items()})


class PriceTable:
    """Prices by provider and model name. Made by `load_prices`."""

    def __init__(self, rows: Mapping[str, Mapping[str, Price]], local: Price) -> None:
        self._rows = rows
        self._local = local
        self._known: dict[ModelSpec, Price | None] = {}

    def price_of(self, spec: ModelSpec) -> Price | None:
        """The model's price; None if it is not known. Models in this process, and the oracle, are free.

        An entry of just this name goes before one of which the name is a dated version.
        """
        if spec.local or spec.provider == "oracle":
            return self._local
        if spec not in self._known:
            self._known[spec] = self._named(spec)
        return self._known[spec]

    def _named(self, spec: ModelSpec) -> Price | None:
        rows = self._rows.get(spec.provider, {})
        if spec.name in rows:
            return rows[spec.name]
        for name, price in rows.items():
            if re.fullmatch(re.escape(name) + _DATED, spec.name):
                return price
        return None

    def cost_of(
        self,
        spec: ModelSpec,
        prompt_tokens: int | None,
        completion_tokens: int | None,
        cached_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        batch: bool = False,
    ) -> float | None:
        """US dollars for one call. None if the price or a token count is unknown."""
        price = self.price_of(spec)
        if price is None or prompt_tokens is None or completion_tokens is None:
            return None
        price = price.batched() if batch else price
        return price.cost(prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens)


def load_prices(own: Path | str | None = None) -> PriceTable:
    """The shipped table, with the entries of the user's own table over it. Raises PriceError."""
    tables = [_read(SHIPPED)] + ([_read(Path(own).expanduser())] if own else [])
    rows: dict[str, dict[str, Price]] = {}
    for table in tables:
        for provider, entries in table.items():
            rows.setdefault(provider, {}).update(entries)
    return PriceTable(rows, rows.pop("local")[""])


def _read(path: Path) -> dict[str, dict[str, Price]]:
    """Prices by provider and name; those of local models under "local" and the empty name."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PriceError(f"price table {path}: cannot be read as UTF-8 text ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise PriceError(f"price table {path}: not TOML: {error}. An entry begins with {_EXAMPLE}") from error
    return {provider: _section(path, provider, entries) for provider, entries in table.items()}


_EXAMPLE = '[openai."NAME"], then date, input and output'


def _section(path: Path, provider: str, entries: Any) -> dict[str, Price]:
    if provider == "local":
        return {"": _price(path, "[local]", entries)}
    if provider not in _PROVIDERS or not isinstance(entries, dict):
        known = ", ".join(("local", *_PROVIDERS))
        raise PriceError(f"price table {path}: there is no section '{provider}'; there are: {known}")
    return {name: _price(path, f'[{provider}."{name}"]', row) for name, row in entries.items()}


def _price(path: Path, entry: str, row: Any) -> Price:
    try:
        return Price.model_validate(row)
    except ValidationError as error:
        raise PriceError(f"price table {path}: entry {entry}: {_faults(error)}") from error


def _faults(error: ValidationError) -> str:
    if any(not fault["loc"] for fault in error.errors()):
        return 'write it as [provider."model"] with fields ' + ", ".join(Price.model_fields)
    return "; ".join(_fault(fault) for fault in error.errors())


def _fault(fault: Any) -> str:
    field = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"field '{field}' is missing"
    if fault["type"] == "extra_forbidden":
        return f"there is no field '{field}'; there are: {', '.join(Price.model_fields)}"
    return f"field '{field}': {fault['msg']} (given: {fault['input']!r})"
