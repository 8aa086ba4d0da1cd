"""What a run may cost and costs: prices known before it starts, and the cost line while it runs."""

from __future__ import annotations

from collections.abc import Iterator

from graphs.context import Events
from models.budget import cost_line
from models.gateway import Gateway
from models.prices import load_prices
from models.spec import ModelSpec, parse_spec
from records.config import RunConfig
from records.rundir import RunError


def paid_models(config: RunConfig) -> list[tuple[str, ModelSpec]]:
    """(role, model) of each model that is not free: all but the oracle and models in this process."""
    return [(role, spec) for role, spec in called_models(config) if not spec.local]


def called_models(config: RunConfig) -> list[tuple[str, ModelSpec]]:
    """(role, model) of each model that is called: all but the oracle."""
    return [(role, spec) for role, spec in _models(config) if spec.provider != "oracle"]


def _models(config: RunConfig) -> Iterator[tuple[str, ModelSpec]]:
    for teacher in config.teachers:
        yield "teacher", parse_spec(teacher)
    yield "student", parse_spec(config.student)
    for validator in dict.fromkeys(config.validators):
        yield "validator", parse_spec(validator)
    if config.judge is not None:
        yield "judge", parse_spec(config.judge)


def check_prices(config: RunConfig) -> None:
    """Raise RunError if a budget in dollars is given and a model's price is unknown, PriceError for a bad table."""
    prices = load_prices(config.prices)
    unknown = [(role, spec) for role, spec in paid_models(config) if prices.price_of(spec) is None]
    if config.budget.usd is None or not unknown:
        return
    names = ", ".join(f"{role} '{spec}'" for role, spec in unknown)
    spec = unknown[0][1]
    raise RunError(
        f"no price is known for {names}, so that a budget in dollars cannot be kept. Do one of these:\n"
        f'  give its price in a table of your own, under [{spec.provider}."{spec.name}"], with --prices FILE '
        "(0 for a server of your own)\n"
        "  limit tokens or calls instead: --set budget.tokens=1000000, --set budget.calls=2000\n"
        "  choose a model whose price is known (models/prices.toml)"
    )


def show_cost_live(gateway: Gateway, config: RunConfig, events: Events) -> None:
    """Have every call update the cost line; nothing is shown for a run whose models are all free."""
    if paid_models(config):
        events.cost(cost_line(gateway.spent, config.budget))
        gateway.on_wait = lambda text: events.advance(0, text)
        gateway.on_call = lambda completion, request: events.cost(cost_line(gateway.spent, config.budget))
