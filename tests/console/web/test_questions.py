"""A question of one's own reaches the real local model, and nothing of the run changes."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from console.web import questions
from console.web.store import Store
from records.rundir import RunDirectory
from tests.console.web.made import Made, client, csrf


@pytest.fixture
def asked(tmp_path: Path) -> tuple[TestClient, RunDirectory]:
    run = Made(tmp_path, "done").complete()
    return client(tmp_path), run


def configure(run: RunDirectory, **changes: object) -> None:
    about = run.read_json("run.json")
    about["config"].update(changes)
    (run.path / "run.json").write_text(json.dumps(about))


def put(browser: TestClient, question: str) -> tuple[int, str]:
    answer = browser.post("/runs/done/student/ask", data={"csrf": csrf(browser), "question": question})
    return answer.status_code, answer.text


def contents(run: RunDirectory) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(run.path.rglob("*")) if path.is_file()}


def test_all_arms_answer_and_the_run_stays_as_it_is(asked: tuple[TestClient, RunDirectory]) -> None:
    browser, run = asked
    configure(run, decoding={"max_tokens": 6})
    before = contents(run)
    status, text = put(browser, "What is <b>two</b> and two?")
    assert status == 200 and "&lt;b&gt;two&lt;/b&gt;" in text and "<b>two" not in text
    arms = [part.split("</h2>")[0].split("<")[0].strip() for part in text.split('<section class="card"><h2>')[1:]]
    assert arms == ["base", "base+strategy", "lora_plain"]
    assert text.count("cut at the token limit") == 2  # the real model's replies
    assert "generation with" in text and "Traceback" not in text  # this made adapter has no weights
    assert contents(run) == before


def test_the_arms_have_what_they_were_trained_with(asked: tuple[TestClient, RunDirectory]) -> None:
    _, run = asked
    for name in ("lora_strategy-seed0", "lora_plain.round2-seed0", "lora_plain-seed1", "half-seed0"):
        (run.path / "adapters" / name).mkdir()
        if not name.startswith("half"):
            (run.path / "adapters" / name / "done.json").write_text("{}")
    found = {pupil.arm: pupil for pupil in questions.pupils(Store(run.path))}
    assert list(found) == ["base", "base+strategy", "lora_plain", "lora_strategy", "lora_plain.round2"]
    assert [arm for arm, pupil in found.items() if pupil.strategy] == ["base+strategy", "lora_strategy"]
    assert found["lora_strategy"].spec.adapter == str(run.path / "adapters/lora_strategy-seed0")
    assert found["base"].spec.adapter is None


@pytest.mark.parametrize(
    ("question", "words"), [("  \r\n ", "The question is empty"), ("x" * 8001, "8,000 characters at most")]
)
def test_what_is_no_question_is_refused(question: str, words: str, asked: tuple[TestClient, RunDirectory]) -> None:
    status, text = put(asked[0], question)
    assert status == 409 and words in text


def test_a_run_that_is_worked_on_is_left_alone(asked: tuple[TestClient, RunDirectory]) -> None:
    browser, run = asked
    with run.lock():
        assert "A process works on this run" in browser.get("/runs/done/student").text
        status, text = put(browser, "Now?")
    assert status == 409 and "A process works on this run" in text


def test_a_student_elsewhere_cannot_be_asked(asked: tuple[TestClient, RunDirectory]) -> None:
    browser, run = asked
    configure(run, student="vllm:small@http://127.0.0.1:9/v1")
    status, text = put(browser, "Are you there?")
    assert status == 409 and "does not run on this machine" in text


def test_one_question_at_a_time(asked: tuple[TestClient, RunDirectory]) -> None:
    with questions._BUSY:
        status, text = put(asked[0], "And I?")
    assert status == 409 and "Another question is being answered" in text and "And I?" in text
