"""The language model teacher through the real gateway and the real client packages, over loopback HTTP."""

import json
from pathlib import Path

import pytest

from agents.edit_replies import edits_schema
from agents.playbook import apply_edits
from agents.teacher import LLMTeacher
from models.export import anthropic_line, openai_line
from models.gateway import CallRequest, Gateway, RetryPolicy, call_key
from models.ledger import read_rows
from models.spec import parse_spec
from records.config import Decoding, RunConfig
from records.nouns import Edit
from tests.agents.addition import problems, words
from tests.agents.test_material import BATCH
from tests.agents.test_teacher import LONG
from tests.agents.writing import teacher_writes
from tests.loopback import Loopback, Request, Step, failing

EDITS = {"edits": [{"operation": "ADD", "section": "Checks", "text": "Check the carry.", "origin": ["A2"]}]}


def model(request: Request) -> str:
    """Answers by what it is asked to write."""
    edits = "```json\n" + json.dumps(EDITS) + "\n```"
    written = teacher_writes(request.prompt, "A2 forgot the carry.", edits, "Check the carry last.")
    if written is not None:
        return written
    assert "What is" in request.prompt, request.prompt
    return "The sum is 7"


@pytest.fixture(params=["anthropic:some-model", "openai:some-model"])
def spec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for provider in ("ANTHROPIC", "OPENAI"):
        monkeypatch.setenv(f"{provider}_API_KEY", "none")
    return str(request.param)


def point_at(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)


def make_teacher(gateway: Gateway, spec: str) -> LLMTeacher:
    return LLMTeacher(gateway, spec, "addition", Decoding(), reply_tokens=32, count_tokens=words)


async def one_round(teacher: LLMTeacher) -> tuple[str, str, str]:
    """Draft, solve, reflect, propose, apply, distil; returns the attempt's id and reply and the final text."""
    train = problems("train", 3)
    draft = await teacher.draft(train)
    attempt = await teacher.solve(train[0], draft, stage="lrl", arm="learning", round=1)
    assert attempt.error is None
    journal = await teacher.reflect(BATCH, draft, (), 1)
    edits = await teacher.propose(journal, BATCH, draft, (), 1)
    assert edits[0].origin == ("lrl/sum-train-2/1",)
    learned = apply_edits(draft, edits, 1)
    final = await teacher.distill(learned, ())
    assert teacher.note == ""
    assert final.bullets[-1].id == "b13"
    assert final.bullets[-1].origin == ("lrl/sum-train-2/1",)
    return attempt.id, attempt.reply, final.text


async def test_a_whole_round_and_its_repetition_from_the_ledger(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(model) as server:
        point_at(server, monkeypatch)
        results = []
        for _ in range(2):
            async with Gateway.open(tmp_path / "ledger.sqlite", RunConfig(domain="addition")) as gateway:
                results.append(await one_round(make_teacher(gateway, spec)))
        assert results[0] == results[1]
        assert server.count == 5
        bodies = [request.body for request in server.requests]
        limits = {body.get("max_tokens") or body.get("max_completion_tokens") for body in bodies}
        assert limits == {32, 4096}


async def test_a_server_that_refuses_gives_notes_and_no_edits(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = RetryPolicy(attempts=2, first=0.0)
    with Loopback(
        [failing(500), LONG, failing(500), failing(500), failing(400), Step("{", finish="length"), "}"]
    ) as server:
        point_at(server, monkeypatch)
        async with Gateway.open(tmp_path / "ledger.sqlite", RunConfig(domain="addition"), quick) as gateway:
            teacher = make_teacher(gateway, spec)
            draft = await teacher.draft()
            assert await teacher.reflect(BATCH, draft, (), 1) == ""
            assert "reflect: the call failed" in teacher.note
            attempt = await teacher.solve(problems("train", 1)[0], draft, stage="lrl", arm="learning", round=1)
            assert attempt.error
            assert await teacher.propose("The carry.", BATCH, draft, (), 1) == ()
            assert "propose: " in teacher.note
        assert server.count == 7
        assert "cut at the token limit: write less" in server.requests[6].prompt


def schema_in(request: Request) -> object:
    """The schema that the provider was held to, None if there was none."""
    body = request.body
    if "tools" in body:
        assert body["tool_choice"] == {"type": "tool", "name": body["tools"][0]["name"]}
        return body["tools"][0]["input_schema"]
    form = body.get("response_format")
    assert form is None or (form["type"] == "json_schema" and form["json_schema"]["strict"] is True)
    return form["json_schema"]["schema"] if form else None


async def proposed(tmp_path: Path, spec: str) -> tuple[tuple[Edit, ...], str]:
    """Edits that the teacher proposes to a drafted strategy, and its note."""
    async with Gateway.open(tmp_path / "ledger.sqlite", RunConfig(domain="addition")) as gateway:
        teacher = make_teacher(gateway, spec)
        edits = await teacher.propose("The carry.", BATCH, await teacher.draft(), (), 1)
        return edits, teacher.note


async def test_edits_are_held_to_a_schema_which_is_part_of_the_call(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback([LONG, json.dumps(EDITS)]) as server:
        point_at(server, monkeypatch)
        edits, note = await proposed(tmp_path, spec)
    assert [edit.text for edit in edits] == ["Check the carry."] and note == ""
    assert [schema_in(request) for request in server.requests] == [None, json.loads(edits_schema())]
    draft, row = sorted(read_rows(tmp_path / "ledger.sqlite"), key=lambda row: row["created"])
    assert (draft["reply_schema"], row["reply_schema"]) == ("", edits_schema())
    assert json.loads(row["text"]) == EDITS and row["finish_reason"] == "stop"
    line = anthropic_line(row)["params"] if spec.startswith("anthropic") else openai_line(row)["body"]
    assert schema_in(Request("", {}, line)) == json.loads(edits_schema())
    known = {name: row[name] for name in CallRequest.model_fields if row[name] is not None}
    request = CallRequest(**{**known, "messages": tuple(row["messages"])})
    plain = request.model_copy(update={"reply_schema": ""})
    assert call_key(parse_spec(spec), spec, request) == row["key"] != call_key(parse_spec(spec), spec, plain)


async def test_a_model_that_refuses_the_schema_is_asked_without_and_read_with_tolerance(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback([LONG, failing(400), "Here you are:\n```json\n" + json.dumps(EDITS) + "\n```"]) as server:
        point_at(server, monkeypatch)
        edits, note = await proposed(tmp_path, spec)
    assert [edit.text for edit in edits] == ["Check the carry."] and note == ""
    assert [schema_in(request) is None for request in server.requests] == [True, False, True]


async def test_a_cut_list_of_edits_is_no_shorter_list(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that was cut may still be read, by a tool's reader above all: it is asked for again."""
    with Loopback([LONG, Step('{"edits": []}', finish="length"), json.dumps(EDITS)]) as server:
        point_at(server, monkeypatch)
        edits, _ = await proposed(tmp_path, spec)
    assert len(edits) == 1 and "cut at the token limit" in server.requests[2].prompt
    rows = sorted(read_rows(tmp_path / "ledger.sqlite"), key=lambda row: row["created"])
    assert [row["finish_reason"] for row in rows] == ["stop", "length", "stop"]


async def test_servers_that_imitate_openai_are_not_held_to_it(tmp_path: Path) -> None:
    with Loopback([LONG, json.dumps(EDITS)]) as server:
        edits, _ = await proposed(tmp_path, f"vllm:m@{server.openai_url}")
    assert len(edits) == 1 and [schema_in(request) for request in server.requests] == [None, None]
