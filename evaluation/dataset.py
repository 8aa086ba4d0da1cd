"""From verified attempts to training rows, the same examples for every arm.

Guaranteed: each row is a teacher's reply that the verifier passed and that was not cut; no row's
problem or prompt is one of validation, test or ood; every arm has the same problems in the same
order, so that two arms differ in the strategy only. Not guaranteed: that problems of one family
differ much between train and test; `Curation.alike` counts the rows that are alike to a held-out
item, and the ood split answers for them.

The arms: `lora_plain` has no strategy anywhere. `lora_strategy` has the completions of
`lora_plain` and the strategy as system message, so only the prompt differs. `lora_distilled` has
the prompts of `lora_plain` and completions that the teacher wrote with the strategy before it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.solver import render_messages
from evaluation.leakage import near_duplicates
from evaluation.look_alikes import normalise
from records.nouns import Attempt, Judgement, Message, Problem, TrainingRow, Verdict, content_hash
from records.rundir import RunDirectory, write_atomically

FROZEN = "dataset/frozen.json"  # written once training begins: what people left out before
ARMS = ("lora_plain", "lora_strategy", "lora_distilled")

EXCLUDED = "## Left out by a person"
_MARKUP = {ord(c): f"&#{ord(c)};" for c in "|<>[]`*_!&#"}


class CurationError(Exception):
    """No dataset can be made; the message says why."""


@dataclass(frozen=True)
class Curation:
    """Training rows per arm, and what was left out on the way."""

    rows: Mapping[str, tuple[TrainingRow, ...]]
    problems: tuple[Problem, ...]
    offered: int  # training problems
    unverified: int  # without a complete, verified solution in each arm
    contaminated: int  # equal to a held-out item by content hash or prompt
    repeated: int  # the same prompt and completion as an earlier row
    over_limit: int
    alike: int  # kept rows whose prompt is alike to that of a held-out item
    classes: Mapping[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Rows of each arm."""
        return len(self.problems)

    def counts(self) -> dict[str, object]:
        """What was kept and what was left out, JSON-plain."""
        left_out = ("offered", "unverified", "contaminated", "repeated", "over_limit", "alike")
        return {"kept": self.size, **{name: getattr(self, name) for name in left_out}, "classes": dict(self.classes)}


def is_example(judgement: Judgement, require_sound_steps: bool) -> bool:
    """Whether a solution may be trained on: it passed, with no step found wrong where that is required."""
    return judgement.outcome == "pass" and (judgement.sound or not require_sound_steps)


def verified(attempts: Sequence[Attempt], verdicts: Sequence[Verdict], strategy_hash: str | None) -> dict[str, Attempt]:
    """Per problem the first attempt under that strategy (None: under none) that passed uncut.

    Of several teachers' first ones the lot decides, so that no teacher is preferred.
    """
    passed = {verdict.id for verdict in verdicts if verdict.judgement.outcome == "pass"}
    chosen: dict[str, Attempt] = {}
    for attempt in sorted(attempts, key=lambda a: (a.sample, content_hash(a.id))):
        complete = attempt.finish_reason == "stop" and attempt.error is None
        if attempt.id in passed and attempt.strategy_hash == strategy_hash and complete:
            chosen.setdefault(attempt.problem_id, attempt)
    return chosen


def curate(
    problems: Sequence[Problem],
    attempts: Sequence[Attempt],
    verdicts: Sequence[Verdict],
    *,
    arms: Sequence[str],
    strategy_text: str | None,
    held_out: Sequence[Problem],
    limit: int,
) -> Curation:
    """Choose the examples and render them for each arm.

    `problems` are the training problems in the order of the rows; `attempts` the teacher's, with
    and without the strategy. Raises CurationError if an arm needs a strategy and there is none,
    or if nothing is left.
    """
    solutions = {arm: _solutions(arm, attempts, verdicts, strategy_text) for arm in arms}
    solved = [p for p in problems if p.split == "train" and all(p.id in found for found in solutions.values())]
    clean = _decontaminated(solved, held_out)
    unique = _unique(clean, solutions)
    kept = tuple(unique[:limit])
    if arms and not kept:
        raise CurationError(
            f"no verified example is left of {len(problems)} training problems "
            f"({len(solved)} solved in every arm of {', '.join(arms)}, {len(clean)} of them not held out)"
        )
    return Curation(
        rows={arm: tuple(_row(arm, p, solutions[arm][p.id], strategy_text) for p in kept) for arm in arms},
        problems=kept,
        offered=len(problems),
        unverified=len(problems) - len(solved),
        contaminated=len(solved) - len(clean),
        repeated=len(clean) - len(unique),
        over_limit=len(unique) - len(kept),
        alike=sum(near_duplicates([p.prompt for p in kept], [p.prompt for p in held_out])),
        classes=dict(sorted(Counter(p.answer for p in kept if p.answer is not None).items())),
    )


def write_dataset(run: RunDirectory, arm: str, rows: Sequence[TrainingRow]) -> None:
    """Write RUN/dataset/<arm>.jsonl as a whole; repeating it changes nothing."""
    lines = (json.dumps(row.model_dump(mode="json")) + "\n" for row in rows)  # ASCII: keeps lone surrogates
    write_atomically(run.file("dataset", f"{arm}.jsonl"), "".join(lines))


def write_curation(run: RunDirectory, curation: Curation, card: str, number: int = 1) -> None:
    """Write the rows of every arm, the card, and RUN/dataset/curation.json with the counts.

    A later round of the student has a card and counts of its own, `README.round2.md` and so on.
    """
    for arm, rows in curation.rows.items():
        write_dataset(run, arm, rows)
    mark = "" if number == 1 else f".round{number}"
    write_atomically(run.file("dataset", f"README{mark}.md"), card)
    run.write_json(f"dataset/curation{mark}.json", curation.counts())


