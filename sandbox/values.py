"""Plain data as canonical text, and the rules by which the host compares it.

Standard library only: the same file runs inside the sandbox, where it encodes, and on the host,
where it decodes and compares.

Guaranteed: `encode` keeps tuple apart from list, set from frozenset, bool from int from float, and
is exact for every int, float (nan and inf too) and bytes. `parse` never recurses, never hashes
what it read, and is capped in size and depth, so a hostile text costs linear time.
Not guaranteed: that a text came from an honest program. It is an answer, never evidence.

Grammar, prefix notation: `N` `T` `F` | `i<hex>;` | `f<float.hex>;` | `c<hex>,<hex>;` |
`s<characters>:<text>` | `b<bytes>:<hex>` | `l|t|S|Z<items>:` items | `d<pairs>:` key value …
(list, tuple, set, frozenset, dict). Sets and dicts are sorted by the text of their items or keys.
Of sandbox/standard_types.py: `q<hex>/<hex>;` an exact fraction | `x|X<name>,<parts>:` parts, a standard type that
compares as its first part (`x`) or with its own kind only (`X`). Of sandbox/serving.py: `H<hex>,T|F;` an object that
stays where it is, and its truth.
"""

from __future__ import annotations

import math
import re
import struct
from collections import Counter, OrderedDict, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CHARS = 1_000_000
MAX_DEPTH = 100
RECORD = struct.Struct("<cI")  # head of one record from the child: kind, bytes of UTF-8 text
RELATIVE = 1e-9  # relative slack of the float rule, for values far from zero

_HEAD = re.compile(
    r"[NTF]|i(-?[0-9a-f]+);|f([^;,]{1,32});|c([^;,]{1,32}),([^;,]{1,32});|([sbltSZd])([0-9]{1,7}):"
    r"|q(-?[0-9a-f]{1,20000})/([0-9a-f]{1,20000});|H([0-9a-f]{1,8}),([TF]);|[xX]([A-Za-z_]{1,20}),([1-9]):"
)
_SEQUENCES = {list: "l", tuple: "t", set: "S", frozenset: "Z"}
_DICTS = (dict, OrderedDict, defaultdict, Counter)
_INHERITED = ("__eq__", "__hash__", "__iter__", "__len__", "__getitem__", "__contains__")
_EXACT = frozenset({bool, int, float, str, list, tuple, dict, set, frozenset, bytes, complex, type(None)})
_NUMBERS = "TFifcq"
_CONTAINERS = "ltSZdxX"


class ValueProblem(Exception):
    """The value has no canonical form (`encode`) or the text is not one (`parse`)."""


class ValueTooLarge(ValueProblem):
    """The canonical text would be longer than the cap."""


class Node(NamedTuple):
    """A parsed value. `value` holds a leaf, `items` the children (a dict's keys and values in turn).

    A fraction's value is (numerator, denominator), a standard type's its name, that of an object that stays
    where it is its number and its truth.
    """

    tag: str
    value: Any = None
    items: tuple[Node, ...] = ()


def encode(
    value: Any,
    max_chars: int = MAX_CHARS,
    max_depth: int = MAX_DEPTH,
    other: Callable[[Encoder, Any, int], str | None] | None = None,
    ordered: bool = False,
) -> str:
    """Canonical text of plain data.

    `other` gives the text of what is no exact built-in type, or None. `ordered` keeps the order of dicts: the
    text is no longer canonical, but what is built of it is in that order.

    Raises ValueProblem for anything else, lone surrogates, or nesting deeper than `max_depth`,
    and ValueTooLarge beyond `max_chars` characters.
    """
    return Encoder(max_chars, max_depth, other, ordered).text(value, 0)


