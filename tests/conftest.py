"""Settings that every test shares: no hub, no telemetry, no traces."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("LANGSMITH_TRACING", "false")
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


from collections import Counter

import pytest

from tests.needs import MENDED_BY


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):  # type: ignore[no-untyped-def]
    """On CI both sandbox tiers and the embedded model are set up, so a skipped test there is a failed one."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped on CI, where nothing may be missing: {call.excinfo.value if call.excinfo else ''}"
    return report


def pytest_terminal_summary(terminalreporter):  # type: ignore[no-untyped-def]
    """What was not run on this machine, why, and the line that mends it."""
    counted = Counter(_reason(report) for report in terminalreporter.getreports("skipped"))
    if not counted:
        return
    terminalreporter.write_sep("=", "not run on this machine")
    for reason, count in counted.most_common():
        missing, _, remedy = reason.partition(MENDED_BY)
        terminalreporter.write_line(f"{count} tests: {missing}")
        if remedy:
            terminalreporter.write_line(f"    to run them: {remedy}")


def _reason(report):  # type: ignore[no-untyped-def]
    """The reason of a skip, as its test gave it."""
    words = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return words.removeprefix("Skipped: ")
