"""Leaving a test out, loudly: a line per test at the end of the run, and a failed run where `CI` is set.

A skipped test that nobody notices is worse than a missing one. On a developer's machine a missing neighbour is an
ordinary thing and is named; in CI it means that the machine was not prepared, and that is a failure.
"""

import os
from typing import NoReturn

import pytest

_left_out: dict[str, str] = {}


def leave_out(reason: str) -> NoReturn:
    """Ends the calling test or fixture as left out; `reason` says what is missing and how to get it."""
    pytest.skip(reason)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remembers every skip, whoever caused it; with xdist this runs in the controlling process."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _left_out[report.nodeid] = _reason(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A whole module may skip itself (`importorskip`)."""
    if report.skipped:
        _left_out[report.nodeid] = _reason(report)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names each of them."""
    if not _left_out:
        return
    terminalreporter.section("LEFT OUT", sep="!")
    for nodeid, reason in sorted(_left_out.items()):
        terminalreporter.line(f"LEFT OUT {nodeid}: {reason}")
    if os.environ.get("CI"):
        terminalreporter.line("CI is set: a test that is left out counts as a failure")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing may be left out."""
    if _left_out and os.environ.get("CI") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
