"""What a person sees who is to approve a strategy: the strategy, its evidence, and what each answer leads to.

Guaranteed: what speaks against the strategy stands beside what speaks for it (every control arm, a leak,
the gain that so few problems could show at all); everything that a model wrote is inert; readable from 80
columns. Not guaranteed: that the figures decide for the person.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from console.evidence import show_strategy_evidence
from console.text import plain, safe
from evaluation.leakage import check_strategy
from evaluation.looks import budget_figures, budget_text
from evaluation.power import STEADY, minimum_detectable_effect
from evaluation.sections import edit_text, proof_text
from evaluation.summary import strategy_suites
from evaluation.verdicts import ALPHA, REQUIRED, is_harm, is_shown_holm
from graphs.strategies import load_strategy
from models.tokens import count_tokens
from records.config import RunConfig
from records.item_uses import FILE, ItemUse
from records.nouns import (
    Bullet,
    Confirmation,
    EditGate,
    EvaluationRow,
    GateResult,
    Problem,
    Reflection,
    Strategy,
    Verdict,
)
from records.rundir import RunDirectory

COLOURS = {"supported": "green", "harmful": "red"}
NEEDS_STRATEGY = ("base+strategy", "lora_strategy", "lora_distilled")
ARM_WORDS = {
    "none": "the problem alone",
    "seed": "built-in strategy",
    "placebo": "another domain's",
    "one_shot": "the first draft",
    "few_shot": "solved examples",
    "learned": "this strategy",
}


def show_evidence(console: Console, run: RunDirectory, payload: Mapping[str, Any]) -> None:
    """Everything that a reviewer needs, the short form first and what happens next last."""
    strategy, draft = (load_strategy(run, payload[name]) for name in ("strategy_hash", "draft_hash"))
    suites = _suites(run, strategy.hash)
    console.rule(f"[bold]Approval of the strategy[/bold] · run {safe(run.id)}")
    if payload.get("notice"):
        console.print(f"[yellow]{safe(payload['notice'])}[/yellow]")
    console.print("May the student be taught with this strategy? In short:")
    for line in _in_short(run, strategy, suites):
        console.print(f"  • {line}")
    console.print()
    title = f"Strategy {strategy.hash} · {count_tokens(strategy.text)} tokens"
    console.print(Panel(bullets_view(strategy, _outcomes(run)), title=title, title_align="left"))
    _show_changes(console, run, draft, strategy)
    reflections = run.read("reflections.jsonl", Reflection)
    console.print(gate_table(reflections) if reflections else "No round of reflection was made.")
    show_proof(console, run)
    for validator, suite in suites.items():
        console.print()
        console.print(validation_table(validator, suite))
    show_strategy_evidence(console, run, strategy.hash)
    console.print()
    console.print(next_table(run))
    console.print()


def _suites(run: RunDirectory, strategy_hash: str) -> dict[str, Any]:
    rows = run.read("evaluation/rows.jsonl", EvaluationRow)
    return strategy_suites(row for row in rows if row.suite == "strategy" and row.strategy_hash == strategy_hash)


def _in_short(run: RunDirectory, strategy: Strategy, suites: Mapping[str, Any]) -> Iterator[str]:
    for validator, suite in suites.items():
        word = suite["verdict"]
        yield f"{safe(validator)}: [{COLOURS.get(word, 'yellow')}]{safe(word)}[/] — {safe(suite['verdict_reason'])}"
        worse = [c["b"] for c in suite["comparisons"] if is_harm(c)]
        if worse:
            yield f"{safe(validator)}: [red]worse than {safe(', '.join(worse))}[/red]"
    edits = [r for r in run.read("reflections.jsonl", Reflection) if r.gate]
    kept = sum(reflection.accepted for reflection in edits)
    yield f"the gate kept {kept} of {len(edits)} edited versions"
    leaks = check_strategy(strategy.text, run.read("problems.jsonl", Problem))
    if not leaks:
        yield "no problem id, answer or run of words of a validation, test or ood problem is in it"
    for leak in leaks[:3]:
        yield f"[red]it leaks a held-out problem:[/red] {safe(str(leak))}"


def bullets_view(strategy: Strategy, outcomes: Mapping[str, str] | None = None) -> Group:
    """Bullets by section, each with its id and origin; `outcomes` of the attempts by id."""
    sections: dict[str, Table] = {}
    for bullet in strategy.bullets:
        table = sections.setdefault(bullet.section, Table.grid(padding=(0, 1)))
        table.add_row(Text(f"{plain(bullet.id):>4}", style="cyan"), Text(plain(bullet.text)))
        if origin := history(bullet, outcomes or {}):
            table.add_row("", Text(origin, style="dim"))
    parts = [part for name, table in sections.items() for part in (Text(plain(name), style="bold"), table)]
    return Group(*parts, Text("Bullets without a round were in the first draft, or a person wrote them.", style="dim"))


def history(bullet: Bullet, outcomes: Mapping[str, str]) -> str:
    """The rounds that wrote the bullet, what became of the attempts that it came from, and what its edit gained."""
    if not bullet.round and not bullet.origin:
        return ""
    found = Counter(outcomes.get(one, "not judged") for one in bullet.origin)
    words = ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.items()))
    changed = bullet.created not in (None, bullet.round)
    parts = [("first draft" if not bullet.created else f"round {bullet.created}")] if changed else []
    parts += [f"edited in round {bullet.round}" if changed else f"round {bullet.round}"]
    parts += [f"from {len(bullet.origin)} attempts ({words})"] if words else []
    parts += [f"gain of its edit {100 * bullet.lift:+.1f} points"] if bullet.lift is not None else []
    return ", ".join(parts)


def _outcomes(run: RunDirectory) -> dict[str, str]:
    return {verdict.id: verdict.judgement.outcome for verdict in run.read("verdicts.jsonl", Verdict)}


def _show_changes(console: Console, run: RunDirectory, draft: Strategy, strategy: Strategy) -> None:
    """What differs from the first draft, and after an edit by a person from the strategy before it."""
    if strategy.hash == draft.hash:
        console.print("It is the first draft, written before any result was seen: no edit of it was kept.\n")
        return
    if strategy.name.startswith("edited by ") and strategy.parent not in (None, draft.hash):
        console.print("[bold]What the last edit changed[/bold]")
        console.print(difference_view(load_strategy(run, str(strategy.parent)), strategy, ("before", "edited")))
    console.print("[bold]What differs from the first draft[/bold] (- draft, + this strategy)")
    console.print(difference_view(draft, strategy))
    console.print()


def difference_view(old: Strategy, new: Strategy, names: tuple[str, str] = ("first draft", "this strategy")) -> Any:
    """Unified diff of two versions' texts."""
    before, after = plain(old.text).splitlines(), plain(new.text).splitlines()
    text = "\n".join(difflib.unified_diff(before, after, *names, lineterm="", n=0))
    empty = Text("The texts are the same.", style="dim")
    return Syntax(text, "diff", word_wrap=True) if text else empty


