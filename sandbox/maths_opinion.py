"""What math-verify says, for what our own grammar does not read (integrals, sums, limits).

Only its LaTeX reader is used: its reader of plain expressions hands text to SymPy's `parse_expr`,
which executes code. Guaranteed: the text went through our list of tokens before, and holds no power
or factorial that could grow; an accept of math-verify counts only if no veto of ours stands against
it (numeric comparison in 50 and 1000 digits, or at random points).
"""

from __future__ import annotations

import logging
import re

from sandbox.maths_finding import Finding
from sandbox.maths_tokens import Refused, tokenize
from sandbox.maths_values import same_expression

MAX_OPINION = 300  # characters that are handed to math-verify, whose reader is slow
logging.getLogger("math_verify").setLevel(logging.CRITICAL)


def second_opinion(gold: str, answer: str) -> Finding:
    """Compare two LaTeX texts by math-verify, under our veto. Never raises for what they hold."""
    import sympy as sp
    from math_verify import verify

    for text in (gold, answer):
        reason = _risk(text)
        if reason:
            return Finding(None, reason)
    left, right = _parsed(gold), _parsed(answer)
    if left is None or right is None:
        return Finding(None, "neither our grammar nor math-verify reads it")
    accepted = verify(left, right, timeout_seconds=None, strict=True)
    if not (isinstance(left, sp.Expr) and isinstance(right, sp.Expr)):
        return Finding(None, "math-verify reads it, but nothing can be checked")
    shown = same_expression(left.doit(), right.doit())
    if accepted and shown:
        return Finding(True, "math-verify accepts, and the values agree")
    if shown is False and left.free_symbols == right.free_symbols:  # other names may be text that was misread
        return Finding(False, "the values differ" if not accepted else "math-verify accepts; vetoed: the values differ")
    return Finding(None, "math-verify and our comparison do not agree")


def _risk(text: str) -> str:
    """Why the text must not be evaluated while it is read; "" if it may be."""
    try:
        tokens = tokenize(text)
    except Refused as refused:
        return str(refused)
    if any(token.kind == "text" for token in tokens):
        return "words are not handed to math-verify, which leaves them out"
    if any(token.is_("!") for token in tokens) or any(len(t.value) > 12 for t in tokens if t.kind == "number"):
        return "large numbers or factorials are not handed to math-verify"
    if re.search(r"\^\s*(?:\{[^{}]*[\^\d]{3,}|\d[\d^]{2,})", text) or text.count("^") > 8:
        return "large powers are not handed to math-verify"
    return ""


def _parsed(text: str) -> object | None:
    from math_verify import LatexExtractionConfig, parse

    found = parse(
        f"${text}$", extraction_config=[LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None
    )
    return found[0] if found else None
