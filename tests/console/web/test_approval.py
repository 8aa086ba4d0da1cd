"""A decision in the browser is one row of the inbox; the first stands, and nothing that was typed is lost."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from graphs.inbox import decisions, pending_decision
from records.rundir import RunDirectory
from tests.console.web.made import INTERRUPT, Made, client, csrf

EDIT = "## Method\n- Read the task twice.\n- Then check every edge case."


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return Made(tmp_path, "asks").waiting()


@pytest.fixture
def browser(run: RunDirectory) -> Iterator[TestClient]:
    with client(run.path.parent) as made:
        yield made


def fields(browser: TestClient, run: RunDirectory, **changes: str) -> dict[str, str]:
    pending = pending_decision(run.path)
    asked = {"interrupt_id": INTERRUPT, "strategy_hash": pending.strategy_hash if pending else ""}
    return {"csrf": csrf(browser), **asked, "action": "approve", "who": "ada", **changes}


def test_the_page_shows_what_the_decision_rests_on(browser: TestClient) -> None:
    page = browser.get("/runs/asks/approval").text
    for found in (
        "Transfer: validator × arm", "Accuracy per validator and arm", "Gain of the learned strategy", "few_shot",
        "are too few to show any gain", "No id, answer, phrase", "0 problems are in two splits",
        "against the first draft",
        "<ins> all</ins>", "Test of an edit by a person", "shown to be better",
        "What happens next", "graphs.transfer resume asks",
        'name="action" value="reject"',
    ):  # fmt: skip
        assert found in page, found


def test_the_strategy_approved_last_is_looked_for_in_other_runs_of_the_domain(tmp_path: Path) -> None:
    Made(tmp_path, "asks").waiting()
    other = Made(tmp_path, "other").complete()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    browser = client(tmp_path)
    page = browser.get("/runs/asks/approval").text
    assert "against the strategy approved last, in the run other" in page and "nothing has changed" in page
    about = other.read_json("run.json")
    about["config"]["domain"] = "scheduling"
    other.write_json("run.json", about)
    assert "approved last" not in browser.get("/runs/asks/approval").text


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_a_decision_is_one_row(browser: TestClient, run: RunDirectory, action: str) -> None:
    answer = browser.post("/runs/asks/approval", data=fields(browser, run, action=action, reason="because"))
    assert answer.status_code == 200 and "Your decision is recorded" in answer.text
    assert "graphs.transfer resume asks" in answer.text and 'value="approve"' not in answer.text
    (row,) = decisions(run.path)
    assert (row.action, row.who, row.text, row.interrupt_id) == (action, "ada", "because", INTERRUPT)
    assert len((run.path / "inbox.jsonl").read_text().splitlines()) == 1


def test_an_edit_keeps_its_lines_and_its_reason(browser: TestClient, run: RunDirectory) -> None:
    sent = fields(browser, run, action="edit", text=EDIT.replace("\n", "\r\n"), reason="shorter")
    assert "recorded" in browser.post("/runs/asks/approval", data=sent).text
    (row,) = decisions(run.path)
    assert (row.action, row.text, row.reason) == ("edit", EDIT, "shorter")


def test_without_a_name_the_user_of_the_machine_decides(
    browser: TestClient, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRL_REVIEWER", "grace")
    browser.post("/runs/asks/approval", data=fields(browser, run, who=" "))
    assert decisions(run.path)[0].who == "grace"


def test_a_double_click_is_harmless(browser: TestClient, run: RunDirectory) -> None:
    sent = fields(browser, run)
    for _ in range(2):
        assert "Your decision is recorded" in browser.post("/runs/asks/approval", data=sent).text
    assert len(decisions(run.path)) == 1


def test_the_second_reviewer_is_told(browser: TestClient, run: RunDirectory) -> None:
    sent = fields(browser, run)
    browser.post("/runs/asks/approval", data=sent)
    late = browser.post("/runs/asks/approval", data={**sent, "who": "bob", "action": "reject", "reason": "no"})
    assert "Somebody decided before you" in late.text and "ada: approve" in late.text
    assert [row.who for row in decisions(run.path)] == ["ada"]


def test_of_many_at_once_one_stands(browser: TestClient, run: RunDirectory) -> None:
    sent = [fields(browser, run, who=f"person {n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda one: browser.post("/runs/asks/approval", data=one).text, sent))
    assert sum("Your decision is recorded" in page for page in pages) == 1
    assert sum("Somebody decided before you" in page for page in pages) == 7 and len(decisions(run.path)) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": "reject", "reason": " "}, "a rejection needs a reason"),
        ({"action": "edit", "text": ""}, "the edited strategy is empty"),
        ({"strategy_hash": "0" * 16}, "waits for one about"),
        ({"interrupt_id": "0" * 32}, "waits for another decision"),
        ({"action": "edit", "text": EDIT + "\n- The answer of p-test-1 is known."}, "The edit carries answers"),
    ],
)
def test_what_cannot_be_taken_is_given_back(
    browser: TestClient, run: RunDirectory, changes: dict[str, str], words: str
) -> None:
    answer = browser.post("/runs/asks/approval", data=fields(browser, run, **changes))
    assert answer.status_code == 409 and words in answer.text
    assert changes.get("text", "").split("\n")[-1] in answer.text  # nothing that was typed is lost
    assert not decisions(run.path)


@pytest.mark.parametrize("changes", [{"action": "delete"}, {"interrupt_id": None}, {"strategy_hash": None}])
def test_a_form_that_is_none_of_ours_is_a_clear_page(
    browser: TestClient, run: RunDirectory, changes: dict[str, str | None]
) -> None:
    sent = {name: value for name, value in {**fields(browser, run), **changes}.items() if value is not None}
    answer = browser.post("/runs/asks/approval", data=sent)
    assert answer.status_code == 400 and "missing or of the wrong kind" in answer.text and not decisions(run.path)


def test_a_run_that_waits_for_nothing_says_so(tmp_path: Path) -> None:
    run = Made(tmp_path, "done").complete()
    browser = client(tmp_path)
    page = browser.get("/runs/done/approval").text
    assert "Nothing waits for a decision now" in page and "ada" in page and "<form method" not in page
    sent = {"csrf": csrf(browser), "interrupt_id": INTERRUPT, "strategy_hash": "x", "action": "approve"}
    assert browser.post("/runs/done/approval", data=sent).status_code == 409
    assert not (run.path / "inbox.jsonl").exists()


def test_a_row_can_be_left_out_with_a_reason_before_training(tmp_path: Path) -> None:
    made = Made(tmp_path, "rows")
    run = made.waiting()
    made.dataset()
    browser = client(tmp_path)
    form = {"csrf": csrf(browser), "row_id": "lora_plain/p-train-1", "do": "exclude", "who": "ada", "arm": "lora_plain"}
    assert browser.post("/runs/rows/data", data=form).status_code == 409  # no reason
    page = browser.post("/runs/rows/data", data={**form, "reason": "a guess"}).text
    assert "left out by ada" in page.lower() and "a guess" in page
    assert "left out by ada" in browser.get("/runs/rows/data?arm=lora_strategy").text.lower()  # in every arm
    rows = [json.loads(line) for line in (run.path / "exclusions.jsonl").read_text().splitlines()]
    assert [row["problem_id"] for row in rows] == ["p-train-1"]
    back = browser.post("/runs/rows/data", data={**form, "do": "include"}).text
    assert "left out by ada" not in back.lower()


def test_after_training_has_begun_no_row_can_be_left_out(tmp_path: Path) -> None:
    run = Made(tmp_path, "done").complete()
    (run.path / "adapters/lora_plain-seed0/job.json").write_text("{}")
    browser = client(tmp_path)
    assert "rows can no longer be left out" in browser.get("/runs/done/data").text
    form = {"csrf": csrf(browser), "row_id": "lora_plain/p-train-1", "do": "exclude", "reason": "late", "who": "ada"}
    answer = browser.post("/runs/done/data", data=form)
    assert answer.status_code == 409 and not (run.path / "exclusions.jsonl").exists()
