"""Reading a run at a terminal: its result, reflections, strategy, attempts, calls and cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from console.evidence import show_result_evidence, show_strategy_evidence
from console.review import arms_table, bullets_view, difference_view, gate_table, show_proof
from console.text import plain, safe
from evaluation.summary import STOPPED
from graphs.exclusions import training_begun
from graphs.strategies import StrategyVersion, all_versions, load_strategy
from graphs.usage import short_model, usage_rows
from models.ledger import read_rows
from records.exclusions import standing_exclusions
from records.nouns import Attempt, Decision, Judgement, Problem, Reflection, Strategy, TrainingRow, Verdict
from records.rundir import RunDirectory

COUNTS = "unparsed/trunc./ungraded"
COLOURS = {"improved": "green", "supported": "green", "worse": "red", "below the constant baseline": "red"}


def show_summary(console: Console, run: RunDirectory, summary: dict[str, Any]) -> None:
    """The verdict, the arms on test and ood, and where the report lies."""
    word = str(summary["verdict"])
    console.print()
    console.print(f"Verdict: [bold {COLOURS.get(word, 'yellow')}]{safe(word)}[/] — {safe(summary['verdict_reason'])}")
    console.print(_strategy_line(summary["strategy"]))
    show_result_evidence(console, summary)
    for name, found in summary.get("transfers", {}).items():
        words = ", ".join(f"{spec}: {word}" for spec, word in found["verdict_by_validator"].items())
        console.print(f"The strategy on {safe(name)}: {safe(words or found['reason'])}")
    for split, figures in summary["splits"].items():
        console.print(split_table(split, figures))
    for name in ("report.html", "report.md"):
        console.print(f"  {safe(str(run.path / name))}", soft_wrap=True)
    console.print(f"Recompute every figure with: python -m evaluation {safe(str(run.path))} --check", soft_wrap=True)


def _strategy_line(strategy: dict[str, Any]) -> str:
    words = ", ".join(f"{spec}: {word}" for spec, word in strategy["verdict_by_validator"].items())
    return f"Strategy: {'approved' if strategy['approved'] else 'not approved'}; {safe(words) or 'not validated'}"


def split_table(split: str, figures: dict[str, Any]) -> Table:
    """One row per arm with interval, and the difference to the base model."""
    constant = figures.get("constant_baseline")
    title = split + (f" (always {constant['class']}: {constant['accuracy']:.1%})" if constant else "")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    balanced = any(arm["balanced_accuracy"] is not None for arm in figures["arms"].values())
    table.add_column("arm", no_wrap=True)
    headers = ["right", "accuracy [95%]", *(["balanced"] if balanced else []), "against base [95%]", COUNTS]
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    gains = {c["a"]: c for c in figures["comparisons"] if c["b"] == "base"}
    for arm, row in figures["arms"].items():
        cells = [f"{row['correct']}/{row['n']}", _with_interval(row["accuracy"], row["ci95"])]
        cells += [_percent(row["balanced_accuracy"])] if balanced else []
        counts = "/".join(str(row[name]) for name in ("unparsed", "truncated", "ungraded"))
        table.add_row(*map(safe, [arm, *cells, _gain(gains.get(arm)), counts]))
    return table


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None or not interval:
        return ""
    return f"{value:.1%} [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]"


def _gain(comparison: dict[str, Any] | None) -> str:
    if not comparison or comparison["ci95"] is None:
        return ""
    low, high = comparison["ci95"]
    return f"{100 * comparison['difference']:+.1f} [{100 * low:+.0f}, {100 * high:+.0f}]"


def show_overview(console: Console, run: RunDirectory, stage: str) -> None:
    """The result of a complete run; what there is of another."""
    if run.complete:
        show_summary(console, run, run.read_json("evaluation/summary.json"))
        return
    console.print(f"Run {safe(run.id)} is not complete; it stands at: {stage}")
    if (run.path / STOPPED).exists():
        console.print(safe(run.read_json(STOPPED)["reason"]), soft_wrap=True)
    console.print(f"Go on with: python -m graphs.transfer resume {safe(run.id)}", soft_wrap=True)


def show_reflections(console: Console, run: RunDirectory, limit: int) -> None:
    """The trace: per round the batch, the journal, the edits with their origin, the gate."""
    reflections = run.read("reflections.jsonl", Reflection)
    verdicts = {verdict.id: verdict.judgement for verdict in run.read("verdicts.jsonl", Verdict)}
    if not reflections:
        console.print("No reflection has been finished yet.")
    for reflection in reflections:
        console.rule(f"Round {reflection.round}")
        console.print(_batch_line(reflection, verdicts))
        console.print(Panel(Text(plain(reflection.journal)), title="Journal", title_align="left"))
        for edit in reflection.edits:
            what = f"{edit.operation} {' '.join(edit.bullet_ids)}".strip()
            console.print(f"  [cyan]{safe(what)}[/cyan] {safe(edit.text)}")
            console.print(
                f"    [dim]{safe(edit.reason)} from: {safe(', '.join(edit.origin[:4]))}[/dim]", soft_wrap=True
            )
        console.print(_gate_line(reflection))
        _show_difference(console, run, reflection)


def _batch_line(reflection: Reflection, verdicts: dict[str, Judgement]) -> str:
    found = [verdicts[name] for name in reflection.attempt_ids if name in verdicts]
    kinds: dict[str, int] = {}
    for judgement in found:
        kinds[judgement.kind] = kinds.get(judgement.kind, 0) + 1
    return f"{len(found)} attempts: " + ", ".join(f"{safe(kind)} {count}" for kind, count in sorted(kinds.items()))


def _gate_line(reflection: Reflection) -> str:
    word = "[green]accepted[/green]" if reflection.accepted else "[yellow]not accepted[/yellow]"
    return f"{word}: {safe(reflection.gate.reason if reflection.gate else reflection.note)}"


def _show_difference(console: Console, run: RunDirectory, reflection: Reflection) -> None:
    if not reflection.candidate_hash:
        return
    old, new = load_strategy(run, reflection.parent_hash), load_strategy(run, reflection.candidate_hash)
    console.print(difference_view(old, new, names=(old.hash, new.hash)))


def show_strategy(console: Console, run: RunDirectory, limit: int) -> None:
    """The versions as a tree, each with what it changed, the gate's figures, the validation and the decisions."""
    versions = all_versions(run)
    console.print(evolution(versions))
    for version in versions:
        title = f"{version.strategy.hash} · {version.status} · round {version.strategy.round}"
        console.print(Panel(_version_view(run, version.strategy), title=title, title_align="left"))
        if version.gate:
            console.print(f"  gate: {safe(version.gate.reason)}")
        if version.note:
            console.print(f"  note: {safe(version.note)}", soft_wrap=True)
    console.print(gate_table(run.read("reflections.jsonl", Reflection)))
    show_proof(console, run)
    decisions = run.read("decisions.jsonl", Decision)
    rows = [row for row in run.rows("evaluation/rows.jsonl") if row["suite"] == "strategy"]
    if rows:
        console.print(arms_table(run, rows[-1]["strategy_hash"]))
        show_strategy_evidence(console, run, rows[-1]["strategy_hash"])
    for decision in decisions:
        console.print(
            f"{decision.time} {safe(decision.who)}: {decision.action} {decision.strategy_hash} {safe(decision.reason)}"
        )


