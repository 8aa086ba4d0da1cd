"""What the pages know of a run without its texts: attempts with their verdicts, problems, reflections, versions.

Rows are read as they are, without the records' classes, so that a run of an older program is shown as far
as it goes: a field that it does not have is empty.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from console.web.store import Lines, Row, Store

FAIL_WORDS = ("fail", "unparsed")


@dataclass(frozen=True, slots=True)
class AttemptFact:
    """One attempt without its reply."""

    id: str
    problem_id: str
    stage: str
    arm: str
    model: str
    agent: str
    round: int | None
    sample: int
    truncated: bool
    failed: bool
    call_key: str


@dataclass(frozen=True, slots=True)
class ProblemFact:
    """One problem without its text."""

    id: str
    split: str
    family: str
    difficulty: str


@dataclass(frozen=True, slots=True)
class RowFact:
    """One row of the evaluation without its answers."""

    suite: str
    arm: str
    model: str
    split: str
    seed: int
    outcome: str
    strategy_hash: str


def word(row: Row, name: str) -> str:
    """A field as text, "" if it is absent."""
    value = row.get(name)
    return "" if value is None else value if isinstance(value, str) else str(value)


def _shared(row: Row, name: str) -> str:
    """A word of which there are few: kept once in memory."""
    return sys.intern(word(row, name))


def whole(row: Row, name: str) -> int | None:
    """A field as a number, None if it is none."""
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def words(row: Row, name: str) -> list[str]:
    """A field as a list of texts."""
    value = row.get(name)
    return [str(item) for item in value] if isinstance(value, list) else []


def _attempt(row: Row) -> AttemptFact:
    return AttemptFact(
        id=word(row, "id"),
        problem_id=_shared(row, "problem_id"),
        stage=_shared(row, "stage"),
        arm=_shared(row, "arm"),
        model=_shared(row, "model"),
        agent=_shared(row, "agent"),
        round=whole(row, "round"),
        sample=whole(row, "sample") or 0,
        truncated=row.get("finish_reason") == "length",
        failed=bool(row.get("error")),
        call_key=word(row, "call_key"),
    )


def _verdict(row: Row) -> tuple[str, str, str]:
    judgement = row.get("judgement")
    judgement = judgement if isinstance(judgement, dict) else {}
    return word(row, "id"), _shared(judgement, "outcome"), _shared(judgement, "kind")


def _problem(row: Row) -> ProblemFact:
    return ProblemFact(
        _shared(row, "id"), _shared(row, "split"), _shared(row, "family"), _shared(row, "difficulty")
    )  # fmt: skip


def _row(row: Row) -> RowFact:
    names = ("suite", "arm", "model", "split")
    suite, arm, model, split = (_shared(row, name) for name in names)
    return RowFact(
        suite, arm, model, split, whole(row, "seed") or 0, _shared(row, "outcome"), _shared(row, "strategy_hash")
    )


def _same(row: Row) -> Row:
    return row


class Facts:
    """The indexes of one run."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def attempts(self) -> Lines[AttemptFact]:
        """attempts.jsonl"""
        return self.store.lines("attempts.jsonl", _attempt)

    @property
    def problems(self) -> Lines[ProblemFact]:
        """problems.jsonl"""
        return self.store.lines("problems.jsonl", _problem)

    @property
    def evaluation(self) -> Lines[RowFact]:
        """evaluation/rows.jsonl"""
        return self.store.lines("evaluation/rows.jsonl", _row)

    @property
    def reflections(self) -> list[Row]:
        """All reflections; a proposal that waits at the gate is among them, marked `open`."""
        done = [row for row in self.store.lines("reflections.jsonl", _same).entries if whole(row, "round") is not None]
        rounds = {row["round"] for row in done}
        proposed = self.store.lines("proposals.jsonl", _same).entries
        waiting = [{**row, "open": True} for row in proposed if whole(row, "round") not in (*rounds, None)]
        return sorted([*done, *waiting], key=lambda row: row["round"])

    @property
    def decisions(self) -> list[Row]:
        """decisions.jsonl"""
        return list(self.store.lines("decisions.jsonl", _same).entries)

    @property
    def stage_times(self) -> list[Row]:
        """stage_times.jsonl"""
        return self.store.lines("stage_times.jsonl", _same).entries

    @property
    def later_tests(self) -> list[Row]:
        """The gate's tests outside the rounds: of the final strategy, and of what people edited."""
        proofs = [
            {"what": "the final strategy", "hash": row.get("final_hash"), "gate": row.get("gate")}
            for row in self.store.lines("confirmation.jsonl", _same).entries
        ]
        edits = [
            {"what": "an edit by a person", "hash": row.get("edited_hash"), "gate": row.get("gate")}
            for row in self.store.lines("edit_gates.jsonl", _same).entries
        ]
        return [row for row in (*proofs, *edits) if isinstance(row["gate"], dict)]

    @property
    def outcomes(self) -> dict[str, tuple[str, str]]:
        """Outcome and kind of each attempt that was judged, by id."""
        lines = self._verdicts
        return self.store.derived("outcomes", lines, lambda: {name: (what, kind) for name, what, kind in lines.entries})

    @property
    def _verdicts(self) -> Lines[tuple[str, str, str]]:
        return self.store.lines("verdicts.jsonl", _verdict)

    @property
    def attempt_numbers(self) -> dict[str, int]:
        """Where an attempt stands, by id."""
        lines = self.attempts
        return self.store.derived("attempts", lines, lambda: {a.id: n for n, a in enumerate(lines.entries)})

    @property
    def problem_numbers(self) -> dict[str, int]:
        """Where a problem stands, by id."""
        lines = self.problems
        return self.store.derived("problems", lines, lambda: {p.id: n for n, p in enumerate(lines.entries)})

    @property
    def verdict_numbers(self) -> dict[str, int]:
        """Where a verdict stands, by the attempt's id."""
        lines = self._verdicts
        return self.store.derived("verdicts", lines, lambda: {v[0]: n for n, v in enumerate(lines.entries)})

    def problem(self, name: str) -> Row:
        """A whole problem; {} if there is none of this id."""
        number = self.problem_numbers.get(name)
        return {} if number is None else self.problems.row(number)

    def judgement(self, attempt_id: str) -> Row:
        """A whole judgement; {} if the attempt was not judged."""
        number = self.verdict_numbers.get(attempt_id)
        row = {} if number is None else self._verdicts.row(number)
        judgement = row.get("judgement")
        return judgement if isinstance(judgement, dict) else {}

    def splits(self) -> Counter[str]:
        """Problems per split."""
        return Counter(problem.split for problem in self.problems.entries)

    def versions(self) -> dict[str, Row]:
        """The strategy versions by hash, in the order of their rounds. A file that cannot be read has `fault`."""
        found = {}
        for path in sorted((self.store.path / "strategies").glob("*.json")):
            name = f"strategies/{path.name}"
            value = self.store.object(name)
            strategy = value.get("strategy", value)
            fits = isinstance(strategy, dict) and isinstance(strategy.get("bullets"), list)
            found[path.stem] = {**value, "strategy": strategy if fits else {"bullets": []}, "fault": not fits}
        return dict(sorted(found.items(), key=lambda pair: (whole(pair[1]["strategy"], "round") or 0, pair[0])))

    def origins(self) -> dict[str, list[tuple[str, str]]]:
        """Which bullets came from an attempt: attempt id -> (version, bullet id), each bullet text once."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        seen = set()
        for name, version in self.versions().items():
            for bullet in bullets_of(version):
                for attempt in words(bullet, "origin"):
                    mark = (attempt, bullet["id"], bullet["text"])
                    if mark not in seen:
                        seen.add(mark)
                        found[attempt].append((name, bullet["id"]))
        return found


def bullets_of(version: Row) -> list[dict[str, Any]]:
    """The bullets of a version, each with id, section, text, origin and round."""
    listed = version["strategy"].get("bullets", [])
    return [
        {
            "id": word(bullet, "id"),
            "section": word(bullet, "section"),
            "text": word(bullet, "text"),
            "origin": words(bullet, "origin"),
            "round": whole(bullet, "round") or 0,
        }
        for bullet in listed
        if isinstance(bullet, dict)
    ]
