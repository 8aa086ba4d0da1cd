"""The scripted oracle: deterministic, really failing, and limited to train problems."""

import pytest

from agents.graded import Graded
from agents.judge import judge_attempt
from agents.oracle import OracleTeacher
from agents.playbook import apply_edits
from records.nouns import Reflection, Strategy
from records.splits import SplitViolation
from tests.agents.addition import RULES, Addition, SumVerifier, problems


def oracle(spoil_rate: float = 0.4, seed: int = 0) -> OracleTeacher:
    return OracleTeacher(Addition(), seed=seed, spoil_rate=spoil_rate, rules=RULES)


async def batch(teacher: OracleTeacher, strategy: Strategy | None = None, count: int = 30) -> list[Graded]:
    graded = []
    for problem in problems("train", count):
        for sample in range(2):
            attempt = await teacher.solve(problem, strategy, stage="lrl", arm="learning", sample=sample, round=1)
            verdict = await judge_attempt(SumVerifier(), problem, attempt)
            graded.append(Graded(problem=problem, attempt=attempt, judgement=verdict.judgement))
    return graded


def wrong(graded: list[Graded]) -> int:
    return sum(item.judgement.outcome == "fail" for item in graded)


async def test_it_says_that_it_is_no_language_model() -> None:
    assert oracle().is_language_model is False
    assert "not a language model" in oracle().description


async def test_spoiled_replies_really_fail_and_the_rest_passes() -> None:
    perfect, mixed, hopeless = [await batch(oracle(rate)) for rate in (0.0, 0.4, 1.0)]
    assert (wrong(perfect), wrong(hopeless)) == (0, 60)
    assert 12 <= wrong(mixed) <= 36


async def test_replies_depend_on_the_seed_and_on_nothing_else() -> None:
    first, again, other = [await batch(oracle(seed=seed)) for seed in (0, 0, 1)]
    assert first == again
    assert [item.attempt.reply for item in first] != [item.attempt.reply for item in other]
    assert first[1].attempt.id == "lrl/learning/oracle/sum-train-0/1/r1"


async def test_its_mistakes_grow_fewer_by_script_with_the_lessons() -> None:
    teacher = oracle()
    draft = await teacher.draft()
    edits = await teacher.propose("", await batch(teacher), draft, (), 1)
    learned = apply_edits(draft, edits, 1)
    assert teacher.current_spoil_rate(learned) == pytest.approx(0.4 * 0.2)
    before, after = await batch(teacher, draft), await batch(teacher, learned)
    still_wrong = {i.attempt.id for i in after if i.judgement.outcome == "fail"}
    assert still_wrong < {i.attempt.id for i in before if i.judgement.outcome == "fail"}


async def test_the_journal_quotes_the_verdicts() -> None:
    teacher = oracle()
    graded = await batch(teacher)
    journal = await teacher.reflect(graded, await teacher.draft(), (), 1)
    assert f"{wrong(graded)} fail" in journal
    failed = next(item for item in graded if item.judgement.outcome == "fail")
    assert failed.judgement.kind in journal
    assert "got " in journal and "expected " in journal


async def test_edits_follow_the_failures_seen_and_name_them() -> None:
    teacher = oracle()
    graded, draft = await batch(teacher), await teacher.draft()
    edits = await teacher.propose("", graded, draft, (), 1)
    assert {edit.operation for edit in edits} == {"ADD", "REPLACE"}
    replaced = next(edit for edit in edits if edit.operation == "REPLACE")
    assert (replaced.bullet_ids, replaced.section) == (("b1",), "Method")
    kinds = {item.attempt.id: item.judgement.kind for item in graded}
    assert {kinds[one] for one in replaced.origin} == {"off_by_ten"}
    only_ten = [item for item in graded if item.judgement.kind != "wrong_answer"]
    assert [edit.operation for edit in await teacher.propose("", only_ten, draft, (), 1)] == ["REPLACE"]


async def test_nothing_is_proposed_twice() -> None:
    teacher = oracle()
    graded, draft = await batch(teacher), await teacher.draft()
    edits = await teacher.propose("", graded, draft, (), 1)
    assert await teacher.propose("", graded, apply_edits(draft, edits, 1), (), 2) == ()
    assert "no rule fits" in teacher.note
    rejected = Reflection(
        id="r1", round=1, batch=1, attempt_ids=(), journal="", edits=edits, parent_hash=draft.hash,
        candidate_hash=None, gate=None, accepted=False, note="too small",
    )  # fmt: skip
    assert await teacher.propose("", graded, draft, (rejected,), 2) == ()
    assert "not kept: too small" in await teacher.reflect(graded, draft, (rejected,), 2)


@pytest.mark.parametrize("split", ["validation", "test", "ood"])
async def test_other_splits_are_refused(split: str) -> None:
    teacher, draft = oracle(), await oracle().draft()
    graded = await batch(teacher, count=1)
    outside = graded[0].problem.model_copy(update={"split": split})
    leaked = [*graded, graded[0].model_copy(update={"problem": outside})]
    with pytest.raises(SplitViolation, match=split):
        await teacher.reflect(leaked, draft, (), 1)
    with pytest.raises(SplitViolation, match=split):
        await teacher.propose("", leaked, draft, (), 1)
    with pytest.raises(SplitViolation, match=split):
        await teacher.draft([outside])


async def test_distillation_changes_nothing() -> None:
    draft = await oracle().draft()
    assert await oracle().distill(draft, ()) == draft
