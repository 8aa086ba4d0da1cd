"""Do strategies that real teachers wrote help a small model, zero-shot? Measured beside the control arms.

    python -m benchmarks.recorded_teachers FILE.jsonl [--items 24] [--validator embedded] [--folder FOLDER]

FILE has one JSON row per text: "kind" ("final_strategy" or "strategy_distillation"; others are left out),
"model" and "text". Each strategy is read as a teacher's reply is, checked for size and leaks, and shown to each
validator with the same generated scheduling problems; so are the problem alone, the domain's seed strategy and a
placebo. With --folder the finished calls are kept there, and the same command goes on from them. Prints one JSON
line per text and, at the end, the lifts over the problem alone with their intervals.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.arms import fit_length
from agents.playbook import check_size, parse_strategy, strategy_text_in
from benchmarks.machine import machine
from evaluation.crossmodel import CANDIDATE, NONE, selection
from evaluation.leakage import check_strategy
from evaluation.tables import arm_figures, by_arm
from graphs.context import Silent
from graphs.measuring import Shown, measure
from graphs.runner import create_run, open_context, open_run, refuse_difference
from graphs.settings import build_config
from models.tokens import count_tokens
from prompts import load_strategy_file
from records.nouns import EvaluationRow, Problem, Strategy

KINDS = ("final_strategy", "strategy_distillation")


def main(line: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recorded_teachers", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("file", type=Path, help="JSONL file of recorded texts")
    parser.add_argument("--items", type=int, default=24, help="scheduling problems, half YES and half NO")
    parser.add_argument("--validator", action="append", help="model spec; may be given several times")
    parser.add_argument("--seed", type=int, default=0, help="seed of the problems")
    parser.add_argument("--folder", type=Path, help="where to keep the calls, so that an interrupted command goes on")
    given = parser.parse_args(line)
    print(json.dumps({"machine": machine(), "items": given.items}), flush=True)
    strategies = read_strategies(given.file)
    validators = given.validator or ["embedded"]
    with tempfile.TemporaryDirectory() as passing:
        folder = given.folder or Path(passing)
        rows = asyncio.run(_measured(folder, strategies, given.items, validators, given.seed))
    for entry in figures(rows, strategies):
        print(json.dumps(entry, ensure_ascii=False), flush=True)


def read_strategies(file: Path) -> dict[str, Strategy]:
    """The different strategies by a readable name, in the order of the file."""
    found: dict[str, Strategy] = {}
    for row in map(json.loads, file.read_text("utf-8").splitlines()):
        if row["kind"] in KINDS:
            strategy = parse_strategy(strategy_text_in(row["text"]), name="scheduling")
            if strategy.hash not in {known.hash for known in found.values()}:
                found[f"{row['model']}, {row.get('batch') or 'final'}"] = strategy
    return found


async def _measured(
    folder: Path, strategies: dict[str, Strategy], items: int, validators: list[str], seed: int
) -> list[EvaluationRow]:
    flags = {
        "domain": "scheduling",
        "student": validators[0],
        "validators": validators,
        "student_arms": ["base"],
        "seed": seed,
    }
    sizes = ["sizes.train=200", f"sizes.gate={items}", "sizes.transfer=4", "sizes.test=60", "sizes.ood=30"]
    config = build_config(flags, ["student_arms=[base]", *sizes])
    begun = (folder / "recorded" / "run.json").exists()
    run = open_run(folder, "recorded")[0] if begun else create_run(config, folder, "recorded")
    if begun:
        refuse_difference(run, config)
    async with open_context(run, config, Silent()) as context:
        problems = context.domain.load(None, config.sizes, seed)
        run.append("problems.jsonl", problems)
        for name, strategy in strategies.items():
            print(json.dumps(_about(name, strategy, problems), ensure_ascii=False), flush=True)
        shown = arms(strategies)
        asked = context.problems.open("validation", "gate")
        return await measure(context, "Recorded strategies", "selection", shown, validators, asked)


def arms(strategies: dict[str, Strategy]) -> list[Shown]:
    """The problem alone, every recorded strategy, the seed, and a placebo of the first one's length."""
    length = count_tokens(next(iter(strategies.values())).text)
    placebo = fit_length(load_strategy_file("python"), length, count_tokens)
    controls = {"seed": load_strategy_file("scheduling"), "placebo": placebo}
    texts = [*strategies.values(), *(parse_strategy(text, name=name) for name, text in controls.items())]
    return [Shown(NONE, None), *(Shown(f"{CANDIDATE}{i}", text, text.hash) for i, text in enumerate(texts))]


def _about(name: str, strategy: Strategy, problems: list[Problem]) -> dict[str, Any]:
    return {
        "strategy": name,
        "hash": strategy.hash,
        "bullets": len(strategy.bullets),
        "tokens": count_tokens(strategy.text),
        "size": check_size(strategy.text, count_tokens) or "fits",
        "leaks": [str(leak) for leak in check_strategy(strategy.text, problems)],
    }


def figures(rows: list[EvaluationRow], strategies: dict[str, Strategy]) -> list[dict[str, Any]]:
    """Per arm and validator: right, unparsed and truncated replies, and the lift over the problem alone."""
    names = [*strategies, "seed", "placebo"]
    found = selection(rows)
    lifts = {entry["arm"]: entry["lifts"] for entry in found["candidates"]} if found else {}
    entries = []
    for model in sorted({row.model for row in rows}):
        for arm, group in by_arm(row for row in rows if row.model == model).items():
            name = NONE if arm == NONE else names[int(arm.removeprefix(CANDIDATE))]
            counts = arm_figures(group)
            kept = {key: counts[key] for key in ("n", "correct", "unparsed", "truncated", "balanced_accuracy")}
            entries.append({"validator": model, "arm": name, **kept, "lift": lifts.get(arm, {}).get(model)})
    return entries


if __name__ == "__main__":
    main()
