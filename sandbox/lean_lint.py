"""What a proof may not hold: refused before it is elaborated.

Early rejection only. Two readers use these lists: `refusal` looks at the text, so that the plainest
cheats need no Lean at all, and lean_judge.lean looks at the parsed syntax, command by command.
Not guaranteed: that a proof that passes is honest. That is what the second check by the kernel, the
comparison of statements and the walk over the axioms are for; the lint keeps code that would *run*
while it is elaborated out of the process that makes these checks.
"""

from __future__ import annotations

import re

# Commands that helper lemmas need. Everything else is refused, whatever a later Lean brings.
COMMANDS = (
    "Lean.Parser.Command.declaration",
    "Lean.Parser.Command.moduleDoc",
    "Lean.Parser.Command.namespace",
    "Lean.Parser.Command.section",
    "Lean.Parser.Command.end",
    "Lean.Parser.Command.open",
    "Lean.Parser.Command.universe",
    "Lean.Parser.Command.mutual",
)
# Words with which a proof is no proof, or with which code of its own would run (a tactic's configuration is evaluated,
# and pure code can hold input and output). A word also stands for all names that begin with it and a dot.
_WORDS = (
    *(
        "sorry",
        "admit",
        "stop",
        "sorryAx",
        "native_decide",
        "bv_decide",
        "ofReduceBool",
        "ofReduceNat",
        "trustCompiler",
    ),
    *("Lean.ofReduceBool", "Lean.ofReduceNat", "Lean.trustCompiler", "unsafe", "unsafeCast", "unsafeIO"),
    *("implemented_by", "csimp", "extern", "builtin_init", "run_tac", "by_elab", "run_cmd", "run_elab"),
    *("run_meta", "#eval", "#exit", "initialize", "builtin_initialize", "macro", "macro_rules", "elab"),
    *("elab_rules", "notation", "syntax", "simproc", "dsimproc", "declare_simp_like_tactic", "include_str"),
    *("axiom", "opaque", "native", "debug.skipKernelTC", "modifyEnv", "addDecl", "dbg_trace", "dbg_trace!", "eval%"),
)
_KINDS = (
    "Lean.Parser.Command.axiom",
    "Lean.Parser.Command.opaque",
    "Lean.Parser.Command.instance",
    "Lean.Parser.Command.example",
    "Lean.Parser.Command.in",
    "Lean.Parser.Command.unsafe",
    "Lean.Parser.Command.partial",
    "Lean.Parser.Command.set_option",
    "Lean.Parser.Term.set_option",
    "Lean.Parser.Tactic.set_option",
    "Lean.Parser.Term.attributes",
    "Lean.Parser.Term.attrInstance",
    "Lean.Parser.Term.unsafe",
)
DENY = (*_WORDS, *_KINDS)

# Of the words, those that mean the same wherever they stand outside comments and strings.
_PLAIN = (
    *("sorry", "admit", "sorryAx", "native_decide", "bv_decide", "implemented_by", "run_tac", "run_cmd", "run_elab"),
    *("run_meta", "by_elab", "initialize", "builtin_initialize", "macro_rules", "elab_rules", "ofReduceBool"),
    *("debug.skipKernelTC", "unsafeCast", "unsafeIO", "axiom"),
)
_SEEN = re.compile(rf"(?<![\w.'!?])(?:{'|'.join(map(re.escape, _PLAIN))})(?![\w'!?])|#eval\b|#exit\b")
_QUOTED = re.compile(r'--[^\n]*|/-|"(?:[^"\\]|\\.)*+(?:"|\Z|\\)', re.S)  # an open string goes to the end
_OPENED = re.compile(r"--[^\n]*|/-")
_COMMENT = re.compile(r"/-|-/")


def refusal(proof: str) -> str | None:
    """Why the text of a proof is refused, or None. Linear in its length."""
    found = _SEEN.search(without_comments(proof))
    return f"'{found[0]}' is not allowed in a proof" if found else None


def without_comments(text: str) -> str:
    """The text with comments (they nest) and strings replaced by blanks; an open comment goes to the end."""
    parts, place = [], 0
    while found := _QUOTED.search(text, place):
        parts.append(text[place : found.start()])
        place = _comment_end(text, found.end()) if found[0] == "/-" else found.end()
    return " ".join((*parts, text[place:]))


def blanked(text: str) -> str:
    """The text with a blank for each character of a comment, so that lines and columns stay. Strings are not known."""
    parts, place = [], 0
    while found := _OPENED.search(text, place):
        end = _comment_end(text, found.end()) if found[0] == "/-" else found.end()
        parts += [text[place : found.start()], re.sub(r"[^\n]", " ", text[found.start() : end])]
        place = end
    return "".join((*parts, text[place:]))


def _comment_end(text: str, place: int) -> int:
    depth = 1
    for mark in _COMMENT.finditer(text, place):
        depth += 1 if mark[0] == "/-" else -1
        if depth == 0:
            return mark.end()
    return len(text)
