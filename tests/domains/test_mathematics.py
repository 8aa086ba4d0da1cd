"""The mathematics domain: its families, its splits, its verdicts, its spoiled solutions."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from domains import get_domain
from domains.base import DomainError
from domains.drawing import draw
from domains.mathematics import MathematicsDomain
from domains.mathematics_families import FAMILIES, Family
from domains.mathematics_sets import load_problems
from evaluation.leakage import check_splits
from models.tokens import count_tokens
from records.config import RunConfig, Sizes
from records.nouns import Problem
from sandbox.maths_contracts import parse_contract
from sandbox.maths_judge import judge_pair
from sandbox.maths_steps import check_steps
from tests.needs import data_file

DOMAIN = get_domain("mathematics")
SMALL = Sizes(train=120, gate=12, transfer=12, test=60, ood=36)
OOD = {family.id for family in FAMILIES if family.ood}


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return DOMAIN.load(None, SMALL, 0)


def of(problems: list[Problem], split: str) -> list[Problem]:
    return [problem for problem in problems if problem.split == split]


def given(*rows: dict[str, object], path: Path) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


class TestFamilies:
    def test_there_are_enough_in_each_area(self) -> None:
        areas = Counter(family.area for family in FAMILIES)
        assert len(FAMILIES) >= 50 and len(areas) == 6 and min(areas.values()) >= 8
        assert all(sum(f.ood for f in FAMILIES if f.area == area) >= 2 for area in areas)
        assert len({family.id for family in FAMILIES}) == len(FAMILIES)

    @pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.id)
    def test_references_are_right_and_wrong_answers_wrong(self, family: Family) -> None:
        rng = Random(7)
        for _ in range(4):
            draft = family.build(rng)
            contract = parse_contract(draft.contract)
            verdict, reason = judge_pair(draft.gold, draft.reference, contract)
            assert verdict == "equal", (draft, reason)
            assert not [step for step in check_steps(draft.reference) if step.holds is False], draft
            assert len(draft.wrong) >= 2
            for wrong in draft.wrong:
                assert judge_pair(draft.gold, f"ANSWER: {wrong}", contract)[0] == "different", (draft, wrong)

    def test_parameters_vary(self) -> None:
        for family in FAMILIES:
            rng = Random(1)
            assert len({family.build(rng).params for _ in range(16)}) >= 6, family.id


class TestSplits:
    def test_sizes_and_disjointness(self, problems: list[Problem]) -> None:
        assert Counter(p.split for p in problems) == {"train": 120, "validation": 24, "test": 60, "ood": 36}
        assert check_splits(problems).ok
        assert len({p.prompt for p in problems}) == len(problems)

    def test_the_seed_decides(self, problems: list[Problem]) -> None:
        few = Sizes(train=12, gate=4, transfer=4, test=6, ood=6)
        assert DOMAIN.load(None, few, 3) == DOMAIN.load(None, few, 3) != DOMAIN.load(None, few, 4)

    def test_ood_families_are_in_no_other_split(self, problems: list[Problem]) -> None:
        assert {p.family for p in of(problems, "ood")} <= OOD
        assert not OOD & {p.family for p in problems if p.split != "ood"}

    def test_the_gold_answer_is_not_in_the_prompt(self, problems: list[Problem]) -> None:
        assert all(p.reference not in p.prompt and "gold" not in p.prompt for p in problems)

    def test_references_fit_the_budget(self, problems: list[Problem]) -> None:
        assert max(count_tokens(p.reference) for p in problems) < 0.75 * DOMAIN.reply_tokens

    def test_too_many_problems_is_a_clear_error(self) -> None:
        few = [family for family in FAMILIES if family.id == "orders"]
        with pytest.raises(DomainError, match=r"give \d+ different problems for test, not 500: lower sizes"):
            list(draw(few, "test", 500, 0))

    def test_profiles_are_configurations(self) -> None:
        for name in ("quick", "full"):
            RunConfig.model_validate({"domain": "mathematics", **DOMAIN.profile(name)})


class TestJudge:
    async def test_references_pass_and_spoiled_ones_fail(self, problems: list[Problem]) -> None:
        kinds: Counter[str] = Counter()
        async with DOMAIN.verifier(RunConfig(domain="mathematics")) as verifier:
            for problem in problems[::3]:
                right = await verifier.judge(problem, problem.reference)
                assert right.outcome == "pass" and right.kind == "pass", (problem, right)
                wrong = await verifier.judge(problem, DOMAIN.spoil(problem, Random(problem.id)))
                assert wrong.outcome == "fail", (problem, wrong)
                kinds[wrong.kind] += 1
        assert set(kinds) == {"wrong_step", "wrong_answer"} and min(kinds.values()) > 5

    async def test_a_right_answer_with_a_wrong_step_is_marked(self, problems: list[Problem]) -> None:
        async with DOMAIN.verifier(RunConfig(domain="mathematics")) as verifier:
            judgement = await verifier.judge(problems[0], f"1 + 1 = 3\n{problems[0].reference}")
            assert judgement.outcome == "pass" and judgement.kind == "wrong_step" and not judgement.sound
            assert judgement.tests[0] == "wrong" and "line 1: '1 + 1 = 3'" in judgement.evidence
            sound = await verifier.judge(problems[0], problems[0].reference)
            assert sound.sound and "wrong" not in sound.tests

    @pytest.mark.parametrize(
        ("reply", "outcome", "kind"),
        [
            ("I do not know.", "unparsed", "no_answer"),
            ("", "unparsed", "no_answer"),
            (r"\boxed{1} or rather \boxed{2}", "unparsed", "two_answers"),
            ("ANSWER: some number or other", "unparsed", "unreadable"),
            (r"ANSWER: \frac{1}{", "unparsed", "unreadable"),
            ("ANSWER: 123456789", "fail", "wrong_answer"),
            ("ANSWER: 9^{9^{9^9}}", "fail", "wrong_answer"),
            ("ANSWER: " + "7" * 10**4, "fail", "wrong_answer"),
        ],
    )
    async def test_what_is_not_an_answer_is_never_wrong(
        self, problems: list[Problem], reply: str, outcome: str, kind: str
    ) -> None:
        problem = next(p for p in problems if p.family == "choose")
        async with DOMAIN.verifier(RunConfig(domain="mathematics")) as verifier:
            judgement = await verifier.judge(problem, reply)
        assert (judgement.outcome, judgement.kind) == (outcome, kind)


class TestGivenProblems:
    def test_a_file_takes_the_place_of_the_test_split(self, tmp_path: Path) -> None:
        source = given(
            {"question": "1+1?", "answer": "It is <<1+1=2>>2.\n#### 2"},
            {"problem": "Halve 1.", "solution": r"It is $\boxed{\frac12}$.", "level": "Level 5", "type": "Prealgebra"},
            {"problem": "Pi?", "answer": "3.14", "contract": "decimal(2)"},
            path=tmp_path / "rows.jsonl",
        )
        problems = DOMAIN.load(source, Sizes(train=12, gate=4, transfer=4, test=10, ood=6), 0)
        test = sorted(of(problems, "test"), key=lambda p: p.family)
        assert [(p.family, p.payload["gold"]) for p in test] == [
            ("given", "3.14"),
            ("gsm8k", "2"),
            ("math_prealgebra", r"\frac12"),
        ]
        assert len(of(problems, "train")) == 12 and "<<" not in test[1].reference

    def test_rows_may_name_their_split(self, tmp_path: Path) -> None:
        rows = [{"problem": f"{n}+1?", "answer": n + 1, "split": "train" if n < 9 else "test"} for n in range(20)]
        source = given(*rows, path=tmp_path / "rows.jsonl")
        problems = DOMAIN.load(source, Sizes(train=5, gate=4, transfer=4, test=6, ood=6), 0)
        assert {p.family for p in of(problems, "train")} == {p.family for p in of(problems, "test")} == {"given"}
        assert check_splits(problems).ok

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "no problems in it"),
            ("{", "line 1: not JSON"),
            ("[]", "line 1: not a JSON object"),
            ('{"problem": "x?"}', "line 1: field 'answer' is missing"),
            ('{"answer": "1"}', "line 1: field 'problem' is missing or no text"),
            ('{"problem": "x?", "answer": "1", "split": "dev"}', "line 1: field 'split': 'dev' is none of train"),
            ('{"problem": "x?", "answer": "1", "contract": "odd"}', "line 1: field 'contract': 'odd' is no answer"),
        ],
    )
    def test_broken_rows_name_line_and_field(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "rows.jsonl").write_text(text)
        with pytest.raises(DomainError, match=message):
            load_problems(str(tmp_path / "rows.jsonl"))

    def test_a_missing_file_lists_the_names(self) -> None:
        with pytest.raises(DomainError, match="give a JSONL file or one of: gsm8k, math, math500"):
            load_problems("nowhere.jsonl")

    @pytest.mark.parametrize("name", ["gsm8k_test.jsonl", "math_test500.jsonl"])
    def test_references_of_public_sets_pass(self, name: str) -> None:
        problems = load_problems(str(data_file("maths", name)))[:250]
        refused = []
        for problem in problems:
            verdict, reason = judge_pair(str(problem.payload["gold"]), problem.reference, parse_contract(None))
            refused += [(problem.id, reason)] if verdict != "equal" else []
            spoiled = MathematicsDomain().spoil(problem, Random(0))
            assert judge_pair(str(problem.payload["gold"]), spoiled, parse_contract(None))[0] != "equal"
        assert not refused
