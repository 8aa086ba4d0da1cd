"""`evaluation/summary.json`: every figure of a run, recomputed from its rows.

Guaranteed: the same files give the same summary, byte for byte, in whatever order the rows were
appended; nothing in it depends on the clock. `difference` is always the accuracy of `a` minus that
of `b`. Not guaranteed: figures for arms that were not run; they are absent, not 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from evaluation import tables, verdicts
from evaluation.ablation import ablation
from evaluation.crossmodel import selection, transfer_matrix
from evaluation.dataset import FROZEN
from evaluation.leakage import StrategyCheck, check_splits
from evaluation.looks import looks_figures
from evaluation.student_rounds import last_round, student_rounds
from evaluation.transfers import ABOUT, TRANSFERS, transfer_figures
from records.config import RunConfig
from records.item_uses import FILE as ITEM_USES
from records.item_uses import ItemUse
from records.nouns import Confirmation, Decision, EditGate, EvaluationRow, Problem, Reflection, Strategy
from records.rundir import RunDirectory, RunError

SUMMARY = "evaluation/summary.json"
ROWS = "evaluation/rows.jsonl"
STOPPED = "stopped.json"  # there while a run stands still because its budget is used up
STUDENT_PAIRS = (
    ("base+strategy", "base"),
    ("lora_plain", "base"),
    ("lora_strategy", "base"),
    ("lora_distilled", "base"),
    ("lora_strategy", "lora_plain"),
    ("lora_distilled", "lora_plain"),
)
STRATEGY_PAIRS = tuple(("learned", arm) for arm in verdicts.REQUIRED)
OTHER_STRATEGY_PAIRS = (("learned", "seed"), ("learned", "few_shot"))
CLOCK = re.compile(r"(?:.*_)?(?:seconds|time|per_s|per_second|wall_s|cpu_s|created|started|finished|date)")

Json = dict[str, Any]


def summarise(run: RunDirectory) -> Json:
    """Compute the summary of a run. Raises RunError if run.json is absent or a file is broken."""
    about = run.read_json("run.json")
    config = about.get("config", {})
    rows = sorted(read(run, ROWS, EvaluationRow), key=lambda row: row.id)
    problems = read(run, "problems.jsonl", Problem)
    splits = student_splits(last_round([row for row in rows if row.suite == "student"]))
    test = splits.get("test", {})
    return plain(
        {
            "id": about.get("id", run.id),
            "domain": config.get("domain"),
            "seed": config.get("seed"),
            "profile": config.get("profile"),
            "tier": about.get("tier"),
            "models": about.get("models", {}),
            "verdict": test.get("verdict", verdicts.NOT_SHOWN),
            "verdict_reason": test.get("verdict_reason", "the test split was not evaluated"),
            "headline_arm": test.get("headline_arm"),
            "constant_baseline": (test.get("constant_baseline") or {}).get("accuracy"),
            "splits": splits,
            "student_rounds": student_rounds(rows),
            "strategy": {**strategy_section(run, rows, problems), "selection": selection(rows)},
            "leaks": check_splits(problems).model_dump(mode="json"),
            "problems": problem_counts(problems),
            "dataset": dataset_section(run),
            "training": training_section(run),
            "usage": usage_section(run),
            "rows": len(rows),
            "item_uses": looks_figures(read(run, ITEM_USES, ItemUse), _settings(config)),
            **transfer_section(run),
            "stopped": run.read_json(STOPPED)["reason"] if (run.path / STOPPED).exists() else None,
        }
    )


def _settings(config: Json) -> RunConfig | None:
    """The run's settings; None for those of another version, whose figures are shown all the same."""
    try:
        return RunConfig.model_validate(config)
    except ValidationError:
        return None


def student_splits(rows: Sequence[EvaluationRow]) -> dict[str, Json]:
    """Figures of the student suite per split that has rows, test first."""
    present = [split for split in ("test", "ood", "validation", "train") if any(row.split == split for row in rows)]
    return {split: student_split([row for row in rows if row.split == split]) for split in present}


