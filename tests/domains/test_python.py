"""The python domain: splits, the verifier in the real sandbox, benchmarks and bad input."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from domains import DOMAINS, get_domain
from domains.base import DomainError, NoVerifier
from domains.python import DOMAIN, draw_problems, self_check, submission, wrong_programs
from domains.python_families import FAMILIES
from domains.python_mistakes import MISTAKES
from domains.spoiling import spoiled_reply
from models.tokens import count_tokens
from prompts import load_oracle_rules, load_strategy_file
from records.config import RunConfig, Sizes
from records.nouns import Problem
from sandbox import Sandbox, SandboxError
from tests.domains.mistakes import spoiled_code
from tests.needs import EMBEDDED, data_file, skip, tier_need

SMALL = Sizes(train=60, gate=12, transfer=12, test=30, ood=18)
OOD = {family.id for family in FAMILIES if family.ood}


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return DOMAIN.load(None, SMALL, 0)


async def open_or_skip() -> Any:
    try:
        async with Sandbox.open(tier="auto", slots=1):
            return DOMAIN.verifier(RunConfig(domain="python"))
    except SandboxError as error:
        skip(tier_need(str(error)))


def dataset(name: str) -> Path:
    return data_file("coding", name)


def of(problems: list[Problem], split: str) -> list[Problem]:
    return [problem for problem in problems if problem.split == split]


class TestLoad:
    def test_sizes_and_determinism(self, problems: list[Problem]) -> None:
        counts = Counter(problem.split for problem in problems)
        assert counts == {"train": 60, "validation": 24, "test": 30, "ood": 18}
        assert problems == DOMAIN.load(None, SMALL, 0)
        assert problems != DOMAIN.load(None, SMALL, 1)

    def test_splits_are_disjoint(self, problems: list[Problem]) -> None:
        for key in ("content_hash", "prompt", "id"):
            assert len({getattr(problem, key) for problem in problems}) == len(problems)

    def test_parameters_keep_their_split_under_every_seed(self, problems: list[Problem]) -> None:
        test = {problem.content_hash for problem in of(problems, "test")}
        others = [p for seed in (1, 2) for p in DOMAIN.load(None, SMALL, seed) if p.split in ("train", "validation")]
        assert not test & {problem.content_hash for problem in others}

    def test_ood_families_are_in_no_other_split(self, problems: list[Problem]) -> None:
        assert {problem.family for problem in of(problems, "ood")} == OOD
        assert not OOD & {problem.family for problem in problems if problem.split != "ood"}

    def test_areas_are_mixed(self, problems: list[Problem]) -> None:
        areas = {family.id: family.area for family in FAMILIES}
        for split in ("train", "validation", "test", "ood"):
            first = Counter(areas[problem.family] for problem in of(problems, split)[:12])
            assert set(first.values()) == {2}

    def test_expected_values_are_not_in_the_prompt(self, problems: list[Problem]) -> None:
        assert all("expected" not in problem.prompt and problem.reference not in problem.prompt for problem in problems)

    def test_lengths(self, problems: list[Problem]) -> None:
        try:
            prompts = [count_tokens(problem.prompt) for problem in problems]
            replies = [count_tokens(problem.reference) for problem in problems]
        except Exception:  # the embedded tokenizer is an optional package
            skip(EMBEDDED)
        assert 35 <= sum(prompts) / len(prompts) <= 90 and max(prompts) <= 140
        assert 25 <= sum(replies) / len(replies) <= 110 and max(replies) < DOMAIN.reply_tokens

    def test_too_many_problems_is_a_clear_error(self) -> None:
        few = [family for family in FAMILIES if family.id == "write_pairs"]
        with pytest.raises(DomainError, match=r"give \d\d different problems for ood, not 500: lower sizes"):
            list(draw_problems(few, "ood", 500, 0))

    def test_profiles_are_configurations(self) -> None:
        for name in ("quick", "full"):
            RunConfig.model_validate({"domain": "python", **DOMAIN.profile(name)})


class TestSpoil:
    def test_all_kinds_of_mistake_occur_and_differ_from_the_reference(self, problems: list[Problem]) -> None:
        kinds: Counter[str] = Counter()
        for problem in problems:
            kind, code = spoiled_code(problem, Random(problem.id))
            kinds[kind] += 1
            assert code not in problem.reference
        assert set(MISTAKES) | {"syntax_slip"} <= set(kinds)

    async def test_the_sandbox_finds_the_mistakes_that_a_run_in_this_process_would_find(
        self, problems: list[Problem]
    ) -> None:
        async with await open_or_skip() as verifier:
            chosen = await asyncio.gather(*(spoiled_reply(DOMAIN, p, Random(p.id), verifier) for p in problems[:50]))
        assert chosen == [f"```python\n{spoiled_code(p, Random(p.id))[1]}\n```" for p in problems[:50]]

    async def test_without_a_verifier_only_certain_mistakes_are_made(self, problems: list[Problem]) -> None:
        reply = await spoiled_reply(DOMAIN, problems[0], Random(0), NoVerifier())
        assert f"my_{problems[0].payload['entry']}" in reply

    @pytest.mark.parametrize("reference", ["def f(:", "x = " + "(" * 5_000, "\0", "f = 1\n" * 9_000, ""])
    def test_a_reference_that_is_no_program_gets_a_certain_mistake(
        self, problems: list[Problem], reference: str
    ) -> None:
        broken = problems[0].model_copy(update={"reference": f"```python\n{reference}\n```"})
        assert {kind for kind, _ in wrong_programs(broken, Random(0))} == {"syntax_slip", "wrong_entry"}

    def test_is_deterministic(self, problems: list[Problem]) -> None:
        assert DOMAIN.spoil(problems[0], Random(5)) == DOMAIN.spoil(problems[0], Random(5))


class TestVerifier:
    async def test_every_family_checks_itself_in_the_sandbox(self) -> None:
        problems = DOMAIN.load(None, Sizes(train=54, gate=4, transfer=4, test=4, ood=18), 7)
        async with await open_or_skip() as verifier:
            assert verifier.tier in ("docker", "jail")
            chosen = of(problems, "train") + of(problems, "ood")
            assert len({problem.family for problem in chosen}) == len(FAMILIES)
            await self_check(verifier, chosen)

    async def test_outcomes(self, problems: list[Problem]) -> None:
        problem = next(p for p in problems if p.family == "filter_numbers")
        entry = problem.payload["entry"]
        replies = {
            "pass": f"Sure!\n{problem.reference}\nThat is all.",
            "unparsed": "I would use a list comprehension.",
            "wrong_answer": f"```python\ndef {entry}(numbers):\n    return numbers\n```",
            "runtime_error": f"```python\ndef {entry}(numbers):\n    return nums\n```",
            "missing_entry": "```python\ndef another(numbers):\n    return numbers\n```",
            "syntax_error": f"```python\ndef {entry}(numbers)\n    return numbers\n```",
        }
        async with await open_or_skip() as verifier:
            found = {kind: await verifier.judge(problem, reply) for kind, reply in replies.items()}
            odd = await verifier.judge(problem, f"```python\ndef {entry}(numbers):\n    return '\ud800'\n```")
        assert {kind: judgement.kind for kind, judgement in found.items()} == {kind: kind for kind in replies}
        outcomes = {kind: judgement.outcome for kind, judgement in found.items()}
        assert outcomes.pop("pass") == "pass" and outcomes.pop("unparsed") == "unparsed"
        assert set(outcomes.values()) == {"fail"}
        assert str(entry) in found["wrong_answer"].evidence
        assert odd.outcome == "fail"

    async def test_self_check_reports_a_broken_reference(self, problems: list[Problem]) -> None:
        broken = problems[0].model_copy(update={"reference": "```python\nx = 1\n```"})
        async with await open_or_skip() as verifier:
            with pytest.raises(DomainError, match="the reference is judged missing_entry"):
                await self_check(verifier, [broken])

    async def test_what_cannot_be_judged_is_ungraded(self, problems: list[Problem]) -> None:
        payload = {**problems[0].payload, "unsupported": ["assert check(f)"]}
        async with await open_or_skip() as verifier:
            judgement = await verifier.judge(problems[0].model_copy(update={"payload": payload}), problems[0].reference)
        assert (judgement.outcome, judgement.kind) == ("ungraded", "unsupported_test")

    @pytest.mark.parametrize(
        "payload", [{}, {"entry": "f"}, {"style": "other"}, {"tests": [{"call": 1}]}, {"tests": 1}]
    )
    async def test_a_problem_of_another_shape_is_one_clear_error(
        self, problems: list[Problem], payload: dict[str, Any]
    ) -> None:
        kept = {} if "style" not in payload and "tests" not in payload else problems[0].payload
        other = problems[0].model_copy(update={"payload": {**kept, **payload}})
        with pytest.raises(DomainError, match=f"{other.id}: its payload is not one of the python domain"):
            submission(other, "x = 1")


class TestBenchmarks:
    @pytest.mark.parametrize(("name", "family", "count"), [("humaneval", "humaneval", 164), ("mbpp", "mbpp", 499)])
    def test_load_as_the_test_split(self, name: str, family: str, count: int) -> None:
        problems = DOMAIN.load(str(dataset(f"{name}.jsonl")), SMALL.model_copy(update={"test": 600}), 0)
        test = of(problems, "test")
        assert len(test) == count and {problem.family for problem in test} == {family}
        assert len(of(problems, "train")) == 60 and {p.family for p in of(problems, "ood")} == OOD
        assert sum(bool(problem.payload["unsupported"]) for problem in test) <= 5

    async def test_canonical_solutions_pass_and_spoiled_ones_fail(self) -> None:
        async with await open_or_skip() as verifier:
            for name in ("humaneval.jsonl", "mbpp.jsonl"):
                test = of(DOMAIN.load(str(dataset(name)), SMALL.model_copy(update={"test": 24}), 3), "test")
                await self_check(verifier, [problem for problem in test if not problem.payload["unsupported"]])

    def test_the_sample_depends_on_the_seed_only(self) -> None:
        path = str(dataset("mbpp.jsonl"))
        first, again, other = (of(DOMAIN.load(path, SMALL, seed), "test") for seed in (0, 0, 1))
        assert first == again and first != other

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("{", "line 2: not JSON"),
            ("[1]", "line 2: not a JSON object"),
            ('{"task_id": "HumanEval/9", "prompt": "def f(): pass"}', "line 2: field 'entry_point' is missing"),
            ('{"task_id": 12, "text": "t", "code": "x"}', "line 2: field 'test_list' is missing"),
            ('{"task_id": 12, "text": "t", "code": "x", "test_list": []}', "line 2: field 'test_list' must be a list"),
            (
                '{"task_id": [12], "text": "t", "code": "x", "test_list": ["a"]}',
                "line 2: field 'task_id' must be a number or a text",
            ),
            ('{"task_id": 12, "code": "x", "test_list": ["assert f(1) == 1"]}', r"line 2: field 'text'"),
            ('{"task_id": 12, "text": "t", "code": "x", "test_list": [1]}', "'test_list' must be a list of texts"),
            (
                '{"task_id": 12, "text": "t", "code": "x", "test_list": ["a"], "test_imports": "import math"}',
                "field 'test_imports' must be a list of texts",
            ),
            (
                '{"task_id": 12, "text": "t", "code": "x", "test_list": ["a"], "test_setup_code": ["y = 1"]}',
                "field 'test_setup_code' must be a text",
            ),
            (
                '{"task_id": " mbpp/11", "text": "t", "code": "x", "test_list": ["assert f(1) == 1"]}',
                "'MBPP/11' stands there twice",
            ),
            (
                '{"task_id": 11, "text": "t", "code": "x", "test_list": ["assert f(1) == 1"]}',
                "'MBPP/11' stands there twice",
            ),
        ],
    )
    def test_a_broken_line_is_named(self, tmp_path: Path, line: str, words: str) -> None:
        good = {
            "task_id": 11,
            "text": "Double x.",
            "code": "def f(x):\n    return 2 * x",
            "test_list": ["assert f(1) == 2"],
        }
        path = tmp_path / "problems.jsonl"
        path.write_text(json.dumps(good) + "\n" + line + "\n", "utf-8")
        with pytest.raises(DomainError, match=words):
            DOMAIN.load(str(path), SMALL, 0)

    async def test_the_sanitized_form_of_mbpp(self, tmp_path: Path) -> None:
        row = {
            "source_file": "s.ipynb",
            "prompt": "Return not a number.",
            "code": "def f():\n    return float('nan')",
            "test_imports": ["import math", "from collections import Counter"],
            "test_list": ["assert math.isnan(f())", "assert Counter(str(f())) == Counter('nan')"],
        }
        rows = [{**row, "task_id": identity, "prompt": str(identity)} for identity in (11, "12", "Mbpp/13", 2, "x")]
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        test = of(DOMAIN.load(str(tmp_path / "rows.jsonl"), SMALL, 0), "test")
        assert {problem.id for problem in test} == {"MBPP/11", "MBPP/12", "MBPP/13"}
        async with await open_or_skip() as verifier:
            judged = {(await verifier.judge(problem, problem.reference)).kind for problem in test}
            wrong = await verifier.judge(test[0], "```python\ndef f():\n    return 0.0\n```")
        assert judged == {"pass"} and wrong.kind == "wrong_answer"

    def test_absent_empty_or_binary_file(self, tmp_path: Path) -> None:
        with pytest.raises(DomainError, match=r"No such file or directory.*humaneval"):
            DOMAIN.load(str(tmp_path / "none.jsonl"), SMALL, 0)
        (tmp_path / "empty.jsonl").write_text("\n")
        with pytest.raises(DomainError, match="no problems in it"):
            DOMAIN.load(str(tmp_path / "empty.jsonl"), SMALL, 0)
        (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(DomainError, match="not UTF-8"):
            DOMAIN.load(str(tmp_path / "binary.jsonl"), SMALL, 0)

    def test_the_hub_without_a_network_is_a_clear_error(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        import datasets

        monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
        with pytest.raises(DomainError, match=r"openai_humaneval.*local JSONL file"):
            DOMAIN.load("humaneval", SMALL, 0)


def test_unknown_domain_lists_the_known_ones() -> None:
    with pytest.raises(DomainError, match="python, scheduling"):
        get_domain("chess")
    assert get_domain("python") is DOMAIN and "python" in DOMAINS


def test_strategy_files_fit_the_domain() -> None:
    try:
        assert 300 <= count_tokens(load_strategy_file("python")) <= 700
    except ImportError:
        skip(EMBEDDED)
    rules = load_oracle_rules("python")
    kinds = {kind for lesson in rules.lesson for kind in lesson.kinds}
    assert {"wrong_answer", "runtime_error", "syntax_error", "missing_entry", "unparsed", "timeout_cpu"} <= kinds
