"""Token counts by the embedded model's tokenizer: one yardstick for strategies of every model.

Not guaranteed: that another model counts the same (they differ by some 10–20 percent).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from models.embedded import embedded_model_directory

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def count_tokens(text: str) -> int:
    """Number of tokens of `text`, without a chat template or special tokens."""
    return len(_tokenizer().encode(text, add_special_tokens=False).ids)


def truncate_tokens(text: str, limit: int) -> str:
    """The longest beginning of `text` that has at most `limit` tokens."""
    offsets = _tokenizer().encode(text, add_special_tokens=False).offsets
    return text if len(offsets) <= limit else text[: offsets[limit][0]]


@lru_cache(maxsize=1)
def _tokenizer() -> Tokenizer:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(embedded_model_directory() / "tokenizer.json"))
