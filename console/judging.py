"""What the measurement of a judge gave, at a terminal."""

from __future__ import annotations

import asyncio

from rich.console import Console

from agents.llm_judge import Agreement, distrust
from agents.solver import model_slug
from console.progress import make_events
from console.text import safe
from graphs.judging import AGREEMENT, check_judge, measure_judge, sample
from records.config import RunConfig
from records.rundir import RunDirectory


def measure(console: Console, run: RunDirectory, config: RunConfig, model: str, items: int) -> None:
    """Draw the replies, say what it takes, ask the judge, show the agreement."""
    check_judge(model)
    chosen = sample(run, items, config.seed)
    console.print(f"{len(chosen)} replies, two calls each: {2 * len(chosen)} calls of {safe(model)} at most.")
    events = make_events(console)
    try:
        agreement = asyncio.run(measure_judge(run, config, model, chosen, events))
    finally:
        events.close()
    show_agreement(console, agreement, run)


def show_agreement(console: Console, agreement: Agreement, run: RunDirectory) -> None:
    """The four counts, both figures with intervals, and whether the judge may be used."""
    console.print(
        f"Judge {safe(agreement.judge)} beside the verifier of '{safe(agreement.domain)}', {agreement.n} replies: "
        f"both pass {agreement.both_pass}, both fail {agreement.both_fail}, only the judge passes "
        f"{agreement.judge_only}, only the verifier {agreement.verifier_only}; ungraded {agreement.ungraded}",
        soft_wrap=True,
    )
    accuracy = _figure(agreement.accuracy, agreement.accuracy_ci95)
    console.print(f"Accuracy {accuracy}, Cohen's kappa {_figure(agreement.kappa, agreement.kappa_ci95)}")
    file = run.path / "judges" / model_slug(agreement.judge) / AGREEMENT
    if why := distrust(agreement):
        console.print(f"[yellow]Its scores are refused:[/yellow] {safe(why)}", soft_wrap=True)
    else:
        console.print(f"It may judge: --set judge={safe(agreement.judge)} --set judge_agreement={safe(str(file))}")


def _figure(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None or interval is None:
        return "undefined"
    return f"{value:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"