def evolution(versions: Sequence[StrategyVersion]) -> Tree:
    """Which version was made from which, and what became of it."""
    names = {version.strategy.hash for version in versions}
    tree = Tree("Evolution of the strategy")
    shown = set[str]()

    def grow(branch: Tree, parent: str | None) -> None:
        for version in versions:
            strategy = version.strategy
            begins = strategy.parent not in names if parent is None else strategy.parent == parent
            if begins and strategy.hash not in shown:
                shown.add(strategy.hash)
                grow(branch.add(_branch_line(version)), strategy.hash)

    grow(tree, None)
    return tree


def _branch_line(version: StrategyVersion) -> str:
    strategy, gate = version.strategy, version.gate
    gain = f", {100 * gate.difference:+.1f} points on {gate.n} items" if gate and gate.difference is not None else ""
    size = f"{len(strategy.bullets)} bullets"
    return safe(f"{strategy.hash} · round {strategy.round} · {version.status} · {size}{gain}")


def _version_view(run: RunDirectory, strategy: Strategy) -> Any:
    """The first version in full, a later one as what it changes."""
    if strategy.parent is None:
        return bullets_view(strategy)
    return difference_view(load_strategy(run, strategy.parent), strategy, names=(strategy.parent, strategy.hash))


def show_attempts(console: Console, run: RunDirectory, limit: int) -> None:
    """The last attempts with verdict and evidence."""
    verdicts = {verdict.id: verdict.judgement for verdict in run.read("verdicts.jsonl", Verdict)}
    problems = {problem.id: problem for problem in run.read("problems.jsonl", Problem)}
    attempts = run.read("attempts.jsonl", Attempt)
    for attempt in attempts[-limit:]:
        judgement = verdicts.get(attempt.id)
        outcome = f"{judgement.outcome} ({judgement.kind})" if judgement else "not judged"
        cut = ", truncated" if attempt.truncated else ""
        console.rule(f"{safe(attempt.id)}: {safe(outcome)}{cut}", align="left")
        console.print(Text(plain(problems[attempt.problem_id].prompt, 600), style="dim"))
        console.print(Text(plain(attempt.error or attempt.reply, 1200)))
        if judgement and judgement.evidence:
            console.print(f"[yellow]{safe(judgement.evidence, 600)}[/yellow]")
    console.print(f"{min(limit, len(attempts))} of {len(attempts)} attempts (--limit N for more)")


