"""The tokens of an answer: what is not on the list here goes no further.

Guaranteed: linear time; at most MAX_CHARS characters, MAX_DEPTH open brackets and MAX_DIGITS digits
in a row; every token is a number, one letter, a LaTeX command that is known, a known sign, or a
piece of text. Refused is raised for anything else, with the place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.maths_plain import names_in

MAX_CHARS = 2_000
MAX_DEPTH = 40
MAX_DIGITS = 1_000


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _words("sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh ln log exp lg")
GREEK = _words(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar"
)
STRUCTURE = _words(
    "frac sqrt binom left right cdot times div pm mp pi infty le leq ge geq ne neq lt gt in cup cap setminus emptyset "
    "varnothing approx circ degree mathbb lfloor rfloor lceil rceil lvert rvert vert mid ldots dots cdots prime to "
    "implies equiv sim simeq notin angle triangle sum int prod lim iff Rightarrow Leftrightarrow land lor wedge vee "
    "overline bar repeat imath not backslash"
)
_SAME = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "leqslant": "le", "geqslant": "ge", "leq": "le", "geq": "ge",
    "neq": "ne", "varnothing": "emptyset", "degree": "circ", "dbinom": "binom", "tbinom": "binom", "dots": "ldots",
    "cdots": "ldots", "dotsc": "ldots", "lvert": "vert", "rvert": "vert", "lt": "<", "gt": ">", "ast": "*",
    "lbrace": "{set", "rbrace": "}set", "mid": "vert", "bar": "overline", "imath": "i", "land": "and", "wedge": "and",
    "lor": "or", "vee": "or", "lbrack": "[", "rbrack": "]", "sim": "approx", "simeq": "approx", "colon": ":",
    "bullet": "cdot", "backslash": "setminus", "dot": "overline", "{": "{set", "}": "}set", "|": "vert",
}  # fmt: skip
_IGNORED = _words(
    "displaystyle textstyle scriptstyle limits nolimits big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr "
    "quad qquad left right thinspace ; , ! : > space hspace phantom boxed ensuremath mathstrut middle hfill "
    "vec hat widehat tilde overrightarrow mathring therefore underline boldsymbol bm emph"
)
_SIGNS = frozenset("%$#&_<>*[]:")
_TEXT = _words("text mbox mathrm textbf textit textrm mathbf rm bf it mathit mathsf texttt hbox operatorname")
_ENVIRONMENTS = _words("matrix pmatrix bmatrix vmatrix Bmatrix smallmatrix array")
_TOKEN = re.compile(
    r"(?P<space>(?:\s|~|\\ )+)"
    r"|(?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,3}(?![\d.A-Za-z]))?)"
    r"|\\begin\s*\{(?P<begin>\w+)\*?\}(?:\[\w*\]|\{[clr|]*\})?"
    r"|\\end\s*\{(?P<end>\w+)\*?\}"
    r"|(?P<row>\\\\(?:\[[^\]]*\])?)"
    r"|\\(?P<command>[A-Za-z]+|[{}%$,;:!> |#&_])"
    r"|(?P<word>[A-Za-z]{2,})"
    r"|(?P<letter>[A-Za-z])"
    r"|(?P<sign><=|>=|!=|\*\*|[-+*/^_=<>()\[\]{}|!,;:%&'.$€£¥?@])"
)


class Refused(Exception):
    """The text is not in the grammar, or too large; the message says what and where."""


class TooLarge(Refused):
    """A number that is not worked out. `log10` bounds its magnitude from below, None where unknown."""

    def __init__(self, message: str, log10: float | None = None) -> None:
        super().__init__(message)
        self.log10 = log10


@dataclass(frozen=True)
class Token:
    """`kind` is number, letter, command, text, sign or begin/end/row; `gap`: white space stands before it."""

    kind: str
    value: str
    gap: bool = False

    def is_(self, *values: str) -> bool:
        """Whether it is one of these signs or commands."""
        return self.kind in ("sign", "command") and self.value in values


def tokenize(text: str) -> list[Token]:
    """Tokens of an answer. Raises Refused."""
    if len(text) > MAX_CHARS:
        raise Refused(f"the answer has {len(text)} characters; at most {MAX_CHARS} are read")
    if re.search(rf"\d{{{MAX_DIGITS + 1}}}", text):
        raise TooLarge(f"a number has more than {MAX_DIGITS} digits", float(MAX_DIGITS))
    tokens: list[Token] = []
    position, gap = 0, False
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Refused(f"'{_shown(text[position])}' is no part of a mathematical answer")
        position = match.end()
        kind = match.lastgroup or ""
        if kind == "space":
            gap = True
        elif kind == "command":
            position, gap = _command(match["command"], text, position, tokens, gap)
        elif kind == "word":
            tokens += _word_tokens(match["word"], tokens, gap)
            gap = False
        elif kind in ("begin", "end"):
            if match[kind] not in _ENVIRONMENTS:
                raise Refused(f"the environment '{_shown(match[kind])}' is not read")
            tokens.append(Token(kind, match[kind], gap))
            gap = False
        else:
            tokens.append(Token(kind, {"<=": "le", ">=": "ge", "!=": "ne", "**": "^"}.get(match[0], match[0]), gap))
            gap = False
    _check_depth(tokens)
    return tokens


def _word_tokens(word: str, before: list[Token], gap: bool) -> list[Token]:
    """A run of letters: names, or the letters of a subscript, a name of points, a product. Raises Refused."""
    found = names_in(word)
    if found is None and any(token.is_("_", "overline", "angle", "triangle") for token in before[-2:]):
        found = list(word)
    if found is None:
        raise Refused(f"'{_shown(word)}' is no function, name or unit that is known")
    return [
        Token("letter" if len(name) == 1 else "command", name, gap and place == 0) for place, name in enumerate(found)
    ]


def _command(name: str, text: str, position: int, tokens: list[Token], gap: bool) -> tuple[int, bool]:
    """Read a command, and the argument of one that holds text; returns position and whether a gap follows."""
    if name in ("hspace", "phantom"):
        return _group_end(text, position)[0], True
    if name in _IGNORED:
        return position, gap or name in ("quad", "qquad", "space", ";", ":")
    if name in _TEXT or name == "mathbb":
        end, content = _group_end(text, position)
        tokens += _text_tokens(name, content, gap)
        return end, False
    tokens.append(_command_token(_SAME.get(name, name), gap))
    return position, False


def _text_tokens(name: str, content: str, gap: bool) -> list[Token]:
    """What stands in `\\text{…}`: a function's name, a number, or words."""
    if name == "mathbb":
        return [Token("text", f"mathbb{content.strip()}", gap)]
    if name not in ("text", "mbox", "hbox") and content in FUNCTIONS:
        return [Token("command", content, gap)]
    if re.fullmatch(r"[\d\s.,+\-]*", content) or (name.startswith("math") and len(content) == 1):
        return tokenize(content)
    return [Token("text", re.sub(r"[\\${}]", "", content).strip(), gap)]


