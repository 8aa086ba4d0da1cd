"""Attempts as a teacher reads them: labelled, quoted, and cut to a budget.

Guaranteed: what a model or a verifier wrote stands between tags that it cannot close, without
chat-template markers; problem ids never appear; labels are the same for the same attempts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from agents.contrast import Group, contrast_groups, is_right
from agents.graded import Graded

TASK_CHARS, REPLY_CHARS, EVIDENCE_CHARS = 2_000, 1_600, 700
PASSED_GROUPS = 2  # problems that were always solved teach little; two are shown

_TAG = re.compile(r"<(?=[\s/]*(?:task|attempt|evidence|journal|strategy)\b|\|)", re.IGNORECASE)
_UNPLAIN = re.compile(r"[^\n\t\x20-\x7e]")
_INSTRUCTION_MARK = re.compile(r"\[(?=/?INST\])|<(?=<\s*/?SYS)|<(?=/?s>|(?:start|end)_of_turn>)")


@dataclass(frozen=True)
class Material:
    """The attempts in full, the same ones as one line each, and what each label stands for."""

    attempts: str
    index: str
    labels: dict[str, str]  # label → attempt id


def _visible(found: re.Match[str]) -> str:
    return "" if unicodedata.category(found[0]) in ("Cc", "Cf", "Cs", "Co", "Cn") else found[0]


def quote(text: str, limit: int) -> str:
    """Text of a stranger: control characters gone, tags and markers broken, the middle left out if too long."""
    kept = _UNPLAIN.sub(_visible, text)
    if len(kept) > limit:
        half = limit // 2
        kept = f"{kept[:half]}\n[… {len(kept) - 2 * half} characters left out …]\n{kept[-half:]}"
    return _INSTRUCTION_MARK.sub(lambda mark: mark[0] + " ", _TAG.sub("< ", kept)).strip()


def material(graded: Sequence[Graded], limit: int) -> Material:
    """The attempts worth reading, in contrast order, until `limit` characters are used; at least one problem."""
    shown, lines, labels = list[str](), list[str](), dict[str, str]()
    used = 0
    for group in _worth_reading(graded):
        names = [f"A{len(labels) + number}" for number in range(1, len(group) + 1)]
        block = _block(group, names)
        if shown and used + len(block) > limit:
            break
        used += len(block)
        shown.append(block[:limit])
        lines += [_line(name, item) for name, item in zip(names, group, strict=True)]
        labels.update(zip(names, (item.attempt.id for item in group), strict=True))
    return Material("\n\n".join(shown) or "(none)", "\n".join(lines) or "(none)", labels)


def _worth_reading(graded: Sequence[Graded]) -> list[Group]:
    groups = contrast_groups(graded)
    solved = [group for group in groups if all(map(is_right, group))]  # the last ones, by their rank
    return groups[: len(groups) - len(solved)] + solved[:PASSED_GROUPS]


def _block(group: Group, names: Sequence[str]) -> str:
    task = f"<task>\n{quote(group[0].problem.prompt, TASK_CHARS)}\n</task>"
    return "\n".join([task, *(_attempt(name, item) for name, item in zip(names, group, strict=True))])


def _attempt(name: str, item: Graded) -> str:
    reply = quote(item.attempt.reply, REPLY_CHARS)
    lines = [f'<attempt label="{name}" verdict="{_verdict(item)}">', reply, "</attempt>"]
    if not is_right(item) and item.judgement.evidence:
        lines += [f'<evidence label="{name}">', quote(item.judgement.evidence, EVIDENCE_CHARS), "</evidence>"]
    return "\n".join(lines)


def _verdict(item: Graded) -> str:
    outcome, kind = item.judgement.outcome, item.judgement.kind
    word = outcome if kind == outcome else f"{outcome}: {kind}"
    return re.sub(r"[^\w .:,-]", "", word) + (", cut at the token limit" if item.attempt.truncated else "")


def _line(name: str, item: Graded) -> str:
    return f"{name} (family {re.sub(r'[^-.:A-Za-z0-9_ ]', '', item.problem.family)}): {_verdict(item)}"
