"""The decode loop: many prompts generated together, each with its own limits and its own dice.

Guaranteed: a row's random numbers depend only on its seed, never on its neighbours; a row ends at
its first end token ("stop") or at its token limit ("length"); finished rows leave the batch, and
waiting ones take their place. Whether a row's text is the same as if it were generated alone is
up to the backend: `models.fast_llama` says where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor


@dataclass(eq=False)
class Row:
    """One prompt in token ids, and what became of it. `temperature` 0 means greedy."""

    prompt: list[int]
    max_new: int
    temperature: float = 0.0
    seed: int = 0
    tokens: list[int] = field(default_factory=list)
    finish: str = ""  # "stop" or "length" once it has ended
    dice: Tensor | None = None  # (max_new,) uniform numbers, for sampled rows


class Backend(Protocol):
    """A model with a key-value cache whose rows are the prompts in work, in order."""

    def add(self, prompts: Sequence[list[int]]) -> Tensor:
        """Append rows after the present ones. Logits (len(prompts), vocabulary) for their next tokens."""
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Feed one token per row, (rows,). Logits (rows, vocabulary)."""
        ...

    def keep(self, rows: list[int]) -> None:
        """Drop all rows but these (ascending)."""
        ...


Refill = Callable[[int], list[Row]]


def decode(
    backend: Backend,
    rows: list[Row],
    ends: frozenset[int],
    refill: Refill = lambda free: [],
    on_finished: Callable[[Row], None] = lambda row: None,
) -> None:
    """Generate until all rows have ended, filling `tokens` and `finish` of each.

    `refill(free)` is asked for at most `free` more rows when at least a quarter of the places is
    empty; `on_finished` is told of each row as it ends.
    """
    places = len(rows)
    live: list[Row] = []
    latest = torch.empty(0, dtype=torch.long)
    while rows or live:
        if rows:
            latest = torch.cat([latest, choose(backend.add([row.prompt for row in rows]), rows)])
            live = live + rows
            keep = _note(live, latest, ends, on_finished, start=len(live) - len(rows))
        else:
            latest = choose(backend.step(latest), live)
            keep = _note(live, latest, ends, on_finished)
        rows = refill(places - len(keep)) if len(keep) <= places * 3 // 4 else []
        if rows or _worth_compacting(len(live), len(keep)):
            live, latest = [live[i] for i in keep], latest[keep]
            backend.keep(keep)


def _worth_compacting(present: int, kept: int) -> bool:
    """Copying the cache pays if a good part of it goes."""
    return kept == 0 or present - kept >= max(1, present // 8)


def _note(
    live: list[Row], tokens: Tensor, ends: frozenset[int], on_finished: Callable[[Row], None], start: int = 0
) -> list[int]:
    """Write down the new tokens of rows from `start` on; indices of all rows that go on."""
    for row, token in zip(live[start:], tokens[start:].tolist(), strict=True):
        if row.finish:
            continue
        if token in ends:
            row.finish = "stop"
        else:
            row.tokens.append(token)
            if len(row.tokens) >= row.max_new:
                row.finish = "length"
        if row.finish:
            on_finished(row)
    return [index for index, row in enumerate(live) if not row.finish]


def choose(logits: Tensor, rows: Sequence[Row]) -> Tensor:
    """Next token of each row, (rows,), on the CPU: the likeliest, or drawn at its temperature."""
    logits = logits.float()
    tokens = logits.argmax(-1).cpu()
    sampled = [index for index, row in enumerate(rows) if row.temperature > 0 and not row.finish]
    if sampled:
        temperatures = torch.tensor([rows[i].temperature for i in sampled], device=logits.device)
        draws = torch.stack([_draw(rows[i]) for i in sampled]).to(logits.device)
        tokens[sampled] = _invert(logits[sampled] / temperatures[:, None], draws).cpu()
    return tokens


def _draw(row: Row) -> Tensor:
    """The row's next uniform number, from a generator of its own."""
    if row.dice is None:
        generator = torch.Generator().manual_seed(row.seed)
        row.dice = torch.rand(row.max_new, generator=generator, dtype=torch.float64)
    return row.dice[len(row.tokens)]


def _invert(logits: Tensor, draws: Tensor) -> Tensor:
    """Inverse of the cumulative distribution at `draws` (rows,): a sample per row."""
    cumulative = logits.softmax(-1).double().cumsum(-1)
    targets = draws[:, None] * cumulative[:, -1:]
    index = torch.searchsorted(cumulative, targets, right=True)[:, 0]
    return index.clamp_(max=logits.shape[-1] - 1)
