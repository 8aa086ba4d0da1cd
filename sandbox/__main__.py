"""The sandbox by itself: `python -m sandbox doctor`, `judge FILE.jsonl`, `math GOLD ANSWER` and `lean --file`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console
from rich.markup import escape

from sandbox.doctor import TIERS, Finding, examine
from sandbox.image import cache_home
from sandbox.lean import DEADLINE_S as LEAN_DEADLINE_S
from sandbox.lean import LeanJudge
from sandbox.lean_backends import ORDER, LeanBackend, examine_backend, find_backend
from sandbox.lean_cache import VerdictCache
from sandbox.lean_rows import judge_rows as judge_proofs
from sandbox.maths_checker import DEADLINE_S, MathChecker
from sandbox.maths_contracts import ContractError
from sandbox.maths_rows import judge_rows
from sandbox.nouns import SandboxError, SubmissionVerdict, TierUnavailable
from sandbox.pool import Sandbox
from sandbox.rows import NumberedRow, read_rows

NOT_JUDGED, BAD_INPUT = 1, 2
FIELDS = ("passed", "result", "tests", "cpu_s", "wall_s", "peak_mb", "leftovers", "tier")

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
out = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

ImageOption = Annotated[
    str | None,
    typer.Option(envvar="LRL_SANDBOX_IMAGE", help="Base image by digest (python@sha256:…) instead of the offline one."),
]


@app.command()
def doctor(image: ImageOption = None) -> None:
    """Which tiers work here, each limit and whether it binds, and how to mend what does not.

    Exit status 0 if a tier works and all its limits bind, else 1.
    """
    sound = [_print_tier(tier, image) for tier in TIERS]
    for backend in ORDER:
        _print_lean(backend)
    if not any(sound):
        errors.print("No tier works: code of a model cannot be judged on this machine until one is mended.")
        raise typer.Exit(NOT_JUDGED)


def _print_tier(tier: str, image: str | None) -> bool:
    sound = True
    try:
        findings = asyncio.run(_collect(tier, image))
    except SandboxError as problem:
        out.print(f"[bold]{tier}[/]: [red]does not work[/]. {escape(str(problem))}")
        return False
    for finding in findings:
        sound = sound and finding.holds
        good = "works" if finding.detail == "works" else "binds"
        mark = f"[green]{good}[/]" if finding.holds else "[red]DOES NOT BIND[/]"
        if finding.limit == "tier":
            out.print(f"[bold]{tier}[/]: works. {escape(finding.detail)}")
        else:
            detail = "" if finding.detail == good else escape(finding.detail)
            out.print(f"  {finding.limit:<34} {mark}  {detail}".rstrip())
    if not sound:
        out.print(f"  [red]{tier} does not judge until every limit binds.[/] Update the engine or the kernel.")
    return sound


def _print_lean(name: str) -> None:
    found = examine_backend(name)
    if isinstance(found, LeanBackend):
        out.print(f"[bold]Lean, {name}[/]: is here. {escape(found.about)}")
    else:
        out.print(f"[bold]Lean, {name}[/]: not here ({escape(found.why)}). To have it: {escape(found.install)}")


async def _collect(tier: str, image: str | None) -> list[Finding]:
    return [finding async for finding in examine(tier, image)]


@app.command()
def judge(
    file: Annotated[str, typer.Argument(help="JSONL file of submissions, `-` for standard input.", metavar="FILE")],
    slots: Annotated[int, typer.Option(min=1, max=64, help="Workers that judge at the same time.")] = 2,
    tier: Annotated[str, typer.Option(help="auto, docker or jail.")] = "auto",
    image: ImageOption = None,
    evidence: Annotated[bool, typer.Option(help="Add what the first failing test did.")] = False,
) -> None:
    """Judge a file of submissions: one row each on standard output, in the file's order.

    A row is our own form, HumanEval's or MBPP's (docs/sandbox.md). Exit status 0 when every row was judged,
    1 when some could not be (they are named on standard error), 2 for bad input.
    """
    source = Path(file)
    if file != "-" and not source.is_file():
        errors.print(f"{file}: no such file. Give a JSONL file, or - for standard input.", markup=False)
        raise typer.Exit(BAD_INPUT)
    with nullcontext(sys.stdin.buffer) if file == "-" else source.open("rb") as rows:
        try:
            counts = asyncio.run(_judge_file(rows, tier, slots, image, evidence))
        except SandboxError as problem:
            errors.print(str(problem), markup=False)
            raise typer.Exit(NOT_JUDGED) from None
    raise typer.Exit(NOT_JUDGED if counts["not judged"] else 0)


async def _judge_file(rows: BinaryIO, tier: str, slots: int, image: str | None, evidence: bool) -> Counter[str]:
    counts: Counter[str] = Counter()
    started = time.monotonic()
    async with Sandbox.open(tier, slots, image=image) as sandbox:
        async for row, verdict in sandbox.judge_all(read_rows(rows), lambda row: row.submission):
            print(json.dumps(_written(row, verdict, sandbox.tier, evidence)), flush=True)
            judged = verdict is not None and verdict.graded
            counts[verdict.result if verdict is not None and judged else "not judged"] += 1
            if not judged:
                reason = row.problem if verdict is None else f"{verdict.result}: {verdict.evidence}"
                errors.print(f"row {row.number}: not judged. {reason}", markup=False)
    found = ", ".join(f"{count} {word}" for word, count in counts.most_common()) or "no rows"
    errors.print(f"{sum(counts.values())} rows in {time.monotonic() - started:.1f} s: {found}", markup=False)
    return counts


def _written(row: NumberedRow, verdict: SubmissionVerdict | None, tier: str, evidence: bool) -> dict[str, Any]:
    """The row that is printed. One that could not be read was not judged: `unsupported_test`, with the error."""
    if verdict is None:
        verdict = SubmissionVerdict(id="", passed=False, result="unsupported_test", evidence=row.problem, tier=tier)
    written = {"id": row.id, **verdict.model_dump(mode="json", include=set(FIELDS))}
    if row.submission is None:
        written["error"] = f"row {row.number}: {row.problem}"
    if evidence:
        written["evidence"] = verdict.evidence
    return written


@app.command(context_settings={"ignore_unknown_options": True})
def math(
    gold: Annotated[str | None, typer.Argument(help="The right answer.", metavar="GOLD")] = None,
    answer: Annotated[
        str | None, typer.Argument(help="The answer, or a reply that holds it.", metavar="ANSWER")
    ] = None,
    contract: Annotated[
        str | None,
        typer.Option(help="exact, decimal(DIGITS), unit, tuple, set, interval, equation, choice or text."),
    ] = None,
    file: Annotated[str | None, typer.Option(help="JSONL file of pairs, `-` for standard input.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that compare at the same time.")] = 2,
    deadline: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds for one pair.")] = DEADLINE_S,
) -> None:
    """Compare an answer with the right one: verdict and reason, or one row each for a file.

    Exit status 0 when every pair is equal or different, 1 when some could not be decided, 2 for bad
    input.
    """
    if (file is None) == (gold is None or answer is None):
        errors.print("Give GOLD and ANSWER, or --file PAIRS.jsonl.", markup=False)
        raise typer.Exit(BAD_INPUT)
    try:
        with MathChecker(workers, deadline) as checker:
            decided = _math_file(file, checker, workers) if file else _math_pair(gold, answer, contract, checker)
    except ContractError as problem:
        errors.print(str(problem), markup=False)
        raise typer.Exit(BAD_INPUT) from None
    except SandboxError as problem:
        errors.print(str(problem), markup=False)
        raise typer.Exit(NOT_JUDGED) from None
    raise typer.Exit(0 if decided else NOT_JUDGED)


def _math_pair(gold: str | None, answer: str | None, contract: str | None, checker: MathChecker) -> bool:
    verdict = checker.check(gold or "", answer or "", contract)
    print(f"{verdict.verdict}: {verdict.reason}")
    return verdict.verdict in ("equal", "different")


def _math_file(file: str, checker: MathChecker, workers: int) -> bool:
    source = Path(file)
    if file != "-" and not source.is_file():
        errors.print(f"{file}: no such file. Give a JSONL file, or - for standard input.", markup=False)
        raise typer.Exit(BAD_INPUT)
    counts: Counter[str] = Counter()
    started = time.monotonic()
    with nullcontext(sys.stdin.buffer) if file == "-" else source.open("rb") as lines:
        for row in judge_rows(lines, checker, workers):
            print(json.dumps(row), flush=True)
            counts[row["verdict"]] += 1
            if row["verdict"] == "error":
                errors.print(row["reason"], markup=False)
    found = ", ".join(f"{count} {word}" for word, count in counts.most_common()) or "no rows"
    errors.print(f"{sum(counts.values())} rows in {time.monotonic() - started:.1f} s: {found}", markup=False)
    return not counts["unknown"] and not counts["error"]


@app.command()
def lean(
    file: Annotated[str, typer.Option(help="JSONL file of proofs, `-` for standard input.")],
    backend: Annotated[str, typer.Option(help="auto, lean_file, repl or wasm.")] = "auto",
    deadline: Annotated[float, typer.Option(min=1, max=3600, help="Seconds for one proof.")] = LEAN_DEADLINE_S,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither use nor keep earlier verdicts.")] = False,
) -> None:
    """Judge proofs in Lean 4: one row each, `proved`, `rejected` or `ungraded` (with wasm perhaps of grade `kernel`).

    Exit status 0 when every proof is proved or rejected, 1 when some could not be judged, 2 for bad
    input.
    """
    source = Path(file)
    if file != "-" and not source.is_file():
        errors.print(f"{file}: no such file. Give a JSONL file, or - for standard input.", markup=False)
        raise typer.Exit(BAD_INPUT)
    try:
        cache = None if no_cache else VerdictCache(cache_home() / "lean.sqlite")
        with LeanJudge(find_backend(backend), deadline, cache) as judge:
            judged = _lean_file(file, judge)
    except (SandboxError, TierUnavailable) as problem:
        errors.print(str(problem), markup=False)
        raise typer.Exit(NOT_JUDGED) from None
    raise typer.Exit(0 if judged else NOT_JUDGED)


def _lean_file(file: str, judge: LeanJudge) -> bool:
    counts: Counter[str] = Counter()
    started = time.monotonic()
    errors.print(f"Lean: {judge.backend.about}", markup=False)
    with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as lines:
        for row in judge_proofs(lines, judge):
            print(json.dumps(row), flush=True)
            counts[f"ungraded of grade {row['grade']}" if row["grade"] else row["verdict"]] += 1
    found = ", ".join(f"{count} {word}" for word, count in counts.most_common()) or "no rows"
    errors.print(f"{sum(counts.values())} rows in {time.monotonic() - started:.1f} s: {found}", markup=False)
    return counts.keys() <= {"proved", "rejected"}


if __name__ == "__main__":
    app()
