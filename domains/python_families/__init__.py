"""The families of programming tasks: one module per area, three quarters of them for training."""

from __future__ import annotations

from domains.python_families import algorithms, classes, containers, errors, files, strings
from domains.python_families.base import Case, Draft, Family

FAMILIES: tuple[Family, ...] = (
    *strings.FAMILIES,
    *containers.FAMILIES,
    *algorithms.FAMILIES,
    *files.FAMILIES,
    *classes.FAMILIES,
    *errors.FAMILIES,
)

__all__ = ["FAMILIES", "Case", "Draft", "Family"]
