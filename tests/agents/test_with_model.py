"""The agents with a real gateway and the embedded model: no part is replaced."""

import asyncio
from pathlib import Path

from agents.graded import Graded
from agents.judge import judge_attempt
from agents.playbook import parse_strategy
from agents.solver import Solver
from agents.teacher import LLMTeacher
from models.gateway import Gateway
from records.config import Decoding, RunConfig
from records.nouns import Problem
from tests.agents.addition import SumVerifier, problems


async def test_solve_judge_and_reflect(tmp_path: Path) -> None:
    strategy = parse_strategy("- Add the ones, then the tens.\n- Write the number last.", name="addition")
    async with Gateway.open(tmp_path / "ledger.sqlite", RunConfig(domain="addition")) as gateway:
        student = Solver(gateway, "embedded", "student", Decoding(), reply_tokens=8)

        async def solve(problem: Problem) -> Graded:
            attempt = await student.solve(
                problem, stage="lrl", arm="learning", context=strategy.text, strategy_hash=strategy.hash, round=1
            )
            verdict = await judge_attempt(SumVerifier(), problem, attempt)
            return Graded(problem=problem, attempt=attempt, judgement=verdict.judgement)

        graded = await asyncio.gather(*map(solve, problems("train", 2)))
        for item in graded:
            assert item.attempt.error is None
            assert item.attempt.reply.strip()
            assert item.attempt.completion_tokens and item.attempt.completion_tokens <= 8
            assert item.judgement.outcome != "ungraded"
        assert await solve(graded[0].problem) == graded[0]  # from the ledger

        teacher = LLMTeacher(gateway, "embedded", "addition", Decoding(), reply_tokens=8)
        teacher.writing_tokens = 16
        assert await teacher.reflect(graded, strategy, (), 1)
        assert teacher.note == ""
        usage = gateway.usage()
        assert (usage.calls, usage.replayed, usage.failed) == (3, 1, 0)


async def test_a_model_that_cannot_be_reached_gives_attempts_with_errors(tmp_path: Path) -> None:
    async with Gateway.open(tmp_path / "ledger.sqlite", RunConfig(domain="addition")) as gateway:
        student = Solver(gateway, f"hf:{tmp_path}/absent", "student", Decoding(), reply_tokens=16)
        attempt = await student.solve(problems("train", 1)[0], stage="lrl", arm="learning")
    assert attempt.error is not None and "absent" in attempt.error
