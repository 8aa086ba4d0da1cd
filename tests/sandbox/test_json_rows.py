"""A row is a record, or says what is wrong with it and where."""

import pytest
from pydantic import BaseModel

from sandbox.json_rows import MAX_LINE, UnreadRow, read_row


class Pair(BaseModel):
    id: str | int | None = None
    left: int


def test_a_row_is_a_record() -> None:
    assert read_row(1, b'{"id": "a", "left": 2}', Pair, "left") == Pair(id="a", left=2)


@pytest.mark.parametrize(
    ("line", "words", "identity"),
    [
        (b"{", "row 7: not JSON", None),
        (b"[" * 100_000, "row 7: not JSON", None),
        (b"\xff", "row 7: not JSON", None),
        (b"[1]", "row 7: not a JSON object with the fields left", None),
        (b'{"id": 3, "left": "x"}', "row 7: field 'left': ", 3),
        (b'{"id": [1]}', "row 7: field ", None),
        (b" " * (MAX_LINE + 1), f"row 7: the row has {MAX_LINE + 1} bytes", None),
    ],
)
def test_what_is_no_row_is_named(line: bytes, words: str, identity: object) -> None:
    with pytest.raises(UnreadRow) as raised:
        read_row(7, line, Pair, "left")
    assert str(raised.value).startswith(words) and raised.value.identity == identity