def show_calls(console: Console, run: RunDirectory, limit: int) -> None:
    """The last model calls of the ledger."""
    calls = list(read_rows(run.path / "ledger.sqlite")) if (run.path / "ledger.sqlite").exists() else []
    for call in calls[-limit:]:
        cost = "unknown" if call["cost"] is None else f"${call['cost']:.4f}"
        tokens = f"{call['prompt_tokens']} + {call['completion_tokens']} tokens"
        head = f"{call['stage']} {call['agent']} {short_model(call['model'])}: {call['status']}, {tokens}, {cost}"
        console.rule(safe(head), align="left")
        for message in call["messages"]:
            console.print(f"[cyan]{safe(message['role'])}[/cyan] {safe(message['content'], 400)}")
        console.print(f"[green]reply[/green] {safe(call['error'] or call['text'] or '', 800)}")
    console.print(f"{min(limit, len(calls))} of {len(calls)} calls (--limit N for more)")


def show_data(console: Console, run: RunDirectory, limit: int) -> None:
    """The training rows by problem: in which arms, whose solution, its beginning; and what was left out."""
    arms = {file.stem: run.read(f"dataset/{file.name}", TrainingRow) for file in _datasets(run)}
    rows = [row for found in arms.values() for row in found]
    first = {row.problem_id: row for row in reversed(rows)}
    out = standing_exclusions(run)
    for problem_id, row in list(first.items())[:limit]:
        found = ", ".join(arm for arm, rows in arms.items() if any(one.problem_id == problem_id for one in rows))
        left_out = f" [red]left out: {safe(out[problem_id].reason)}[/red]" if problem_id in out else ""
        console.rule(f"{safe(row.id)} ({safe(found)}; by {safe(row.teacher)}){left_out}", align="left")
        console.print(Text(plain(row.prompt[-1].content, 600), style="dim"))
        console.print(Text(plain("\n".join(message.content for message in row.completion), 800)))
    console.print(f"{min(limit, len(first))} of {len(first)} problems (--limit N for more); {len(out)} left out")
    if first and not training_begun(run.path):
        console.print(f"Leave one out with: python -m graphs.transfer exclude {safe(run.id)} ROW --reason WHY")


def _datasets(run: RunDirectory) -> list[Path]:
    return sorted((run.path / "dataset").glob("*.jsonl"))


STAGES: dict[str, Callable[[Console, RunDirectory, int], None]] = {
    "reflections": show_reflections,
    "strategy": show_strategy,
    "attempts": show_attempts,
    "calls": show_calls,
    "data": show_data,
}


def show_cost(console: Console, run: RunDirectory) -> None:
    """Calls, tokens and money by stage, agent and model; an unknown cost is never shown as 0."""
    rows = usage_rows(run)
    cached = any(row["cached_tokens"] is not None or row["cache_write_tokens"] is not None for row in rows)
    table = Table(title=f"Cost of {safe(run.id)}", title_justify="left")
    for column in ("stage", "agent", "model"):
        table.add_column(column)
    cache_columns = ("from cache", "hit rate", "to cache") if cached else ()
    for column in ("calls", "failed", "prompt tokens", *cache_columns, "reply tokens", "US dollars"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*(safe(row[name]) for name in ("stage", "agent", "model")), *_usage_cells(row, cached))
    total = _total(rows)
    table.add_row("[bold]total[/bold]", "", "", *_usage_cells(total, cached))
    console.print(table)
    if total["unknown_cost_calls"]:
        console.print(
            f"The cost of {total['unknown_cost_calls']:,} calls is unknown; that of the others is "
            f"${total['known_cost']:.4f}. Give the missing prices with --prices FILE before the next run."
        )


def _usage_cells(row: dict[str, Any], cached: bool) -> list[str]:
    cells = [f"{row[name]:,}" for name in ("calls", "failed", "prompt_tokens")]
    if cached:
        read, prompt = row["cached_tokens"], row["prompt_tokens"]
        rate = "" if read is None or not prompt else f"{read / prompt:.0%}"
        cells += [_count(read), rate, _count(row["cache_write_tokens"])]
    return [*cells, f"{row['completion_tokens']:,}", _money(row["cost"])]


def _total(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums; a sum is None if no row has the figure, and the cost if any row has none."""
    names = ("calls", "failed", "prompt_tokens", "completion_tokens", "known_cost", "unknown_cost_calls")
    total: dict[str, Any] = {name: sum(row[name] for row in rows) for name in names}
    for name in ("cached_tokens", "cache_write_tokens"):
        told = [row[name] for row in rows if row[name] is not None]
        total[name] = sum(told) if told else None
    return {**total, "cost": None if total["unknown_cost_calls"] else total["known_cost"]}


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _money(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


def runs_table(runs: Sequence[tuple[RunDirectory, str]]) -> Table:
    """One row per run."""
    table = Table()
    for column in ("run", "domain", "teacher", "student", "stands at", "verdict"):
        table.add_column(column)
    for run, stage in runs:
        config = run.read_json("run.json")["config"]
        verdict = run.read_json("manifest.json")["verdict"] if run.complete else ""
        teachers = ", ".join([config["teacher"], *config.get("more_teachers", ())])
        cells = [run.id, config["domain"], teachers, config["student"], stage, verdict]
        table.add_row(*map(safe, cells))
    return table
