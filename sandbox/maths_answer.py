"""Typed answers: quantity, list, tuple, set, region of the real line, relation, ratio, word.

`read_answer` turns the text of one answer into one of them, without evaluating anything. Where a
notation has two readings (`1,234`, `5 m`, `(1,2)`) the caller chooses by what the gold answer is.
Raises Refused where the text is in no grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from sandbox.maths_clock import Clock, read_clock
from sandbox.maths_compound import read_compound
from sandbox.maths_grammar import Node, number, parse_expression
from sandbox.maths_number_words import in_digits
from sandbox.maths_phrases import NO_SOLUTION, REALS, phrase
from sandbox.maths_plain import is_name, names_in, with_signs
from sandbox.maths_signs import with_sign
from sandbox.maths_tokens import Refused, Token, tokenize
from sandbox.maths_units import Unit, parse_unit
from sandbox.maths_writing import PERCENT, PLAIN, WRAP, Reading, joined_digits, strip_wrapping, without_unit

MAX_ITEMS = 100
_NUMERAL = re.compile(r"(?=[0-9A-Z]*\d[0-9A-Z]*_|[A-F]{2})([0-9A-Z]{1,200})_\{?([1-3]\d)\}?")
_HEXADECIMAL = re.compile(r"(?=[0-9a-f]{2})([0-9a-f]{1,200})_\{?(16)\}?")
_REPEATED = re.compile(r"(?<![\d.])(\d*\.\d*?)(?:(\d)\2{2,}|(\d{2,6}?)\3+)(?:\.\.\.|\\l?dots)\s*$")
_DOTS = re.compile(r"\\dot\s*\{?\s*(\d)\s*\}?\s*(\d*)\s*\\dot\s*\{?\s*(\d)\s*\}?")
_CLOCK = re.compile(r":|[ap]\.?\s?m\b|o'clock|noon|midnight|midday", re.IGNORECASE)
_RANGE = re.compile(r"between\s+([^\s]+)\s+and\s+([^\s]+)")
RELATIONS = frozenset({"=", "<", ">", "le", "ge", "ne", "in", "approx", "equiv"})
_OPEN = ("(", "[", "{", "{set", "lfloor", "lceil")
_ENDS = (")", "]", "[", "}set", "}")
_CLOSE = (")", "]", "}", "}set", "rfloor", "rceil")


@dataclass(frozen=True)
class Quantity:
    """A value, with its unit or per cent sign where it has one."""

    node: Node
    unit: Unit | None = None
    percent: bool = False
    compound: bool = False  # of several units: 5 feet 6 inches


@dataclass(frozen=True)
class Items:
    """Several answers: `kind` is list (no brackets), tuple or set. `plus_minus`: written with ±."""

    kind: str
    items: tuple[Answer, ...]
    plus_minus: bool = False
    joiner: str = ","


@dataclass(frozen=True)
class Span:
    """An interval with at least one square bracket or an infinite end; or one the gold reads as such."""

    low: Node
    high: Node
    low_closed: bool
    high_closed: bool


@dataclass(frozen=True)
class Region:
    """`operation` on regions: cup, cap, minus; or reals, empty."""

    operation: str
    parts: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Relation:
    """A chain: parts[0] signs[0] parts[1] … ; a part is a node, or an answer after ∈."""

    parts: tuple[Node, ...]
    signs: tuple[str, ...]
    target: Answer | None = None  # what stands after ∈


@dataclass(frozen=True)
class Ratio:
    """a : b : … ; `clock` is the time of day that it may be instead, as 2:10."""

    parts: tuple[Node, ...]
    clock: Clock | None = None


@dataclass(frozen=True)
class Word:
    """Text that is no formula."""

    text: str


Answer = Quantity | Items | Span | Region | Relation | Ratio | Clock | Word


def read_answer(text: str, reading: Reading = PLAIN) -> Answer:
    """One typed answer. Raises Refused."""
    text = strip_wrapping(text)
    if not text:
        raise Refused("the answer is empty")
    if whole := _whole(text):
        return whole
    text = with_signs(in_digits(text))
    if "dot" in text or "..." in text:
        text = _REPEATED.sub(lambda m: rf"{m[1]}\overline{{{m[2] or m[3]}}}", _DOTS.sub(r"\\overline{\1\2\3}", text))
    text = re.sub(r"\\text\s*\{\s*(?:,\s*)?(and|or)\s*\}", r" \\text{\1} ", text)
    text = re.sub(r"(?<![A-Za-z{\\])(?:,\s*)?(and|or)(?![a-z}])", r" \\text{\1} ", text)
    text = joined_digits(text, reading)
    if re.fullmatch(r"\\text\s*\{[^{}]*\}", text) or _is_words(text):
        words = WRAP.sub(r"\1", text).strip()
        if not re.fullmatch(r"[-\d.,/ ]+", words):
            return Word(words)
        text = words
    return _split(text, reading)


def _is_words(text: str) -> bool:
    """Words that are no formula such as `sin x` or `theta`."""
    if not re.fullmatch(r"[A-Za-z]{2,}(?: [A-Za-z]+)*", text) or any(map(is_name, text.split())):
        return False
    return len(text.split(maxsplit=1)[0]) > 2 or names_in(text.split(maxsplit=1)[0]) is None


def as_formula(word: Word) -> Quantity | None:
    """A word that may be a product of letters: abc."""
    if " " in word.text or not names_in(word.text):
        return None
    return Quantity(parse_expression(tokenize(word.text)))


def _whole(text: str) -> Answer | None:
    """Phrases and compound measures, which are no lists although they have an `and`."""
    meaning = phrase(text)
    if meaning in (REALS, NO_SOLUTION):
        return Region("reals") if meaning == REALS else Word(NO_SOLUTION)
    if _CLOCK.search(text) and (clock := read_clock(text)) and clock.certain:
        return clock
    if compound := read_compound(text):
        return Quantity(number(compound[0]), compound[1], compound=True)
    if limits := _RANGE.fullmatch(text):
        low, high = (parse_expression(tokenize(strip_wrapping(limit))) for limit in limits.groups())
        return Span(low, high, False, False)
    return None


def _split(text: str, reading: Reading) -> Answer:
    """Lists first, since a unit belongs to one item."""
    pieces, joiners = _pieces(text)
    if len(pieces) == 1:
        return _single(pieces[0], reading)
    items = tuple(_split(piece, reading) for piece in pieces)
    flat: list[Answer] = []
    for item in items:  # `1 ± 2, 5` is one list
        flat += item.items if isinstance(item, Items) and item.kind == "list" else [item]
    return Items(
        "list", _same_name(tuple(flat)), joiner="or" if "or" in joiners else "and" if "and" in joiners else ","
    )


def _same_name(items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """`x = 2, 3` means x = 2, x = 3."""
    first = items[0]
    if not isinstance(first, Relation) or first.signs != ("=",) or first.parts[0].kind != "sym":
        return items
    if not all(isinstance(item, Quantity) for item in items[1:]):
        return items
    others = (Relation((first.parts[0], item.node), ("=",)) for item in items[1:] if isinstance(item, Quantity))
    return (first, *others)


def _pieces(text: str) -> tuple[list[str], set[str]]:
    """Parts between commas, semicolons, `and`, `or` outside of all brackets."""
    pieces, joiners, start, depth, index = [], set(), 0, 0, 0
    while index < len(text):
        char = text[index]
        if char == "\\":
            if word := re.match(r"\\text\{(and|or)\}|\\\\|\\qquad", text[index:]):
                if depth == 0:
                    pieces.append(text[start:index])
                    joiners.add(word[1] or ",")
                    start = index + word.end()
                index += word.end()
                continue
            nested = re.match(r"\\(begin|end)\b", text[index:])
            if nested:
                depth += 1 if nested[1] == "begin" else -1
            depth += {"{": 1, "}": -1}.get(text[index + 1 : index + 2], 0)
            index += 2
            continue
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char in ",;" and depth == 0:
            pieces.append(text[start:index])
            start = index + 1
        index += 1
    pieces.append(text[start:])
    kept = [piece.strip() for piece in pieces if re.sub(r"\\quad|\\[,;! ]|\s", "", piece)]
    if not kept:
        raise Refused("the answer is empty")
    if len(kept) > MAX_ITEMS:
        raise Refused(f"a list of more than {MAX_ITEMS} items")
    return kept, joiners


def _single(text: str, reading: Reading) -> Answer:
    text = strip_wrapping(text)
    inner, _ = _pieces(text)
    if len(inner) > 1:
        return _split(text, reading)
    percent = PERCENT.search(text)
    if percent and percent.start() > 0:
        found = _single(text[: percent.start()], reading)
        return replace(found, percent=True) if isinstance(found, Quantity) else found
    return _measured(text, reading)


def _measured(text: str, reading: Reading) -> Answer:
    """An answer with its unit, if it has one."""
    if numeral := _NUMERAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return Quantity(_in_base(numeral[1].upper(), int(numeral[2])))
    clock = read_clock(text) if _CLOCK.search(text) else None
    if clock is not None and clock.certain:
        return clock
    text, unit = without_unit(text, reading)
    answer = _from_tokens(tokenize(text), text)
    if isinstance(answer, Ratio) and clock is not None:
        return replace(answer, clock=clock)
    return answer if unit is None else _with_unit(answer, unit)


def _in_base(digits: str, base: int) -> Node:
    """A numeral with letters as digits. Raises Refused."""
    if base > 36 or any(int(digit, 36) >= base for digit in digits):
        raise Refused(f"{digits[:20]} has digits that base {base} does not have")
    return Node("num", value=Fraction(int(digits, base)), parts=(f"{digits}_{base}",))


def _with_unit(answer: Answer, unit: Unit) -> Answer:
    """A unit belongs to a value, or to each of several."""
    if isinstance(answer, Items):
        return Items(answer.kind, tuple(_with_unit(item, unit) for item in answer.items))
    return replace(answer, unit=answer.unit or unit) if isinstance(answer, Quantity) else answer


def _from_tokens(tokens: list[Token], text: str) -> Answer:
    if not tokens:
        raise Refused("the answer is empty")
    relation = _relation(tokens, text)
    if relation is not None:
        return relation
    for operation in ("setminus", "cup", "cap"):
        parts = _cut(tokens, operation)
        if len(parts) > 1:
            name = "minus" if operation == "setminus" else operation
            return Region(name, tuple(_from_tokens(part, text) for part in parts))
    return _bracketed(tokens, text) or _word(tokens) or _ratio(tokens) or _quantity(tokens)


def _word(tokens: list[Token]) -> Answer | None:
    if len(tokens) == 1 and tokens[0].kind == "text" and tokens[0].value in ("mathbbR", "R"):
        return Region("reals")
    if len(tokens) == 1 and tokens[0].is_("emptyset"):
        return Region("empty")
    if all(token.kind == "text" for token in tokens):
        return Word(" ".join(token.value for token in tokens))
    if len(tokens) == 1 and tokens[0].is_("ldots"):
        return Word("…")
    return None


def _ratio(tokens: list[Token]) -> Answer | None:
    parts = _cut(tokens, ":")
    return Ratio(tuple(parse_expression(part) for part in parts)) if len(parts) > 1 else None


def _quantity(tokens: list[Token]) -> Answer:
    node = parse_expression(tokens)
    sign = 1
    inner = node
    if node.kind == "neg":
        sign, inner = -1, node.parts[0]
    if inner.kind == "degree":
        value = inner.parts[0] if sign == 1 else Node("neg", (inner.parts[0],))
        return Quantity(value, parse_unit("degree"))
    if any(token.is_("pm", "mp") for token in tokens):
        return _both_signs(node)
    return Quantity(node)


def _both_signs(node: Node) -> Answer:
    """The two values of an expression with ±, wherever that stands in it."""
    return Items("list", (Quantity(with_sign(node, 1)), Quantity(with_sign(node, -1))), plus_minus=True)


def _cut(tokens: list[Token], *signs: str) -> list[list[Token]]:
    """The tokens between these signs, outside of all brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.is_(*_OPEN) or token.kind == "begin") - (token.is_(*_CLOSE) or token.kind == "end")
        if depth == 0 and token.is_(*signs) and not token.is_(*_CLOSE):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _relation(tokens: list[Token], text: str) -> Relation | None:
    depth, signs = 0, []
    for token in tokens:
        depth += (token.is_(*_OPEN) or token.kind == "begin") - (token.is_(*_CLOSE) or token.kind == "end")
        if depth == 0 and token.is_(*RELATIONS):
            signs.append(token.value)
    if not signs:
        return None
    parts = _cut(tokens, *RELATIONS)
    if signs[-1] == "in":
        return Relation(
            tuple(parse_expression(part) for part in parts[:-1]), tuple(signs), _from_tokens(parts[-1], text)
        )
    if all(sign == "=" for sign in signs) and len(parts) == 2 and (named := _named_tuple(parts, text)):
        return named
    if any(t.is_("pm", "mp") for t in parts[-1]) and signs == ["="]:
        return Relation((parse_expression(parts[0]),), ("in",), _both_signs(parse_expression(parts[-1])))
    return Relation(tuple(parse_expression(part) for part in parts), tuple(signs))


