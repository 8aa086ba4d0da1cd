"""Whatever a model, a person or a file name says is text on the page: nothing runs, is fetched, or hides."""

import json
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.console.web.made import INTERRUPT, Made, client, csrf

EVIL = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>{{7*7}}{% raw %}"
    "\x1b[31mred\x1b]8;;http://evil.example\x07\u202egnp.exe\u2066\u200b\x00\x9b1m"
    "![pixel](https://evil.example/p.png)[x](javascript:alert(4))<!--</pre></textarea></title>\ud800"
    '<a href="/runs/evil/forged">x</a>'
)
PATHS = [
    "", "/reflections", "/reflections/1", "/strategy", "/approval", "/data", "/student", "/attempts", "/calls",
    "/call?key=c1",
    "/attempt?id=lrl/learning/oracle/p-train-0/0/r1", "/attempts?problem=p-train-0", "/search?q=script",
]  # fmt: skip


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    folder = tmp_path_factory.mktemp("evil")
    Made(folder, "evil", hostile=EVIL).waiting()
    Made(folder, "evil2", hostile=EVIL).complete()
    return client(folder)


@pytest.mark.parametrize("run", ["evil", "evil2"])
@pytest.mark.parametrize("path", PATHS)
def test_hostile_text_is_shown_as_text(evil: TestClient, run: str, path: str) -> None:
    answer = evil.get(f"/runs/{run}{path}")
    page = answer.text
    assert answer.status_code == 200
    assert "<script>alert" not in page and "onerror=alert" not in re.sub(r"&lt;.*?&gt;", "", page)
    assert not re.search(r"<(?:img|svg onload|a href=\"/runs/evil/forged)", page)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202e\u2066\ud800]", page)
    assert not re.search(r"<[^>]+(?:src|href|action)=\"(?:https?:|javascript:|//)", page)
    if path not in ("", "/attempts", "/calls", "/student", "/search?q=script") and (run, path) != ("evil", "/data"):
        assert "{{7*7}}" in page  # no template of the text's own
        assert "&lt;script&gt;" in page and "\\x1b[31m" in page and "\\u202e" in page


def test_a_million_characters_are_cut_with_a_note(tmp_path: Path) -> None:
    run, long = Made(tmp_path, "long").complete(), "<" * 1_000_000
    judgement = {"outcome": "fail", "kind": "wrong_answer", "evidence": long, "tests": [long]}
    rows = {
        "attempts.jsonl": {"id": "a", "problem_id": "p", "stage": "lrl", "arm": "x", "model": long, "reply": long},
        "verdicts.jsonl": {"id": "a", "problem_id": "p", "judgement": judgement},
        "problems.jsonl": {"id": "p", "split": "train", "prompt": long, "family": long},
        "reflections.jsonl": {"round": 2, "attempt_ids": ["a"], "journal": long, "note": long},
        "dataset/lora_plain.jsonl": {"id": "d", "completion": [{"role": "user", "content": long}]},
    }
    for name, row in rows.items():
        with (run.path / name).open("a") as file:
            file.write(json.dumps(row) + "\n")
    browser = client(tmp_path)
    for path in (*PATHS, "/attempt?id=a", "/attempts?problem=p", "/reflections/2", "/search?q=%3C%3C"):
        answer = browser.get(f"/runs/long{path}")
        assert answer.status_code in (200, 422) and len(answer.content) < 300_000, (path, len(answer.content))
    assert "characters more" in browser.get("/runs/long/attempt?id=a").text


@pytest.mark.parametrize("value", ["<script>x</script>", '"><img src=x onerror=1>', "\x1b[2J\u202e", "🦊'\"\\%00"])
def test_hostile_addresses_and_forms_come_back_as_text(evil: TestClient, value: str) -> None:
    addresses = ["/runs", "/runs/evil/search", "/runs/evil/attempts", "/runs/evil/calls", "/runs/evil/data"]
    for address in addresses:
        for name in ("q", "stage", "problem", "arm", "state", "sort", "domain"):
            page = evil.get(address, params={name: value}).text
            assert "<script>x" not in page and "<img src=x" not in page and "\u202e" not in page and "\x1b" not in page
    fields = {"csrf": csrf(evil), "interrupt_id": INTERRUPT, "strategy_hash": "old", "action": "edit"}
    answer = evil.post("/runs/evil/approval", data={**fields, "who": value, "reason": value, "text": value})
    assert answer.status_code == 409
    assert "<script>x" not in answer.text and "<img src=x" not in answer.text and "\u202e" not in answer.text
