"""The scheduling domain: truth, generators, splits, verifier and spoiled solutions."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains import get_domain
from domains.base import Domain, DomainError
from domains.scheduling import Scheduling
from domains.scheduling_problems import MAX_HOUR, Instance, origin
from domains.scheduling_steps import first_slip, spoiled, write
from records.config import RunConfig, Sizes
from records.nouns import Problem
from tests.needs import data_file

CONFIG = RunConfig(domain="scheduling")
SIZES = Sizes(train=60, gate=8, transfer=8, test=20, ood=30)
MEETINGS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 4)).map(lambda m: (m[0], m[0] + m[1])), min_size=1, max_size=9
)
INSTANCES = st.builds(lambda m, rooms: Instance(tuple(m), rooms), MEETINGS, st.integers(1, 9))


def by_split(problems: list[Problem]) -> dict[str, list[Problem]]:
    return {split: [p for p in problems if p.split == split] for split in ("train", "validation", "test", "ood")}


def meetings_of(problem: Problem) -> list[tuple[int, int]]:
    meetings: Any = problem.payload["meetings"]
    return [(start, end) for start, end in meetings]


def test_it_is_a_domain() -> None:
    domain: Domain = get_domain("scheduling")
    assert domain.classes == ("YES", "NO")
    assert domain.placebo == "python"
    for name in ("quick", "full"):
        assert RunConfig.model_validate({"domain": "scheduling", "profile": name, **domain.profile(name)})


@given(INSTANCES)
def test_the_peak_is_the_most_meetings_in_any_hour(instance: Instance) -> None:
    by_hour = max(sum(s <= hour < e for s, e in instance.meetings) for hour in range(MAX_HOUR))
    assert instance.peak == by_hour
    assert instance.answer == ("YES" if by_hour <= instance.rooms else "NO")


def test_a_meeting_may_start_when_another_ends() -> None:
    assert Instance(((9, 10), (10, 11)), 1).answer == "YES"
    assert Instance(((9, 11), (10, 11)), 1).answer == "NO"


@given(INSTANCES, st.randoms(use_true_random=False))
def test_the_key_ignores_the_order_of_the_meetings(instance: Instance, rng: random.Random) -> None:
    meetings = list(instance.meetings)
    rng.shuffle(meetings)
    assert Instance(tuple(meetings), instance.rooms).key == instance.key
    assert Instance(instance.meetings, instance.rooms + 1).key != instance.key


@given(INSTANCES, st.integers(0, 9))
def test_worked_steps_are_right_and_spoiled_ones_wrong(instance: Instance, seed: int) -> None:
    right = write(instance)
    assert right.endswith(f"ANSWER: {instance.answer}")
    assert first_slip(instance, right) is None
    wrong, slip = spoiled(instance, random.Random(seed))
    assert not wrong.endswith(f"ANSWER: {instance.answer}")
    found = first_slip(instance, wrong)
    assert found is not None
    assert found.kind == slip.kind


def test_origin_problems_are_the_published_ones() -> None:
    test = [instance for instance, _ in origin(123, 150)]
    assert Counter(instance.answer for instance in test) == {"YES": 132, "NO": 18}
    file = data_file("scheduling", "problems.jsonl")
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for split, seed, count in (("train", 42, 100), ("test", 123, 150)):
        published = [row for row in rows if row["generator"] == "A" and row["split"] == split]
        mine = origin(seed, count)
        assert len(published) == count
        for row, (instance, level) in zip(published, mine, strict=True):
            assert [list(meeting) for meeting in instance.meetings] == row["meetings"]
            assert (instance.rooms, instance.answer, instance.peak) == (
                row["rooms"],
                row["answer"],
                row["max_simultaneous"],
            )
            assert level.upper() == row["difficulty"]


def test_source_origin_tests_on_all_150_and_trains_on_none_of_its_250() -> None:
    splits = by_split(Scheduling().load("origin", SIZES, 0))
    assert [p.content_hash for p in splits["test"]] == [instance.key for instance, _ in origin(123, 150)]
    known = {instance.key for seed, n in ((42, 100), (123, 150)) for instance, _ in origin(seed, n)}
    for split in ("train", "validation", "ood"):
        assert not known & {p.content_hash for p in splits[split]}
    assert len({p.id for split in splits.values() for p in split}) == 150 + 60 + 16 + 30


@pytest.mark.parametrize("seed", [0, 7])
def test_generated_splits_are_disjoint_balanced_and_of_the_size_asked(seed: int) -> None:
    problems = Scheduling().load(None, SIZES, seed)
    splits = by_split(problems)
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 60, "validation": 16, "test": 20, "ood": 30}
    assert len({p.content_hash for p in problems}) == len({p.id for p in problems}) == len(problems)
    for rows in splits.values():
        assert Counter(p.answer for p in rows) == {"YES": len(rows) // 2, "NO": len(rows) // 2}
    assert Counter(p.answer for p in splits["validation"][: SIZES.gate]) == {"YES": 4, "NO": 4}
    assert problems == Scheduling().load(None, SIZES, seed)
    assert problems != Scheduling().load(None, SIZES, seed + 1)


def test_ood_has_what_train_never_has() -> None:
    splits = by_split(Scheduling().load(None, Sizes(train=400, ood=60), 0))
    day = [meetings_of(problem) for problem in splits["train"]]
    most = max(map(len, day))
    hours = {hour for meetings in day for s, e in meetings for hour in range(s, e)}
    for problem in splits["ood"]:
        meetings = meetings_of(problem)
        covered = {hour for s, e in meetings for hour in range(s, e)}
        assert len(meetings) > most or not covered & hours


def test_training_covers_peaks_and_rooms() -> None:
    train = by_split(Scheduling().load(None, Sizes(train=1000), 0))["train"]
    pairs = Counter((p.payload["peak"], p.payload["rooms"]) for p in train)
    assert {peak for peak, _ in pairs} == {1, 2, 3, 4, 5, 6}
    assert {rooms for _, rooms in pairs} == {1, 2, 3, 4, 5, 6}
    assert len(pairs) >= 30


async def test_the_verifier_passes_references_and_fails_spoiled_ones() -> None:
    domain = Scheduling()
    kinds: Counter[str] = Counter()
    async with domain.verifier(CONFIG) as verifier:
        assert verifier.tier is None
        for number, problem in enumerate(domain.load(None, SIZES, 3)):
            good = await verifier.judge(problem, problem.reference)
            assert (good.outcome, good.kind, good.predicted) == ("pass", "pass", problem.answer)
            bad = await verifier.judge(problem, domain.spoil(problem, random.Random(number)))
            assert bad.outcome == "fail"
            kinds[bad.kind] += 1
    assert set(kinds) == {"missed_meeting", "wrong_overlap", "wrong_count", "wrong_comparison"}


async def test_judgements_say_where_the_table_went_wrong() -> None:
    domain = Scheduling()
    problem = _problem(((9, 11), (10, 12), (12, 13)), rooms=1)
    wrong = problem.reference.replace("10=2 11=1 12", "11=1 12", 1).replace("ANSWER: NO", "ANSWER: YES")
    async with domain.verifier(CONFIG) as verifier:
        slip = await verifier.judge(problem, wrong)
        bare = await verifier.judge(problem, "YES.")
        late = await verifier.judge(problem, "Let's solve it: two overlap, one room, therefore NO")
        silent = await verifier.judge(problem, "Let's solve it: no two meetings are equal.")
    assert (slip.outcome, slip.kind) == ("fail", "wrong_overlap")
    assert "line 2" in slip.evidence
    assert "at most 2 meetings" in slip.evidence
    assert (bare.outcome, bare.kind, bare.predicted) == ("fail", "wrong_yes", "YES")
    assert late.outcome == "pass"
    assert (silent.outcome, silent.kind, silent.predicted) == ("unparsed", "unparsed", None)


def _problem(meetings: tuple[tuple[int, int], ...], rooms: int) -> Problem:
    instance = Instance(meetings, rooms)
    return Problem(
        id="p",
        domain="scheduling",
        split="train",
        family="day",
        difficulty=instance.difficulty,
        prompt="",
        reference=write(instance),
        content_hash=instance.key,
        answer=instance.answer,
        payload={"meetings": [list(m) for m in meetings], "rooms": rooms, "peak": instance.peak},
    )


def test_the_prompt_shows_the_problem_and_not_the_answer() -> None:
    for problem in Scheduling().load(None, SIZES, 0):
        for start, end in meetings_of(problem):
            assert f"{start:02d}-{end:02d}" in problem.prompt
        assert f"Rooms: {problem.payload['rooms']}" in problem.prompt
        assert "does not conflict" in problem.prompt
        assert "'ANSWER: YES' or 'ANSWER: NO'" in problem.prompt


GOOD = {"meetings": [[9, 11], [10, 12]], "rooms": 2}


def test_a_file_gives_its_rows_to_their_splits(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    rows = [GOOD, {**GOOD, "rooms": 1, "split": "train", "problem_id": "mine", "answer": "NO"}]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    splits = by_split(Scheduling().load(str(path), SIZES, 0))
    assert [p.answer for p in splits["test"]] == ["YES"]
    assert [p.answer for p in splits["train"]] == ["NO"]
    assert len(splits["validation"]) == 16
    assert len(splits["ood"]) == 30


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{oops", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "expected a JSON object"),
        ('{"rooms": 2}', "field 'meetings': missing"),
        ('{"meetings": [[9, 10]]}', "field 'rooms': missing"),
        ('{"meetings": [], "rooms": 2}', "field 'meetings'"),
        ('{"meetings": [[9, 10], [12, 11]], "rooms": 2}', "field 'meetings'[1]"),
        ('{"meetings": [[9, 10.5]], "rooms": 2}', "field 'meetings'[0]"),
        ('{"meetings": [[true, 10]], "rooms": 2}', "field 'meetings'[0]"),
        ('{"meetings": [[9, 100]], "rooms": 2}', "field 'meetings'[0]"),
        ('{"meetings": [[9, 10]], "rooms": 0}', "field 'rooms'"),
        ('{"meetings": [[9, 10]], "rooms": "2"}', "field 'rooms'"),
        ('{"meetings": [[9, 10]], "rooms": 1, "answer": "NO"}', "field 'answer'"),
        ('{"meetings": [[9, 10]], "rooms": 1, "split": "dev"}', "field 'split'"),
        ('{"meetings": [[9, 10]], "rooms": 1, "problem_id": 3}', "field 'problem_id'"),
        ('{"meetings": [[9, 10]], "rooms": 1, "anwser": "YES"}', "field 'anwser'"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(DomainError) as caught:
        Scheduling().load(str(path), SIZES, 0)
    assert str(path) in str(caught.value)
    assert "line 2" in str(caught.value)
    assert words in str(caught.value)


def test_bad_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="'origin' or the path"):
        Scheduling().load("humaneval", SIZES, 0)
    path = tmp_path / "p.jsonl"
    path.write_text("", encoding="utf-8")
    with pytest.raises(DomainError, match="no problems"):
        Scheduling().load(str(path), SIZES, 0)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DomainError, match="UTF-8"):
        Scheduling().load(str(path), SIZES, 0)
    path.write_text(
        json.dumps({**GOOD, "split": "train"}) + "\n" + json.dumps({**GOOD, "meetings": [[10, 12], [9, 11]]}),
        encoding="utf-8",
    )
    with pytest.raises(DomainError, match="same problem"):
        Scheduling().load(str(path), SIZES, 0)
