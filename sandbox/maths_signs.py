"""The two values of an expression with ± in it, wherever that stands: `\\frac{1\\pm\\sqrt5}{2}`."""

from __future__ import annotations

from sandbox.maths_grammar import Node


def with_sign(node: Node, sign: int) -> Node:
    """The tree with every ± read as + (`sign` 1) or - (-1), and every ∓ the other way."""
    if node.kind == "matrix":
        return node
    parts = tuple(with_sign(part, sign) if isinstance(part, Node) else part for part in node.parts)
    if node.kind != "pm":
        return Node(node.kind, parts, node.value) if parts != node.parts else node
    base, change = parts
    change = change if (sign > 0) == (node.value == "pm") else Node("neg", (change,))
    return change if base.kind == "num" and base.value == 0 else Node("add", (base, change))
