"""What a scripted model writes when it teaches: a first strategy, a journal entry, edits, a tidied strategy."""

from tests.agents.test_teacher import LONG


def teacher_writes(prompt: str, journal: str, edits: str, last_check: str) -> str | None:
    """The reply to one of the teacher's own prompts; None for any other."""
    if "Write a first strategy" in prompt:
        return LONG
    if "Write a journal entry" in prompt:
        return journal
    if "Propose at most" in prompt:
        return edits
    if "Tidy it for small models" in prompt:
        return f"{LONG}\n## Checks\n- [b13] {last_check}"
    return None
