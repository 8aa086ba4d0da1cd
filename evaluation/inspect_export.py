"""A run's graded replies as Inspect logs (`.eval`), one per arm, model, split and seed.

Guaranteed: each sample is one evaluation row with the prompt as it was sent, the reply, the verifier's word
and evidence; a reply that could not be judged is unscored, never wrong; accuracies are those of the report;
a log is written whole or not at all. Not guaranteed: events, tool calls and costs, which a run does not
have or keeps in its ledger. Needs the package inspect-ai (the extra `inspect`).
"""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.solver import model_slug
from evaluation.tables import arm_figures
from models.export import ExportError
from models.ledger import read_rows
from records.nouns import Attempt, EvaluationRow, Problem, Verdict, content_hash
from records.rundir import RunDirectory

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample
    from inspect_ai.scorer import Score

SCORER = "verifier"
PASS, FAIL = "C", "I"  # Inspect's words for correct and incorrect


def write_inspect(run: RunDirectory, folder: Path) -> list[Path]:
    """Write the logs into the folder; returns their files.

    Raises ExportError without the package or without graded replies; LedgerError, OSError.
    """
    if importlib.util.find_spec("inspect_ai") is None:
        raise ExportError("this format needs the package inspect-ai: pip install 'linguistic-transfer[inspect]'")
    from inspect_ai.log import write_eval_log

    source = _Source(run)
    if not source.groups:
        raise ExportError(f"run '{run.id}' has no graded replies yet")
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, rows in sorted(source.groups.items()):
        file = folder / f"{run.id}-{name}.eval"
        temporary = folder / f"{file.stem}.tmp.eval"
        write_eval_log(source.log(name, rows), str(temporary), format="eval")
        files.append(temporary.replace(file))
    return files


class _Source:
    """What the logs are made from, read once."""

    def __init__(self, run: RunDirectory) -> None:
        self.about = run.read_json("run.json")
        self.run_id = run.id
        self.problems = {problem.id: problem for problem in run.read("problems.jsonl", Problem)}
        self.attempts = {attempt.id: attempt for attempt in run.read("attempts.jsonl", Attempt)}
        self.verdicts = {verdict.id: verdict for verdict in run.read("verdicts.jsonl", Verdict)}
        self.groups: dict[str, list[EvaluationRow]] = defaultdict(list)
        for row in run.read("evaluation/rows.jsonl", EvaluationRow):
            self.groups[_group(row)].append(row)
        self.calls = self._calls(run.path / "ledger.sqlite")

    def _calls(self, ledger: Path) -> dict[str, Mapping[str, Any]]:
        """The ledger's rows of the graded attempts."""
        rows = [row for group in self.groups.values() for row in group]
        wanted = {a.call_key for row in rows if (a := self.attempts.get(_attempt_id(row))) and a.call_key}
        found: Iterator[Mapping[str, Any]] = read_rows(ledger) if ledger.exists() else iter(())
        return {row["key"]: row for row in found if row["key"] in wanted}

    def log(self, name: str, rows: Sequence[EvaluationRow]) -> EvalLog:
        from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalResults, EvalSpec, EvalStats

        first, config = rows[0], self.about["config"]
        created = self.about["created"]
        task = f"{config['domain']}/{first.suite}/{first.arm}"
        ids = sorted({row.problem_id for row in rows})
        dataset = EvalDataset(name=f"{config['domain']}/{first.split}", samples=len(ids), sample_ids=ids)
        spec = EvalSpec(
            eval_id=content_hash([self.run_id, name]), run_id=self.run_id, created=created, task=task,
            task_id=content_hash([task, first.split]), dataset=dataset, model=first.model,
            config=EvalConfig(epochs=1 + max(row.sample for row in rows)), packages=self.about.get("versions") or {},
            metadata={
                "run": self.run_id, "split": first.split, "suite": first.suite, "arm": first.arm, "seed": first.seed,
                "strategy_hash": first.strategy_hash, "git": self.about.get("git"), "teacher": config["teacher"],
            },
        )  # fmt: skip
        samples = [self.sample(row) for row in rows]
        results = EvalResults(total_samples=len(rows), completed_samples=len(rows), scores=_scores(rows))
        stats = EvalStats(started_at=created, completed_at=created)
        return EvalLog(status="success", eval=spec, results=results, stats=stats, samples=samples)

    def sample(self, row: EvaluationRow) -> EvalSample:
        """One row; what has become unreadable in it is left empty."""
        from inspect_ai._util.error import EvalError
        from inspect_ai.log import EvalSample
        from inspect_ai.model import ModelOutput

        attempt, problem = self.attempts.get(_attempt_id(row)), self.problems.get(row.problem_id)
        call = self.calls.get(attempt.call_key or "") if attempt else None
        messages = _messages(call, problem)
        reply = _storable(attempt.reply) if attempt else ""
        output = ModelOutput.from_content(row.model, reply, "max_tokens" if row.truncated else "stop")
        output.usage = _usage(row, call)
        failed = attempt.error if attempt else None
        return EvalSample(
            id=row.problem_id, epoch=row.sample + 1, input=messages, target=_target(problem), output=output,
            messages=[*messages, output.message], scores={SCORER: self.score(row)}, uuid=content_hash([row.id]),
            metadata={"family": row.family, "attempt": _attempt_id(row), "call": attempt.call_key if attempt else None},
            error=EvalError(message=_storable(failed), traceback="", traceback_ansi="") if failed else None,
        )  # fmt: skip

    def score(self, row: EvaluationRow) -> Score:
        from inspect_ai.scorer import Score

        verdict = self.verdicts.get(_attempt_id(row))
        evidence = _storable(verdict.judgement.evidence) if verdict else ""
        about = {"answer": _storable(row.predicted) if row.predicted else None, "explanation": evidence or None}
        facts = {"metadata": {"outcome": row.outcome, "kind": row.kind, "tier": row.tier}}
        if row.outcome == "ungraded":
            return Score.unscored(reason="scoring_failed", **about, **facts)
        reason = "invalid_response_format" if row.outcome == "unparsed" else None
        return Score(value=PASS if row.outcome == "pass" else FAIL, reason=reason, **about, **facts)


