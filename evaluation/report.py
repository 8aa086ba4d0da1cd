"""report.md and report.html: the finding first, then everything that it rests on.

Guaranteed: the HTML is one file that loads nothing from outside and runs no script; everything that
a model or a person wrote is escaped, and invisible characters in it are made visible; the same run
directory gives the same bytes. Readable at 390 and 1280 pixels, light and dark.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from evaluation import wording
from evaluation.evidence_figures import draw_evidence
from evaluation.figures import Plot, draw_all
from evaluation.layout import Section, Table
from evaluation.sections import sections
from evaluation.summary import Json, write_summary
from evaluation.transfer_sections import with_transfers
from records.rundir import RunDirectory, write_atomically

_MARKDOWN = re.compile(r"([\\`*\[\]|])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def write_report(run: RunDirectory) -> Json:
    """Recompute summary.json, figures/, report.md and report.html; returns the summary.

    Raises RunError if the run has no run.json or a broken row.
    """
    summary = write_summary(run)
    plots = [*draw_all(run, summary), *draw_evidence(summary)]
    for plot in plots:
        write_atomically(run.file("figures", f"{plot.name}.svg"), plot.light)
    write_atomically(run.file("report.md"), render_markdown(run, summary, plots))
    write_atomically(run.file("report.html"), render_html(run, summary, plots))
    return summary


def render_markdown(run: RunDirectory, summary: Json, plots: Sequence[Plot]) -> str:
    """The report as Markdown; figures are linked from figures/."""
    text = _environment(autoescape=False).get_template("report.md.j2").render(**_context(run, summary, plots))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def render_html(run: RunDirectory, summary: Json, plots: Sequence[Plot]) -> str:
    """The report as one self-contained HTML page."""
    return _environment(autoescape=True).get_template("report.html.j2").render(**_context(run, summary, plots))


def render_page(title: str, findings: Sequence[str], parts: Sequence[Section]) -> str:
    """Sections as a Markdown page of their own, under a few sentences."""
    text = _environment(autoescape=False).get_template("page.md.j2")
    return re.sub(r"\n{3,}", "\n\n", text.render(title=title, findings=findings, sections=parts)).strip() + "\n"


def visible(text: object) -> str:
    """Text with control, format and surrogate characters written out, so that nothing can hide."""
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else f"\\u{ord(c):04x}" for c in str(text))


def markdown(text: object) -> str:
    """Text for a Markdown paragraph or table cell, without any mark-up of its own."""
    escaped = "".join(_ENTITIES.get(c, c) for c in visible(text))
    return _MARKDOWN.sub(r"\\\1", " ".join(escaped.split()))


def fenced(text: object) -> str:
    """Text in a fence that it cannot close."""
    body = visible(text)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", body)), default=0))
    return f"{fence}text\n{body}\n{fence}"


def _context(run: RunDirectory, summary: Json, plots: Sequence[Plot]) -> dict[str, Any]:
    return {
        "summary": summary,
        "finding": wording.finding(summary),
        "teacher": wording.teacher_line(summary["models"]) + wording.teachers_apart(summary),
        "tiles": tiles(summary),
        "sections": with_transfers(sections(summary, _extras(run)), summary),
        "plots": {plot.name: plot for plot in plots},
    }


def tiles(summary: Json) -> list[tuple[str, str, str]]:
    """The few figures to see at a glance: (name, value, remark)."""
    found = []
    for split, figures in summary["splits"].items():
        arm, base = figures["headline_arm"], figures["arms"].get("base")
        if arm is None or not base:
            continue
        values = f"{wording.percent(base['accuracy'])} → {wording.percent(figures['arms'][arm]['accuracy'])}"
        found.append((f"{split}: base → {arm}", values, f"n = {figures['arms'][arm]['n']}"))
    constant = (summary["splits"].get("test") or {}).get("constant_baseline")
    if constant:
        found.append(("constant answer", wording.percent(constant["accuracy"]), f"always {constant['class']}"))
    if summary["strategy"]["verdict_by_validator"]:
        approved = "approved" if summary["strategy"]["approved"] else "not approved"
        found.append(("strategy on validators", summary["strategy"]["verdict"], approved))
    return found


def _extras(run: RunDirectory) -> Mapping[str, Any]:
    """What is measured in time and therefore not in the summary."""
    done = sorted((run.path / "adapters").glob("*/done.json"))
    seconds = {
        path.parent.name: run.read_json(f"adapters/{path.parent.name}/done.json").get("seconds") for path in done
    }
    return {
        "decision_times": {row["id"]: row.get("time", "") for row in run.rows("decisions.jsonl")},
        "seconds": {name: "" if value is None else f"{value:.0f}" for name, value in seconds.items()},
    }


def _environment(autoescape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(visible=visible, md=markdown, fenced=fenced, image=_image, mdtable=_markdown_table)
    return environment


def _image(svg: str) -> Markup:
    return Markup("data:image/svg+xml;base64,") + base64.b64encode(svg.encode("utf-8")).decode("ascii")


def _markdown_table(table: Table) -> str:
    lines = [table.columns, ["---"] * table.words + ["---:"] * (len(table.columns) - table.words)]
    head = ["| " + " | ".join(map(markdown, lines[0])) + " |", "| " + " | ".join(lines[1]) + " |"]
    return "\n".join([*head, *("| " + " | ".join(map(markdown, row)) + " |" for row in table.rows)])
