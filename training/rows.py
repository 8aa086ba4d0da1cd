"""From a run's dataset file to token ids, with the checks that come before any training.

Guaranteed: no row whose strategy was not approved is trained on; a row is cut at its last end token,
never before it; over-long rows are dropped and counted, never shortened; nothing is dropped in
silence. Not guaranteed: that the rows are any good; curation decided that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from transformers import PreTrainedTokenizerBase

from models.chat import ChatError, row_texts
from records.exclusions import Exclusion, standing_exclusions
from records.nouns import Decision, Record, TrainingRow, content_hash
from records.rundir import RunDirectory
from training.errors import TrainingError

INTRODUCTION = 400  # characters of a system message that may stand before the strategy's text


@dataclass(frozen=True)
class Example:
    """One tokenised row: the first `prompt` ids carry no loss."""

    ids: list[int]
    prompt: int


class Preflight(Record):
    """What the tokenised dataset looks like; printed and kept in the adapter's directory."""

    rows: int
    kept: int
    too_long: int
    without_end: int
    p99_length: int
    max_length: int
    prompt_tokens: int
    completion_tokens: int
    template_hash: str
    decoded_prompt: str
    decoded_labels: str

    @property
    def loss_of_rows(self) -> float:
        """Share of rows that are dropped or would never teach the model to stop."""
        return (self.too_long + self.without_end) / self.rows

    def summary(self) -> str:
        """Two lines for the terminal."""
        return (
            f"{self.kept} of {self.rows} rows, {self.prompt_tokens} prompt + {self.completion_tokens} completion "
            f"tokens; p99 length {self.p99_length} (limit {self.max_length}), too long {self.too_long}, "
            f"without end token {self.without_end}\nlabels of row 1: {self.decoded_labels!r}"
        )


def load_rows(run: RunDirectory, arm: str) -> list[TrainingRow]:
    """The arm's rows. Raises TrainingError if the file is absent or empty, or a row is broken."""
    name = f"dataset/{arm}.jsonl"
    path = run.path / name
    if not path.exists():
        there = sorted(file.stem for file in path.parent.glob("*.jsonl"))
        raise TrainingError(
            f"no dataset for arm '{arm}': {path} is missing (datasets there: {', '.join(there) or 'none'}). "
            "Run the curation stage first"
        )
    rows = [_row(path, number, raw) for number, raw in enumerate(run.rows(name), 1)]
    if not rows:
        raise TrainingError(f"{path} has no rows: there is nothing to train on")
    _check_exclusions(rows, standing_exclusions(run))
    return rows


def _check_exclusions(rows: Sequence[TrainingRow], excluded: Mapping[str, Exclusion]) -> None:
    """A row that a person left out must have been taken out of the dataset before."""
    for row in rows:
        if found := excluded.get(row.problem_id):
            raise TrainingError(
                f"row {row.id} was left out by {found.who} ({found.reason}) and is still in the dataset; "
                "resume the run, which takes it out, instead of training by hand"
            )


def _row(path: Path, number: int, raw: object) -> TrainingRow:
    try:
        row = TrainingRow.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the row"
        raise TrainingError(f"{path}, line {number}, field {field}: {first['msg']}") from error
    if not row.prompt or not any(message.content.strip() for message in row.completion):
        raise TrainingError(f"{path}, line {number}, field completion: prompt or completion is empty")
    return row


def check_approval(rows: Iterable[TrainingRow], decisions: Iterable[Decision]) -> str | None:
    """Refuse rows of a strategy that nobody approved; returns the one strategy hash, if there is one.

    A system message must end with the very text of the row's strategy, after a short introduction.
    Raises TrainingError.
    """
    approved = _approved(decisions)
    used: set[str] = set()
    for row in rows:
        if row.strategy_hash is not None:
            used.add(row.strategy_hash)
            if row.strategy_hash not in approved:
                raise TrainingError(
                    f"row {row.id} uses strategy {row.strategy_hash}, which is not approved in decisions.jsonl "
                    f"(approved: {', '.join(sorted(approved)) or 'none'}). "
                    "Approve the strategy, or train arm lora_plain"
                )
        _check_system(row)
    if len(used) > 1:
        raise TrainingError(f"the rows mix {len(used)} strategies ({', '.join(sorted(used))}); curate the dataset anew")
    return used.pop() if used else None