def write_card(run: RunDirectory, text: str) -> None:
    """Write RUN/dataset/README.md."""
    write_atomically(run.file("dataset", "README.md"), text)


def drop_problems(run: RunDirectory, excluded: Mapping[str, Mapping[str, object]]) -> None:
    """Take the rows of some problems out of every arm before training; {problem id: row_id, reason, who, …}.

    The rows are kept in RUN/dataset/excluded/, the card names them, and RUN/dataset/frozen.json, written
    last, says that this is done; after a crash the same call finishes it.
    """
    for file in sorted((run.path / "dataset").glob("*.jsonl")):
        rows = run.read(f"dataset/{file.name}", TrainingRow)
        dropped = [row for row in rows if row.problem_id in excluded]
        if dropped:
            write_dataset(run, f"excluded/{file.stem}", dropped)
            write_dataset(run, file.stem, [row for row in rows if row.problem_id not in excluded])
    card = run.path / "dataset" / "README.md"
    if excluded and card.exists() and EXCLUDED not in (text := card.read_text("utf-8")):
        write_card(run, text + _excluded_part(excluded))
    run.write_json(FROZEN, {"excluded": list(excluded.values())})


def _excluded_part(excluded: Mapping[str, Mapping[str, object]]) -> str:
    """The card's table of what people left out, one line each, without mark-up of theirs."""
    cells = (f"| {_cell(problem)} | {_cell(e['reason'])} | {_cell(e['who'])} |" for problem, e in excluded.items())
    head = f"\n{EXCLUDED}\n\nIn every arm, before training; the counts above are those before it."
    return "\n".join([head, "", "| problem | reason | who |", "|---|---|---|", *cells, ""])


def _cell(text: object) -> str:
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in " ".join(str(text).split()))
    return shown.translate(_MARKUP)


def dataset_card(curation: Curation, *, run_id: str, domain: str, teacher: str, strategy_text: str | None) -> str:
    """The dataset card: Hugging Face front matter, where the rows come from, what was left out.

    `teacher` is a sentence part that says what the teacher is ("the oracle, not a language model").
    """
    configs = "".join(f"- config_name: {arm}\n  data_files: {arm}.jsonl\n" for arm in curation.rows)
    strategy = content_hash(strategy_text) if strategy_text else "none"
    writers = Counter(row.teacher for rows in curation.rows.values() for row in rows)
    shares = ", ".join(f"{writer} {count}" for writer, count in sorted(writers.items())) if len(writers) > 1 else ""
    written = f"\nRows by teacher, over all arms: {shares}." if shares else ""
    classes = ", ".join(f"{label} {count}" for label, count in curation.classes.items()) or "the answer is not a class"
    return f"""---
pretty_name: Verified solutions of {domain} ({run_id})
task_categories:
- text-generation
configs:
{configs}---

# Verified solutions: {domain}

{curation.size} rows for each of {len(curation.rows)} arms ({", ".join(curation.rows)}), written by {teacher}.
A row holds `prompt` and `completion` as chat messages and names its problem, attempt and teacher.
Every completion passed the verifier. The arms have the same problems in the same order.

| | problems |
|---|---|
| offered | {curation.offered} |
| left out: no complete verified solution in every arm | {curation.unverified} |
| left out: equal to a validation, test or ood item | {curation.contaminated} |
| left out: repeats an earlier row | {curation.repeated} |
| left out: over the limit of the run | {curation.over_limit} |
| **kept** | **{curation.size}** |

Classes: {classes}. Families: {len({problem.family for problem in curation.problems})}.
Strategy: {strategy}.{written} Rows whose prompt is alike to a held-out one (parameters differ): {curation.alike}.
"""


def _solutions(
    arm: str, attempts: Sequence[Attempt], verdicts: Sequence[Verdict], strategy_text: str | None
) -> dict[str, Attempt]:
    if arm not in ARMS:
        raise CurationError(f"unknown training arm '{arm}'; valid: {', '.join(ARMS)}")
    if arm != "lora_plain" and strategy_text is None:
        raise CurationError(f"the arm {arm} needs an approved strategy, and there is none")
    distilled = arm == "lora_distilled" and strategy_text is not None
    return verified(attempts, verdicts, content_hash(strategy_text) if distilled else None)


def _decontaminated(problems: Sequence[Problem], held_out: Sequence[Problem]) -> list[Problem]:
    hashes = {problem.content_hash for problem in held_out}
    prompts = {normalise(problem.prompt) for problem in held_out}
    return [p for p in problems if p.content_hash not in hashes and normalise(p.prompt) not in prompts]


def _unique(problems: Sequence[Problem], solutions: Mapping[str, Mapping[str, Attempt]]) -> list[Problem]:
    """Problems whose prompt and completions, but for white space, are not those of an earlier one."""
    seen: set[str] = set()
    kept = []
    for problem in problems:
        texts = [problem.prompt, *(solutions[arm][problem.id].reply for arm in sorted(solutions))]
        key = content_hash([" ".join(text.split()) for text in texts])
        if key not in seen:
            seen.add(key)
            kept.append(problem)
    return kept


def _row(arm: str, problem: Problem, attempt: Attempt, strategy_text: str | None) -> TrainingRow:
    shown = strategy_text if arm == "lora_strategy" else None
    return TrainingRow(
        id=f"{arm}/{problem.id}",
        problem_id=problem.id,
        attempt_id=attempt.id,
        arm=arm,
        strategy_hash=content_hash(strategy_text) if strategy_text and arm != "lora_plain" else None,
        prompt=render_messages(problem, shown),
        completion=(Message(role="assistant", content=attempt.reply),),
        teacher=attempt.model,
    )
