"""Answers against values that were written in JSON, which has lists and no other sequences.

Under the comparisons "float" and "unordered" a list of the expected value may be answered by a tuple or a deque with
equal items in that order, or by a set (frozenset, view of a dict's keys or items) with as many items, equal in any
order: at any depth. "exact", "typed" and "json" stay what they are.
"""

from __future__ import annotations

from sandbox.values import Node, normal, plain

_LOOSE = ("float", "unordered")


def as_in_json(got: Node, expected: Node, comparison: str) -> tuple[Node, Node]:
    """Both sides with the same kind of sequence wherever the comparison lets one stand for the other."""
    return _aligned(got, expected, comparison, top=True) if comparison in _LOOSE else (got, expected)


def _aligned(got: Node, expected: Node, comparison: str, top: bool) -> tuple[Node, Node]:
    got = plain(got)
    if got.tag == "X" and got.value in ("deque", "dict_items"):
        got = got.items[0]
    if expected.tag == "l" and got.tag in "lt":
        return _paired("l", got.items, expected.items, comparison, free=top and comparison == "unordered")
    if expected.tag == "l" and got.tag in "SZ" and len(set(map(normal, expected.items))) == len(expected.items):
        return Node("S", None, got.items), Node("S", None, expected.items)
    if expected.tag == got.tag == "d" and len(got.items) == len(expected.items):
        return _dicts(got, expected, comparison)
    return got, expected


def _paired(
    tag: str, got: tuple[Node, ...], expected: tuple[Node, ...], comparison: str, free: bool
) -> tuple[Node, Node]:
    """Two sequences item by item; in any order only tuples are read as lists, since no item has a partner yet."""
    if free:
        return Node("l", None, tuple(map(_listed, got))), Node("l", None, expected)
    if len(got) != len(expected):
        return Node(tag, None, got), Node(tag, None, expected)
    pairs = [_aligned(one, other, comparison, top=False) for one, other in zip(got, expected, strict=True)]
    return Node(tag, None, tuple(one for one, _ in pairs)), Node(tag, None, tuple(other for _, other in pairs))


def _dicts(got: Node, expected: Node, comparison: str) -> tuple[Node, Node]:
    """Values under the same key."""
    mine = {normal(key): value for key, value in zip(got.items[::2], got.items[1::2], strict=True)}
    items: list[list[Node]] = [[], []]
    for key, value in zip(expected.items[::2], expected.items[1::2], strict=True):
        if (found := mine.get(normal(key))) is None:
            return got, expected
        for side, node in zip(items, _aligned(found, value, comparison, top=False), strict=True):
            side += [key, node]
    return Node("d", None, tuple(items[0])), Node("d", None, tuple(items[1]))


def _listed(node: Node) -> Node:
    node = plain(node)
    items = tuple(map(_listed, node.items))
    return Node("l" if node.tag == "t" else node.tag, node.value, items)
