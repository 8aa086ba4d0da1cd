"""A judge measured on a run's recorded replies, and used in a domain without a verifier."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType, ModuleType

import pytest
from typer.testing import CliRunner

import domains
from agents.llm_judge import JudgeRefused, JudgeVerifier
from console.app import app
from domains.base import NoVerifier
from domains.scheduling import Scheduling
from evaluation.summary import summarise
from evaluation.wording import limits
from graphs.context import Silent
from graphs.judging import measure_judge, sample
from graphs.preflight import preflight
from graphs.runner import create_run, open_context, open_run
from graphs.settings import build_config
from records.nouns import Attempt, Judgement, Problem, Verdict
from records.rundir import RunDirectory, RunError
from tests.agents.test_llm_judge import fair, parts, verdict
from tests.loopback import Loopback, Request

SIZES = ("sizes.train=80", "sizes.gate=4", "sizes.transfer=4", "sizes.test=4", "sizes.ood=4", "student_arms=[base]")


def recorded(runs: Path, spec: str, replies: int = 60) -> RunDirectory:
    """A run with two replies to each problem: every third says four, which its verifier accepts."""
    config = build_config({"domain": "scheduling", "student": spec, "validators": [spec]}, SIZES)
    run = create_run(config, runs, "r")
    problems = [p.model_copy(update={"reference": "four, of course"}) for p in scheduling_problems()][:replies]
    run.append("problems.jsonl", problems)
    for sample_number in (0, 1):
        for number, one in enumerate(problems):
            right = (number + sample_number) % 3 == 0
            reply = f"I say {'four' if right else 'five'} ({number}/{sample_number})"
            fields = {"stage": "baseline", "arm": "base", "agent": "student", "model": spec, "reply": reply}
            attempt = {"id": f"{number}/{sample_number}", "problem_id": one.id, **fields}
            run.append("attempts.jsonl", [Attempt.model_validate(attempt)])
            word = "pass" if right else "fail"
            judgement = Judgement(outcome=word, kind=word)  # type: ignore[arg-type]
            run.append("verdicts.jsonl", [Verdict(id=str(attempt["id"]), problem_id=one.id, judgement=judgement)])
    return run


def scheduling_problems() -> list[Problem]:
    sizes = build_config({"domain": "scheduling"}, SIZES).sizes
    return domains.get_domain("scheduling").load(None, sizes, 0)


def call(runs: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments, "--runs", str(runs)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def test_the_sample_has_each_problem_once_and_no_reference(tmp_path: Path) -> None:
    run = recorded(tmp_path, "vllm:m@http://127.0.0.1:9/v1", replies=30)
    first = run.read("problems.jsonl", Problem)[0]
    copied = Attempt(
        id="ref", problem_id=first.id, stage="s", arm="a", agent="t", model="oracle", reply=first.reference
    )
    run.append("attempts.jsonl", [copied])
    run.append(
        "verdicts.jsonl", [Verdict(id="ref", problem_id=first.id, judgement=Judgement(outcome="pass", kind="pass"))]
    )
    found = sample(run, 20, 0)
    assert found == sample(run, 20, 0) != sample(run, 20, 1)
    assert len({item.problem.id for item in found}) == 20 and "ref" not in {item.id for item in found}
    assert Counter(item.passed for item in found) == {True: 10, False: 10}
    assert len(sample(run, 500, 0)) == 30


@pytest.mark.parametrize("script", [fair, lambda request: verdict(parts(request)[0], 9, 9)], ids=["fair", "yes-man"])
def test_a_measured_judge_is_trusted_or_refused(script: Callable[[Request], str], tmp_path: Path) -> None:
    with Loopback(script) as server:
        spec = f"vllm:m@{server.openai_url}"
        run = recorded(tmp_path, spec)
        code, printed = call(tmp_path, "judge", "r", "--judge", spec, "--items", "60")
        assert code == 0 and server.count == 120
        assert call(tmp_path, "judge", "r", "--judge", spec, "--items", "60")[0] == 0 and server.count == 120
        (file,) = run.path.glob("judges/*/agreement.json")
        found = json.loads(file.read_text())
        if script is fair:
            assert "It may judge" in printed and str(file) in printed.replace(" ", "") and found["accuracy"] == 1.0
            assert 0.85 < found["kappa_ci95"][0] < 1
        else:
            assert "Its scores are refused" in printed and found["kappa"] == 0.0
            assert found["judge_only"] > 10 and found["verifier_only"] == 0


class Essays(Scheduling):
    """A domain without a verifier."""

    name = "essays"

    def verifier(self, config: object) -> object:  # type: ignore[override]
        from contextlib import nullcontext

        return nullcontext(NoVerifier())


@pytest.fixture
def essays(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    module = ModuleType("essays_domain")
    module.DOMAIN = Essays()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "essays_domain", module)
    monkeypatch.setattr(domains, "DOMAINS", MappingProxyType({**domains.DOMAINS, "essays": "essays_domain"}))


async def test_a_domain_without_a_verifier_takes_a_judge_of_measured_agreement(tmp_path: Path, essays: None) -> None:
    with Loopback(fair) as server:
        spec = f"vllm:m@{server.openai_url}"
        measured = recorded(tmp_path, spec)
        await measure_judge(*open_run(tmp_path, "r"), spec, sample(measured, 100, 0), Silent())
        (file,) = measured.path.glob("judges/*/agreement.json")
        flags = {"domain": "essays", "teacher": spec, "student": spec, "validators": [spec], "judge": spec}
        config = build_config({**flags, "judge_agreement": str(file)}, SIZES)
        run = create_run(config, tmp_path, "essays")
        async with open_context(run, config, Silent()) as context:
            assert isinstance(context.verifier, JudgeVerifier)
        (line,) = [one for one in limits(summarise(run)) if "No program judged" in one]
        assert f"but a model ({spec})" in line and "kappa 1.00" in line
        weak = json.loads(file.read_text()) | {"kappa_ci95": [0.2, 0.9]}
        file.write_text(json.dumps(weak))
        with pytest.raises(JudgeRefused, match="are not used"):
            async with open_context(run, config, Silent()):
                raise AssertionError("a refused judge was used")


@pytest.mark.parametrize(
    ("domain", "changes", "words"),
    [
        ("essays", {}, "has no verifier: give --set judge=SPEC"),
        ("essays", {"judge": "vllm:m@http://h/v1", "judge_agreement": "/none.json"}, "there is no such file"),
        ("scheduling", {"judge": "vllm:m@http://h/v1"}, "has a verifier, which judges better"),
    ],
)
async def test_a_judge_where_it_does_not_belong_is_refused(
    domain: str, changes: dict[str, str], words: str, tmp_path: Path, essays: None
) -> None:
    spec = "vllm:m@http://127.0.0.1:9/v1"
    config = build_config({"domain": domain, "student": spec, "validators": [spec], **changes}, SIZES)
    run = create_run(config, tmp_path, "r")
    with pytest.raises(RunError, match=words):
        async with open_context(run, config, Silent()):
            raise AssertionError("it was opened")


def test_bad_input_of_the_command(tmp_path: Path) -> None:
    run = recorded(tmp_path, "vllm:m@http://127.0.0.1:9/v1", replies=2)
    assert "the oracle is no language model" in call(tmp_path, "judge", "r", "--judge", "oracle")[1]
    assert call(tmp_path, "judge", "r", "--judge", "nobody")[0] == 2
    (run.path / "attempts.jsonl").write_text("")
    code, printed = call(tmp_path, "judge", "r", "--judge", "vllm:m@http://127.0.0.1:9/v1")
    assert code == 2 and "has no replies with a verdict" in printed


def test_the_judges_calls_are_two_per_judged_reply() -> None:
    flags = {"domain": "scheduling", "approve": "never", "validators": ["embedded"], "judge": "openai:gpt-5-mini"}
    config = build_config(flags, [*SIZES, "loop.rounds=1", "loop.batch=3", "loop.attempts=2", "gate.rule=none"])
    (part,) = preflight(config)
    curation, validation = (80, 240), 4 * 6
    solved = [8 + 6 + some + 8 + validation for some in curation]  # baselines of both, loop, curation, validation
    assert part.stage == "judge" and part.calls == (2 * solved[0], 2 * solved[1]) and part.usd is not None
