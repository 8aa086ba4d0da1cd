"""What carries over, at a terminal: lifts between models, lifts per bullet, the student's rounds.

The tables are the report's own, drawn for a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from console.text import safe
from evaluation.crossmodel import selection, transfer_matrix
from evaluation.evidence import ablation_table, harmful_line, rounds_table, selection_table, transfer_table
from evaluation.layout import Table
from evaluation.summary import ablated, source_model, strategies
from records.nouns import EvaluationRow
from records.rundir import RunDirectory

TEXT_WIDTH = 44


def drawn(table: Table) -> RichTable:
    """A report's table for the terminal; the words of a long cell are folded."""
    found = RichTable(title=safe(table.caption), title_justify="left", box=box.SIMPLE_HEAD)
    for place, name in enumerate(table.columns):
        words = place < table.words
        found.add_column(safe(name), justify="left" if words else "right", overflow="fold", max_width=TEXT_WIDTH)
    for row in table.rows:
        found.add_row(*(safe(cell, 600) for cell in row))
    return found


def show_strategy_evidence(console: Console, run: RunDirectory, strategy_hash: str) -> None:
    """Of one strategy: what its loop chose among, its lifts on the validators, and its bullets one by one."""
    rows = run.read("evaluation/rows.jsonl", EvaluationRow)
    about = [row for row in rows if row.strategy_hash == strategy_hash]
    if found := selection(rows):
        console.print(drawn(selection_table(found)))
    if transfer := transfer_matrix(about, source_model(run.read_json("run.json"))):
        console.print(drawn(transfer_table(transfer)))
    known = strategies(run)
    if ablation := ablated(rows, known.get(strategy_hash), known):
        _show_ablation(console, ablation, strategy_hash)


def _show_ablation(console: Console, ablation: dict[str, Any], strategy_hash: str) -> None:
    console.print(drawn(ablation_table(ablation)))
    if ablation["hash"] != strategy_hash:
        console.print(f"It is that of {safe(ablation['hash'])}, from which this version was edited.")
    colour = "yellow" if ablation["harmful"] else "dim"
    console.print(f"[{colour}]{safe(harmful_line(ablation))}[/{colour}]", soft_wrap=True)
    if ablation["harmful"]:
        console.print("To delete them, choose edit and take them out: the edited strategy is measured again.")


def show_result_evidence(console: Console, summary: dict[str, Any]) -> None:
    """Of a finished run: the transfer between models in a line, and the rounds."""
    for line in transfer_lines(summary["strategy"].get("transfer")):
        console.print(safe(line), soft_wrap=True)
    if rounds := summary.get("student_rounds"):
        console.print(drawn(rounds_table(rounds)))


def transfer_lines(transfer: dict[str, Any] | None) -> Iterator[str]:
    """One line per validator: the learned strategy's lift and what share of the source's that is."""
    if not transfer:
        return
    rows = transfer_table(transfer)
    place = rows.columns.index("learned − none") if "learned − none" in rows.columns else None
    for row in rows.rows:
        gain = row[place] if place is not None else "–"
        yield f"Lift on {row[0]}: {gain} points; transfer fraction: {row[-1]}"
