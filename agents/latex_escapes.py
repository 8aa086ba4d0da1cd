r"""LaTeX in the strings of JSON that a model wrote with one backslash where JSON wants two.

Guaranteed: a backslash before a sign that JSON does not escape is kept as text; so are those of `\frac`,
`\beta` and `\underline` (no advice holds a form feed, a backspace or half an escape). `\n`, `\r` and `\t` are
white space, unless they begin the name of a command of LaTeX. Where the rest of the name is a word or a
letter of its own (`\nu`, `\neg`) the signs around it decide.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_LETTERS = re.compile(r"[A-Za-z]*")

_COMMANDS = re.compile(
    "nRightarrow|nLeftarrow|ref|textless|textgreater|textcolor|textnormal|"
    "nabla|natural|ncong|nearrow|neq|neqq|neqslant|newcommand|newline|ngeq|ngtr|nleftarrow|nleq|nolimits|nonumber|"
    "normalfont|normalsize|not|notag|notin|nrightarrow|nsim|nsubset|nsubseteq|nsucc|nsupseteq|nvdash|nwarrow|"
    "rangle|rbrace|rbrack|rceil|rfloor|rgroup|rho|right|rightarrow|rightharpoonup|rightleftharpoons|rm|root|"
    "rtimes|rule|tag|tan|tanh|tau|tbinom|text|textbf|textit|textrm|textsc|textsf|textstyle|textsubscript|"
    "textsuperscript|texttt|textup|tfrac|therefore|theta|thickapprox|thicksim|tilde|times|to|top|triangle|"
    "triangleleft|triangleright|triangleq|twoheadrightarrow"
)
_DOUBTFUL = ("ne", "neg", "nexists", "ng", "ni", "nless", "nmid", "nparallel", "nprec", "nu")
_FORMULA_BEFORE = re.compile(r"(?:^\"?|[\s$(\[{=+*/^_<>|&\\\d-]|(?<![A-Za-z])[A-Za-z])\Z")
_FORMULA_AFTER = re.compile(r"\s*[$_^{}\\)\]=<>]")


def with_latex_kept(string: str) -> str:
    """A JSON string, its quotes included, in which every backslash of LaTeX is written twice."""
    return _ESCAPE.sub(_mended, string) if "\\" in string else string


def _mended(match: re.Match[str]) -> str:
    escaped, string, end = match[1], match.string, match.end()
    if escaped in ('"', "\\", "/") or len(escaped) == 5:
        return match[0]
    if escaped == "'":
        return "'"
    if escaped in ("n", "r", "t") and not _is_command(string, match.start(), end):
        return match[0]
    return "\\" + match[0]


def _is_command(string: str, start: int, end: int) -> bool:
    """Whether `\\n`, `\\r` or `\\t` at `start` begins the name of a command."""
    letters = _LETTERS.match(string, end)
    after = letters.end() if letters else end
    name = string[start + 1 : after]
    if name not in _DOUBTFUL:
        return bool(_COMMANDS.fullmatch(name))
    return bool(_FORMULA_BEFORE.search(string[max(0, start - 2) : start]) or _FORMULA_AFTER.match(string, after))
