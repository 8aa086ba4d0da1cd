"""Every page of a run is there, says what the run says, and links lead both ways."""

import asyncio
import html
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message

from console.web.guard import Access
from console.web.overview import _stream
from console.web.server import make_app
from console.web.store import Store
from console.web.strategy import writers
from tests.console.web.made import PORT, Made

ORIGIN = "lrl/learning/oracle/p-train-0/0/r1"


def words(page: str) -> str:
    body = page.split("<main", 1)[-1]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.mark.parametrize("run", ["done", "asks"])
@pytest.mark.parametrize(
    "path",
    ["", "/reflections", "/reflections/1", "/strategy", "/approval", "/data", "/student", "/attempts", "/calls",
     "/search?q=edge"],
)  # fmt: skip
def test_every_page_answers_and_every_link_on_it_leads_somewhere(browser: TestClient, run: str, path: str) -> None:
    page = browser.get(f"/runs/{run}{path}")
    assert page.status_code == 200, words(page.text)
    links = {html.unescape(link) for link in re.findall(r'href="(/[^"#]*)', page.text)}
    assert len(links) > 7
    for link in sorted(links)[:40]:
        assert browser.get(link).status_code == 200, link


def test_the_first_page_leads_to_the_runs(browser: TestClient) -> None:
    assert browser.get("/", follow_redirects=False).headers["location"] == "/runs"


def test_the_table_filters_and_sorts(browser: TestClient) -> None:
    page = words(browser.get("/runs").text)
    assert "done" in page and "asks" in page and "complete" in page and "waits for a decision" in page
    assert "unknown" in page and "known: $0.5000" in page  # one call's price is not known
    only = words(browser.get("/runs?state=complete").text)
    assert "1–1 of 1" in only
    assert "No run fits" in words(browser.get("/runs?q=nothing-like-it").text)
    names = [re.findall(r'name="run" value="(\w+)"', browser.get(f"/runs?sort=name&down={n}").text) for n in (0, 1)]
    assert names == [["asks", "done"], ["done", "asks"]]
    assert browser.get("/runs?sort=__class__").status_code == 200
    assert browser.get("/runs?page=99").status_code == 200


def test_runs_are_compared(browser: TestClient) -> None:
    page = browser.get("/compare?run=done&run=asks")
    assert page.status_code == 200 and "lora_strategy" in page.text and "All settings are the same" in page.text
    assert "Choose two" in browser.get("/compare").text
    assert browser.get("/compare?run=done&run=gone").status_code == 404


