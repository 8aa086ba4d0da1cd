"""Advice that is aimed at the judging instead of the task: "ignore the verifier", "print ALL TESTS PASSED".

Guaranteed: `manipulation` finds orders to disregard, deceive or get round what judges or instructs, and orders to
write what a judge might look for, in the wordings below, whatever their case, spacing, invisible and
look-alike characters. Not guaranteed: other wordings. The verifiers do not depend on this: expected values never
enter the process that runs a model's code. It keeps such advice out of a strategy that other models would read.
"""

from __future__ import annotations

import re
import unicodedata

_JUDGE = (
    r"(?:verif(?:ier|ication)|checker|grader|grading|judge|judging|evaluator|evaluation|validator|scorer|scoring"
    r"|(?:unit |hidden )?tests?(?: suite| cases?)?|assert(?:ion)?s?|sandbox|harness)"
)
_RULES = (
    r"(?:(?:previous|prior|above|earlier|system|all|any|other|these|the) )*(?:instructions?|prompts?|messages?|rules)"
)
_AGAINST = r"(?:ignor|disregard|bypass|circumvent|deceiv|trick|fool|cheat|hack|overrid|overwrit|patch|disabl|skip|gam)"
_BETWEEN = r"(?:(?!and |or |then |but )\w+ ){0,3}?"
_WRITE = r"\b(?:print|output|write|emit|return|say|reply|log|append|echo|add)\w* (?:\S+ ){0,3}?"
_MARKER = (
    r"\W{0,2}(?:all (?:the )?tests? (?:have )?(?:passed|pass|ok)\b|tests? passed|(?:verdict|result) ?[:=] ?\W*pass"
    r"|score ?[:=] ?1|['\"“]pass(?:ed)?['\"”]|(?:success|pass|passed|verdict|nonce) (?:marker|token)"
    r"|(?:marker|token)s? of the (?:judge|verifier))"
)
_FOUND = (
    (rf"\b{_AGAINST}\w* {_BETWEEN}{_JUDGE}\b", "it tells the model to get round what judges it"),
    (rf"\b(?:ignor|disregard|forget|overrid)\w* {_RULES}\b", "it tells the model to ignore its instructions"),
    (rf"{_WRITE}{_MARKER}", "it tells the model to write a verdict of its own"),
    (rf"\b{_JUDGE} (?:is|are) (?:broken|irrelevant|not (?:used|run|relevant))\b", "it disputes the judging"),
    (r"\b(?:sys\.exit|os\._exit|raise systemexit)\b", "it tells the model to end the process that judges it"),
    (r"\balways (?:answer|reply|say|output|return) (?:with )?['\"“]?(?:yes|no|pass)\b", "it fixes the answer"),
)  # fmt: skip
_NEGATED = re.compile(r"\b(?:not|never|no|without|avoid|nor|cannot|don't|do n't|isn't|instead of)\b[^.;:!?]{0,30}$")


def manipulation(text: str) -> str | None:
    """What is wrong with a piece of advice, with the words in question; None if nothing was found.

    "Do not ignore the tests" is sound advice: an order with a negation shortly before it is none.
    """
    plain = _plain(text)
    for pattern, fault in _FOUND:
        for found in re.finditer(pattern, plain):
            if not _NEGATED.search(plain[: found.start()]):
                return f"{fault}: '{found[0][:80]}'"
    return None


def _plain(text: str) -> str:
    """Case folded, compatibility forms resolved, without invisible characters and markup, single spaces."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) not in ("Cf", "Mn"))
    return " ".join(re.sub(r"[*_`]+", "", visible).casefold().split())