def _group(row: EvaluationRow) -> str:
    """What one log is about, as part of its file's name."""
    version = row.strategy_hash if row.suite == "strategy" else None
    arm = row.arm.replace("+", "-with-")
    return "-".join(filter(None, (row.suite, arm, model_slug(row.model), row.split, f"seed{row.seed}", version)))


def _attempt_id(row: EvaluationRow) -> str:
    """The attempt behind a row, whose id has the suite, and for a strategy its version, before it."""
    version = f"{row.strategy_hash}/" if row.suite == "strategy" and row.strategy_hash else ""
    return row.id.removeprefix(f"{row.suite}/").removeprefix(version)


def _messages(call: Mapping[str, Any] | None, problem: Problem | None) -> list[Any]:
    """The prompt as it was sent, or without a call (the scripted teacher) the problem's."""
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser

    sent = call["messages"] if call else [{"role": "user", "content": problem.prompt if problem else ""}]
    kinds: dict[str, Any] = {"system": ChatMessageSystem}
    return [kinds.get(m["role"], ChatMessageUser)(content=_storable(m["content"])) for m in sent]


def _usage(row: EvaluationRow, call: Mapping[str, Any] | None) -> Any:
    from inspect_ai.model import ModelUsage

    prompt, reply = (call or {}).get("prompt_tokens") or 0, row.completion_tokens or 0
    return ModelUsage(input_tokens=prompt, output_tokens=reply, total_tokens=prompt + reply)


def _target(problem: Problem | None) -> str:
    return _storable(problem.answer or problem.reference) if problem else ""


def _scores(rows: Sequence[EvaluationRow]) -> list[Any]:
    """Accuracy over the graded replies, with the report's interval."""
    from inspect_ai.log import EvalMetric, EvalScore

    figures = arm_figures(rows)
    interval = {"ci95": figures["ci95"]}
    value = figures["accuracy"]
    metrics = {} if value is None else {"accuracy": EvalMetric(name="accuracy", value=value, metadata=interval)}
    scored = {"scored_samples": figures["n"], "unscored_samples": figures["ungraded"]}
    return [EvalScore(name=SCORER, scorer=SCORER, metrics=metrics, **scored)]


def _storable(text: str) -> str:
    """UTF-8 has no lone surrogates, which a model's reply may contain."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
