"""The honest parser, on small replies and on recorded replies of real models."""

import json
from collections import Counter

import pytest

from domains.scheduling_reply import read_answer
from tests.needs import data_file


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("ANSWER: YES", "YES"),
        ("peak 3\n**Answer:** no.", "NO"),
        ("ANSWER: NO\nwait, I recount\nANSWER: YES", "YES"),
        ("NO. But in fact all fit.\nANSWER: YES", "YES"),
        ("\\boxed{ANSWER: \\text NO}", None),
        ("YES", "YES"),
        ("No.", "NO"),
        (" Yes\n\nExplanation:\n- Meetings start/finish at", "YES"),
        ("NO because the rooms", "NO"),
        ("Let's solve this. The peak is 2, the rooms are 3. Therefore YES", "YES"),
        ("Let's solve this step by step.\n\n**NO**\n\n3 exceed 2.", "NO"),
        ("NO.\n\nThe peak is 2.\nTherefore, the correct answer is:\n\n**YES**", "YES"),
        ("The correct answer should be **NO**.", "NO"),
        ("Let us see.\n\nYES, all meetings can be held.", "YES"),
        ("We count. The peak is 2. Thus all the meetings can be scheduled.", "YES"),
        ("We count. Thus it is impossible to hold them.", "NO"),
    ],
)
def test_verdicts_are_found_early_and_late(reply: str, expected: str | None) -> None:
    assert read_answer(reply) == expected


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Let's solve this step by step. First, the overlaps:",
        "No meetings overlap at 10, so we look at 11",
        "There are no conflicts at 9",
        "I must end with 'ANSWER: YES' or 'ANSWER: NO'.",
        "The answer is YES or NO.",
        "Is it YES/NO? I cannot tell",
        "The result is **YES** and the result is **NO**",
        "09-12: 09=1 10=1 11=1 12 max 1/2 yes",
        "yesterday",
        "\ud800\x00" * 10,
    ],
)
def test_no_verdict_is_unparsed_and_not_no(reply: str) -> None:
    assert read_answer(reply) is None


def test_a_hostile_reply_is_read_in_reasonable_time() -> None:
    for piece in ("answer is ", "**", "so ", "all meetings can be ", " \n", "'", "thus ", "YES or "):
        read_answer(piece * 20_000)


def test_recorded_replies_are_read_with_none_left_out() -> None:
    recorded = data_file("scheduling", "responses.jsonl")
    rows = [json.loads(line) for line in recorded.read_text("utf-8").splitlines()]
    said = Counter((read_answer(row["response"]), row["lead_yesno"], row["last_caps_yesno"]) for row in rows)
    assert len(rows) == sum(said.values()) == 1050
    assert sum(n for (mine, lead, last), n in said.items() if lead == last and mine != lead) == 0
    # A reply that opens one way and concludes the other is read by its conclusion.
    assert said["YES", "NO", "YES"] == 15
    assert said["NO", "YES", "NO"] == 5
    # "Let's solve …" with a late verdict is read, not counted as NO.
    assert said["YES", None, "YES"] + said["NO", None, "NO"] == 56


def test_the_teacher_reported_at_55_percent_scores_about_90() -> None:
    recorded = data_file("scheduling", "responses.jsonl")
    rows = [json.loads(line) for line in recorded.read_text("utf-8").splitlines()]
    teacher = [row for row in rows if row["model"].startswith("claude") and row["generator"] == "A"]
    right = sum(read_answer(row["response"]) == row["expected_recomputed"] for row in teacher)
    assert right / len(teacher) > 0.85
    student = [row for row in rows if row["stage"] == "0_student_baseline"]
    assert {read_answer(row["response"]) for row in student} == {"NO"}