def student_split(rows: Sequence[EvaluationRow]) -> Json:
    """Arms, matched comparisons, attribution and verdict of one split."""
    arms = tables.by_arm(rows)
    figures = {arm: tables.arm_figures(found) for arm, found in arms.items()}
    constant = tables.constant_figures(rows)
    compared = tables.comparisons(arms, STUDENT_PAIRS)
    headline = verdicts.headline_arm(figures)
    to_base = next((row for row in compared if (row["a"], row["b"]) == (headline, "base")), None)
    against = tables.against_constant(headline, arms[headline], constant["class"]) if headline and constant else None
    word, reason = verdicts.student_verdict(figures.get(headline or ""), to_base, constant, against)
    return {
        "arms": figures,
        **_teachers(arms.get("teacher", ())),
        "constant_baseline": constant,
        "comparisons": compared,
        "headline_arm": headline,
        "against_constant": against,
        "verdict": word,
        "verdict_reason": reason,
        "attribution": attributions(arms),
        "families": tables.family_figures(arms),
    }


def _teachers(rows: Sequence[EvaluationRow]) -> Json:
    """Figures of each teacher where there are several."""
    names = sorted({row.model for row in rows})
    if len(names) < 2:
        return {}
    return {"teachers": {name: tables.arm_figures([row for row in rows if row.model == name]) for name in names}}


def attributions(arms: Mapping[str, Sequence[EvaluationRow]]) -> Json:
    """What the strategy and what plain training explains, per arm that had a strategy."""
    found = {}
    for arm in ("lora_strategy", "lora_distilled"):
        if arms.get("base") and arms.get("lora_plain") and arms.get(arm):
            found[arm] = tables.attribution(arms["base"], arms["lora_plain"], arms[arm], arm)
    return {arm: figures for arm, figures in found.items() if figures}