class Encoder:
    """One encoding: what is left of the caps, and who knows the types that are not built in."""

    def __init__(
        self,
        max_chars: int,
        max_depth: int,
        other: Callable[[Encoder, Any, int], str | None] | None,
        ordered: bool,
    ) -> None:
        self.left = max_chars
        self.max_chars = max_chars
        self.max_depth = max_depth
        self.other = other
        self.ordered = ordered

    def text(self, value: Any, depth: int) -> str:
        """Text of a value that stands `depth` containers deep."""
        if depth > self.max_depth:
            raise ValueProblem(f"nested deeper than {self.max_depth}")
        kind: Any = type(value)
        if kind not in _EXACT:
            if self.other is not None and (text := self.other(self, value, depth)) is not None:
                self._spend(len(text) if text[0] in "Hq" else 4)
                return text
            kind = plain_type(value)
        if kind in _SEQUENCES:
            self._spend(4)
            parts = [self.text(item, depth + 1) for item in kind.__iter__(value)]
            if kind in (set, frozenset):
                parts.sort()
            return f"{_SEQUENCES[kind]}{len(parts)}:{''.join(parts)}"
        if kind is dict:
            self._spend(4)
            pairs = [(self.text(k, depth + 1), self.text(v, depth + 1)) for k, v in dict.items(value)]
            if not self.ordered:
                pairs.sort()
            return f"d{len(pairs)}:{''.join(k + v for k, v in pairs)}"
        leaf = self._leaf(kind, value)
        self._spend(len(leaf))
        return leaf

    def _leaf(self, kind: type, value: Any) -> str:
        if value is None or kind is bool:
            return {None: "N", True: "T", False: "F"}[value]
        if kind is int:
            if int.bit_length(value) > self.max_chars * 4:
                raise ValueTooLarge("integer too large")
            return f"i{int.__format__(value, 'x')};"
        if kind is float:
            return f"f{float.hex(value)};"
        if kind is complex:
            return f"c{value.real.hex()},{value.imag.hex()};"
        if kind is bytes:
            return f"b{len(value)}:{bytes.hex(value)}"
        return f"s{str.__len__(value)}:{_sound(str.__str__(value))}"

    def _spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ValueTooLarge(f"longer than {self.max_chars} characters")


def plain_type(value: Any) -> type:
    """The built-in type that stands for `value`; subclasses count if they compare like their base.

    Raises ValueProblem if there is none.
    """
    kind = type(value)
    if value is None or kind in (bool, int, float, str, list, tuple, dict, set, frozenset, bytes, complex):
        return kind
    if kind in _DICTS:
        return dict
    for base in (int, float, str, tuple, list, dict, set, frozenset, bytes):
        if isinstance(value, base) and all(
            getattr(kind, name, None) is getattr(base, name, None) for name in _INHERITED
        ):
            return base
    raise ValueProblem(f"not plain data: {kind.__name__}")


