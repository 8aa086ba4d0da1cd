"""From what a model wrote to the text of its answer.

Guaranteed: every step is linear in the length of the text; nothing is evaluated; Unicode signs
(minus, full-width digits, superscripts, ∞, ≤, √) become their LaTeX or ASCII forms; several
different boxes that do not form one list are reported, not chosen from.
Not guaranteed: that the text is mathematics; the grammar decides.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from sandbox.maths_boxes import boxes, in_formula
from sandbox.maths_prose import first_value, standing, takes_back

MAX_TEXT = 20_000  # characters of a reply; of a longer one the end is read
MAX_LINE = 4_000  # characters that are looked at behind a mark
MAX_MARKS = 20  # marks that are looked at, from the last one on

_SIGNS = {
    "−": "-", "–": "-", "—": "-", "﹣": "-", "‐": "-", "‑": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ",
    "∗": "*", "÷": r"\div ", "∕": "/", "⁄": "/", "∞": r"\infty ", "π": r"\pi ", "≤": r"\le ", "≥": r"\ge ",
    "≠": r"\ne ", "≈": r"\approx ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ",
    "∓": r"\mp ", "°": r"^\circ ", "º": r"^\circ ", "∖": r"\setminus ", "ℝ": r"\mathbb{R}", "′": "'", "…": r"\ldots ",
    "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "λ": r"\lambda ", "φ": r"\phi ", "μ": r"\mu ",
    "（": "(", "）": ")", "，": ",", "：": ":", "；": ";", "％": "%", "＝": "=", "｛": "{", "｝": "}",
    "“": '"', "”": '"', "’": "'", "∣": "|", "√": r"\sqrt ", "∛": r"\sqrt[3]", "∶": ":", "∧": "^", "¢": r"\text{ cents}",
}  # fmt: skip
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ", "0123456789+-ni")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_FRACTIONS = {c: unicodedata.normalize("NFKC", c).split("⁄") for c in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
_TABLE = str.maketrans(
    {**_SIGNS, **{c: rf"\frac{{{a}}}{{{b}}}" for c, (a, b) in _FRACTIONS.items()}, "\u00a0": " ", "\u2009": " "}
)
_MATHS = re.compile(
    r"(?<!\\)\$\$([^$]+)\$\$|(?<!\\)\$([^$]+)(?<!\\)\$|\\\[((?:[^\\]|\\[^\[\]])+)\\\]|\\\(((?:[^\\]|\\[^()])+)\\\)"
)
_FINAL = re.compile(
    r"(?<![A-Za-z])(?:final\s{1,9}answer|answer|ans|result)\b[ \t*_}]{0,40}"
    r"(?:(?:is|are|equals)\b[ \t*]{0,40}:?|:|=|(?=\$|\\[(\[]))[ \t*}]{0,40}",
    re.IGNORECASE,
)
_CLAIM = re.compile(
    r"(?:^[ \t>*_#\\]{0,20}(?:textbf\{)?(?:final[ \t]{1,9})?answer[ \t*_}]{0,9}:"
    r"|\b(?:final|the|my)[ \t]{1,9}answer[ \t]{1,9}is\b:?)[ \t*}]{0,40}",
    re.IGNORECASE | re.MULTILINE,
)
_LABEL = re.compile(r"[\s*_]{0,9}[A-Z][a-z]{2,20}(?: [a-z]{2,20}){0,3}[*_ ]{0,4}:[*_ ]{0,4}([^\n]{1,300})")
_SPOKEN = re.compile(r"\b(?:is|are|equals)\b[^\n]{1,99}!")
_BARE_A = re.compile(r"^[ \t]*A(?:NSWER)?[ \t]*:[ \t]*", re.MULTILINE)
_HOPE = re.compile(r"I hope it is correct.*", re.DOTALL | re.IGNORECASE)
_GAP = re.compile(
    r"\\text\s*\{|\\quad|\\qquad|\\\\|\\[\[\]();, !]|[${}\s.,;:~]|\band\b|\bor\b|for part \([a-z]\)|"
    r"[A-Za-z](?:_\{?\w{1,20}\}?)?(?:\([a-z]\))?\s{0,20}="
)
NUMBER = r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|-?\.\d+"
_LAST_NUMBER = re.compile(rf"(?<![\w.{{^])(?:{NUMBER})(?:\s?\\?%)?(?![\d])")


class Ambiguous(Exception):
    """The reply gives several different final answers."""


@dataclass(frozen=True)
class Found:
    """An answer's text and how it was found: boxed, marked, text, whole, maths, number, exclaimed or weak.

    A weak one stands in a calculation that goes on: it may be wrong, but never right.
    """

    text: str
    how: str


def plain(text: str) -> str:
    """The text with Unicode signs replaced, doubled backslashes of escaped LaTeX halved; at most MAX_TEXT of it."""
    text = text[-MAX_TEXT:]
    if not text.isascii():
        text = _ascii(text)[-MAX_TEXT:]
    text = re.sub(r"\\(q?quad)(?=[a-zA-Z])", r"\\\1 ", text)
    text = re.sub(r"\{([^{}]{1,99})\\choose([^{}]{1,99})\}", r"\\binom{\1}{\2}", text)
    if "begin{" not in text:
        text = re.sub(r"\\\\(?=[A-Za-z{}()\[\]%$])", r"\\", text)
    return text


def _ascii(text: str) -> str:
    """Unicode signs as LaTeX or ASCII. NFKC may make eighteen characters of one."""
    text = re.sub("[µμ](?=(?:m|g|s|l|L|A)(?![A-Za-z]))", "u", text)
    text = re.sub("(\\d)\u0307", r"\\dot{\1}", text)
    text = re.sub(r"√\s*(\d+|\w)", r"\\sqrt{\1}", text)
    text = re.sub(r"√\s*\(([^()]*)\)", r"\\sqrt{\1}", text)
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ]+", lambda m: "^{" + m[0].translate(_RAISED) + "}", text)
    text = re.sub("[₀₁₂₃₄₅₆₇₈₉]+", lambda m: "_{" + m[0].translate(_LOWERED) + "}", text)
    text = unicodedata.normalize("NFKC", text.translate(_TABLE)[-MAX_TEXT:])[-MAX_TEXT:].translate(_TABLE)
    return re.sub(r"(?a:(?!\d))\d", lambda m: str(unicodedata.decimal(m[0])), text)


def boxed_answer(text: str) -> str | None:
    """Content of the final box, or of final boxes that make up one list. Raises Ambiguous."""
    found = boxes(text)
    if not found:
        return None
    if in_formula(text, *found[-1][:2]):
        raise Ambiguous("the box is a part of a formula, and not the answer")
    groups = [[found[0]]]
    for before, box in pairwise(found):
        joined = not _GAP.sub("", text[before[1] : box[0]]).strip(" }")
        groups[-1].append(box) if joined else groups.append([box])
    answers = [_listed([content.strip() for _, _, content in group]) for group in groups]
    if len({re.sub(r"\s|\\[,!; ]", "", answer) for answer in answers}) > 1:
        said = marked_answer(text[found[-1][1] :])
        if said:
            return said
        raise Ambiguous(f"two different boxed answers: {answers[-2][:60]} and {answers[-1][:60]}")
    return answers[-1]


def _listed(contents: list[str]) -> str:
    """One box that is written again is one answer; of several, each counts."""
    return contents[0] if len(set(contents)) == 1 else ", ".join(contents)


def marked_answer(text: str) -> str | None:
    """What stands after the last `####`, `ANSWER:` or "the answer is", up to the end of its line."""
    if "####" in text:
        return _line(text[text.rfind("####") + 4 :])
    ends = sorted({match.end() for pattern in (_FINAL, _BARE_A) for match in pattern.finditer(text)})
    for end in reversed(ends[-MAX_MARKS:]):
        if line := _line(text[end : end + MAX_LINE]):
            return line.removesuffix(".")
    return None


def rivals(text: str) -> list[str]:
    """Everything else that a reply calls its answer, on lines of their own; the same words once."""
    text = plain(text)
    chosen = boxed_answer(text) or marked_answer(text)
    found = [_line(text[match.end() : match.end() + MAX_LINE]) for match in _CLAIM.finditer(text)][-MAX_MARKS:]
    return [line for line in dict.fromkeys(found) if line and line.removesuffix(".") != chosen and "boxed" not in line]


def final_answer(reply: str) -> str | None:
    """The boxed or marked answer of a reply; None where it has neither. Raises Ambiguous."""
    text = plain(reply)
    return boxed_answer(text) or marked_answer(text)


def _line(text: str) -> str:
    text = _HOPE.sub("", text[:MAX_LINE])
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return ""
    first = lines[0].strip()
    if first in (r"\[", "$$", r"\("):
        first = " ".join(part.strip() for part in lines[:3])
    return first.strip(' \t*"')


def candidates(text: str) -> list[Found]:
    """Texts that may be the answer, the likeliest first. Raises Ambiguous."""
    text = plain(text)
    boxed = boxed_answer(text)
    if boxed is not None:
        return [Found(boxed, "boxed")]
    found: list[Found] = []
    marked = marked_answer(text)
    if marked is None and (labelled := _LABEL.fullmatch(text.strip())):
        marked = labelled[1].strip(" *")
    if marked:
        value = _first_value(marked)
        found += [Found(value, "marked")] if value else []
        found += _parts(marked)
        if marked.endswith("!") and _SPOKEN.search(text):
            found.append(Found(marked[:-1], "exclaimed"))
    else:
        found += _parts(text)
    return list(dict.fromkeys(found)) or [Found(text, "whole")]


def _first_value(line: str) -> str | None:
    """The value before a reason. Raises Ambiguous where the line takes it back."""
    value = first_value(line)
    if value is not None and takes_back(line, value):
        raise Ambiguous("the answer is put in doubt by what follows it")
    return value


def _parts(text: str) -> list[Found]:
    """The text, the last formula in it, the last number."""
    if not _is_prose(text) and not re.fullmatch(r"[^\\^_=+*/<>]*[A-Za-z]{3}[^\\^_=+*/<>]*", text):
        return [Found(text, "text")]
    parts = [] if _is_prose(text) else [Found(text, "text")]
    segments = list(_MATHS.finditer(text))
    numbers = list(_LAST_NUMBER.finditer(text))
    listed = _joined_segments(text, segments)
    if listed is not None:
        parts.append(Found(listed, "maths"))
    last = numbers[-1] if numbers else None
    if last and (not segments or last.start() > segments[-1].end()):
        how = standing(text, last.start(), last.end())
        parts += [Found(last[0], "weak" if how == "open" else "number")] if how != "changed" else []
    if segments:
        after = re.match(r"\s*(\\?%|percent|pct)", text[segments[-1].end() :])
        formula = next(group for group in segments[-1].groups() if group is not None)
        parts.append(Found(formula + (r"\%" if after else ""), "maths"))
    return parts


def _joined_segments(text: str, segments: list[re.Match[str]]) -> str | None:
    """`$1$ and $2$ and $3$` as one list."""
    if len(segments) < 2:
        return None
    listed = [segments[-1]]
    for segment in reversed(segments[:-1]):
        if not re.fullmatch(r"\s*(?:,|;|and|or|,\s*and)\s*", text[segment.end() : listed[0].start()]):
            break
        listed.insert(0, segment)
    if len(listed) < 2:
        return None
    return ", ".join(next(group for group in segment.groups() if group is not None) for segment in listed)


def _is_prose(text: str) -> bool:
    """Words of a sentence stand outside of `\\text{}`."""
    bare = re.sub(r"\\(?:text|mbox|mathrm|textbf|operatorname|textit|begin|end)\w*\s*\{[^{}]*\}", " ", text)
    bare = re.sub(r"\\[A-Za-z]+", " ", bare)
    words = re.findall(r"[A-Za-z]{2,}(?:'[a-z]+)?", bare)
    common = {"and", "or", "cm", "mm", "km", "kg", "mph", "sin", "cos", "tan", "log", "ln", "exp", "sqrt", "pi", "pct"}
    return len([word for word in words if word.lower() not in common and not word.isupper()]) >= 3
