"""Evaluation rows and small run directories for the tests of this room."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from records.nouns import EvaluationRow, Outcome, Split
from records.rundir import RunDirectory


def row(
    arm: str,
    number: int,
    outcome: Outcome,
    *,
    expected: str | None = None,
    predicted: str | None = None,
    split: Split = "test",
    suite: Any = "student",
    model: str = "embedded",
    seed: int = 0,
    sample: int = 0,
    truncated: bool = False,
    family: str = "family-0",
) -> EvaluationRow:
    problem = f"{split}-{number:03d}"
    return EvaluationRow(
        id=f"{suite}/{arm}/{model}/{problem}/{sample}/{seed}",
        suite=suite,
        arm=arm,
        model=model,
        split=split,
        problem_id=problem,
        family=family,
        sample=sample,
        seed=seed,
        outcome=outcome,
        kind=outcome,
        expected=expected,
        predicted=predicted,
        truncated=truncated,
        tier=None,
        completion_tokens=12,
    )


def answers(arm: str, expected: Sequence[str], predicted: Sequence[str | None], **fields: Any) -> list[EvaluationRow]:
    """Rows of a classification arm; a prediction of None is unparsed."""
    return [
        row(
            arm,
            i,
            "unparsed" if said is None else "pass" if said == truth else "fail",
            expected=truth,
            predicted=said,
            **fields,
        )
        for i, (truth, said) in enumerate(zip(expected, predicted, strict=True))
    ]


def solved(arm: str, share: float, n: int, rng: random.Random, **fields: Any) -> list[EvaluationRow]:
    """Rows of an arm that solves about that share of the problems."""
    return [
        row(arm, i, "pass" if rng.random() < share else "fail", family=f"family-{i % 4}", **fields) for i in range(n)
    ]


def make_run(path: Path, rows: Sequence[EvaluationRow], **about: Any) -> RunDirectory:
    """A run directory with rows and a run.json."""
    run = RunDirectory(path)
    config = {"domain": "scheduling", "seed": 0, "profile": "quick", "teacher": "oracle", "student": "embedded"}
    oracle = {"spec": "oracle", "is_language_model": False, "description": "the oracle"}
    embedded = {"spec": "embedded", "is_language_model": True, "description": "SmolLM2-135M-Instruct"}
    models = {"teacher": oracle, "student": embedded, "validators": [embedded]}
    value = {"id": path.name, "config": config, "tier": "jail", "models": models, "created": "2026-01-01", **about}
    run.write_json("run.json", value)
    run.append("evaluation/rows.jsonl", rows)
    return run


def text_of(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
