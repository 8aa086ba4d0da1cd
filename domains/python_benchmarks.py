"""HumanEval and MBPP as problems, from a JSONL file or by their names on the Hugging Face hub.

They are measured on, never trained on: every row becomes a problem of the `test` split. Of MBPP
only the official test tasks (11 to 510) are used where the file has them. As is usual, the model
sees the doctests of HumanEval and the first assert of MBPP, which alone tells the function's name.

Guaranteed: nothing of a file is executed on the host; a broken line is an error with its number
and the field. Tests that cannot be expressed as call and value run in a trusted
process inside the sandbox; a test that cannot run there either makes a problem `ungraded`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from domains.base import DomainError
from domains.problem_files import Row, file_rows
from domains.python_families.base import REPLY_FORMAT
from records.nouns import Problem, content_hash
from sandbox import Submission, submission_from_humaneval, submission_from_mbpp

NAMES = {
    "humaneval": "openai/openai_humaneval",
    "openai/openai_humaneval": "openai/openai_humaneval",
    "mbpp": "google-research-datasets/mbpp",
    "google-research-datasets/mbpp": "google-research-datasets/mbpp",
}
_IDENTITY = (int, str)
_HUMANEVAL = {"task_id": _IDENTITY, "prompt": str, "entry_point": str, "test": str, "canonical_solution": str}
_MBPP = {"task_id": _IDENTITY, "code": str, "test_list": list}
_OFFICIAL = {f"MBPP/{number}" for number in range(11, 511)}


def load_benchmark(source: str) -> list[Problem]:
    """All problems of a file or of a known name, in their order. Raises DomainError."""
    rows = list(_hub_rows(NAMES[source]) if source in NAMES else file_rows(Path(source), NAMES))
    if not rows:
        raise DomainError(f"{source}: no problems in it")
    problems = [_problem(row, where) for where, row in rows]
    official = [problem for problem in problems if problem.family == "mbpp" and problem.id in _OFFICIAL]
    return _without_repeats(official or problems, source)


def _without_repeats(problems: list[Problem], source: str) -> list[Problem]:
    seen: dict[str, str] = {}
    for problem in problems:
        if problem.id in seen:
            raise DomainError(f"{source}: task_id '{problem.id}' stands there twice; remove one of the lines")
        seen[problem.id] = problem.content_hash
    return list({problem.content_hash: problem for problem in problems}.values())


def _hub_rows(name: str) -> Iterator[Row]:
    import datasets

    try:
        rows = datasets.load_dataset(name, split="test")
    except Exception as error:  # the library raises its own, the hub's and the network's errors
        raise DomainError(
            f"cannot load '{name}' from the Hugging Face hub ({type(error).__name__}: {str(error)[:200]}); "
            "without a network give --problems a local JSONL file"
        ) from error
    yield from ((f"{name}, row {number}", dict(row)) for number, row in enumerate(rows))


def _problem(row: Any, where: str) -> Problem:
    if not isinstance(row, dict):
        raise DomainError(f"{where}: not a JSON object")
    if "test_list" in row or "code" in row:
        return _mbpp(_checked(row, _MBPP, where), where)
    return _humaneval(_checked(row, _HUMANEVAL, where))


def _checked(row: dict[str, Any], fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    for name, kind in fields.items():
        if name not in row:
            raise DomainError(f"{where}: field '{name}' is missing")
        if not isinstance(row[name], kind) or isinstance(row[name], bool) or row[name] in ("", []):
            wanted = "number or a text" if kind is _IDENTITY else kind.__name__
            raise DomainError(f"{where}: field '{name}' must be a {wanted} that is not empty")
    return row


def _identity(benchmark: str, given: int | str) -> str:
    """Files of one benchmark number their rows, write the number as a text, or put the benchmark's name before it."""
    number = str(given).strip()
    named = number.lower().startswith(f"{benchmark.lower()}/")
    return f"{benchmark}/{number[len(benchmark) + 1 :]}" if named else f"{benchmark}/{number}"


def _humaneval(row: Mapping[str, Any]) -> Problem:
    prompt = f"Complete this Python function.\n\n```python\n{row['prompt'].strip()}\n```\n{REPLY_FORMAT}"
    solution = row["prompt"] + row["canonical_solution"]
    submission = submission_from_humaneval(row, row["canonical_solution"])
    identity = row["task_id"] if isinstance(row["task_id"], str) else _identity("HumanEval", row["task_id"])
    return _as_problem("humaneval", identity, prompt, solution, submission, row["prompt"])


def _mbpp(row: Mapping[str, Any], where: str) -> Problem:
    text = row.get("text") or row.get("prompt")
    if not isinstance(text, str):
        raise DomainError(f"{where}: field 'text' (or 'prompt') is missing")
    for name in ("test_list", "test_imports"):
        lines = row.get(name) or []
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise DomainError(f"{where}: field '{name}' must be a list of texts")
    if not isinstance(row.get("test_setup_code") or "", str):
        raise DomainError(f"{where}: field 'test_setup_code' must be a text")
    submission = submission_from_mbpp(row, row["code"])
    if submission.entry_point is None:
        raise DomainError(f"{where}: field 'test_list' names no function that it tests")
    example = row["test_list"][0].strip()
    prompt = f"{text.strip()}\nThe function must satisfy: `{example}`\n{REPLY_FORMAT}"
    return _as_problem("mbpp", _identity("MBPP", row["task_id"]), prompt, row["code"], submission, "")


def _as_problem(family: str, identity: str, prompt: str, solution: str, submission: Submission, before: str) -> Problem:
    return Problem(
        id=identity,
        domain="python",
        split="test",
        family=family,
        difficulty="medium" if family == "mbpp" else "hard",
        prompt=prompt,
        reference=f"```python\n{solution.replace(chr(13), '').strip()}\n```",
        content_hash=content_hash([family, prompt]),
        payload={
            "entry": submission.entry_point,
            "before": before,
            "foreign": True,
            "style": submission.style,
            "trusted": submission.trusted,
            "tests": [test.model_dump(mode="json") for test in submission.tests],
            "unsupported": list(submission.unsupported),
        },
    )