def test_settings_that_differ_are_named(tmp_path: Path) -> None:
    from console.web.overview import settings_that_differ

    rows = settings_that_differ([{"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 4, "d": 3}, "e": "x"}])
    assert rows == [("b.c", ["2", "4"]), ("e", ["–", "x"])]


def test_a_run_shows_stages_cost_warnings_and_result(browser: TestClient) -> None:
    page = browser.get("/runs/done").text
    said = words(page)
    assert "Stages: Problems done" in page and 'class="flow wide"' in page
    assert ">1 min 37 s<" in page  # the runner's own time of a stage that called no model
    assert "the price of 1 call is not known" in said and "lora_strategy" in said and "unknown" in said
    assert "sse-connect" not in page and "<iframe" in page and 'sandbox title="Report of the run"' in page
    assert 'sse-connect="/runs/asks/events"' in browser.get("/runs/asks").text


def test_a_complete_run_ends_its_stream(browser: TestClient) -> None:
    stream = browser.get("/runs/done/events").text
    assert stream.startswith("event: progress\ndata: ") and "event: done" in stream and "data: <svg" in stream
    assert "Show the result" in stream and "Show the result" not in browser.get("/runs/done").text


async def test_a_watched_run_is_sent_again_when_it_changes_and_not_otherwise(tmp_path: Path) -> None:
    run = await asyncio.to_thread(Made(tmp_path, "live").waiting)
    made = make_app(tmp_path, Access(PORT))
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "app": made.app}

    async def open_still() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    stream = _stream(Request({**scope, "server": ("127.0.0.1", PORT)}, open_still), Store(run.path))
    first = await anext(stream)
    assert first.startswith("event: progress\ndata: ") and "waits for a decision" in first
    waiting = asyncio.ensure_future(anext(stream))
    assert await asyncio.wait([waiting], timeout=0.3) == (set(), {waiting})
    (run.path / "pending.json").unlink()
    assert "stands still" in await waiting
    run.write_json("manifest.json", {"verdict": "improved"})
    assert "event: progress" in await anext(stream) and "event: done" in await anext(stream)
    assert [left async for left in stream] == []


def test_a_round_shows_problems_attempts_journal_edits_and_gate(browser: TestClient) -> None:
    page = browser.get("/runs/done/reflections/1").text
    said = words(page)
    for found in (
        "I misread",
        "REPLACE",
        "two failed",
        "accepted: 2 won",
        "expected 42, got 41",
        "✗ fail wrong_answer",
    ):
        assert found in said
    assert f'href="/runs/done/attempt?id={ORIGIN.replace("/", "%2F")}"' in page
    assert '<span class="k">def</span>' in page  # code has its colours
    assert "+50.0 points" in said  # the gate's gain, from its attempts
    assert "<ins> all</ins>" in page
    only = browser.get("/runs/done/reflections/1?only=fail").text
    assert "p-train-0" in only and "p-train-5/0" not in only
    assert browser.get("/runs/done/reflections/7").status_code == 404


def test_bullet_and_attempt_link_to_each_other(browser: TestClient) -> None:
    strategy = browser.get("/runs/done/strategy").text
    link = re.search(rf'href="([^"]+)">{re.escape(ORIGIN)}<', strategy)
    assert link
    attempt = browser.get(html.unescape(link[1])).text
    back = re.search(r'href="(/runs/done/strategy\?v=\w+)#b2"', attempt)
    assert back and 'id="b2"' in browser.get(back[1]).text
    assert "Read by the reflection of" in attempt


def test_a_bullet_has_origin_and_lift(browser: TestClient) -> None:
    said = words(browser.get("/runs/done/strategy").text)
    assert (
        "+50.0 points" in said and "the edit of round 1 at the gate" in said and "first draft, no result seen" in said
    )
    assert "ada: approve" in said


def test_versions_are_compared_word_by_word(browser: TestClient) -> None:
    page = browser.get("/runs/done/strategy").text
    versions = re.findall(r"strategy\?v=(\w{16})", page)
    assert "<ins> all</ins>" in page and len(set(versions)) == 2
    other = browser.get(f"/runs/done/strategy?v={versions[0]}&against={versions[1]}")
    assert other.status_code == 200
    assert browser.get("/runs/done/strategy?v=0000000000000000").status_code == 404


def test_a_call_opens_with_prompt_reply_usage_and_prompt_file(browser: TestClient) -> None:
    said = words(browser.get("/runs/done/call?key=c1").text)
    for found in ("Prompt 1", "return 42", "10 tokens", "$0.2500", "abc", "no file of this program has this hash"):
        assert found in said
    assert "gate/" in said  # the attempts that it answers
    assert browser.get("/runs/done/call?key=none").status_code == 404


def test_search_finds_every_kind_of_text_in_any_case(browser: TestClient) -> None:
    said = words(browser.get("/runs/done/search?q=EDGE+cases").text)
    assert "Edits" in said and "Strategies" in said
    assert "Problems" in words(browser.get("/runs/done/search?q=answer number 3").text)
    replies = words(browser.get("/runs/done/search?q=line of prose").text)
    assert "Attempts" in replies and "Calls" in replies
    assert "Nothing was found" in browser.get("/runs/done/search?q=100%25_never").text
    assert browser.get("/runs/done/search?q=%22%5C").status_code == 200


def test_attempts_and_calls_are_filtered(browser: TestClient) -> None:
    assert "1–12 of 12" in words(browser.get("/runs/done/attempts?stage=lrl").text)
    assert "1–4 of 4" in words(browser.get("/runs/done/attempts?stage=lrl&outcome=fail").text)
    assert "1–2 of 2" in words(browser.get("/runs/done/attempts?problem=p-train-1").text)
    assert "1–3 of 3" in words(browser.get("/runs/done/calls?status=ok").text)
    assert "No call fits" in words(browser.get("/runs/done/calls?stage=x").text)


def test_the_student_is_shown_before_and_after(browser: TestClient) -> None:
    page = browser.get("/runs/done/student")
    said = words(page.text)
    assert "By difficulty" in said and "By family" in said and "Expected against read" in said
    assert "1–6 of 6" in said or "p-test-0" in said
    only = words(browser.get("/runs/done/student?changed=1").text)
    assert "p-test-1" in only and "p-test-3" not in only
    answers = words(browser.get("/runs/done/student?problem=p-test-1").text)
    assert "base ✗ fail" in answers and "lora_strategy ✓ pass" in answers and answers.count("return 42") == 3
    assert browser.get("/runs/done/student?problem=none").status_code == 404


def test_long_lists_have_pages(tmp_path: Path) -> None:
    from console.web.render import Pages

    assert Pages(0, 1, 10).words == "none" and Pages(25, 3, 10).words == "21–25 of 25"
    assert Pages(25, 99, 10).of(list(range(25))) == [20, 21, 22, 23, 24]


def test_a_stage_that_waits_is_shown_as_waiting(browser: TestClient) -> None:
    page = browser.get("/runs/asks").text
    assert "Approval waits for you" in page and 'class="stage waiting"' in page and "Decide</a>" in page


def test_a_bullet_without_attempts_names_who_wrote_it() -> None:
    def version(name: str, parent: str | None, *texts: str) -> dict[str, Any]:
        return {"strategy": {"name": name, "parent": parent, "bullets": [{"id": "b", "text": t} for t in texts]}}

    versions = {
        "c": version("edited by ada", "b", "one", "two", "three"),
        "b": version("final", "a", "one", "two"),
        "a": version("first draft", None, "one"),
    }
    assert writers(versions) == {
        "one": "first draft, no result seen", "two": "no attempt is named", "three": "written by ada",
    }  # fmt: skip
