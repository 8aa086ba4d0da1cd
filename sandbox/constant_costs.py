"""What an operation of the host's evaluator takes, found before it is made.

Guaranteed: a value's weight counts whatever is in it as often as it is in it, so that the weight bounds the time of
copying, comparing, hashing and writing the value out; weighing itself visits a list that is in many places once.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

MAX_SIZE = 1_000_000  # weight of a value, bits of an integer
MAX_DIGITS = 400  # places to round to; a float has no more
MOST_ALIKE = 1000  # keys of one hash: finding a place takes a look at each of them
_LIGHT = frozenset({bool, float, complex, type(None)})
_LIMB = 30  # bits


def weight(value: Any, known: dict[int, int] | None = None) -> int:
    """One for each item, character, byte and eight bits of an integer, at any depth."""
    known = {} if known is None else known
    match value:
        case str() | bytes() | range():
            return 1 + len(value)
        case int():
            return 1 + value.bit_length() // 8
        case list() | tuple() | set() | frozenset():
            return _of_items(value, known)
        case dict():
            return _of_items(value.keys(), known) + _of_items(value.values(), known)
    return 1


def _of_items(items: Any, known: dict[int, int]) -> int:
    kinds = set(map(type, items))
    if kinds <= _LIGHT:
        return 1 + len(items)
    if kinds == {int}:
        return 1 + len(items) + sum(map(int.bit_length, items)) // 8
    total = 1 + len(items)
    for item in items:
        if (found := known.get(id(item))) is None:
            found = known[id(item)] = weight(item, known)
        total += found
    return total


def operation_explodes(kind: ast.operator, left: Any, right: Any) -> bool:
    """Whether the result would be unreasonably large."""
    if isinstance(kind, ast.Mod):
        return isinstance(left, str | bytes)  # formatting: '%1000000000d' is cheap to write
    if isinstance(kind, ast.Pow):
        if not isinstance(left, int) or not isinstance(right, int):
            return False
        return abs(right) * max(left.bit_length(), 1) > MAX_SIZE
    if not isinstance(kind, ast.Mult):
        return False
    for count, other in ((left, right), (right, left)):
        if isinstance(count, int) and isinstance(other, str | bytes | list | tuple):
            return count * (weight(other) - 1) > MAX_SIZE
    return isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > MAX_SIZE


def operation_steps(left: Any, right: Any) -> int:
    """Steps of an operation on two integers, in which each part of one meets each of the other."""
    if not isinstance(left, int) or not isinstance(right, int):
        return 0
    return (1 + left.bit_length() // _LIMB) * (1 + right.bit_length() // _LIMB) // 1000


def crowded(keys: Any) -> bool:
    """Whether a set or dict of these keys would take the square of their number, as multiples of 2**61 - 1 do."""
    return len(keys) > MOST_ALIKE and max(Counter(map(hash, keys)).values()) > MOST_ALIKE


def call_explodes(function: Callable[..., Any], arguments: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Whether a call of one of the evaluator's functions or methods would take or give unreasonably much."""
    explodes = _EXPLODES.get(function) if isinstance(function, Hashable) else None
    if explodes is not None:
        return bool(arguments) and explodes(arguments, named)
    owner = getattr(function, "__self__", None)
    return isinstance(owner, str | bytes) and _text_size(owner, function.__name__, arguments) > MAX_SIZE


def read_at_once(function: Callable[..., Any], value: Any) -> Any:
    """What an iterator gives, where the function takes all of it, so that it can be weighed before; else the value."""
    whole = function in _READERS or getattr(function, "__name__", "") == "join"
    return list(value) if whole and isinstance(value, zip | enumerate | reversed) else value


def _range_explodes(arguments: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Of a range `len` says only up to the largest index."""
    if not all(isinstance(part, int) for part in arguments):
        return False  # which is a TypeError
    start, stop, step = (0, arguments[0], 1) if len(arguments) == 1 else (*arguments, 1)[:3]
    return step != 0 and abs(stop - start) // abs(step) > MAX_SIZE


def _bytes_explode(arguments: Sequence[Any], named: Mapping[str, Any]) -> bool:
    return isinstance(arguments[0], int)


def _rounding_explodes(arguments: Sequence[Any], named: Mapping[str, Any]) -> bool:
    places = named.get("ndigits", arguments[1] if len(arguments) > 1 else 0)
    return isinstance(places, int) and abs(places) > MAX_DIGITS


def _keys_explode(arguments: Sequence[Any], named: Mapping[str, Any]) -> bool:
    return isinstance(arguments[0], list | tuple) and crowded(arguments[0])


def _pairs_explode(arguments: Sequence[Any], named: Mapping[str, Any]) -> bool:
    return isinstance(arguments[0], list | tuple) and crowded([pair[0] for pair in arguments[0]])


def _sum_explodes(arguments: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Lists are copied with every addition."""
    start = named.get("start", arguments[1] if len(arguments) > 1 else 0)
    if isinstance(start, int | float | complex):
        return False
    items = arguments[0]
    return not isinstance(items, list | tuple) or len(items) * weight(items) > MAX_SIZE


_EXPLODES: dict[Any, Callable[[Sequence[Any], Mapping[str, Any]], bool]] = {
    range: _range_explodes,
    bytes: _bytes_explode,
    round: _rounding_explodes,
    sum: _sum_explodes,
    set: _keys_explode,
    frozenset: _keys_explode,
    dict: _pairs_explode,
}
_READERS = (list, tuple, set, frozenset, dict, sorted, sum, min, max, any, all)


def _text_size(owner: Any, method: str, arguments: Sequence[Any]) -> int:
    """The most characters that a method of a text can give."""
    if method == "replace" and len(arguments) > 1:
        old, new = (len(part) if isinstance(part, str | bytes) else 0 for part in arguments[:2])
        places = len(owner) // old if old else len(owner) + 1
        return len(owner) + places * new
    if method == "join" and arguments:
        return _joined_size(len(owner), arguments[0])
    return len(owner)


def _joined_size(separator: int, items: Any) -> int:
    """An iterator that is not looked into is refused by its size alone."""
    if not isinstance(items, Iterable):
        return 0
    try:
        count = len(items)  # type: ignore[arg-type]
    except TypeError:
        return MAX_SIZE + 1
    return separator * count + weight(items)
