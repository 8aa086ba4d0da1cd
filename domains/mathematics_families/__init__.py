"""The families of mathematics problems: one module per area, four fifths of them for training."""

from __future__ import annotations

from domains.mathematics_families import algebra, calculus, combinatorics, data, geometry, number_theory
from domains.mathematics_families.base import MARK, REPLY_FORMAT, Draft, Family

FAMILIES: tuple[Family, ...] = (
    *algebra.FAMILIES,
    *number_theory.FAMILIES,
    *combinatorics.FAMILIES,
    *geometry.FAMILIES,
    *calculus.FAMILIES,
    *data.FAMILIES,
)

__all__ = ["FAMILIES", "MARK", "REPLY_FORMAT", "Draft", "Family"]
