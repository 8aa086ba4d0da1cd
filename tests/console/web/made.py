"""Small run directories, written by the program's own records, and a browser-like client."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from console.web.guard import Access
from console.web.server import make_app
from evaluation.summary import write_summary
from graphs.inbox import announce
from graphs.strategies import save_strategy
from models.ledger import Call, Ledger
from records.config import RunConfig
from records.nouns import (
    Attempt,
    Bullet,
    Completion,
    Decision,
    Edit,
    EditGate,
    EvaluationRow,
    GateResult,
    Judgement,
    Message,
    Problem,
    Reflection,
    StageTime,
    Strategy,
    TrainingRow,
    Verdict,
    content_hash,
)
from records.rundir import RunDirectory

PORT = 8123
BASE = f"http://127.0.0.1:{PORT}"
INTERRUPT = "f" * 32
SPLITS = {"train": 6, "validation": 8, "test": 4, "ood": 2}
REPLY = "A line of prose.\n```python\ndef answer():\n    return 42\n```\nDone."


def client(runs: Path, **options: Any) -> TestClient:
    """A client that has come in by the printed address."""
    access = Access(PORT, "right-token")
    made = TestClient(make_app(runs, access), base_url=BASE, raise_server_exceptions=False, **options)
    assert made.get("/?token=right-token").status_code == 200
    return made


def csrf(made: TestClient) -> str:
    """The token of the forms."""
    access: Access = made.app.access  # type: ignore[attr-defined]
    return access.csrf


@cache
def _written() -> tempfile.TemporaryDirectory[str]:
    """The two runs without anything hostile, to be copied; removed at the end."""
    folder = tempfile.TemporaryDirectory()
    Made(Path(folder.name), "done").write_complete()
    Made(Path(folder.name), "asks").write_waiting()
    return folder


class Made:
    """Writes one run; `hostile` is put into every field that a model or a person can write."""

    def __init__(self, runs: Path, name: str, hostile: str = "") -> None:
        self.run = RunDirectory(runs / name)
        self.hostile = hostile
        self.draft = self._strategy(["Read the task twice.", "Check the edge cases."], None, 0)
        self.current = self._strategy(["Read the task twice.", "Check all the edge cases first."], self.draft.hash, 1)

    def waiting(self) -> RunDirectory:
        """Everything up to the approval."""
        return self.write_waiting() if self.hostile else self._copied("asks")

    def complete(self) -> RunDirectory:
        """And what comes after it."""
        return self.write_complete() if self.hostile else self._copied("done")

    def _copied(self, kind: str) -> RunDirectory:
        shutil.copytree(Path(_written().name) / kind, self.run.path, dirs_exist_ok=True)
        return self.run

    def write_waiting(self) -> RunDirectory:
        """Everything up to the approval, written anew."""
        config = RunConfig.model_validate(
            {
                "domain": "python",
                "sizes": {"train": 6, "gate": 4, "transfer": 4, "test": 4, "ood": 2},
                "loop": {"rounds": 1},
            }
        )
        about = {"config": config.model_dump(mode="json"), "created": "2026-01-02T03:04:05+00:00", "fingerprint": "x"}
        self.run.write_json("run.json", {"id": self.run.id, **about})
        self.run.write_json("leaks.json", {"errors": [], "overlaps": [], "repeated_within": {}})
        self.run.append("problems.jsonl", self.problems())
        self._attempts()
        self._loop()
        self._evaluation("strategy", ("none", "seed", "placebo", "one_shot", "few_shot", "learned"), "validation")
        asyncio.run(self._calls())
        announce(
            self.run,
            INTERRUPT,
            {
                "review": 1, "strategy_hash": self.current.hash, "draft_hash": self.draft.hash,
                "verdicts": {"embedded": "not shown"}, "notice": self.hostile.replace("\ud800", ""),
            },
        )  # fmt: skip
        return self.run

    def write_complete(self) -> RunDirectory:
        """And what comes after it, written anew."""
        self.write_waiting()
        (self.run.path / "pending.json").unlink()
        decision = Decision(
            id="decision-1", action="approve", strategy_hash=self.current.hash, approved_hash=self.current.hash,
            who="ada" + self.hostile, reason="it helps" + self.hostile, time="2026-01-02T04:00:00+00:00",
        )  # fmt: skip
        self.run.append("decisions.jsonl", [decision])
        self.dataset()
        arms = ("base", "lora_plain", "lora_strategy")
        for split in ("test", "ood"):
            self._evaluation("student", arms, split)
        self.run.write_json("adapters/lora_plain-seed0/done.json", {"seconds": 12.5, "rows": 4, "settings": {}})
        log = "".join(json.dumps({"step": n, "loss": 1 / n}) + "\n" for n in range(1, 9))
        (self.run.path / "adapters/lora_plain-seed0/training_log.jsonl").write_text(log)
        summary = write_summary(self.run)
        (self.run.path / "report.html").write_text("<!doctype html><title>r</title><p>The report of this run</p>")
        self.run.write_json("manifest.json", {"id": self.run.id, "verdict": summary["verdict"], "files": []})
        return self.run

    def dataset(self) -> None:
        """Four training rows for two arms."""
        for arm in ("lora_plain", "lora_strategy"):
            rows = [
                TrainingRow(
                    id=f"{arm}/{p.id}", problem_id=p.id, attempt_id=self.lrl(p, 0), arm=arm, strategy_hash=None,
                    prompt=(Message(role="user", content=p.prompt),),
                    completion=(Message(role="assistant", content=REPLY + self.hostile),), teacher="oracle",
                )
                for p in self.problems()[:4]
            ]  # fmt: skip
            self.run.append(f"dataset/{arm}.jsonl", rows)
        self.run.write_json("dataset/curation.json", {"kept": 4, "duplicates": 1})

    def problems(self) -> list[Problem]:
        """All problems, train first."""
        return [
            Problem(
                id=f"p-{split}-{n}", domain="python", split=split, family=f"family{n % 3}", difficulty="easy",
                prompt=f"Write answer number {n} of {split}.{self.hostile}", reference=f"return {n}",
                content_hash=content_hash([split, n]),
            )
            for split, size in SPLITS.items()
            for n in range(size)
        ]  # fmt: skip

    def lrl(self, problem: Problem, sample: int) -> str:
        """Id of an attempt of the loop."""
        return f"lrl/learning/oracle/{problem.id}/{sample}/r1"

    def _strategy(self, texts: list[str], parent: str | None, round: int) -> Strategy:
        hostile = self.hostile.replace("\ud800", "")  # a strategy's file cannot hold half a character
        bullets = tuple(
            Bullet(
                id=f"b{n}", section="Method" + hostile, text=text + hostile, round=round if n == 2 else 0,
                origin=("lrl/learning/oracle/p-train-0/0/r1",) if n == 2 and round else (),
            )
            for n, text in enumerate(texts, 1)
        )  # fmt: skip
        return Strategy(name="made", bullets=bullets, parent=parent, round=round)

    def _attempt(self, identity: str, problem: Problem, stage: str, arm: str, passes: bool, **more: Any) -> None:
        attempt = Attempt(
            id=identity, problem_id=problem.id, stage=stage, arm=arm, agent="teacher", model="oracle",
            reply=REPLY + self.hostile, **more,
        )  # fmt: skip
        judgement = Judgement(
            outcome="pass" if passes else "fail", kind="pass" if passes else "wrong_answer",
            evidence="" if passes else f"expected 42, got 41{self.hostile}", tests=("pass", "wrong_answer"),
        )  # fmt: skip
        self.run.append("attempts.jsonl", [attempt])
        self.run.append("verdicts.jsonl", [Verdict(id=identity, problem_id=problem.id, judgement=judgement)])

    def _attempts(self) -> None:
        problems = self.problems()
        for n, problem in enumerate(problems[:6]):
            for sample in range(2):
                self._attempt(self.lrl(problem, sample), problem, "lrl", "learning", n > 1, sample=sample, round=1)
        for n, problem in enumerate(problems[6:10]):
            for name, passes in ((self.draft.hash, n < 1), (self.current.hash, n < 3)):
                self._attempt(f"gate/{name}/{problem.id}", problem, "gate", f"strategy-{name}", passes, call_key="c1")

    def _loop(self) -> None:
        save_strategy(self.run, self.draft, "draft")
        gate = GateResult(
            policy="sequential", accepted=True, n=4, wins=2, losses=0, ungraded=0, p_value=0.25, alpha=0.05, planned=4,
            reason="accepted: 2 won" + self.hostile, difference=0.5,
        )  # fmt: skip
        save_strategy(self.run, self.current, "accepted", gate=gate, note=self.hostile)
        ids = tuple(self.lrl(p, s) for p in self.problems()[:6] for s in range(2))
        edit = Edit(
            operation="REPLACE", bullet_ids=("b2",), text="Check all the edge cases first." + self.hostile,
            origin=ids[:1], reason="two failed" + self.hostile,
        )  # fmt: skip
        reflection = Reflection(
            id="reflection-1", round=1, batch=1, attempt_ids=ids, edits=(edit,), parent_hash=self.draft.hash,
            journal=f"I misread {ids[0]} and others.{self.hostile}", candidate_hash=self.current.hash, gate=gate,
            accepted=True, note=self.hostile, teacher="oracle",
        )  # fmt: skip
        self.run.append("reflections.jsonl", [reflection])
        edit_gate = EditGate(id="edit-1", before_hash=self.draft.hash, edited_hash=self.current.hash, gate=gate)
        self.run.append("edit_gates.jsonl", [edit_gate])
        time = StageTime(id="t0", stage="splits", node="prepare_splits", begun="2026-01-02T03:04:05.000+00:00")
        self.run.append("stage_times.jsonl", [time.model_copy(update={"ended": "2026-01-02T03:05:42.000+00:00"})])

    def _evaluation(self, suite: Any, arms: tuple[str, ...], split: Any) -> None:
        problems = [p for p in self.problems() if p.split == split][-4:]
        rows = [
            EvaluationRow(
                id=f"{suite}/{arm}/{p.id}", suite=suite, arm=arm, model="embedded", split=split, problem_id=p.id,
                family=p.family, sample=0, seed=0, outcome="pass" if n <= arms.index(arm) // 2 else "fail", kind="x",
                expected="YES" if n % 2 else "NO", predicted="YES", truncated=False, tier=None, completion_tokens=5,
                strategy_hash=self.current.hash if suite == "strategy" else None,
            )
            for arm in arms
            for n, p in enumerate(problems)
        ]  # fmt: skip
        self.run.append("evaluation/rows.jsonl", rows)
        for row in rows:
            if suite == "student":
                problem, stage = self._problem(row.problem_id), "baseline" if row.arm == "base" else "evaluation"
                self._attempt(f"{stage}/{row.arm}/{problem.id}", problem, stage, row.arm, row.outcome == "pass")

    def _problem(self, identity: str) -> Problem:
        return next(problem for problem in self.problems() if problem.id == identity)

    async def _calls(self) -> None:
        ledger = Ledger(self.run.file("ledger.sqlite"))
        for n in range(1, 4):
            messages = json.dumps([{"role": "user", "content": f"Prompt {n}{self.hostile}"}])
            call = Call(
                key=f"c{n}", stage="gate", agent="teacher", provider="openai", model="openai:small" + self.hostile[:40],
                identity="", sample=0, seed=0, temperature=0.7, max_tokens=100, prompt_hash="abc", messages=messages,
            )  # fmt: skip
            await ledger.intend(call)
            await ledger.record(
                Completion(
                    key=f"c{n}", text=REPLY + self.hostile, finish_reason="stop", prompt_tokens=10,
                    completion_tokens=5, cost=None if n == 3 else 0.25, seconds=0.5,
                )
            )  # fmt: skip
        ledger.close()
