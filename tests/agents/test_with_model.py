"""The agents with a real gateway and the embedded model: no part is replaced."""

from pathlib import Path

from agents.graded import Graded
from agents.judge import judge_attempt
from agents.playbook import parse_strategy
from agents.solver import Solver
from agents.teacher import LLMTeacher, TeacherError
from models.gateway import Gateway
from records.config import Decoding, RunConfig
from tests.agents.addition import SumVerifier, problems


async def test_solve_judge_reflect_and_propose(tmp_path: Path) -> None:
    config = RunConfig(domain="addition")
    strategy = parse_strategy("- Add the ones, then the tens.\n- Write the number last.", name="addition")
    async with Gateway.open(tmp_path / "ledger.sqlite", config) as gateway:
        student = Solver(gateway, "embedded", "student", Decoding(), reply_tokens=16)
        graded = []
        for problem in problems("train", 2):
            attempt = await student.solve(
                problem, stage="lrl", arm="learning", context=strategy.text, strategy_hash=strategy.hash, round=1
            )
            assert attempt.error is None
            assert attempt.reply.strip()
            assert attempt.completion_tokens and attempt.completion_tokens <= 16
            verdict = await judge_attempt(SumVerifier(), problem, attempt)
            assert verdict.judgement.outcome != "ungraded"
            graded.append(Graded(problem=problem, attempt=attempt, judgement=verdict.judgement))
        again = await student.solve(
            graded[0].problem, stage="lrl", arm="learning", context=strategy.text, strategy_hash=strategy.hash, round=1
        )
        assert again == graded[0].attempt

        teacher = LLMTeacher(gateway, "embedded", "addition", Decoding(), reply_tokens=16)
        teacher.writing_tokens = 48
        journal = await teacher.reflect(graded, strategy, (), 1)
        assert journal
        edits = await teacher.propose(journal, graded, strategy, (), 1)
        assert edits or teacher.note
        try:
            draft = await teacher.draft([problem for problem in problems("train", 1)])
            assert draft.bullets
        except TeacherError as error:
            assert "draft" in str(error)
        assert gateway.usage().failed == 0


async def test_a_model_that_cannot_be_reached_gives_attempts_with_errors(tmp_path: Path) -> None:
    async with Gateway.open(tmp_path / "ledger.sqlite", RunConfig(domain="addition")) as gateway:
        student = Solver(gateway, f"hf:{tmp_path}/absent", "student", Decoding(), reply_tokens=16)
        attempt = await student.solve(problems("train", 1)[0], stage="lrl", arm="learning")
    assert attempt.error is not None and "absent" in attempt.error
