"""`python -m console`: the console in a browser; `python -m console export RUN DIR`: its pages as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.options import RUNS, RunArgument, RunsOption, last_run
from console.program import quieten
from console.reading import start_ui
from console.terminal import friendly, say

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)

PortOption = Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)]


@app.callback(invoke_without_command=True)
def serve(context: typer.Context, runs: RunsOption = RUNS, port: PortOption = 0) -> None:
    """Read runs and approve strategies in a browser."""
    if context.invoked_subcommand is None:
        start_ui(runs, port)


@app.command()
def export(
    run: RunArgument,
    folder: Annotated[Path, typer.Argument(help="Folder for the pages; it is made.", metavar="DIR")],
    most: Annotated[int, typer.Option(help="Pages at most.", min=1)] = 2_000,
    runs: RunsOption = RUNS,
) -> None:
    """Write the pages of a run as HTML files that need nothing else."""
    from console.web.export import write_pages

    with friendly():
        written, left_out = write_pages(runs, last_run(run, runs), folder, most)
        say(f"{written:,} pages in {folder}; begin with {folder / 'index.html'}")
        if left_out:
            say(f"{left_out:,} further pages are linked as plain text; --most N writes more")


def main() -> None:
    """Entry point of the program."""
    quieten()
    app(prog_name="python -m console")


if __name__ == "__main__":
    main()
