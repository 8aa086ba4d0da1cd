"""The debugging domain: faulty programs that really fail, splits as in python, the real sandbox on a sample."""

import ast
from collections import Counter

import pytest

from domains import get_domain, python
from domains.base import DomainError
from domains.debugging import DOMAIN, fails, make_problems, self_check
from domains.debugging_faults import KINDS
from domains.python_families import FAMILIES
from domains.python_replies import extract_code
from domains.spoiling import spoiled_reply
from evaluation.leakage import check_splits
from models.tokens import count_tokens
from prompts import load_oracle_rules
from records.config import RunConfig, Sizes
from records.nouns import Problem
from tests.domains.test_python import OOD, of, open_or_skip

SMALL = Sizes(train=60, gate=12, transfer=12, test=30, ood=18)


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return DOMAIN.load(None, SMALL, 0)


def test_it_is_a_domain_by_name() -> None:
    assert get_domain("debugging") is DOMAIN
    for name in ("quick", "full"):
        RunConfig.model_validate({"domain": "debugging", **DOMAIN.profile(name)})


def test_sizes_determinism_and_other_mutants_under_another_seed(problems: list[Problem]) -> None:
    assert Counter(p.split for p in problems) == {"train": 60, "validation": 24, "test": 30, "ood": 18}
    assert problems == DOMAIN.load(None, SMALL, 0)
    assert not {p.prompt for p in problems} & {p.prompt for p in DOMAIN.load(None, SMALL, 1)}


def test_every_faulty_program_parses_fails_and_is_not_the_reference(problems: list[Problem]) -> None:
    for problem in problems:
        faulty, right = str(problem.payload["faulty"]), extract_code(problem.reference, str(problem.payload["entry"]))
        ast.parse(faulty)
        assert f"```python\n{faulty}\n```" in problem.prompt
        assert right is not None and right != faulty
        assert fails(problem, faulty) and not fails(problem, right)


def test_several_mutants_per_training_program_and_one_elsewhere(problems: list[Problem]) -> None:
    assert max(Counter(p.reference for p in of(problems, "train")).values()) >= 2
    for split in ("validation", "test", "ood"):
        assert len({p.reference for p in of(problems, split)}) == len(of(problems, split))


def test_all_kinds_of_fault_occur_and_some_programs_have_two(problems: list[Problem]) -> None:
    faults = [tuple(p.payload["faults"]) for p in problems]  # type: ignore[arg-type]
    assert {kind for kinds in faults for kind in kinds} == set(KINDS)
    shares = Counter(len(kinds) for kinds in faults)
    assert set(shares) == {1, 2} and 0.1 <= shares[2] / len(faults) <= 0.35
    assert all(("2 mistakes" in p.prompt) == (len(kinds) == 2) for p, kinds in zip(problems, faults, strict=True))


def test_splits_are_disjoint_and_ood_families_are_in_no_other(problems: list[Problem]) -> None:
    assert check_splits(problems).ok
    assert {p.family for p in of(problems, "ood")} == OOD
    assert not OOD & {p.family for p in problems if p.split != "ood"}


def test_no_program_changes_its_split_between_seeds_or_from_python_to_debugging(problems: list[Problem]) -> None:
    """A model trained on python problems has not seen the right programs of held-out debugging problems."""
    train = {
        (p.family, *_tests(p)) for seed in (1, 2) for p in python.DOMAIN.load(None, SMALL, seed) if p.split == "train"
    }
    train |= {(p.family, *_tests(p)) for p in DOMAIN.load(None, SMALL, 1) if p.split == "train"}
    assert not train & {(p.family, *_tests(p)) for p in of(problems, "validation") + of(problems, "test")}


def _tests(problem: Problem) -> tuple[str, ...]:
    return tuple(str(test["expected"]) + str(test["call"]).partition("(")[2] for test in problem.payload["tests"])  # type: ignore[union-attr, index, call-overload]


def test_hidden_tests_are_not_in_the_prompt_and_the_symptom_is_true(problems: list[Problem]) -> None:
    shown = 0
    for problem in problems:
        after = problem.prompt.rpartition("```")[2]
        for test in problem.payload["tests"]:  # type: ignore[union-attr]
            assert f"`{test['call']}` " not in after  # type: ignore[index, call-overload]
        shown += "Now `" in after
    assert 0.2 < shown / len(problems) < 0.9


async def test_the_oracles_wrong_replies_fail(problems: list[Problem]) -> None:
    from random import Random

    async with await open_or_skip() as verifier:
        replies = [(p, await spoiled_reply(DOMAIN, p, Random(f"x/{p.id}"), verifier)) for p in problems]
    given_back = [str(p.payload["faulty"]) in reply for p, reply in replies]
    assert 0.2 < sum(given_back) / len(given_back) < 0.6
    for problem, reply in replies:
        assert fails(problem, extract_code(reply, str(problem.payload["entry"])) or "")


def test_lengths(problems: list[Problem]) -> None:
    prompts = [count_tokens(p.prompt) for p in problems]
    replies = [count_tokens(p.reference) for p in problems]
    assert sum(prompts) / len(prompts) < 200 and max(prompts) < 400 and max(replies) < DOMAIN.reply_tokens


@pytest.mark.parametrize("family", [family.id for family in FAMILIES])
def test_every_family_has_faulty_programs(family: str) -> None:
    from random import Random

    known = next(one for one in FAMILIES if one.id == family)
    found = make_problems(known, known.build(Random(5)), "train", 3, 2)
    assert 1 <= len(found) <= 2 and len({p.content_hash for p in found}) == len(found)
    assert all(p.id.startswith(f"repair-{family}-") and p.domain == "debugging" for p in found)


async def test_references_pass_and_faulty_programs_fail_in_the_sandbox(problems: list[Problem]) -> None:
    sample = [*of(problems, "train")[:10], *of(problems, "ood")[:6]]
    async with await open_or_skip() as verifier:
        await self_check(verifier, sample)
        unharmed = sample[0].model_copy(
            update={"payload": {**sample[0].payload, "faulty": extract_code(sample[0].reference, "")}}
        )
        with pytest.raises(DomainError, match="the faulty program is judged pass"):
            await self_check(verifier, [unharmed])


async def test_a_reply_that_quotes_the_faulty_program_first_is_judged_by_its_repair(problems: list[Problem]) -> None:
    problem = problems[0]
    faulty = f"```python\n{problem.payload['faulty']}\n```"
    async with await open_or_skip() as verifier:
        both = await verifier.judge(problem, f"This is wrong:\n{faulty}\nThis is right:\n{problem.reference}")
        back = await verifier.judge(problem, faulty)
        words = await verifier.judge(problem, "Line 2 needs a plus.")
    assert (both.outcome, back.outcome, words.outcome) == ("pass", "fail", "unparsed")


def test_a_file_of_problems_is_refused_with_the_reason() -> None:
    with pytest.raises(DomainError, match=r"makes its own problems.*leave out --problems"):
        DOMAIN.load("humaneval", SMALL, 0)


def test_the_oracle_answers_the_sandboxs_kinds() -> None:
    kinds = {kind for lesson in load_oracle_rules("debugging").lesson for kind in lesson.kinds}
    assert {"wrong_answer", "runtime_error", "syntax_error", "missing_entry", "unparsed", "timeout_cpu"} <= kinds
