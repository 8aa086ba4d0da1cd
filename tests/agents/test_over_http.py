"""The language model teacher through the real gateway and the real client packages, over loopback HTTP."""

import json
from pathlib import Path

import pytest

from agents.playbook import apply_edits
from agents.teacher import LLMTeacher
from models.gateway import Gateway, RetryPolicy
from records.config import Decoding, RunConfig
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
