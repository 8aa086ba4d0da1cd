"""Flat batches: what is shared, what carries loss, how tokens are counted."""

from hypothesis import given
from hypothesis import strategies as st

from training.batches import IGNORED, collate, row_tokens, shared_prefix

Row = dict[str, list[int]]


def row(ids: list[int], prompt: int) -> Row:
    return {"input_ids": ids, "labels": [IGNORED] * prompt + ids[prompt:]}


def test_prefix_leaves_each_row_a_prompt_token() -> None:
    assert shared_prefix([row([1, 2, 3, 9], 3), row([1, 2, 3, 8], 3)]) == 2
    assert shared_prefix([row([1, 2, 3, 9], 1), row([1, 2, 3, 8], 3)]) == 0
    assert shared_prefix([row([1, 2, 3, 9], 3), row([1, 5, 3, 8], 3)]) == 1


def test_a_single_row_shares_nothing() -> None:
    assert shared_prefix([row([1, 2, 3], 2)]) == 0


rows_of_tokens = st.lists(
    st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=8), st.lists(st.integers(0, 2), min_size=1, max_size=5)),
    min_size=1,
    max_size=6,
)


@given(rows_of_tokens)
def test_flat_batch_holds_exactly_the_rows(parts: list[tuple[list[int], list[int]]]) -> None:
    rows = [row(prompt + completion, len(prompt)) for prompt, completion in parts]
    batch = collate(rows)
    layout, ids = batch["layout"], batch["input_ids"][0].tolist()
    rebuilt = sorted(ids[: layout.prefix] + ids[start:end] for start, end in layout.parts)
    assert rebuilt == sorted(r["input_ids"] for r in rows)
    assert row_tokens(layout) == sum(len(r["input_ids"]) for r in rows)
    assert len(batch["predictors"]) == sum(len(completion) for _, completion in parts)
    for start, end in layout.parts:
        inside = [p for p in batch["predictors"].tolist() if start <= p < end]
        assert inside == list(range(end - 1 - len(inside), end - 1))  # predicted from the row itself
        assert batch["position_ids"][0, start:end].tolist() == list(range(layout.prefix, layout.prefix + end - start))
