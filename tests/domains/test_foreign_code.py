"""No code that was read from a file runs outside the walls, whichever field of a problem holds it."""

import ast
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from agents.oracle import OracleTeacher
from domains import debugging, python
from domains.base import DomainError
from domains.python_families import FAMILIES
from domains.python_families.base import outcome
from records.nouns import Problem
from tests.domains.test_python import open_or_skip

ROOT = Path(__file__).parents[2]
GENERATORS = {"domains/python.py", "domains/debugging.py", "domains/python_families/base.py"}


def problem_of(domain: str) -> Problem:
    family = next(one for one in FAMILIES if one.id == "filter_numbers")
    draft = family.build(Random(1))
    if domain == "debugging":
        return debugging.make_problems(family, draft, "train", 3, 1)[0]
    return python.make_problem(family, draft, "train")


def doctored(problem: Problem, field: str, mark: Path, foreign: bool) -> Problem:
    """The problem as somebody else's file may hold it: a field writes the mark when it is run."""
    writes = f"open({str(mark)!r}, 'w').write('host')"
    row = json.loads(problem.model_dump_json())
    payload = row["payload"] | {"foreign": foreign}
    if field == "reference":
        row["reference"] = row["reference"].replace("```python\n", f"```python\n{writes}\n", 1)
    elif field in ("setup", "call"):
        payload["tests"] = [{**test, field: writes} for test in payload["tests"]]
    elif field == "faulty":
        payload["faulty"] = f"{writes}\n{payload.get('faulty', '')}"
    elif field == "trusted":
        payload |= {"style": "trusted", "trusted": writes}
    else:
        payload[field] = f"{writes}\n" if field == "before" else writes
    return Problem.model_validate(row | {"payload": payload})


@pytest.mark.parametrize("domain", ["python", "debugging"])
async def test_the_oracle_runs_no_code_of_a_problem_that_was_read(domain: str, tmp_path: Path) -> None:
    mark, problem = tmp_path / "mark", problem_of(domain)
    module: Any = {"python": python, "debugging": debugging}[domain]
    async with await open_or_skip() as verifier:
        teacher = OracleTeacher(module.DOMAIN, spoil_rate=1.0, verifier=verifier)
        for field in ("reference", "setup", "call", "before", "entry", "faulty", "trusted"):
            for foreign in (False, True):
                hostile = doctored(problem, field, mark, foreign)
                assert str(mark) in hostile.model_dump_json()
                for sample in range(3):
                    await teacher.solve(hostile, None, stage="lrl", arm="learning", sample=sample)
                assert not mark.exists(), (field, foreign)
                assert module.DOMAIN.spoil(hostile, Random(0))
                with pytest.raises(DomainError):
                    await module.self_check(verifier, [hostile.model_copy(update={"reference": ""})])
                assert not mark.exists(), (field, foreign)


def test_the_mark_shows_where_code_does_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert python.passes(doctored(problem_of("python"), "reference", mark, foreign=False), "x = 1") is False
    outcome(f"open({str(mark)!r}, 'w').write('host')", python.Case("1"))
    assert mark.exists()


def test_only_the_generators_run_code_in_this_process() -> None:
    """`outcome` and `passes` are for programs that were drawn in this process: nothing that reads files names them."""
    found = set()
    for folder in ("agents", "console", "domains", "evaluation", "graphs", "models", "records", "sandbox"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            if "outcome" not in text and "passes" not in text:
                continue
            nodes = list(ast.walk(ast.parse(text)))
            names = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
            names |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and node.attr == "passes"}
            if names & {"outcome", "passes"}:
                found.add(path.relative_to(ROOT).as_posix())
    assert found <= GENERATORS
