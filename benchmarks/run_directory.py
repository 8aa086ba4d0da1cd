"""A large run directory without a model, for measuring what reads one: `python -m benchmarks.run_directory RUNS/NAME`.

    python -m benchmarks.run_directory runs/large [--attempts 10000] [--calls 20000] [--waiting] [--no-report]

Or in a program: `generate(Path("runs/large"), attempts=10_000, calls=20_000)` returns the RunDirectory.
The run is one of the scheduling domain with two validators, 20 rounds and three student arms; texts have the
length of real ones. With `--waiting` it stands at the approval (pending.json), without what comes after.
Guaranteed: every file is written by the program's own records and writers, the verdicts are the domain's
verifier's, and the same arguments give the same texts; exactly so many attempts and calls (with `--waiting`
fewer attempts). Not guaranteed: sensible results; replies are drawn by lot. There are no checkpoints and no
weights, so the run can be read, not resumed. The default size takes 14 s and 54 MB on two cores, the report included.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agents.arms import STRATEGY_ARMS
from agents.playbook import apply_edits
from agents.solver import attempt_id, model_slug, render_messages
from agents.teacher import Graded
from domains import get_domain
from domains.scheduling import SchedulingVerifier
from evaluation.dataset import curate, dataset_card, write_curation
from evaluation.gate import Round, gate_rule
from evaluation.leakage import LeakReport
from evaluation.report import write_report
from graphs.attempts import evaluation_row
from graphs.inbox import announce
from graphs.runner import graph_fingerprint
from graphs.strategies import save_strategy
from graphs.usage import usage_rows
from models.calls import CallRequest
from models.gateway import call_key
from models.ledger import Call, Ledger
from models.spec import family, parse_spec
from prompts import load_oracle_rules, load_strategy_file
from records.config import LoopConfig, RunConfig, Sizes
from records.nouns import (
    Attempt,
    Bullet,
    Completion,
    Decision,
    Edit,
    Message,
    Problem,
    Reflection,
    Strategy,
    Verdict,
)
from records.rundir import RunDirectory
from records.splits import ProblemSet
from training.sft import Done, Settings

TEACHER, STUDENT = "vllm:teacher@http://127.0.0.1:9/v1", "embedded"
VALIDATORS = ("embedded", "vllm:validator@http://127.0.0.1:9/v1")
ARMS = ("base+strategy", "lora_plain", "lora_strategy")
FEWEST = 300  # attempts
Suite = Literal["student", "strategy"]
CHUNK = 500  # calls that are written to the ledger together
THOUGHT = "The batch shows that the count of rooms in use is read off before the last start is entered. "


@dataclass(frozen=True)
class Job:
    """One attempt to be made up: who solves what, and with which chance."""

    problem: Problem
    stage: str
    arm: str
    agent: str
    model: str
    chance: float
    strategy: Strategy | None = None
    sample: int = 0
    round: int | None = None


class Maker:
    """Makes up one run; see the module's docstring."""

    def __init__(self, run: RunDirectory, attempts: int, calls: int, seed: int) -> None:
        self.run, self.attempts, self.calls = run, attempts, calls
        self.rng = random.Random(seed)
        scale = attempts / 10_000
        sizes = Sizes(
            train=max(20, int(1_600 * scale)),
            gate=max(12, int(60 * scale)),
            transfer=max(6, int(60 * scale)),
            test=max(6, int(150 * scale)),
            ood=max(4, int(60 * scale)),
        )
        loop = LoopConfig(rounds=max(2, round(20 * scale)), batch=max(4, int(60 * scale)))
        self.config = RunConfig.model_validate(
            {
                "domain": "scheduling", "teacher": TEACHER, "student": STUDENT, "validators": VALIDATORS, "seed": seed,
                "sizes": sizes, "loop": loop, "gate": {"rule": "strict", "minibatch": sizes.gate},
                "student_arms": ("base", *ARMS), "examples": sizes.train,
            }
        )  # fmt: skip
        self.domain = get_domain("scheduling")
        problems = self.domain.load(None, sizes, seed)
        self.problems = ProblemSet(problems, sizes.gate)
        self.run.append("problems.jsonl", problems)
        self.made = self.called = 0
        self.graded: list[Graded] = []

    async def make(self, waiting: bool) -> None:
        """All stages up to the approval, and unless `waiting` those after it."""
        self.run.write_json("run.json", self._about())
        ledger = Ledger(self.run.file("ledger.sqlite"))
        try:
            await self._baselines(ledger)
            draft, final = await self._learn(ledger)
            await self._validate(ledger, final)
            if waiting:
                payload = {"review": 1, "strategy_hash": final.hash, "draft_hash": draft.hash, "notice": ""}
                announce(self.run, "0" * 32, {**payload, "verdicts": dict.fromkeys(VALIDATORS, "not shown")})
            else:
                self._decide(final)
                await self._teach(ledger, final)
            await self._other_calls(ledger)
        finally:
            ledger.close()
        self.run.write_json("usage.json", usage_rows(self.run))

    def _about(self) -> dict[str, object]:
        teacher = {"spec": TEACHER, "is_language_model": True, "description": "a generator of test data"}
        validators = [{"spec": spec, "family": family(parse_spec(spec))} for spec in VALIDATORS]
        student = {"spec": STUDENT, "family": family(parse_spec(STUDENT))}
        return {
            "id": self.run.id, "config": self.config.model_dump(mode="json"), "created": "2026-01-01T00:00:00+00:00",
            "fingerprint": graph_fingerprint(), "versions": {}, "git": None, "machine": "generated", "tier": None,
            "models": {"teacher": teacher, "student": student, "validators": validators},
        }  # fmt: skip

    async def _baselines(self, ledger: Ledger) -> None:
        self.run.write_json(
            "leaks.json", LeakReport(errors=(), overlaps=(), repeated_within={}).model_dump(mode="json")
        )
        for arm, agent, model, chance in (("base", "student", STUDENT, 0.2), ("teacher", "teacher", TEACHER, 0.85)):
            jobs = [Job(p, "baseline", arm, agent, model, chance) for p in self._held_out()]
            self._rows(await self._solve(ledger, jobs), "student", arm, model)

    async def _learn(self, ledger: Ledger) -> tuple[Strategy, Strategy]:
        """The rounds; returns the draft and the strategy in the end."""
        lines = load_oracle_rules("scheduling").draft
        bullets = [Bullet(id=f"b{n}", section=line.section, text=line.text) for n, line in enumerate(lines, 1)]
        draft = current = Strategy(name="scheduling", bullets=tuple(bullets))
        save_strategy(self.run, draft, "draft")
        scores = await self._gate(ledger, current, 0.5)
        for number in range(1, self.config.loop.rounds + 1):
            current, scores = await self._round(ledger, number, current, scores)
        return draft, current

    async def _round(
        self, ledger: Ledger, number: int, current: Strategy, scores: list[float | None]
    ) -> tuple[Strategy, list[float | None]]:
        batch = self.rng.sample(self.problems.open("train", "reflector"), self.config.loop.batch)
        jobs = [Job(p, "lrl", "learning", "teacher", TEACHER, 0.7, current, s, number) for p in batch for s in (0, 1)]
        graded = await self._solve(ledger, jobs)
        edits = self._edits(number, current, [item.attempt.id for item in graded])
        candidate = apply_edits(current, edits, number)
        new = await self._gate(ledger, candidate, 0.5 + 0.01 * number)
        gate = gate_rule(self.config).decide(scores, new, Round(number - 1, self.config.loop.rounds))
        save_strategy(self.run, candidate, "accepted" if gate.accepted else "rejected", gate=gate)
        reflection = Reflection(
            id=f"reflection-{number}", round=number, batch=number,
            attempt_ids=tuple(item.attempt.id for item in graded), journal=f"Round {number}. " + THOUGHT * 20,
            edits=edits, parent_hash=current.hash, candidate_hash=candidate.hash, gate=gate, accepted=gate.accepted,
            teacher=TEACHER,
        )  # fmt: skip
        self.run.append("proposals.jsonl", [reflection.model_copy(update={"gate": None, "accepted": False})])
        self.run.append("reflections.jsonl", [reflection])
        await self._write_calls(ledger, [self._writing(number, stage) for stage in ("reflect", "propose")])
        return (candidate, new) if gate.accepted else (current, scores)

    def _edits(self, number: int, current: Strategy, attempt_ids: Sequence[str]) -> tuple[Edit, ...]:
        origin = tuple(self.rng.sample(attempt_ids, 4))
        text = f"Lesson of round {number}: enter the starts in order and count the open meetings at each of them."
        add = Edit(operation="ADD", section="Lessons", text=text, origin=origin, reason=THOUGHT)
        bullet = self.rng.choice(current.bullets)
        again = f"{bullet.text.split(' (reworded')[0]} (reworded in round {number})"
        return add, Edit(operation="REPLACE", bullet_ids=(bullet.id,), text=again, origin=origin, reason=THOUGHT)

    async def _gate(self, ledger: Ledger, strategy: Strategy, chance: float) -> list[float | None]:
        arm = f"strategy-{strategy.hash}"
        items = self.problems.open("validation", "gate")
        graded = await self._solve(ledger, [Job(p, "gate", arm, "gate", TEACHER, chance, strategy) for p in items])
        return [float(item.judgement.outcome == "pass") for item in graded]

    async def _validate(self, ledger: Ledger, final: Strategy) -> None:
        items = self.problems.open("validation", "validator")
        for model in VALIDATORS:
            for number, arm in enumerate(STRATEGY_ARMS):
                shown = final if arm == "learned" else None
                name = f"{arm}-{final.hash}" if arm in ("learned", "placebo", "few_shot") else arm
                jobs = [Job(p, "validation", name, "validator", model, 0.3 + 0.07 * number, shown) for p in items]
                self._rows(await self._solve(ledger, jobs), "strategy", arm, model, final)

    def _decide(self, final: Strategy) -> None:
        facts = {"strategy_hash": final.hash, "approved_hash": final.hash, "who": "rule: gate", "reason": "generated"}
        decision = {"id": "decision-1", "action": "approve", "time": "2026-01-01T01:00:00+00:00", **facts}
        self.run.append("decisions.jsonl", [Decision.model_validate(decision)])

    async def _teach(self, ledger: Ledger, final: Strategy) -> None:
        """Curation with all attempts that are left, adapters without weights, and the evaluation."""
        train = self.problems.open("train", "curator")
        left = self.attempts - self.made - len(ARMS) * len(self._held_out())
        jobs = (Job(train[n % len(train)], "curation", "train", "teacher", TEACHER, 0.8, None, n // len(train))
                for n in range(left))  # fmt: skip
        graded = await self._solve(ledger, list(jobs))
        verdicts = [Verdict(id=g.attempt.id, problem_id=g.problem.id, judgement=g.judgement) for g in graded]
        curation = curate(
            train, [g.attempt for g in graded], verdicts, arms=ARMS[1:], strategy_text=final.text,
            held_out=[*self.problems.open("validation", "gate"), *self._held_out()], limit=self.config.examples,
        )  # fmt: skip
        about = {"run_id": self.run.id, "domain": "scheduling", "teacher": "a generator"}
        write_curation(self.run, curation, dataset_card(curation, strategy_text=final.text, **about))
        for arm, chance in zip(ARMS, (0.25, 0.8, 0.85), strict=True):
            if arm.startswith("lora_"):
                self._adapter(arm, curation.size)
            jobs_ = [Job(p, "evaluation", arm, "student", STUDENT, chance, final) for p in self._held_out()]
            model = STUDENT if arm == "base+strategy" else f"{STUDENT}+{arm}-seed0"
            self._rows(await self._solve(ledger, jobs_), "student", arm, model, final)

    def _adapter(self, arm: str, rows: int) -> None:
        steps = max(1, rows // self.config.training.batch_size)
        lines = (f'{{"step": {n}, "steps": {steps}, "loss": {3 / (n + 2):.4f}, "tokens_per_s": 400.0, '
                 f'"seconds": {n * 4.5}, "tokens": {n * 1800}}}\n' for n in range(1, steps + 1))  # fmt: skip
        self.run.file("adapters", f"{arm}-seed0", "progress.jsonl").write_text("".join(lines))
        settings = Settings(
            arm=arm, seed=0, student=STUDENT, training=self.config.training, dataset_sha256="0" * 64, strategy_hash=None
        )
        done = Done(
            fingerprint="0" * 16, settings=settings, base_model=STUDENT, dtype="bfloat16", device="cpu",
            template_hash="0" * 16, rows=rows, steps=steps, tokens=steps * 1800, seconds=steps * 4.5,
            tokens_per_s=400.0, final_loss=3 / (steps + 2), peak_rss_mb=4000, versions={},
        )  # fmt: skip
        self.run.write_json(f"adapters/{arm}-seed0/done.json", done.model_dump(mode="json"))

    def _held_out(self) -> list[Problem]:
        return [*self.problems.open("test", "evaluator"), *self.problems.open("ood", "evaluator")]

    async def _solve(self, ledger: Ledger, jobs: Sequence[Job]) -> list[Graded]:
        """Make up the replies, have them judged, and record attempts, verdicts and calls."""
        verifier, graded, calls = SchedulingVerifier(), [], []
        for job in jobs:
            attempt, call, completion = self._attempt(job)
            judgement = await verifier.judge(job.problem, attempt.reply)
            graded.append(Graded(problem=job.problem, attempt=attempt, judgement=judgement))
            calls.append((call, completion))
        self.run.append("attempts.jsonl", [item.attempt for item in graded])
        verdicts = [Verdict(id=g.attempt.id, problem_id=g.problem.id, judgement=g.judgement) for g in graded]
        self.run.append("verdicts.jsonl", verdicts)
        self.made += len(jobs)
        await self._write_calls(ledger, calls)
        return graded

    def _attempt(self, job: Job) -> tuple[Attempt, Call, Completion]:
        reply = self._reply(job.problem, job.chance)
        shown = job.strategy.text if job.strategy else load_strategy_file("scheduling") if job.arm == "seed" else None
        request = CallRequest(
            model=job.model, messages=render_messages(job.problem, shown), max_tokens=512, sample=job.sample,
            stage=job.stage, agent=job.agent, prompt_hash=job.arm,
        )  # fmt: skip
        call, completion = self._call(request, reply)
        slug = f"{job.arm}-seed0" if job.stage == "evaluation" else model_slug(job.model)
        identity = attempt_id(job.stage, job.arm, slug, job.problem.id, sample=job.sample, round=job.round)
        attempt = Attempt(
            id=identity, problem_id=job.problem.id, stage=job.stage, arm=job.arm, agent=job.agent, model=job.model,
            sample=job.sample, round=job.round, strategy_hash=job.strategy.hash if job.strategy else None,
            call_key=call.key, reply=reply, completion_tokens=completion.completion_tokens,
        )  # fmt: skip
        return attempt, call, completion

    def _reply(self, problem: Problem, chance: float) -> str:
        lot = self.rng.random()
        if lot < chance:
            return problem.reference
        return "I cannot say." if lot > 0.97 else self.domain.spoil(problem, self.rng)

    def _call(self, request: CallRequest, reply: str, error: str | None = None) -> tuple[Call, Completion]:
        """The call as the gateway writes it; a number in the identity keeps keys apart."""
        spec, self.called = parse_spec(request.model), self.called + 1
        identity = f"{spec}#{self.called}"
        key = call_key(spec, identity, request)
        facts = request.model_dump(exclude={"messages", "model"})
        messages = "[" + ", ".join(message.model_dump_json() for message in request.messages) + "]"
        call = Call(key=key, provider=spec.provider, model=str(spec), identity=identity, messages=messages, **facts)
        tokens = {"prompt_tokens": len(messages) // 4, "completion_tokens": len(reply) // 4}
        reason = "error" if error else "stop"
        cost = 0.0 if spec.local else len(messages) * 1e-6
        completion = Completion.model_validate(
            {"key": key, "text": reply, "finish_reason": reason, "cost": cost, "error": error, "seconds": 1.5, **tokens}
        )
        return call, completion

    def _writing(self, number: int, step: str) -> tuple[Call, Completion]:
        request = CallRequest(
            model=TEACHER, messages=(Message(role="user", content=f"{step} {number}: " + THOUGHT * 150),),
            max_tokens=4096, temperature=0.7, stage="lrl", agent="teacher", prompt_hash=step,
        )  # fmt: skip
        return self._call(request, THOUGHT * 20)

    async def _other_calls(self, ledger: Ledger) -> None:
        """Calls without an attempt: replies that were not needed, and one in fifty that failed."""
        await self._write_calls(ledger, list(self._unneeded(self.calls - self.called)))

    def _unneeded(self, count: int) -> Iterator[tuple[Call, Completion]]:
        train = self.problems.open("train", "curator")
        for number in range(count):
            problem = train[number % len(train)]
            request = CallRequest(
                model=TEACHER, messages=render_messages(problem, None), max_tokens=512, temperature=0.7,
                sample=100 + number, stage="curation", agent="teacher",
            )  # fmt: skip
            failed = number % 50 == 0
            yield self._call(request, "" if failed else problem.reference, "HTTP 529: overloaded" if failed else None)

    async def _write_calls(self, ledger: Ledger, calls: Sequence[tuple[Call, Completion]]) -> None:
        for start in range(0, len(calls), CHUNK):
            part = calls[start : start + CHUNK]
            await asyncio.gather(*(ledger.intend(call) for call, _ in part))
            await asyncio.gather(*(ledger.record(completion) for _, completion in part))

    def _rows(
        self, graded: Sequence[Graded], suite: Suite, arm: str, model: str, version: Strategy | None = None
    ) -> None:
        name = version.hash if version else None
        rows = [evaluation_row(item, suite, arm, model, version=name) for item in graded]
        self.run.append("evaluation/rows.jsonl", rows)


def generate(
    path: Path,
    attempts: int = 10_000,
    calls: int = 20_000,
    *,
    seed: int = 0,
    waiting: bool = False,
    report: bool = True,
) -> RunDirectory:
    """Write the run. Raises ValueError for a folder that is not empty, fewer than 300 attempts or too few calls."""
    if path.exists() and any(path.iterdir()):
        raise ValueError(f"{path} is not empty")
    if attempts < FEWEST or calls < attempts + 100:
        raise ValueError(f"at least {FEWEST} attempts, and 100 calls more than attempts")
    run = RunDirectory(path)
    asyncio.run(Maker(run, attempts, calls, seed).make(waiting))
    if not waiting:
        verdict = write_report(run)["verdict"] if report else "not shown"
        files = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
        run.write_json("manifest.json", {"id": run.id, "verdict": verdict, "files": files})
    return run


def main() -> None:
    """Parse the command line and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--attempts", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--waiting", action="store_true", help="stand at the approval")
    parser.add_argument("--no-report", action="store_true", help="leave out the report and its figures")
    given = parser.parse_args()
    begun = time.perf_counter()
    generate(
        given.path, given.attempts, given.calls, seed=given.seed, waiting=given.waiting, report=not given.no_report
    )
    size = sum(file.stat().st_size for file in given.path.rglob("*") if file.is_file())
    print(f"{given.path}: {size / 1e6:.0f} MB in {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