def _sound(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueProblem("text with a lone surrogate") from None
    return text


def parse(text: str, max_chars: int = MAX_CHARS, max_depth: int = MAX_DEPTH) -> Node:
    """Read canonical text, without recursion. Raises ValueProblem for anything malformed."""
    if len(text) > max_chars:
        raise ValueTooLarge(f"longer than {max_chars} characters")
    top: list[Node] = []
    stack: list[tuple[str, int, list[Node]]] = [("", 1, top)]
    position = 0
    while stack:
        tag, wanted, items = stack[-1]
        if len(items) == wanted:
            stack.pop()
            if stack:
                stack[-1][2].append(Node(tag[0], tag[1:] or None, tuple(items)))
            continue
        opened, node, position = _read(text, position)
        if node is not None:
            items.append(node)
            continue
        if len(stack) > max_depth + 1 or opened[1] > len(text):
            raise ValueProblem("nested too deeply, or more items than text")
        stack.append((opened[0], opened[1], []))
    if position != len(text):
        raise ValueProblem(f"text after the value, at character {position}")
    return top[0]


def _read(text: str, position: int) -> tuple[tuple[str, int], Node | None, int]:
    """One leaf (as a node) or the head of a container (as tag and number of children)."""
    match = _HEAD.match(text, position)
    if match is None:
        raise ValueProblem(f"malformed at character {position}")
    tag, end = match[0][0], match.end()
    if match[5] is None:
        if tag in "xX":
            return (tag + match[11], int(match[12])), None, end
        return ("", 0), Node(tag, _number(tag, match)), end
    size = int(match[6])
    if tag == "s":
        value, end = text[end : end + size], end + size
        if len(value) != size:
            raise ValueProblem("cut short")
        return ("", 0), Node("s", value), end
    if tag == "b":
        body, end = text[end : end + 2 * size], end + 2 * size
        try:
            return ("", 0), Node("b", _exactly(bytes.fromhex(body), size)), end
        except ValueError:
            raise ValueProblem("malformed bytes") from None
    return (tag, 2 * size if tag == "d" else size), None, end


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueProblem("cut short")
    return data


def _number(tag: str, match: re.Match[str]) -> Any:
    try:
        if tag == "i":
            return int(match[1], 16)
        if tag == "f":
            return float.fromhex(match[2])
        if tag == "c":
            return complex(float.fromhex(match[3]), float.fromhex(match[4]))
        if tag == "q":
            return _reduced(int(match[7], 16), int(match[8], 16))
        if tag == "H":
            return int(match[9], 16), match[10] == "T"
    except (ValueError, OverflowError, ZeroDivisionError):
        raise ValueProblem(f"malformed number at character {match.start()}") from None
    return {"N": None, "T": True, "F": False}[tag]


def _reduced(top: int, bottom: int) -> tuple[int, int]:
    common = math.gcd(top, bottom) if bottom else 0
    return top // common, bottom // common


def decode(text: str, other: Callable[[Node, list[Any]], Any] | None = None) -> Any:
    """The Python value of canonical text that we wrote ourselves. For hostile text use `parse`."""
    return build(parse(text), other)


def build(node: Node, other: Callable[[Node, list[Any]], Any] | None = None) -> Any:
    """The Python value of a node. Hashes what it holds: only for trusted nodes.

    `other` builds, from their parts, what is no plain data. Raises ValueProblem without it.
    """
    children = [build(item, other) for item in node.items]
    if node.tag in _BUILT:
        return _BUILT[node.tag](children)
    if node.tag in "xXH":
        if other is None:
            raise ValueProblem("not plain data")
        return other(node, children)
    return node.value


_BUILT: dict[str, Callable[[list[Any]], Any]] = {
    "l": list,
    "t": tuple,
    "S": set,
    "Z": frozenset,
    "d": lambda parts: dict(zip(parts[::2], parts[1::2], strict=True)),
}


def _text(node: Node) -> str:
    """Canonical text of a node, as `encode` gives it: sets and dicts in the order of their texts."""
    if node.tag == "q":
        return f"q{node.value[0]:x}/{node.value[1]:x};"
    if node.tag == "H":
        return f"H{node.value[0]:x},{'T' if node.value[1] else 'F'};"
    if node.tag not in _CONTAINERS:
        return encode(node.value)
    texts = [_text(item) for item in node.items]
    return f"{node.tag}{node.value},{len(texts)}:{''.join(texts)}" if node.tag in "xX" else _joined(node.tag, texts)


def plain(node: Node) -> Node:
    """The node that a standard type compares as; any other is itself."""
    while node.tag == "x":
        node = node.items[0]
    return node


def _joined(tag: str, texts: list[str]) -> str:
    """A container's text from those of its items, or of its keys and values in turn."""
    if tag == "d":
        texts = [key + value for key, value in sorted(zip(texts[::2], texts[1::2], strict=True))]
    elif tag in "SZ":
        texts = sorted(texts)
    return f"{tag}{len(texts)}:{''.join(texts)}"


def normal(node: Node) -> str:
    """Text that is equal for two nodes exactly where Python's `==` holds (and nan equals nan).

    1, 1.0 and True are one number, set and frozenset one kind; nothing that was read is hashed.
    """
    node = plain(node)
    if node.tag == "X":
        return f"X{node.value},1:{normal(node.items[0])}"
    if node.tag in _CONTAINERS:
        texts = [normal(item) for item in node.items]
        return _joined("S", list(set(texts))) if node.tag in "SZ" else _joined(node.tag, texts)
    if node.tag in "sb":
        return f"{node.tag}{len(node.value)}:{node.value if node.tag == 's' else node.value.hex()}"
    if node.tag == "q":
        return _normal_fraction(*node.value)
    if node.tag == "H":
        return _text(node)
    return "N" if node.tag == "N" else _normal_number(node.value)


def _normal_fraction(top: int, bottom: int) -> str:
    try:
        near = top / bottom
    except OverflowError:
        near = math.inf
    if math.isfinite(near) and near.as_integer_ratio() == (top, bottom):
        return _normal_number(near)
    return f"i{top:x};" if bottom == 1 else f"q{top:x}/{bottom:x};"


def _normal_number(value: complex) -> str:
    if isinstance(value, complex):
        if value.imag != 0:
            return f"c{_normal_number(value.real)}{_normal_number(value.imag)}"
        value = value.real
    if isinstance(value, float):
        if not math.isfinite(value) or value != int(value):
            return f"f{value.hex()};"
        value = int(value)
    return f"i{value:x};"


def has_nan(node: Node) -> bool:
    """Whether a nan is anywhere in the value."""
    if node.tag == "f":
        return math.isnan(node.value)
    if node.tag == "c":
        return math.isnan(node.value.real) or math.isnan(node.value.imag)
    return any(has_nan(item) for item in node.items)


def same(got: Node, expected: Node, comparison: str, tolerance: float) -> bool:
    """Whether `got` satisfies the problem's comparison rule.

    "exact": Python's `==`, as in an assert. "typed": equal and of the same types throughout.
    "float": the same shape, numbers within `tolerance` (absolute, or 1e-9 relative). "unordered":
    two lists, tuples or sets with equal items in any order. "json": `==` after what JSON does to a
    value, tuples becoming lists and keys text.
    """
    if comparison == "float":
        return _close(got, expected, tolerance)
    if comparison == "typed":
        return _text(got) == _text(expected)
    if comparison == "json":
        return normal(_as_json(got)) == normal(_as_json(expected))
    got = plain(got)
    if comparison == "unordered" and got.tag == expected.tag and got.tag in "lt":
        return sorted(map(normal, got.items)) == sorted(map(normal, expected.items))
    return normal(got) == normal(expected)


def _as_json(node: Node) -> Node:
    """Tuples as lists, numbers, truth values and None as keys in JSON's words."""
    node = plain(node)
    items = tuple(map(_as_json, node.items))
    if node.tag == "t":
        return Node("l", None, items)
    if node.tag == "d":
        items = tuple(_as_key(item) if place % 2 == 0 else item for place, item in enumerate(items))
    return Node(node.tag, node.value, items)


def _as_key(node: Node) -> Node:
    if node.tag not in "NTFif":
        return node
    text = {"N": "null", "T": "true", "F": "false"}.get(node.tag) or repr(node.value)
    return Node("s", text)


def _close(got: Node, expected: Node, tolerance: float) -> bool:
    got, expected = plain(got), plain(expected)
    if got.tag in _NUMBERS and expected.tag in _NUMBERS:
        try:
            return _close_numbers(number(got), number(expected), tolerance)
        except OverflowError:
            return False
    if got.tag != expected.tag or len(got.items) != len(expected.items):
        return False
    if not got.items:
        return normal(got) == normal(expected)
    pairs = zip(_ordered(got), _ordered(expected), strict=True)
    return all(_close(one, other, tolerance) for one, other in pairs)


def number(node: Node) -> Any:
    """The number of a node, a fraction as the nearest float. Raises OverflowError if there is none."""
    return node.value[0] / node.value[1] if node.tag == "q" else node.value


def _close_numbers(got: Any, expected: Any, tolerance: float) -> bool:
    if got == expected:
        return True
    if isinstance(got, complex) or isinstance(expected, complex):
        return _within(abs(complex(got) - complex(expected)), abs(complex(expected)), tolerance)
    if isinstance(got, float) and isinstance(expected, float) and math.isnan(got) and math.isnan(expected):
        return True
    try:
        return math.isclose(got, expected, rel_tol=RELATIVE, abs_tol=tolerance)
    except OverflowError:
        return False


def _within(distance: float, size: float, tolerance: float) -> bool:
    return distance <= max(tolerance, RELATIVE * size)


def _ordered(node: Node) -> list[Node]:
    """Children in an order that pairs up near-equal ones: sets by value, dicts by key."""
    if node.tag in "SZ":
        return sorted(node.items, key=_sort_key)
    if node.tag == "d":
        pairs = sorted(zip(node.items[::2], node.items[1::2], strict=True), key=lambda pair: _sort_key(pair[0]))
        return [item for pair in pairs for item in pair]
    return list(node.items)


def _sort_key(node: Node) -> tuple[int, float, str]:
    node = plain(node)
    if node.tag in "TFif" and not (node.tag == "f" and math.isnan(node.value)):
        try:
            return 0, float(node.value), ""
        except OverflowError:
            pass
    return 1, 0.0, normal(node)


def show(node: Node, cap: int = 200) -> str:
    """Python-like text of a value for a person, at most `cap` characters, control characters escaped."""
    parts: list[str] = []
    _show(node, parts, [cap + 1])
    text = "".join(parts)
    return text if len(text) <= cap else text[: cap - 1] + "…"


def _show(node: Node, parts: list[str], left: list[int]) -> None:
    if left[0] <= 0:
        return
    node = plain(node)
    if node.tag not in _CONTAINERS:
        _put(_show_leaf(node, left[0]), parts, left)
        return
    if node.tag == "X":
        _put(f"{node.value} ", parts, left)
        _show(node.items[0], parts, left)
        return
    opening, closing = {"l": "[]", "t": "()", "S": "{}", "d": "{}", "Z": ("frozenset({", "})")}[node.tag]
    _put(opening, parts, left)
    for index, item in enumerate(node.items):
        if index:
            _put(": " if node.tag == "d" and index % 2 else ", ", parts, left)
        _show(item, parts, left)
        if left[0] <= 0:
            return
    _put("," + closing if node.tag == "t" and len(node.items) == 1 else closing, parts, left)


def _put(text: str, parts: list[str], left: list[int]) -> None:
    parts.append(text)
    left[0] -= len(text)


def _show_leaf(node: Node, cap: int) -> str:
    if node.tag == "i" and node.value.bit_length() > 1024:
        return f"<integer of {node.value.bit_length()} bits>"
    if node.tag in "sb":
        return repr(node.value[:cap]) if len(node.value) <= cap else repr(node.value[:cap]) + "…"
    if node.tag == "q":
        return f"<fraction {number(node)!r}>" if max(node.value).bit_length() < 1000 else "<fraction>"
    return "<object>" if node.tag == "H" else repr(node.value)