def _command_token(name: str, gap: bool) -> Token:
    if name in _SIGNS:
        return Token("sign", name, gap)
    if name == "i":
        return Token("letter", "i", gap)
    if name in ("and", "or"):
        return Token("text", name, gap)
    if name in FUNCTIONS | GREEK | STRUCTURE or name in ("{set", "}set"):
        return Token("command", name, gap)
    raise Refused(f"the command \\{_shown(name)} is not read")


def _group_end(text: str, position: int) -> tuple[int, str]:
    """End and content of the group `{…}` (or of the one character) that starts at position."""
    while position < len(text) and text[position].isspace():
        position += 1
    if position >= len(text) or text[position] != "{":
        return min(position + 1, len(text)), text[position : position + 1]
    depth = 0
    for index in range(position, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index + 1, text[position + 1 : index]
    raise Refused("a brace is not closed")


def _check_depth(tokens: list[Token]) -> None:
    depth = 0
    for token in tokens:
        if token.kind == "begin" or token.is_("(", "[", "{", "{set", "lfloor", "lceil"):
            depth += 1
        elif token.kind == "end" or token.is_(")", "]", "}", "}set", "rfloor", "rceil"):
            depth -= 1
        if depth > MAX_DEPTH:
            raise Refused(f"brackets are nested more than {MAX_DEPTH} deep")
    if len([t for t in tokens if t.is_("^")]) > 60:
        raise Refused("more than 60 powers")


def _shown(text: str) -> str:
    return text[:20].encode("unicode_escape").decode()
