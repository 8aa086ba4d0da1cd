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

MAX_TEXT = 20_000  # characters of a reply; of a longer one the end is read

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
_BOX = re.compile(r"\\{1,4}(?:boxed|fbox)\b\s*")
_MATHS = re.compile(
    r"(?<!\\)\$\$([^$]+)\$\$|(?<!\\)\$([^$]+)(?<!\\)\$|\\\[((?:[^\\]|\\[^\[\]])+)\\\]|\\\(((?:[^\\]|\\[^()])+)\\\)"
)
_FINAL = re.compile(
    r"(?:final\s+answer|answer|result)\b[ \t*]*(?:(?:is|are|equals)\b[ \t*]*:?|:|=|(?=\$|\\[(\[]))[ \t*]*",
    re.IGNORECASE,
)
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
    """An answer's text and how it was found: boxed, marked, whole, maths or number."""

    text: str
    how: str


def plain(text: str) -> str:
    """The text with Unicode signs replaced, doubled backslashes of escaped LaTeX halved."""
    text = re.sub(r"√\s*(\d+|\w)", r"\\sqrt{\1}", text)
    text = re.sub(r"√\s*\(([^()]*)\)", r"\\sqrt{\1}", text)
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ]+", lambda m: "^{" + m[0].translate(_RAISED) + "}", text)
    text = re.sub("[₀₁₂₃₄₅₆₇₈₉]+", lambda m: "_{" + m[0].translate(_LOWERED) + "}", text)
    text = unicodedata.normalize("NFKC", text.translate(_TABLE)).translate(_TABLE)
    text = re.sub(r"\\(q?quad)(?=[a-zA-Z])", r"\\\1 ", text)
    text = re.sub(r"\{([^{}]{1,99})\\choose([^{}]{1,99})\}", r"\\binom{\1}{\2}", text)
    if "begin{" not in text:
        text = re.sub(r"\\\\(?=[A-Za-z{}()\[\]%$])", r"\\", text)
    return text


def boxes(text: str) -> list[tuple[int, int, str]]:
    """Start, end and content of each outermost box. One that is never closed ends with the text."""
    found: list[tuple[int, int, str]] = []
    position = 0
    while match := _BOX.search(text, position):
        start = match.end()
        if start >= len(text) or text[start] != "{":
            end = start + 1
            found.append((match.start(), end, text[start:end]))
        else:
            end = _closing(text, start)
            found.append((match.start(), end, text[start + 1 : end - 1 if text[end - 1 : end] == "}" else end]))
        position = max(end, position + 1)
    return found


def _closing(text: str, start: int) -> int:
    depth = 0
    escaped = False
    for index in range(start, len(text)):
        char = text[index]
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in "{}":
            depth += 1 if char == "{" else -1
            if depth == 0:
                return index + 1
    return len(text)


def boxed_answer(text: str) -> str | None:
    """Content of the final box, or of final boxes that make up one list. Raises Ambiguous."""
    found = boxes(text)
    if not found:
        return None
    groups = [[found[0]]]
    for before, box in pairwise(found):
        joined = not _GAP.sub("", text[before[1] : box[0]]).strip(" }")
        groups[-1].append(box) if joined else groups.append([box])
    answers = [", ".join(dict.fromkeys(content.strip() for _, _, content in group)) for group in groups]
    if len({re.sub(r"\s|\\[,!; ]", "", answer) for answer in answers}) > 1:
        said = marked_answer(text[found[-1][1] :])
        if said:
            return said
        raise Ambiguous(f"two different boxed answers: {answers[-2][:60]} and {answers[-1][:60]}")
    return answers[-1]


def marked_answer(text: str) -> str | None:
    """What stands after the last `####`, `ANSWER:` or "the answer is", up to the end of its line."""
    if "####" in text:
        return _line(text.rpartition("####")[2])
    ends = [match.end() for pattern in (_FINAL, _BARE_A) for match in pattern.finditer(text)]
    for end in sorted(ends, reverse=True):
        if line := _line(_HOPE.sub("", text[end:])):
            return line.removesuffix(".")
    return None


def final_answer(reply: str) -> str | None:
    """The boxed or marked answer of a reply; None where it has neither. Raises Ambiguous."""
    text = plain(reply[-MAX_TEXT:])
    return boxed_answer(text) or marked_answer(text)


def _line(text: str) -> str:
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return ""
    first = lines[0].strip()
    if first in (r"\[", "$$", r"\("):
        first = " ".join(part.strip() for part in lines[:3])
    return first.strip(' \t*"')


def candidates(text: str) -> list[Found]:
    """Texts that may be the answer, the likeliest first. Raises Ambiguous."""
    text = plain(text[-MAX_TEXT:])
    boxed = boxed_answer(text)
    if boxed is not None:
        return [Found(boxed, "boxed")]
    found: list[Found] = []
    marked = marked_answer(text)
    if marked:
        found += [Found(part, "marked") for part in _parts(marked)]
    else:
        found += [Found(part, "maths") for part in _parts(text)]
    return list(dict.fromkeys(found)) or [Found(text, "whole")]


def _parts(text: str) -> list[str]:
    """The text, the last formula in it, the last number."""
    if not _is_prose(text) and not re.fullmatch(r"[^\\^_=+*/<>]*[A-Za-z]{3}[^\\^_=+*/<>]*", text):
        return [text]
    parts = [] if _is_prose(text) else [text]
    segments = list(_MATHS.finditer(text))
    numbers = list(_LAST_NUMBER.finditer(text))
    listed = _joined_segments(text, segments)
    if listed is not None:
        parts.append(listed)
    if numbers and (not segments or numbers[-1].start() > segments[-1].end()):
        parts.append(numbers[-1][0])
    if segments:
        after = re.match(r"\s*(\\?%|percent|pct)", text[segments[-1].end() :])
        last = next(group for group in segments[-1].groups() if group is not None)
        parts.append(last + (r"\%" if after else ""))
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