def _named_tuple(parts: list[list[Token]], text: str) -> Relation | None:
    """`(p, q) = (3, 2)`: the names, and the tuple as target."""
    left, right = (_bracketed(part, text) for part in parts)
    if not isinstance(right, (Items, Span, Region)):
        return None
    if isinstance(left, Items):
        names = tuple(item.node for item in left.items if isinstance(item, Quantity) and item.node.kind == "sym")
        return Relation(names, ("in",), right) if len(names) == len(left.items) else None
    return Relation((parse_expression(parts[0]),), ("in",), right)


def _bracketed(tokens: list[Token], text: str) -> Answer | None:
    """A tuple, a set or an interval that takes up all tokens."""
    if len(tokens) < 2 or not (tokens[0].is_("(", "[", "]", "{set", "{") and tokens[-1].is_(*_ENDS)):
        return None
    first, last, inner = tokens[0], tokens[-1], tokens[1:-1]
    if not first.is_("]") and not last.is_("[") and not _balanced(inner):
        return None
    if first.is_("{set"):
        return _set(inner, text)
    parts = _cut(inner, ",", ";")
    if len(parts) == 2 and (first.is_("[", "]") or last.is_("]", "[") or _unbounded(parts)):
        low, high = (parse_expression(part) for part in parts)
        return Span(low, high, first.is_("["), last.is_("]"))
    if len(parts) == 1:
        return None
    kind = "tuple" if first.is_("(") else "list"
    return Items(kind, tuple(_from_tokens(part, text) if part else Word("") for part in parts))


def _unbounded(parts: list[list[Token]]) -> bool:
    return any(token.is_("infty") for part in parts for token in part)


def _balanced(tokens: list[Token]) -> bool:
    depth = 0
    for token in tokens:
        depth += token.is_(*_OPEN) - token.is_(*_CLOSE)
        if depth < 0:
            return False
    return depth == 0


def _set(inner: list[Token], text: str) -> Answer:
    if not inner:
        return Region("empty")
    builder = _cut(inner, "vert", "|", ":")
    if len(builder) == 2 and builder[0] and _relation(builder[1], text):
        return _from_tokens(builder[1], text)
    items: list[Answer] = []
    for part in _cut(inner, ",", ";"):
        item = _from_tokens(part, text)
        items += item.items if isinstance(item, Items) and item.plus_minus else [item]
    return Items("set", tuple(items))
