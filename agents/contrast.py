"""Orders graded attempts by what can be learned from them: the same problem solved once and missed
once says most, then problems that were always missed, then those always solved. A right answer with a
wrong step counts as missed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agents.graded import Graded
from records.nouns import Reflection

Group = tuple[Graded, ...]
LEAKED = "it carries answers"  # how a note about a leak begins; what follows it quotes held-out tasks


def contrast_groups(graded: Sequence[Graded]) -> list[Group]:
    """One group per problem: mixed outcomes first, then failures, then passes; ungraded attempts are left out."""
    groups: dict[str, list[Graded]] = {}
    for item in graded:
        if item.judgement.outcome != "ungraded":
            groups.setdefault(item.problem.id, []).append(item)
    return sorted((tuple(group) for group in groups.values()), key=_rank)


def is_right(item: Graded) -> bool:
    """It passed, and no step of it was found wrong."""
    return item.judgement.outcome == "pass" and item.judgement.sound


def is_mixed(group: Group) -> bool:
    """At least one attempt was right and at least one was not."""
    return len({is_right(item) for item in group}) == 2


def _rank(group: Group) -> int:
    if is_mixed(group):
        return 0
    return 2 if is_right(group[0]) else 1


def failures(graded: Sequence[Graded]) -> list[Graded]:
    """Attempts that were judged and did not pass, in contrast order."""
    return [item for group in contrast_groups(graded) for item in group if item.judgement.outcome != "pass"]


def failure_words(item: Graded) -> set[str]:
    """Every word that a rule may name a failure by: kind, outcome, predicted class, words of the tests."""
    judgement = item.judgement
    words = {judgement.kind, judgement.outcome, judgement.predicted or "", *judgement.tests}
    if item.attempt.truncated:
        words.add("truncated")
    return {word.casefold() for word in words if word}


def tally(graded: Sequence[Graded]) -> str:
    """One sentence of counts: attempts, problems, outcomes, kinds of failure."""
    outcomes = Counter(item.judgement.outcome for item in graded)
    kinds = Counter(item.judgement.kind for item in failures(graded))
    problems = len({item.problem.id for item in graded})
    parts = [f"{count} {outcome}" for outcome, count in sorted(outcomes.items())]
    text = f"{len(graded)} attempts at {problems} problems: {', '.join(parts) or 'none'}."
    if kinds:
        text += " Failures by kind: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) + "."
    truncated = sum(item.attempt.truncated for item in graded)
    return text + (f" {truncated} replies were cut at the token limit." if truncated else "")


def rejected_lines(rejected: Sequence[Reflection], limit: int = 12) -> list[str]:
    """The last edits that were tried and not kept, each with the reason; quotations of held-out tasks are left out."""
    lines = []
    for reflection in rejected:
        if reflection.note.startswith(LEAKED):
            lines.append(
                f"round {reflection.round}: {len(reflection.edits)} edits — not kept: they quoted held-out tasks"
            )
            continue
        reason = _why_not_kept(reflection)
        for edit in reflection.edits:
            about = f" {', '.join(edit.bullet_ids)}" if edit.bullet_ids else ""
            lines.append(
                f"round {reflection.round}, {edit.operation}{about}: {edit.text or '(no text)'} — not kept: {reason}"
            )
    return lines[-limit:]


def _why_not_kept(reflection: Reflection) -> str:
    """The reason, without the figures of a test that spends alpha.

    Whoever writes the next edit by those figures chooses it on the items of the next test, and the levels of the
    rounds would no longer add up to alpha. A search's comparisons prove nothing, so their figures are told.
    """
    gate = reflection.gate
    if gate is None:
        return reflection.note or "not tested"
    return gate.reason if gate.alpha_spent is None else "not shown to help"
