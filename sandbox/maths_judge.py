"""One pair of texts in, one of four verdicts out. Runs in a worker process only.

equal and different may label training data; unknown (not readable, ambiguous, not shown) and error
(too slow, out of memory; said by the parent) may not.
"""

from __future__ import annotations

import re

from sandbox.maths_answer import Answer, Items, Quantity, Span, Word, as_formula, read_answer
from sandbox.maths_compare import compare, plain_words
from sandbox.maths_contracts import Contract
from sandbox.maths_finding import Finding
from sandbox.maths_number_words import names_number
from sandbox.maths_opinion import MAX_OPINION, second_opinion
from sandbox.maths_phrases import without_hedge
from sandbox.maths_text import MAX_TEXT, Ambiguous, Found, candidates, plain, rivals
from sandbox.maths_tokens import MAX_CHARS, Refused
from sandbox.maths_writing import Reading, strip_wrapping

UNREAD = "not read: "  # starts the reason where the answer, not the gold answer, could not be read
MAX_RIVALS = 3
_LETTER = re.compile(r"\(?\s*([A-Za-z])\s*\)?\s*\.?")
_LETTER_FIRST = re.compile(r"\(?\s*([A-Z])\s*[).:]")
_OPTION = re.compile(
    r"^\s*(?:the\s+)?(?:correct\s+)?(?:answer|option|choice)\s*(?:is\b|:)?\s*(?:option\s+)?", re.IGNORECASE
)
_OTHER_LETTER = re.compile(
    r"\([A-Z]\)|(?<![A-Za-z])[A-H](?![A-Za-z'])|\b(?:not|no|wrong|incorrect|false|isn't|never|rejected)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"__\w+__|\bimport\s+\w|\b(?:eval|exec|os\.\w+|open|system|lambda)\s*[(:\"]|;\s*\w+\s*\(")
_DIGITS = re.compile(r"\s*-?\d+\s*")
_READINGS = (
    Reading(),
    Reading(letters_are_units=True),
    Reading(thousands=False),
    Reading(decimal_comma=True),
)


class GoldRefused(Refused):
    """The gold answer could not be read."""


def judge_pair(gold: str, answer: str, contract: Contract) -> tuple[str, str]:
    """Verdict and reason. Raises nothing for what the texts hold."""
    try:
        golds, answers = candidates(gold), candidates(answer)
    except Ambiguous as problem:
        return "unknown", _printable(str(problem))
    if not golds or not plain(gold).strip():
        return "unknown", "the gold answer is empty"
    if not answers or not answer.strip():
        return "unknown", "the answer is empty"
    finding = _best(golds, answers, contract)
    for calm in (found for found in answers if found.how == "exclaimed" and finding.equal is False):
        finding = _best(golds, [Found(calm.text, "marked")], contract)
    finding = _without_rivals(finding, golds, answer, contract)
    return {True: "equal", False: "different", None: "unknown"}[finding.equal], _printable(finding.reason)


def _without_rivals(finding: Finding, golds: list[Found], answer: str, contract: Contract) -> Finding:
    """The finding, unless the reply calls something else its answer too, with another verdict."""
    if finding.equal is None:
        return finding
    for said in rivals(answer)[-MAX_RIVALS:]:
        try:
            other = _best(golds, candidates(f"ANSWER: {said}"), contract)
        except Ambiguous:
            continue
        if other.equal is not None and other.equal != finding.equal:
            return Finding(None, f"two different answers, one of them '{said[:60]}'")
    return finding


def _printable(text: str) -> str:
    """A reason quotes a model, and may be shown at a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _best(golds: list[Found], answers: list[Found], contract: Contract) -> Finding:
    """The likeliest gold text that can be read, against the likeliest answer that can be read."""
    unreadable = Finding(None, "nothing that could be read")
    for gold in golds:
        for answer in (answer for answer in answers if answer.how != "exclaimed"):
            try:
                finding = _compare_texts(gold.text, answer.text, contract)
                if answer.how == "weak" and finding.equal:
                    return Finding(None, "the calculation goes on behind this number")
                return finding
            except RecursionError:
                unreadable = Finding(None, f"{UNREAD}nested too deeply")
            except Refused as refused:
                unreadable = Finding(None, f"{UNREAD if not isinstance(refused, GoldRefused) else ''}{refused}")
                if _too_long(answer.text, gold.text):
                    return Finding(False, "a number of thousands of digits")
    if all(_CODE.search(answer.text) for answer in answers):
        return Finding(False, "the answer is program text")
    if max(len(golds[0].text), len(answers[0].text)) > MAX_OPINION:
        return unreadable
    opinion = second_opinion(strip_wrapping(golds[0].text), strip_wrapping(answers[0].text))
    return opinion if opinion.equal is not None else unreadable


def _too_long(answer: str, gold: str) -> bool:
    """Digits without end are another number than any that is short enough to be read."""
    return MAX_CHARS < len(answer) <= MAX_TEXT and len(gold) < MAX_CHARS // 2 and bool(_DIGITS.fullmatch(answer))


def _compare_texts(gold: str, answer: str, contract: Contract) -> Finding:
    if max(len(gold), len(answer)) > MAX_CHARS:
        raise Refused(f"an answer has {max(len(gold), len(answer))} characters; at most {MAX_CHARS} are read")
    if contract.kind == "text":
        same = plain_words(_bare(gold)) == plain_words(_bare(answer))
        return Finding(same, "the same words" if same else "other words")
    answer, rough = without_hedge(answer)
    choice = _choice(gold, answer, contract)
    if choice is not None:
        return choice
    if _squeezed(gold) == _squeezed(answer):
        return Finding(True, "the same text")
    finding = _compare_readings(gold, answer, contract)
    return Finding(None, "said to be approximate") if rough and finding.equal is False else finding


def _squeezed(text: str) -> str:
    text = re.sub(r"(?<=[\d.])(?:\s|~|\\[,;: ]|\\(?:q?quad|left|right)(?![a-z]))+(?=[\d.])", "_", strip_wrapping(text))
    text = re.sub(r"\\(?:left|right)(?![a-z])|\\[,;!: ]|\\q?quad|\s", "", text)  # `_`: two numbers, not one
    return re.sub(r"\\[dt]frac", r"\\frac", text)


def _bare(text: str) -> str:
    """The words of a text without its LaTeX commands."""
    text = re.sub(r"\\(?:text(?:bf|it|rm)?|mbox|math(?:rm|bf|it)|operatorname)\s*", "", text)
    return re.sub(r"\\[A-Za-z]+|[{}$\\]", " ", text).strip()


def _choice(gold: str, answer: str, contract: Contract) -> Finding | None:
    """Letters of a multiple choice; None where the gold answer is no such letter."""
    wanted = _LETTER.fullmatch(_bare(gold))
    if wanted is None or (contract.kind != "choice" and not wanted[1].isupper()):
        return None
    bare = _OPTION.sub("", _bare(answer))
    given = _LETTER.fullmatch(bare) or _LETTER_FIRST.match(bare)
    if given is not None and _OTHER_LETTER.search(bare, given.end(1)):
        return Finding(None, "more than one letter, or a letter that is rejected")
    if given is None:
        return Finding(False, "a letter is wanted") if contract.kind == "choice" else None
    same = given[1].upper() == wanted[1].upper()
    return Finding(same, "the same letter" if same else "another letter")


def _compare_readings(gold: str, answer: str, contract: Contract) -> Finding:
    """The plain readings first; another reading of either side counts only if it makes them equal."""
    golds, answers = _readings(gold), _readings(answer)
    if isinstance(golds, Refused):
        raise GoldRefused(f"the gold answer: {golds}")
    if isinstance(answers, Refused):
        raise answers
    first: Finding | None = None
    refused = Refused("nothing that could be compared")
    for left, right in ((a, b) for a in golds for b in answers):
        try:
            finding = _checked(left, right, gold, answer, contract)
        except Refused as problem:
            refused = problem
            continue
        if finding.equal:
            return finding
        first = first or finding
    if first is None:
        raise refused
    return first


def _checked(left: Answer, right: Answer, gold: str, answer: str, contract: Contract) -> Finding:
    if isinstance(left, Word) != isinstance(right, Word):
        left, right = ((as_formula(side) or side) if isinstance(side, Word) else side for side in (left, right))
    if isinstance(left, Word) != isinstance(right, Word):
        same = plain_words(_bare(gold)) == plain_words(_bare(answer)) != ""
        if not same and any(isinstance(side, Word) and names_number(side.text) for side in (left, right)):
            return Finding(None, "the text has a word for a number in it")
        return Finding(same, "the same words" if same else "text against a formula")
    if contract.kind == "equation" and isinstance(right, Quantity):
        return Finding(False, "an equation is wanted")
    return compare(_as_contract(left, contract), _as_contract(right, contract), contract)


def _as_contract(answer: Answer, contract: Contract) -> Answer:
    """Read ambiguous brackets as the contract says."""
    if not isinstance(answer, Items):
        return answer
    if contract.kind == "set" and answer.kind == "list":
        return Items("set", answer.items)
    if contract.kind == "tuple" and answer.kind == "list":
        return Items("tuple", answer.items)
    if contract.kind == "interval" and answer.kind == "tuple" and len(answer.items) == 2:
        low, high = answer.items
        if isinstance(low, Quantity) and isinstance(high, Quantity):
            return Span(low.node, high.node, False, False)
    return answer


def _readings(text: str) -> list[Answer] | Refused:
    """The different readings of a text, or why there is none."""
    seen: list[Answer] = []
    problem = Refused("nothing that could be read")
    for reading in reversed(_READINGS):
        try:
            answer = read_answer(text, reading)
        except Refused as refused:
            problem = refused
            continue
        if answer not in seen:
            seen.insert(0, answer)
    return seen or problem