def _approved(decisions: Iterable[Decision]) -> set[str]:
    """Hashes that stand approved after all decisions: a later rejection takes an approval back."""
    approved: set[str] = set()
    for decision in decisions:
        if decision.action == "reject":
            approved.discard(decision.strategy_hash)
        elif decision.approved_hash:
            approved.add(decision.approved_hash)
    return approved


def _tails(text: str) -> list[str]:
    """The text itself, and what follows each blank line near its beginning (after words of introduction)."""
    starts = [found.end() for found in re.finditer(r"\n\n", text[:INTRODUCTION])]
    return [text, *(text[start:] for start in starts)]


def _check_system(row: TrainingRow) -> None:
    for message in row.prompt:
        if message.role != "system":
            continue
        if row.strategy_hash is None:
            raise TrainingError(f"row {row.id} has a system message but names no strategy: it cannot be checked")
        if row.strategy_hash not in map(content_hash, _tails(message.content.strip())):
            raise TrainingError(
                f"row {row.id}: its system message is not the text of the approved strategy {row.strategy_hash}"
            )


def template_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 (16 digits) of the chat template that renders every row. Raises TrainingError without one."""
    template = tokenizer.chat_template
    if not isinstance(template, str):
        raise TrainingError("the student's tokenizer has no chat template: rows cannot be rendered as it reads them")
    return hashlib.sha256(template.encode()).hexdigest()[:16]


def tokenise(rows: Sequence[TrainingRow], tokenizer: PreTrainedTokenizerBase, ends: frozenset[int]) -> list[Example]:
    """Render each row with the model's own chat template. Raises TrainingError if prompt and row part ways."""
    return [_example(row, tokenizer, ends) for row in rows]


def _example(row: TrainingRow, tokenizer: PreTrainedTokenizerBase, ends: frozenset[int]) -> Example:
    try:
        asked, written = row_texts(tokenizer, row.prompt, row.completion)
    except ChatError as error:
        raise TrainingError(f"row {row.id}: {error}") from error
    prompt, ids = _ids(tokenizer, asked), _ids(tokenizer, asked + written)
    if ids[: len(prompt)] != prompt:  # a token reaches over the border: the model is asked with the prompt alone
        ids = prompt + _ids(tokenizer, written)
    last_end = max((i for i in range(len(prompt), len(ids)) if ids[i] in ends), default=len(ids) - 1)
    return Example(ids[: last_end + 1], len(prompt))


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _text(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    return "".join(tokenizer.decode(ids))


def preflight(
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerBase,
    ends: frozenset[int],
    max_length: int,
    limit: float,
) -> tuple[list[Example], Preflight]:
    """Drop over-long rows and report. Raises TrainingError if more than `limit` of the rows are lost."""
    kept = [example for example in examples if len(example.ids) <= max_length]
    shown = (kept or list(examples))[0]
    report = Preflight(
        rows=len(examples),
        kept=len(kept),
        too_long=len(examples) - len(kept),
        without_end=sum(example.ids[-1] not in ends for example in kept),
        p99_length=int(np.percentile([len(example.ids) for example in examples], 99)),
        max_length=max_length,
        prompt_tokens=sum(example.prompt for example in kept),
        completion_tokens=sum(len(example.ids) - example.prompt for example in kept),
        template_hash=template_hash(tokenizer),
        decoded_prompt=_text(tokenizer, shown.ids[: shown.prompt]),
        decoded_labels=_text(tokenizer, shown.ids[shown.prompt :]),
    )
    if not kept or report.loss_of_rows > limit:
        raise TrainingError(
            f"{report.too_long} of {report.rows} rows are longer than {max_length} tokens (p99 {report.p99_length}) "
            f"and {report.without_end} have no end token: {report.loss_of_rows:.1%} are lost, "
            f"at most {limit:.1%} may be. "
            "Raise training.max_length, or curate shorter solutions"
        )
    return kept, report
