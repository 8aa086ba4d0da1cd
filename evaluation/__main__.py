"""`python -m evaluation RUN_DIR`: recompute every figure and the report of a run from its rows.

With `--check` nothing is written: the exit status is 1 if the stored summary is not what the rows
give, and each difference is named.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from evaluation.composition import RESULT, findings, is_composition, summarise_composition, write_composition
from evaluation.report import write_report
from evaluation.summary import SUMMARY, differences, summarise
from evaluation.wording import finding
from records.rundir import RunDirectory, RunError

SHOWN = 20


def main(line: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 1 for a difference, 2 for a run that cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m evaluation", description=__doc__.partition("\n")[0])
    parser.add_argument("run", metavar="RUN_DIR", help="directory of a run")
    parser.add_argument("--check", action="store_true", help="compare with the stored summary, write nothing")
    arguments = parser.parse_args(line)
    run = RunDirectory(arguments.run)
    try:
        return check(run) if arguments.check else recompute(run)
    except RunError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def recompute(run: RunDirectory) -> int:
    """Write summary, report and figures; print the finding."""
    if is_composition(run):
        print("\n".join(findings(write_composition(run))))
        return 0
    summary = write_report(run)
    print(f"{summary['verdict']}: {finding(summary)}")
    print(f"{run.path / SUMMARY}\n{run.path / 'report.md'}\n{run.path / 'report.html'}")
    return 0


def check(run: RunDirectory) -> int:
    """Compare the stored summary with the rows."""
    name, compute = (RESULT, summarise_composition) if is_composition(run) else (SUMMARY, summarise)
    found = differences(run.read_json(name), compute(run))
    for line in found[:SHOWN]:
        print(line, file=sys.stderr)
    if len(found) > SHOWN:
        print(f"… and {len(found) - SHOWN} more", file=sys.stderr)
    if not found:
        print(f"{run.path / name} is what the rows give")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