def gate_table(reflections: Sequence[Reflection]) -> Table:
    """One row per round: what was proposed and what the gate said."""
    title = "Gate (won: problems solved only with the edits, lost: only without)"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    for column in ("round", "edits", "items", "won", "lost", "p", "alpha", "decision"):
        table.add_column(column, justify="left" if column == "decision" else "right")
    for reflection in reflections:
        figures = _gate_figures(reflection.gate) if reflection.gate else ["–"] * 5
        table.add_row(str(reflection.round), str(len(reflection.edits)), *figures, _gate_words(reflection))
    return table


def show_proof(console: Console, run: RunDirectory) -> None:
    """What the one test at the end of the search said, if there was one, and those of edits by people."""
    for entry in run.read("confirmation.jsonl", Confirmation):
        console.print(safe(proof_text(entry.model_dump())), soft_wrap=True)
    for edit in run.read("edit_gates.jsonl", EditGate):
        console.print(safe(edit_text(edit.model_dump())), soft_wrap=True)
    uses = run.read(FILE, ItemUse)
    if uses:
        config = RunConfig.model_validate(run.read_json("run.json")["config"])
        console.print(safe(budget_text(budget_figures(uses, config.error_budget))), soft_wrap=True)


def _gate_figures(gate: GateResult) -> list[str]:
    level = f"{gate.alpha:.4f}" if gate.alpha < 1 else "–"  # a rule without a test has none
    return [str(gate.n), str(gate.wins), str(gate.losses), f"{gate.p_value:.3f}", level]


def _gate_words(reflection: Reflection) -> str:
    """The decision, the rule, why it stopped or was not made, and what the gate could have shown at all."""
    gate = reflection.gate
    word = "[green]kept[/green]" if reflection.accepted else "[yellow]not kept[/yellow]"
    parts = [reflection.note or (gate.stopped if gate else "")]
    if gate:
        parts.insert(0, f"rule {gate.policy}")
    if gate and gate.detectable:
        parts.append(f"it could show a gain of {gate.detectable:.0%} or more")
    return f"{word}: {safe('; '.join(filter(None, parts)))}"


