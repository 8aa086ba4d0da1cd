"""Several teachers: who is asked, who writes."""

from __future__ import annotations

from collections import Counter

import pytest

from agents.panel import TeacherPanel
from agents.teacher import LLMTeacher
from models.gateway import CallRequest
from records.config import Decoding, Teaching
from records.nouns import Completion, Problem
from records.splits import later_id
from tests.agents.addition import problems, words
from tests.agents.test_teacher import LONG

NAMES = ("vllm:a@http://h/v1", "vllm:b@http://h/v1", "vllm:c@http://h/v1")


class Gateway:
    """Answers with the model's name, and with a strategy where one is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def complete(self, request: CallRequest) -> Completion:
        self.asked.append((request.model, request.stage))
        text = LONG if request.stage in ("draft", "distill") else request.model
        return Completion(key="k", text=text, finish_reason="stop")


def panel(teaching: Teaching, known: list[Problem], names: tuple[str, ...] = NAMES) -> tuple[TeacherPanel, Gateway]:
    gateway = Gateway()
    members = [LLMTeacher(gateway, name, "addition", Decoding(), count_tokens=words) for name in names]
    return TeacherPanel(members, teaching, lambda: known), gateway


def test_turns_are_even_the_same_in_every_process_and_pass_on_with_each_try() -> None:
    train = problems("train", 30)
    first, _ = panel("round_robin", train)
    again, _ = panel("round_robin", train[::-1])
    turns = [first.asked(p)[0].spec for p in train]
    assert Counter(turns) == dict.fromkeys(NAMES, 10)
    assert turns == [again.asked(p)[0].spec for p in train]
    assert turns != [NAMES[number % 3] for number in range(30)]  # not in the order in which classes may alternate
    for one in train:
        assert {first.asked(one, sample)[0].spec for sample in range(3)} == set(NAMES)


def test_problems_that_come_later_move_no_turn() -> None:
    known = problems("train", 30)
    early, _ = panel("round_robin", known)
    turns = [early.asked(p)[0].spec for p in known]
    known += [p.model_copy(update={"id": later_id(p.id, 2)}) for p in known[:7]]
    late, _ = panel("round_robin", known)
    assert [late.asked(p)[0].spec for p in known][:30] == turns == [early.asked(p)[0].spec for p in known[:30]]
    assert early.asked(known[-1])[0].spec == late.asked(known[-1])[0].spec


async def test_every_teacher_votes_and_signs_what_it_wrote() -> None:
    train = problems("train", 2)
    voters, _ = panel("vote", train)
    assert [voice.spec for voice in voters.asked(train[0])] == list(NAMES)
    attempts = [await v.solve(train[0], None, stage="lrl", arm="x") for v in voters.asked(train[0])]
    assert [attempt.model for attempt in attempts] == [attempt.reply for attempt in attempts] == list(NAMES)
    assert len({attempt.id for attempt in attempts}) == 3


@pytest.mark.parametrize("teaching", ["round_robin", "vote"])
async def test_only_the_first_teacher_writes(teaching: Teaching) -> None:
    teachers, gateway = panel(teaching, problems("train", 4))
    strategy = await teachers.draft()
    await teachers.reflect((), strategy, (), 1)
    await teachers.propose("journal", (), strategy, (), 1)
    await teachers.distill(strategy, ())
    assert {model for model, _ in gateway.asked} == {NAMES[0]} and len(gateway.asked) >= 4
    assert teachers.writer == NAMES[0] and teachers.spec == ", ".join(NAMES)
    teachers.members[0].note, teachers.members[1].note = "no edit", "never asked"
    assert teachers.note == "no edit"
    assert f"{NAMES[0]} wrote the strategy" in teachers.description
