"""Runs the project's checks one after another and prints what each took; behind `make check` and `make test`.

    python scripts/suites.py check            no root, no preparation, meant for every save: types, lint, fast tests
    python scripts/suites.py test             prepares the neighbours by scripts, then runs every suite
    python scripts/suites.py test --only postgres --only browser

Every test belongs to exactly one suite: the first marker of `MARKERS` that it carries, or `fast`. What this machine
cannot run (no root, nothing to install with) is left out by name; where `CI` is set that is a failure. Exit code 0 only
when all that was asked for ran and passed. Standard library only, so that it can speak before anything is installed.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# The order decides where a test with two markers runs: with the rarest neighbour.
MARKERS = ("asterisk", "browser", "packaging", "postgres", "crash", "net", "slow")

ROOT_NEEDED = 3  # exit code of scripts/install-*.sh
NO_TESTS = 5  # exit code of pytest when nothing was collected (pytest docs, "Exit codes")

# Nothing may take longer than the whole budget of a cold run; a suite that does is hung.
SUITE_LIMIT_S = 30 * 60


@dataclass(frozen=True)
class Suite:
    """One line of the closing table."""

    name: str
    command: tuple[str, ...]
    prepare: str = ""
    """Script that installs what the suite needs; exit code 3 means that only root could."""
    root: str = ""
    """Why the suite as a whole needs root; empty when it does not."""
    tests: bool = False


@dataclass
class Outcome:
    """How a suite ended: `passed`, `failed`, `left out`, `empty`."""

    name: str
    verdict: str = "passed"
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    reason: str = ""


def expression(marker: str) -> str:
    """The pytest `-m` expression under which each test belongs to one suite only."""
    before = MARKERS if marker == "fast" else MARKERS[: MARKERS.index(marker)]
    own = [] if marker == "fast" else [marker]
    return " and ".join(own + [f"not {other}" for other in before])


def pytest_suite(marker: str, *, workers: int = 0, prepare: str = "", root: str = "") -> Suite:
    """A suite of tests; `workers` 0 runs them in one process (real neighbours share the two cores with the tests)."""
    spread = ("-n", str(workers)) if workers else ()
    command = (str(BIN / "python"), "-m", "pytest", "-q", "-m", expression(marker), *spread)
    return Suite(marker, command, prepare, root, tests=True)


def tool(name: str, program: str, *arguments: str) -> Suite:
    """A check that is a program of the virtual environment."""
    return Suite(name, (str(BIN / program), *arguments))


LINT = (
    tool("ruff", "ruff", "check", "--output-format", "concise", "."),
    tool("format", "ruff", "format", "--check", "--output-format", "concise", "."),
    tool("mypy", "mypy"),
    tool("basedpyright", "basedpyright", "--level", "error"),
    tool("imports", "lint-imports", "--no-logo"),
)
FAST = pytest_suite("fast", workers=2)
SLOW = (
    pytest_suite("slow", workers=2),
    pytest_suite("crash"),  # plays its cases side by side itself; a second process would take the seconds they need
    pytest_suite("net", workers=2),
    pytest_suite("postgres", prepare="scripts/install-postgres.sh"),
    pytest_suite("browser", prepare="scripts/install-browser.sh"),
    pytest_suite("packaging", prepare="scripts/install-packaging.sh"),
    pytest_suite(
        "asterisk",
        prepare="scripts/asterisk/install.sh",
        root="Asterisk runs in a chroot and the judge is a capture",
    ),
)


def run(command: tuple[str, ...], environment: dict[str, str]) -> int:
    """Runs in a process group of its own, so that nothing that a hung suite started outlives it."""
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    ) as child:
        try:
            return child.wait(SUITE_LIMIT_S)
        except BaseException as stop:
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
            if isinstance(stop, subprocess.TimeoutExpired):
                print(f"hopline: over {SUITE_LIMIT_S} s, stopped: {shlex.join(command)}", file=sys.stderr)
                return 124
            raise


def counts_of(report: Path) -> dict[str, int]:
    """Passed, failed and skipped of a JUnit file; empty when pytest did not get as far as writing one."""
    if not report.exists():
        return {}
    total = failed = skipped = 0
    for suite in ET.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return {"passed": total - failed - skipped, "failed": failed, "skipped": skipped}


def say(line: str) -> None:
    print(f"\n==== {line}", flush=True)


def prepare(suites: list[Suite], environment: dict[str, str]) -> list[Outcome]:
    """Runs the scripts that install neighbours; returns what cannot run, and what preparing took."""
    outcomes = []
    for suite in suites:
        if suite.root and os.geteuid() != 0:
            outcomes.append(Outcome(suite.name, "left out", reason=f"needs root: {suite.root}"))
            continue
        if not suite.prepare:
            continue
        say(f"prepare {suite.name}: {suite.prepare}")
        begun = time.monotonic()
        code = run(("bash", suite.prepare), environment)
        spent = time.monotonic() - begun
        if code == ROOT_NEEDED:
            outcomes.append(Outcome(suite.name, "left out", spent, reason=f"{suite.prepare} needs root"))
        elif code:
            outcomes.append(Outcome(suite.name, "failed", spent, reason=f"{suite.prepare} ended with {code}"))
        else:
            outcomes.append(Outcome(f"prepare {suite.name}", "passed", spent))
    return outcomes


def perform(suite: Suite, folder: Path, environment: dict[str, str]) -> Outcome:
    """Runs one suite and names its end."""
    report = folder / f"{suite.name}.xml"
    command = (*suite.command, f"--junitxml={report}") if suite.tests else suite.command
    say(f"{suite.name}: {shlex.join([Path(command[0]).name, *command[1:]])}")
    begun = time.monotonic()
    code = run(command, environment)
    outcome = Outcome(suite.name, seconds=time.monotonic() - begun)
    if suite.tests:
        outcome.counts = counts_of(report)
    if code == NO_TESTS and suite.tests:
        outcome.verdict, outcome.reason = "empty", "no test carries this mark"
    elif code:
        outcome.verdict, outcome.reason = "failed", f"exit code {code}"
    elif outcome.counts.get("skipped"):
        outcome.reason = f"{outcome.counts['skipped']} left out, see the lines LEFT OUT above"
    return outcome


def table(outcomes: list[Outcome], strict: bool) -> bool:
    """Prints the closing table; true when all is well."""
    say("what ran")
    print(f"{'suite':<22}{'verdict':<10}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>10}  note")
    for outcome in outcomes:
        numbers = [str(outcome.counts.get(key, "")) for key in ("passed", "failed", "skipped")]
        print(
            f"{outcome.name:<22}{outcome.verdict:<10}{numbers[0]:>8}{numbers[1]:>8}{numbers[2]:>9}"
            f"{outcome.seconds:>10.1f}  {outcome.reason}"
        )
    totals = {key: sum(one.counts.get(key, 0) for one in outcomes) for key in ("passed", "failed", "skipped")}
    print(
        f"{'all':<22}{'':<10}{totals['passed']:>8}{totals['failed']:>8}{totals['skipped']:>9}"
        f"{sum(one.seconds for one in outcomes):>10.1f}"
    )
    absent = [one for one in outcomes if one.verdict in {"left out", "empty"} or one.counts.get("skipped")]
    for one in absent:
        print(f"hopline: NOT RUN: {one.name}: {one.reason}")
    failed = [one for one in outcomes if one.verdict == "failed"]
    for one in failed:
        print(f"hopline: FAILED: {one.name}: {one.reason}")
    if absent and strict:
        print("hopline: CI is set, so what was left out counts as a failure")
    print(f"hopline: {totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped", flush=True)
    return not failed and not (absent and strict)


def chosen(mode: str, only: list[str]) -> list[Suite]:
    """The suites that were asked for; all of the mode when nothing was named."""
    suites = [*LINT, FAST, *(SLOW if mode == "test" else ())]
    unknown = set(only) - {suite.name for suite in suites}
    if unknown:
        sys.exit(f"hopline: no such suite: {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in suites)}")
    return [suite for suite in suites if not only or suite.name in only]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("mode", choices=("check", "test"))
    parser.add_argument("--only", action="append", default=[], metavar="SUITE", help="run this suite only (repeatable)")
    arguments = parser.parse_args()
    suites = chosen(arguments.mode, arguments.only)
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    outcomes = prepare(suites, environment) if arguments.mode == "test" else []
    unfit = {outcome.name for outcome in outcomes if outcome.verdict != "passed"}
    with tempfile.TemporaryDirectory(prefix="hopline-suites-") as folder:
        for suite in suites:
            if suite.name not in unfit:
                outcomes.append(perform(suite, Path(folder), environment))
    return 0 if table(outcomes, strict=bool(os.environ.get("CI"))) else 1


if __name__ == "__main__":
    sys.exit(main())
