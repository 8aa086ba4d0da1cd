"""GSM8K, MATH and files of one's own as problems.

A row is one of GSM8K (`question`, `answer` with `#### 42` at its end), of MATH (`problem`, `solution`
with its `\\boxed{}`), or `{"problem", "answer", "solution"?, "contract"?, "split"?}`. Rows without a
`split` are measured on, never trained on. By name (`gsm8k`, `math`, `math500`) the rows come from the
Hugging Face hub with their official splits.

Guaranteed: a broken line is an error with its number and the field; nothing of a file is executed.
Not guaranteed: that a gold answer can be read; an answer in the same words is equal in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from domains.base import DomainError
from domains.mathematics_families import MARK, REPLY_FORMAT
from domains.problem_files import Row, file_rows
from records.nouns import Difficulty, Problem, Split, content_hash
from sandbox.maths_contracts import ContractError, parse_contract
from sandbox.maths_text import Ambiguous, boxed_answer, plain

NAMES: Mapping[str, tuple[str, str | None, tuple[Split, ...]]] = {
    "gsm8k": ("openai/gsm8k", "main", ("train", "test")),
    "math": ("DigitalLearningGmbH/MATH-lighteval", None, ("train", "test")),
    "math500": ("HuggingFaceH4/MATH-500", None, ("test",)),
}
_ANNOTATION = re.compile(r"<<[^<>]*>>")
_LEVELS: Mapping[str, Difficulty] = {"Level 1": "easy", "Level 2": "easy", "Level 4": "hard", "Level 5": "hard"}


def load_problems(source: str) -> list[Problem]:
    """All problems of a file or of a known name, in their order, each once. Raises DomainError."""
    rows = list(_hub_rows(source) if source in NAMES else file_rows(Path(source), NAMES))
    if not rows:
        raise DomainError(f"{source}: no problems in it")
    problems = [_problem(row, where) for where, row in rows]
    return list({problem.content_hash: problem for problem in problems}.values())


def _hub_rows(name: str) -> Iterator[Row]:
    import datasets

    path, config, splits = NAMES[name]
    for split in splits:
        try:
            rows = datasets.load_dataset(path, config, split=split)
        except Exception as error:  # the library raises its own, the hub's and the network's errors
            raise DomainError(
                f"cannot load '{path}' from the Hugging Face hub ({type(error).__name__}: {str(error)[:200]}); "
                "without a network give --problems a local JSONL file"
            ) from error
        yield from ((f"{path}, {split} row {n}", {**row, "split": split}) for n, row in enumerate(rows))


def _problem(row: Mapping[str, Any], where: str) -> Problem:
    question = _text(row, "question" if "question" in row else "problem", where)
    gold, solution, family = _gold(row, where)
    split = row.get("split") or "test"
    if split not in get_args(Split):
        raise DomainError(f"{where}: field 'split': '{str(split)[:40]}' is none of {', '.join(get_args(Split))}")
    try:
        contract = parse_contract(row.get("contract"))
    except (ContractError, TypeError) as error:
        raise DomainError(f"{where}: field 'contract': {error}") from error
    identity = content_hash(["mathematics", " ".join(question.split())])
    return Problem(
        id=f"{family}-{identity}",
        domain="mathematics",
        split=split,
        family=family,
        difficulty=_LEVELS.get(str(row.get("level")), "medium"),
        prompt=f"{question.strip()}\n{REPLY_FORMAT}",
        reference="\n".join(part for part in (solution.strip(), f"{MARK} {gold}") if part),
        content_hash=identity,
        payload={"gold": gold, "contract": str(contract), "wrong": _wrong(gold)},
    )


def _gold(row: Mapping[str, Any], where: str) -> tuple[str, str, str]:
    """Gold answer, worked solution, family."""
    if isinstance(row.get("answer"), str) and "####" in row["answer"]:
        solution, _, gold = _ANNOTATION.sub("", row["answer"]).rpartition("####")
        return gold.strip(), solution, "gsm8k"
    solution = _text(row, "solution", where) if row.get("solution") is not None else ""
    given = [row.get("answer"), _boxed(solution) or None, row.get("boxed"), row.get("final")]
    gold = next((str(value).strip() for value in given if isinstance(value, (str, int, float))), "")
    if not gold:
        raise DomainError(f"{where}: field 'answer' is missing, and no \\boxed{{}} stands in 'solution'")
    kind = re.sub(r"[^a-z]+", "_", str(row.get("type") or row.get("subject") or "given").lower())
    return gold, solution, f"math_{kind}" if kind != "given" else kind


def _boxed(solution: str) -> str:
    try:
        return (boxed_answer(plain(solution)) or "").strip()
    except Ambiguous:
        return ""


def _wrong(gold: str) -> list[str | int]:
    number = re.fullmatch(r"-?\d{1,15}", gold.replace(",", ""))
    return [str(int(number[0]) + step) for step in (1, -1, 10)] if number else ["\\text{none of these}"]


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise DomainError(f"{where}: field '{name}' is missing or no text")
    return value
