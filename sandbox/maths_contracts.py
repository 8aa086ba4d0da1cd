"""The answer contract of a problem: what kind of answer is asked for.

`auto` lets the gold answer say it. A contract is written as its kind, `decimal` with its number of
places: `exact`, `decimal(2)`, `unit`, `tuple`, `set`, `interval`, `equation`, `choice`, `text`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS = ("auto", "exact", "decimal", "unit", "tuple", "set", "interval", "equation", "choice", "text")
MAX_PLACES = 50


class ContractError(ValueError):
    """A contract that is not one; the message lists those there are."""


@dataclass(frozen=True)
class Contract:
    """`digits` counts decimal places, for kind decimal only."""

    kind: str = "auto"
    digits: int | None = None

    @property
    def floats(self) -> bool:
        """Whether a decimal of 15 digits may stand for a number that it rounds; `exact` forbids it."""
        return self.kind == "auto"

    def __str__(self) -> str:
        return self.kind if self.digits is None else f"{self.kind}({self.digits})"


def parse_contract(text: str | None) -> Contract:
    """The contract that a text names. Raises ContractError."""
    match = re.fullmatch(r"([a-z]+)(?:\((\d{1,2})\))?", (text or "auto").strip())
    kind, digits = (match[1], match[2]) if match else ("", None)
    if kind not in KINDS or (kind == "decimal") != (digits is not None) or int(digits or 0) > MAX_PLACES:
        known = ", ".join("decimal(DIGITS)" if kind == "decimal" else kind for kind in KINDS)
        raise ContractError(f"'{str(text)[:40]}' is no answer contract; there are: {known}")
    return Contract(kind, int(digits) if digits is not None else None)
