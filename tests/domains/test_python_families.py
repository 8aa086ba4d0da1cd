"""Each family: enough tests, honest parameters, a reference that passes and a spoiled one that fails."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from domains.python import make_problem, passes
from domains.python_families import FAMILIES, Family
from domains.python_families.base import Case, Raised, outcome
from domains.python_replies import extract_code
from records.nouns import Problem
from sandbox.values import decode
from tests.domains.mistakes import spoiled_code

AREAS = {"strings", "containers", "algorithms", "files", "classes", "errors"}


def problems_of(family: Family, count: int = 8) -> list[Problem]:
    rng = Random(f"tests/{family.id}")
    return [make_problem(family, family.build(rng), "train") for _ in range(count)]


def hidden_tests(problem: Problem) -> list[dict[str, Any]]:
    tests: Any = problem.payload["tests"]
    return list(tests)


def test_there_are_enough_families_in_every_area() -> None:
    assert len(FAMILIES) >= 60
    assert len({family.id for family in FAMILIES}) == len(FAMILIES)
    for ood in (False, True):
        assert {family.area for family in FAMILIES if family.ood is ood} == AREAS
    assert 0.2 <= sum(family.ood for family in FAMILIES) / len(FAMILIES) <= 0.3
    assert set(Counter(family.difficulty for family in FAMILIES)) == {"easy", "medium", "hard"}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.id)
class TestFamily:
    def test_has_six_tests_that_do_not_all_expect_the_same(self, family: Family) -> None:
        for problem in problems_of(family):
            tests = hidden_tests(problem)
            assert len({(test["setup"], test["call"]) for test in tests}) >= 6
            assert len({(test["expected"], test["raises"]) for test in tests}) >= 2

    def test_the_reference_passes_and_spoiled_ones_fail(self, family: Family) -> None:
        for number, problem in enumerate(problems_of(family)):
            code = extract_code(problem.reference, str(problem.payload["entry"]))
            assert code is not None and passes(problem, code)
            assert not passes(problem, spoiled_code(problem, Random(number))[1])

    def test_parameters_make_different_tasks(self, family: Family) -> None:
        rng = Random(0)
        drafts = [family.build(rng) for _ in range(300)]
        solutions = {draft.params: draft.code.replace(draft.entry, "NAME") for draft in drafts}
        assert len(solutions) >= 25
        by_task: dict[str, set[tuple[object, ...]]] = {}
        for draft in drafts:
            by_task.setdefault(draft.task, set()).add(draft.params)
        assert all(len(params) == 1 for params in by_task.values()), "a parameter is missing in the prompt"

    def test_the_prompt_is_short_and_names_the_entry(self, family: Family) -> None:
        for problem in problems_of(family):
            assert f"`{problem.payload['entry']}" in problem.prompt
            assert problem.prompt.endswith("Reply with one Python code block.")
            assert 20 <= len(problem.prompt.split()) <= 75
            assert len(problem.reference) <= 450


def test_expected_values_are_what_the_reference_returns() -> None:
    family = next(family for family in FAMILIES if family.id == "keep_words_by_length")
    problem = problems_of(family)[0]
    code = extract_code(problem.reference, str(problem.payload["entry"])) or ""
    for test in hidden_tests(problem):
        assert decode(test["expected"]) == outcome(code, Case(test["call"]))


def test_no_test_input_is_shown_as_the_example() -> None:
    for family in FAMILIES:
        draft = family.build(Random(1))
        if draft.example is not None:
            assert draft.example.call not in {case.call for case in draft.cases}, family.id


def test_outcome_runs_files_apart() -> None:
    case = Case("f('x.txt')", "with open('x.txt', 'w') as file:\n    file.write('abc')")
    assert outcome("def f(path):\n    return open(path).read()", case) == "abc"
    assert outcome("def f(path):\n    return open(path).read()", Case("f('x.txt')")) == Raised("FileNotFoundError")


def test_some_error_families_expect_exceptions() -> None:
    raising = {family.id for family in FAMILIES for test in hidden_tests(problems_of(family, 1)[0]) if test["raises"]}
    assert {"check_limit", "check_type", "own_error", "check_length"} <= raising