def validation_table(validator: str, suite: Mapping[str, Any]) -> Table:
    """One model's figures without the strategy, with each control, and with it."""
    word = suite["verdict"]
    title = f"Zero-shot validation on {safe(validator)}, problems that no gate used: [bold]{safe(word)}[/bold]"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, caption_justify="left")
    table.caption = _what_could_be_shown(suite)
    table.add_column("in the prompt")
    for column in ("solved", "% [95%]", "gain, points [95%]"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("the gain is", no_wrap=True)
    compared = {c["b"]: c for c in (*suite["comparisons"], *suite["other_comparisons"])}
    for arm, figures in suite["arms"].items():
        what = f"{arm}: {ARM_WORDS[arm]}" if arm in ARM_WORDS else arm
        cells = [what, _solved(figures), _interval(figures["accuracy"], figures["ci95"])]
        gain = compared.get(arm)
        cells += [_interval(gain["difference"], gain["ci95"], "+") if gain else "", _better(gain)]
        table.add_row(*map(safe, cells), style="bold" if arm == "learned" else "")
    return table


def _solved(figures: Mapping[str, Any]) -> str:
    ungraded = f" ({figures['ungraded']} not judged)" if figures["ungraded"] else ""
    return f"{figures['correct']}/{figures['n']}{ungraded}"


def _interval(value: float | None, interval: Sequence[float] | None, sign: str = "") -> str:
    if value is None or interval is None:
        return "–"
    low, high = interval
    return f"{100 * value:{sign}.0f} [{100 * low:{sign}.0f}, {100 * high:{sign}.0f}]"


def _better(gain: Mapping[str, Any] | None) -> str:
    """Whether the gain is shown; only the required controls decide."""
    if gain is None:
        return ""
    if gain["b"] not in REQUIRED:
        return "not counted"
    return "a loss" if is_harm(gain) else "shown" if is_shown_holm(gain) else "not shown"


def _what_could_be_shown(suite: Mapping[str, Any]) -> str:
    """The least gain over each control that so many problems show with 80% probability."""
    items = max((c["n"] for c in suite["comparisons"]), default=0)
    level = ALPHA / 2 / len(REQUIRED)  # one side of the two-sided test, at Holm's strictest step
    gain = minimum_detectable_effect(items, level, noise=STEADY)
    least = f"a gain of about {100 * gain:.0f} points or more" if gain is not None else "no gain, however large"
    return (
        f"Shown is a gain whose interval lies above 0 with an exact p below {ALPHA} (Holm, over {', '.join(REQUIRED)}; "
        f"only these count). The {items} problems can show {least}, with 80% probability."
    )


def arms_table(run: RunDirectory, strategy_hash: str) -> Group:
    """Zero-shot accuracy per strategy arm, one table per validator."""
    return Group(*(validation_table(validator, suite) for validator, suite in _suites(run, strategy_hash).items()))


def next_table(run: RunDirectory) -> Table:
    """What each answer leads to."""
    config = RunConfig.model_validate(run.read_json("run.json")["config"])
    table = Table(title="What happens next", title_justify="left", box=None, show_header=False, padding=(0, 1))
    table.add_row("[bold]approve[/bold]", safe(_after(config, config.student_arms)))
    items = f"{config.sizes.transfer} problems with {', '.join(dict.fromkeys(config.validators))}"
    again = (
        f"checked for answers of held-out problems, put to the gate against this one on problems that chose "
        f"nothing, and measured again on {items}; then you are asked again."
    )
    table.add_row("[bold]edit[/bold]", safe(f"Your editor opens (EDITOR names it). The new text is {again}"))
    without = [arm for arm in config.student_arms if arm not in NEEDS_STRATEGY]
    table.add_row("[bold]reject[/bold]", safe("No strategy is used. " + _after(config, without)))
    later = f"Nothing is decided, and nothing is lost: python -m graphs.transfer approve {run.id}"
    table.add_row("[bold]later[/bold]", safe(later))
    return table


def _after(config: RunConfig, arms: Sequence[str]) -> str:
    trained = ", ".join(arm for arm in arms if arm.startswith("lora_"))
    seeds = f", {config.training_seeds} seeds each" if config.training_seeds > 1 else ""
    training = f"Training of {trained} on at most {config.examples} verified solutions{seeds}; then "
    tested = f"{config.sizes.test} test and {config.sizes.ood} ood problems are solved by {', '.join(arms)}."
    return (training if trained else "Nothing is trained; ") + tested
