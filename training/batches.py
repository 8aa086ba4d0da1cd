"""Batches as one flat sequence without padding: the tokens that all rows share once, then the rows.

Guaranteed: every row keeps at least one prompt token of its own, so each completion token is
predicted from a token of its own row. Not guaranteed: a gain where rows share nothing; then the
prefix is empty and only the padding is saved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import torch

from training.attention import Layout

IGNORED = -100  # label of a position without loss, as transformers has it

Row = Mapping[str, Sequence[int]]


def shared_prefix(rows: Sequence[Row]) -> int:
    """How many leading prompt tokens all rows have in common, leaving each row one. 0 for a single row."""
    if len(rows) < 2:
        return 0
    most = min(_prompt_length(row) for row in rows) - 1
    columns = zip(*(row["input_ids"][: max(most, 0)] for row in rows), strict=True)
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))


def _prompt_length(row: Row) -> int:
    return next(i for i, label in enumerate(row["labels"]) if label != IGNORED)


def collate(rows: Sequence[Row]) -> dict[str, Any]:
    """One flat batch of N tokens from rows with `input_ids` and `labels` (IGNORED on the prompt).

    Returns input_ids (1, N), position_ids (1, N), labels (1, N), `predictors` (T): the flat positions
    whose next token carries loss, and the layout of the flat sequence.
    """
    rows = sorted(rows, key=lambda row: len(row["input_ids"]))
    prefix = shared_prefix(rows)
    layout = Layout(prefix, tuple(len(row["input_ids"]) - prefix for row in rows))
    ids, labels, positions = list(rows[0]["input_ids"][:prefix]), [IGNORED] * prefix, list(range(prefix))
    for row in rows:
        ids += row["input_ids"][prefix:]
        labels += row["labels"][prefix:]
        positions += range(prefix, len(row["input_ids"]))
    flat = torch.tensor([labels])
    return {
        "input_ids": torch.tensor([ids]),
        "position_ids": torch.tensor([positions]),
        "labels": flat,
        "predictors": torch.nonzero(flat[0] != IGNORED).squeeze(1) - 1,
        "layout": layout,
    }


def row_tokens(layout: Layout) -> int:
    """Prompt and completion tokens of the batch's rows, the shared ones counted in each."""
    return sum(layout.lengths) + layout.prefix * len(layout.lengths)
