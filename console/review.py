"""Approval at a terminal: the strategy with its evidence, and one question."""

from __future__ import annotations

import difflib
import getpass
import os
from typing import Any

import click
from rich.console import Console, Group
from rich.panel import Panel
from rich.prompt import Prompt
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from console.evidence import show_strategy_evidence
from console.text import plain, safe
from evaluation.summary import strategy_suites
from graphs.approval import Answer
from graphs.strategies import load_strategy
from models.tokens import count_tokens
from records.nouns import EvaluationRow, GateResult, Reflection, Strategy
from records.rundir import RunDirectory

CHOICES = ["approve", "edit", "reject", "later"]


def show_evidence(console: Console, run: RunDirectory, payload: dict[str, Any]) -> None:
    """Everything that a reviewer needs, on one screen or two."""
    strategy = load_strategy(run, payload["strategy_hash"])
    draft = load_strategy(run, payload["draft_hash"])
    console.rule("[bold]Approval of the strategy")
    console.print(Panel(bullets_view(strategy), title=f"{strategy.hash} · {count_tokens(strategy.text)} tokens"))
    console.print(difference_view(draft, strategy))
    console.print(gate_table(run.read("reflections.jsonl", Reflection)))
    console.print(arms_table(run, strategy.hash))
    show_strategy_evidence(console, run, strategy.hash)
    if payload.get("notice"):
        console.print(f"[yellow]{safe(payload['notice'])}[/yellow]")


def bullets_view(strategy: Strategy) -> Group:
    """Bullets by section, each with its id and origin."""
    sections: dict[str, list[Text]] = {}
    for bullet in strategy.bullets:
        origin = f"round {bullet.round}, from {len(bullet.origin)} attempts" if bullet.origin else "first draft"
        line = Text.assemble((f"  {bullet.id:>4}  ", "cyan"), plain(bullet.text), (f"  [{origin}]", "dim"))
        sections.setdefault(bullet.section, []).append(line)
    lines = [part for name, found in sections.items() for part in (Text(plain(name), style="bold"), *found)]
    return Group(*lines)


def difference_view(old: Strategy, new: Strategy, names: tuple[str, str] = ("first draft", "this strategy")) -> Any:
    """Unified diff of two versions' texts."""
    before, after = plain(old.text).splitlines(), plain(new.text).splitlines()
    text = "\n".join(difflib.unified_diff(before, after, *names, lineterm="", n=0))
    empty = Text("No edit passed the gate: this is the first draft.", style="dim")
    return Syntax(text, "diff", word_wrap=True) if text else empty


def gate_table(reflections: list[Reflection]) -> Table:
    """One row per round: what was proposed and what the gate said."""
    table = Table(title="Gate", title_justify="left")
    for column in ("round", "edits", "rule", "n", "won", "lost", "p (one-sided)", "alpha", "decision"):
        table.add_column(column, justify="left" if column == "decision" else "right")
    for reflection in reflections:
        gate = reflection.gate
        figures = _gate_figures(gate) if gate else [""] * 6
        why = reflection.note or (gate.stopped if gate else "")
        word = "accepted" if reflection.accepted else f"not accepted {why}".strip()
        table.add_row(str(reflection.round), str(len(reflection.edits)), *figures, safe(word))
    return table


def _gate_figures(gate: GateResult) -> list[str]:
    counts = [str(gate.n), str(gate.wins), str(gate.losses)]
    return [safe(gate.policy), *counts, f"{gate.p_value:.3f}", f"{gate.alpha:.4f}"]


def arms_table(run: RunDirectory, strategy_hash: str) -> Table:
    """Zero-shot accuracy per validator and strategy arm, with the verdict word."""
    rows = [
        row
        for row in run.read("evaluation/rows.jsonl", EvaluationRow)
        if row.suite == "strategy" and row.strategy_hash == strategy_hash
    ]
    suites = strategy_suites(rows)
    arms = list(dict.fromkeys(arm for suite in suites.values() for arm in suite["arms"]))
    table = Table(title="Zero-shot validation on items that the gate never used", title_justify="left")
    for column in ("validator", *arms, "learned - none", "verdict"):
        table.add_column(column, justify="left" if column in ("validator", "verdict") else "right")
    for validator, suite in suites.items():
        cells = [_accuracy(suite["arms"].get(arm)) for arm in arms]
        gain = next((c for c in suite["comparisons"] if c["b"] == "none"), None)
        table.add_row(safe(validator), *cells, _difference(gain), safe(suite["verdict"]))
    return table


def _accuracy(figures: Any) -> str:
    return f"{figures['correct']}/{figures['n']}" if figures else ""


def _difference(comparison: Any) -> str:
    if not comparison or comparison["ci95"] is None:
        return ""
    low, high = comparison["ci95"]
    return f"{comparison['difference']:+.0%} [{low:+.0%}, {high:+.0%}]"


def ask(console: Console, run: RunDirectory, payload: dict[str, Any]) -> Answer | None:
    """Show the evidence and ask; None if the reviewer wants to decide later."""
    show_evidence(console, run, payload)
    while True:
        choice = Prompt.ask("Your decision", choices=CHOICES, default="later", console=console)
        if choice == "later":
            return None
        answer = _answer(console, run, payload["strategy_hash"], choice)
        if answer:
            return answer


def _answer(console: Console, run: RunDirectory, strategy_hash: str, choice: str) -> Answer | None:
    text = None
    if choice == "edit":
        text = click.edit(load_strategy(run, strategy_hash).text, extension=".md")
        if text is None:
            console.print("Nothing was saved in the editor; the strategy is unchanged.")
            return None
    reason = Prompt.ask("Reason", default="", show_default=False, console=console)
    if choice == "reject" and not reason.strip():
        console.print("A rejection needs a reason: it is part of the record.")
        return None
    return make_answer(choice, strategy_hash, reason, text)


def make_answer(choice: str, strategy_hash: str, reason: str, text: str | None = None) -> Answer:
    """The answer in the name of the user of this machine."""
    return Answer(action=choice, strategy_hash=strategy_hash, who=reviewer_name(), reason=reason, text=text)


def reviewer_name() -> str:
    """LRL_REVIEWER, or the login name."""
    try:
        return os.environ.get("LRL_REVIEWER") or getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