def strategy_suites(rows: Iterable[EvaluationRow]) -> dict[str, Json]:
    """The zero-shot test of a strategy: figures and verdict per validator model.

    Takes rows of suite "strategy" about one version; may be asked before the run has a student.
    """
    suites: dict[str, list[EvaluationRow]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        if row.suite == "strategy":
            suites.setdefault(row.model, []).append(row)
    return {model: plain(_strategy_suite(suites[model])) for model in sorted(suites)}


def _strategy_suite(rows: Sequence[EvaluationRow]) -> Json:
    arms = tables.by_arm(rows)
    required = tables.comparisons(arms, STRATEGY_PAIRS)
    word, reason = verdicts.strategy_verdict(required)
    return {
        "splits": sorted({row.split for row in rows}),
        "arms": {arm: tables.arm_figures(found) for arm, found in arms.items()},
        "constant_baseline": tables.constant_figures(rows),
        "comparisons": required,
        "other_comparisons": tables.comparisons(arms, OTHER_STRATEGY_PAIRS),
        "verdict": word,
        "verdict_reason": reason,
    }


def strategy_section(run: RunDirectory, rows: Sequence[EvaluationRow], problems: Sequence[Problem]) -> Json:
    """The strategy, where it came from, what the gate, the validators and a person said of it."""
    reflections = sorted(read(run, "reflections.jsonl", Reflection), key=lambda r: (r.round, r.batch, r.id))
    decisions = read(run, "decisions.jsonl", Decision)
    decision = decisions[-1] if decisions else None
    proofs = read(run, "confirmation.jsonl", Confirmation)
    version = _version(decision, proofs, reflections, rows)
    known = strategies(run)
    strategy = known.get(version or "")
    text = strategy.text if strategy else decision.text if decision else None
    about = [row for row in rows if row.strategy_hash in (None, version)]
    suites = strategy_suites(about)
    words = {model: suite["verdict"] for model, suite in suites.items()}
    return {
        "verdict_by_validator": words,
        "verdict": verdicts.overall_strategy_verdict(words),
        "validators": suites,
        "transfer": transfer_matrix(about, source_model(run.read_json("run.json"))),
        "ablation": ablated(rows, strategy, known),
        "approved": bool(decision and decision.approved_hash),
        "hash": version,
        "name": strategy.name if strategy else None,
        "text": text,
        **({"begun_with_seed": True} if begun_with_seed(run) else {}),
        "bullets": [bullet.model_dump() for bullet in strategy.bullets] if strategy else [],
        "decisions": [entry.model_dump(exclude={"text", "time"}) for entry in decisions],
        "gate": [gate_entry(reflection) for reflection in reflections],
        "edit_gates": [entry.model_dump() for entry in read(run, "edit_gates.jsonl", EditGate)],
        "confirmation": [entry.model_dump() for entry in proofs],
        "leaks": [leak.model_dump() for leak in StrategyCheck(problems).leaks(text)] if text else [],
    }


def ablated(rows: Sequence[EvaluationRow], strategy: Strategy | None, known: Mapping[str, Strategy]) -> Json | None:
    """The ablation of the strategy, or of the nearest version that it was edited from."""
    seen = set[str]()
    while strategy and strategy.hash not in seen:  # an edit that was undone makes a circle
        seen.add(strategy.hash)
        found = ablation([row for row in rows if row.strategy_hash == strategy.hash], strategy.bullets)
        if found:
            return {"hash": strategy.hash, **found}
        strategy = known.get(strategy.parent or "")
    return None


def source_model(about: Mapping[str, Any]) -> str | None:
    """The model that the strategy was learned on: the teacher that writes, or the student of a scripted one."""
    models, config = about.get("models", {}), about.get("config", {})
    teacher = models.get("teacher") or {}
    learner = teacher.get("writer", teacher.get("spec")) if teacher.get("is_language_model") else config.get("student")
    return str(learner) if learner else None


def transfer_section(run: RunDirectory) -> Json:
    """The tests of the strategy on other domains, where there were any."""
    folders = [RunDirectory(path.parent) for path in _files(run, TRANSFERS, f"*/{ABOUT}")]
    found = {folder.id: _transfer(folder, folder.read_json(ABOUT)) for folder in folders}
    return {"transfers": found} if found else {}


def _transfer(folder: RunDirectory, about: Json) -> Json:
    """One other domain, about the strategy that was tested there last."""
    rows = [row for row in read(folder, "rows.jsonl", EvaluationRow) if row.strategy_hash == about["hash"]]
    return transfer_figures(about, strategy_suites(rows), read(folder, "problems.jsonl", Problem))


def gate_entry(reflection: Reflection) -> Json:
    """One line of the gate's history."""
    return {
        "round": reflection.round,
        "batch": reflection.batch,
        "edits": [edit.model_dump() for edit in reflection.edits],
        "accepted": reflection.accepted,
        "gate": reflection.gate.model_dump() if reflection.gate else None,
        "note": reflection.note,
    }


def strategies(run: RunDirectory) -> dict[str, Strategy]:
    """The strategies in RUN/strategies/*.json by hash; a file is a strategy or has one as "strategy"."""
    found = {}
    for path in sorted((run.path / "strategies").glob("*.json")):
        value = run.read_json(f"strategies/{path.name}")
        value = value.get("strategy", value)
        fields = {name: value[name] for name in Strategy.model_fields if name in value}
        strategy = _validated(Strategy, fields, str(path))
        found[strategy.hash] = strategy
    return found


def begun_with_seed(run: RunDirectory) -> bool:
    """Whether the domain's seed strategy stands in the place of the teacher's draft."""
    return any(
        run.read_json(f"strategies/{file.name}").get("seed") for file in (run.path / "strategies").glob("*.json")
    )


def problem_counts(problems: Sequence[Problem]) -> dict[str, Json]:
    """Problems, families and classes per split."""
    table: dict[str, Json] = {}
    for split in ("train", "validation", "test", "ood"):
        found = [problem for problem in problems if problem.split == split]
        labels = sorted({problem.answer for problem in found if problem.answer is not None})
        classes = {label: sum(problem.answer == label for problem in found) for label in labels}
        families = len({problem.family for problem in found})
        table[split] = {"problems": len(found), "families": families, "classes": classes}
    return table


def dataset_section(run: RunDirectory) -> Json:
    """Rows per arm and what curation left out."""
    arms = {path.stem: sum(1 for _ in run.rows(f"dataset/{path.name}")) for path in _files(run, "dataset", "*.jsonl")}
    counts = run.read_json("dataset/curation.json") if (run.path / "dataset" / "curation.json").exists() else None
    section: Json = {"rows": arms, "curation": counts}
    excluded = run.read_json(FROZEN)["excluded"] if (run.path / FROZEN).exists() else []
    return {**section, "excluded": without_clock(excluded)} if excluded else section


def training_section(run: RunDirectory) -> Json:
    """What each finished training says of itself, without times and paths."""
    return {path.parent.name: _training(run.read_json(f"adapters/{path.parent.name}/done.json")) for path in _done(run)}


def usage_section(run: RunDirectory) -> list[Json]:
    """Calls, tokens and cost per stage, agent and model, without their times; None is unknown cost."""
    if not (run.path / "usage.json").exists():
        return []
    value = run.read_json("usage.json")
    return [without_clock(row) for row in (value if isinstance(value, list) else [value])]


def write_summary(run: RunDirectory) -> Json:
    """Compute the summary and write it to RUN/evaluation/summary.json."""
    summary = summarise(run)
    run.write_json(SUMMARY, summary)
    return summary


def read(run: RunDirectory, name: str, kind: Any) -> list[Any]:
    """Records of a JSONL file; a row that does not fit is a RunError, not a traceback."""
    return [_validated(kind, row, f"{run.path / name}, record {i}") for i, row in enumerate(run.rows(name), 1)]


def plain(value: Any) -> Any:
    """JSON-plain copy with numbers of six decimals, so that a stored summary equals a fresh one."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def without_clock(value: Any) -> Any:
    """A copy without the entries that are measured in time."""
    if isinstance(value, Mapping):
        return {k: without_clock(v) for k, v in value.items() if not CLOCK.fullmatch(k)}
    return [without_clock(item) for item in value] if isinstance(value, list) else value


def differences(stored: Any, fresh: Any, path: str = "") -> list[str]:
    """Where two summaries differ, as `splits.test.arms.base.n: 59 is stored, 60 is right`."""
    if isinstance(stored, dict) and isinstance(fresh, dict):
        keys = sorted(stored.keys() | fresh.keys())
        return [d for key in keys for d in differences(stored.get(key), fresh.get(key), f"{path}.{key}".lstrip("."))]
    if isinstance(stored, list) and isinstance(fresh, list) and len(stored) == len(fresh):
        return [
            d for i, (a, b) in enumerate(zip(stored, fresh, strict=True)) for d in differences(a, b, f"{path}[{i}]")
        ]
    return [] if stored == fresh else [f"{path}: {_short(stored)} is stored, {_short(fresh)} is right"]


def _version(
    decision: Decision | None,
    proofs: Sequence[Confirmation],
    reflections: Sequence[Reflection],
    rows: Sequence[EvaluationRow],
) -> str | None:
    """Hash of the strategy that was decided on, else measured, else kept by the proof, else accepted last."""
    if decision:
        return decision.approved_hash or decision.strategy_hash
    measured = {row.strategy_hash for row in rows if row.suite == "strategy"}
    if len(measured) == 1:
        return measured.pop()
    if proofs:
        return proofs[-1].kept_hash
    accepted = [reflection.candidate_hash for reflection in reflections if reflection.accepted]
    return accepted[-1] if accepted else None


def _training(done: Json) -> Json:
    kept = ("rows", "steps", "tokens", "final_loss", "dtype", "device")
    settings = done.get("settings", {})
    about = {name: settings.get(name) for name in ("arm", "seed", "strategy_hash", "dataset_sha256")}
    shared = {"copied_from": done["copied_from"]} if done.get("copied_from") else {}
    return {**about, **{name: done.get(name) for name in kept}, **shared}


def _files(run: RunDirectory, folder: str, pattern: str) -> list[Any]:
    return sorted((run.path / folder).glob(pattern))


def _done(run: RunDirectory) -> list[Any]:
    return _files(run, "adapters", "*/done.json")


def _validated(kind: Any, value: Any, where: str) -> Any:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise RunError(f"{where}: {field or kind.__name__}: {first['msg']}; the run's files were changed") from error


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"
