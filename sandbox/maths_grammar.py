"""The grammar of expressions: from tokens to a tree of our own, which nothing has evaluated yet.

Recursive descent over the usual precedence: sum, product (also without a sign), power, postfix.
Guaranteed: the tree holds what was written (a mixed number, a repeating decimal, a numeral with
its base), nothing is simplified; Refused is raised with the reason where the tokens do not fit.
Not guaranteed: a meaning where notation is ambiguous; `1/2x` is read as half of x, and a letter
before a bracket is a function only if it is one of f, g, h, F, G, H, P, Q, W, p, q.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sandbox.maths_tokens import FUNCTIONS, GREEK, Refused, Token

APPLIED = frozenset("fghFGHPQWpq")
_PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Node:
    """`kind` and parts: num(value), sym(name), add, mul, div, pow, neg, pm, fact, call(name), abs, …"""

    kind: str
    parts: tuple[Any, ...] = ()
    value: Any = None


def number(value: int | Fraction) -> Node:
    """A leaf."""
    return Node("num", value=Fraction(value))


def parse_expression(tokens: list[Token]) -> Node:
    """The tree of one expression; all tokens must fit. Raises Refused."""
    if not tokens:
        raise Refused("nothing stands where a value should be")
    reader = _Reader(tokens)
    node = reader.sum()
    if reader.left:
        raise Refused(f"'{reader.peek.value[:20]}' does not fit where it stands")
    return node


class _Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = list(reversed(tokens))
        self.bars = 0

    @property
    def left(self) -> bool:
        return bool(self.tokens)

    @property
    def peek(self) -> Token:
        return self.tokens[-1] if self.tokens else Token("end", "the end")

    def take(self, *values: str) -> Token | None:
        """The next token if it is one of these signs."""
        return self.tokens.pop() if self.tokens and self.peek.is_(*values) else None

    def expect(self, *values: str) -> None:
        if not self.take(*values):
            raise Refused(f"'{values[0]}' is missing before {self.peek.value[:20]}")

    def sum(self) -> Node:
        terms = [self.signed()]
        while sign := self.take("+", "-", "pm", "mp"):
            term = self.addend()
            if sign.value in ("pm", "mp"):
                terms = [Node("pm", (Node("add", tuple(terms)) if len(terms) > 1 else terms[0], term), sign.value)]
            else:
                terms.append(Node("neg", (term,)) if sign.value == "-" else term)
        return Node("add", tuple(terms)) if len(terms) > 1 else terms[0]

    def addend(self) -> Node:
        """A term after a sign: it may have a sign of its own, as in 2 + -3."""
        if self.take("-"):
            return Node("neg", (self.addend(),))
        self.take("+")
        return self.product()

    def signed(self) -> Node:
        sign = self.take("+", "-", "pm", "mp")
        if sign is None:
            return self.product()
        inner = self.signed()
        if sign.value in ("pm", "mp"):
            return Node("pm", (number(0), inner), sign.value)
        return Node("neg", (inner,)) if sign.value == "-" else inner

    def product(self) -> Node:
        node = self.power()
        while self.left:
            if self.take("cdot", "times", "*"):
                node = Node("mul", (node, self.factor()))
            elif self.take("/", "div"):
                node = Node("div", (node, self.factor()))
            elif self.starts_factor():
                if self.peek.kind == "number" and node.kind == "num":
                    raise Refused("two numbers stand side by side")
                node = Node("mul", (node, self.power()))
            else:
                break
        return node

    def factor(self) -> Node:
        """A factor after a sign of multiplication: it may have a sign of its own."""
        if self.take("-"):
            return Node("neg", (self.factor(),))
        self.take("+")
        return self.power()

    def starts_factor(self) -> bool:
        token = self.peek
        if token.is_("|", "vert"):
            return self.bars == 0
        if token.kind in ("number", "letter", "begin"):
            return True
        if token.is_(
            "(",
            "[",
            "{",
            "frac",
            "sqrt",
            "binom",
            "pi",
            "lfloor",
            "lceil",
            "infty",
            "overline",
            "cbrt",
            "abs",
            "floor",
            "ceiling",
        ):
            return True
        return token.kind == "command" and (token.value in FUNCTIONS or token.value in GREEK)

    def power(self) -> Node:
        node = self.atom()
        while self.left:
            if self.take("!"):
                node = Node("fact", (node,))
            elif self.take("'", "prime"):
                node = Node("prime", (node,))
            elif self.take("^"):
                node = self.raised(node)
            elif self.take("%"):
                node = Node("div", (node, number(100)))
            else:
                break
        return node

    def raised(self, node: Node) -> Node:
        if self.take("circ"):
            return Node("degree", (node,))
        if self.take("'", "prime"):
            return Node("prime", (node,))
        if self.peek.is_("{") and len(self.tokens) > 2 and self.tokens[-2].is_("circ") and self.tokens[-3].is_("}"):
            del self.tokens[-3:]
            return Node("degree", (node,))
        if self.take("-"):
            return Node("pow", (node, Node("neg", (self.power(),))))
        return Node("pow", (node, self.argument()))

    def argument(self) -> Node:
        """The group, or the single token, after ^, \\frac or \\sqrt."""
        if self.take("{"):
            return self.closed_by("}")
        if self.peek.kind == "number":
            token = self.tokens.pop()
            if len(token.value) > 1 and token.value.isdigit():
                self.tokens.append(Token("number", token.value[1:]))
            return number(Fraction(token.value if "." in token.value else token.value[0]))
        return self.atom()

    def closed_by(self, *ends: str) -> Node:
        bars, self.bars = self.bars, 0
        node = self.sum()
        self.expect(*ends)
        self.bars = bars
        return node

    def atom(self) -> Node:
        if not self.left:
            raise Refused("a value is missing at the end")
        token = self.tokens.pop()
        if token.kind == "number":
            return self.numeral(token)
        if token.kind == "letter":
            return self.symbol(token.value)
        if token.kind == "begin":
            return self.matrix(token.value)
        if token.kind == "text" and token.value.isalpha() and len(token.value) <= 2:
            return Node("sym", value=token.value)
        if token.kind not in ("command", "sign"):
            raise Refused(f"'{token.value[:20]}' is no value")
        return self.special(token.value)

    def special(self, name: str) -> Node:
        if name in _PAIRS:
            return self.closed_by(_PAIRS[name])
        if name in ("pi", "infty"):
            return Node("const", value="pi" if name == "pi" else "oo")
        if name in FUNCTIONS:
            return self.function(name)
        if name in GREEK:
            return self.symbol(name)
        if name in ("angle", "triangle"):
            return self.points(name)
        return self.composed(name)

    def composed(self, name: str) -> Node:
        if name in ("|", "vert"):
            return self.absolute()
        if name in ("lfloor", "lceil"):
            return Node("call", (self.closed_by("r" + name[1:]),), "floor" if name == "lfloor" else "ceiling")
        if name in ("frac", "binom"):
            top, bottom = self.argument(), self.argument()
            return Node("div" if name == "frac" else "binom", (top, bottom))
        if name == "sqrt":
            index = self.closed_by("]") if self.take("[") else number(2)
            return Node("root", (self.argument(), index))
        if name == "overline":
            return self.named_bar()
        return self.plain_function(name)

    def plain_function(self, name: str) -> Node:
        """`abs(x)`, `floor(x)`, `ceil(x)`, `cbrt(x)`, as programs write them."""
        if name in ("abs", "floor", "ceiling", "cbrt") and self.peek.is_("(", "{"):
            inner = self.atom()
            if name == "abs":
                return Node("abs", (inner,))
            return Node("root", (inner, number(3))) if name == "cbrt" else Node("call", (inner,), name)
        raise Refused(f"'{name}' is no value")

    def absolute(self) -> Node:
        self.bars += 1
        node = self.sum()
        self.expect("|", "vert")
        self.bars -= 1
        return Node("abs", (node,))

    def numeral(self, token: Token) -> Node:
        text = token.value
        if self.peek.is_("overline") or self.peek.is_("."):
            repeated = self.repeating(text)
            if repeated is not None:
                return repeated
        if self.take("_"):
            return self.based(text)
        value = Fraction(text)
        node = Node("num", value=value, parts=(text,))
        if text.isdigit() and self.peek.is_("frac"):
            return self.mixed(node)
        if text.isdigit() and self.is_spaced_fraction():
            top, bottom = self.tokens[-1].value, self.tokens[-3].value
            del self.tokens[-3:]
            return Node("add", (node, Node("div", (number(int(top)), number(int(bottom))))))
        return node

    def is_spaced_fraction(self) -> bool:
        three = self.tokens[-3:]
        return (
            len(three) == 3
            and three[2].kind == three[0].kind == "number"
            and three[2].gap
            and three[1].is_("/")
            and three[0].value.isdigit()
            and three[2].value.isdigit()
        )

    def mixed(self, whole: Node) -> Node:
        """`2\\frac34` is a mixed number if the fraction is one of whole numbers."""
        fraction = self.power()
        simple = fraction.kind == "div" and all(part.kind == "num" for part in fraction.parts)
        return Node("add" if simple else "mul", (whole, fraction))

    def repeating(self, text: str) -> Node | None:
        """`0.1\\overline{6}`: the digits under the bar repeat for ever."""
        saved = list(self.tokens)
        if self.take("."):
            text += "."
        digits = ""
        if self.take("overline"):
            braced = self.take("{")
            while self.peek.kind == "number" and self.peek.value.isdigit():
                token = self.tokens.pop()
                digits += token.value if braced else token.value[0]
                if not braced:
                    self.tokens += [Token("number", token.value[1:])] if len(token.value) > 1 else []
                    break
            if braced:
                self.expect("}")
        if not digits or "." not in text:
            self.tokens = saved
            return None
        whole, _, tail = text.partition(".")
        fixed = Fraction(int((whole or "0") + tail), 10 ** len(tail))
        return number(fixed + Fraction(int(digits), (10 ** len(digits) - 1) * 10 ** len(tail)))

    def based(self, digits: str) -> Node:
        base = self.argument()
        if base.kind != "num" or base.value.denominator != 1 or not 2 <= base.value <= 36 or not digits.isdigit():
            raise Refused("the base of a numeral is a whole number from 2 to 36")
        if any(int(digit) >= base.value for digit in digits):
            raise Refused(f"{digits[:20]} has digits that base {base.value} does not have")
        return Node("num", value=Fraction(int(digits, int(base.value))), parts=(f"{digits}_{base.value}",))

    def symbol(self, name: str) -> Node:
        if self.take("_"):
            name += "_" + self.subscript()
        if name in APPLIED and self.is_inverse():
            del self.tokens[-5:]
            name += "^-1"
        if name[0] in APPLIED and self.peek.is_("("):
            saved = list(self.tokens)
            self.tokens.pop()
            inner = [self.sum()]
            while self.take(","):
                inner.append(self.sum())
            if self.take(")"):
                return Node("apply", tuple(inner), name)
            self.tokens = saved
        return Node("sym", value=name)

    def is_inverse(self) -> bool:
        """Whether `^{-1}(` follows: the inverse of a function."""
        return "".join(token.value for token in self.tokens[:-7:-1]) == "^{-1}("

    def subscript(self) -> str:
        if not self.take("{"):
            return self.tokens.pop().value if self.left else ""
        name = ""
        while self.left and not self.take("}"):
            name += self.tokens.pop().value
        return name

    def named_bar(self) -> Node:
        """`\\overline{AB}` is a name."""
        self.expect("{")
        name = ""
        while self.left and not self.take("}"):
            name += self.tokens.pop().value
        return Node("sym", value=f"bar{name}")

    def points(self, name: str) -> Node:
        """`\\angle ABC` is a name."""
        while self.left and self.peek.kind == "letter":
            name += self.tokens.pop().value
        return Node("sym", value=name)

    def function(self, name: str) -> Node:
        base = None
        exponent = None
        if name == "log" and self.take("_"):
            base = self.argument()
        if self.take("^"):
            exponent = Node("neg", (self.power(),)) if self.take("-") else self.argument()
        node = Node("call", (self.function_argument(),) + ((base,) if base else ()), name)
        if exponent is None:
            return node
        if exponent == Node("neg", (number(1),)) or (exponent.kind == "neg" and exponent.parts[0].value == 1):
            return Node("call", node.parts, f"arc{name}")
        return Node("pow", (node, exponent))

    def function_argument(self) -> Node:
        """A bracket, or the product that follows, up to the next function."""
        if self.peek.is_("(", "[", "{", "|", "vert", "sqrt", "frac"):
            return self.power()
        node = Node("neg", (self.power(),)) if self.take("-") else self.power()
        while self.left and self.starts_factor() and self.peek.value not in FUNCTIONS and not self.peek.is_("(", "["):
            node = Node("mul", (node, self.power()))
        if self.peek.is_("/") and len(self.tokens) > 1 and self.tokens[-2].kind == "number":
            self.tokens.pop()
            node = Node("div", (node, self.power()))
        return node

    def matrix(self, environment: str) -> Node:
        rows: list[list[Node]] = [[]]
        while True:
            if self.peek.kind == "end" and self.left:
                self.tokens.pop()
                break
            if not self.left:
                raise Refused(f"\\end{{{environment}}} is missing")
            if self.peek.kind == "row":
                self.tokens.pop()
                rows.append([])
            elif not self.take("&"):
                rows[-1].append(self.sum())
        rows = [row for row in rows if row]
        if not rows or len({len(row) for row in rows}) != 1:
            raise Refused("the rows of a matrix have different lengths")
        node = Node("matrix", tuple(tuple(row) for row in rows))
        return Node("det", (node,)) if environment == "vmatrix" else node
