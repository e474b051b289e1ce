"""The runner behind `make check` and `make test`: what fails or does not run is never taken for a pass."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import suites
from scripts.suites import Outcome, Suite, perform, prepare, table
from tests.packaging.tree import ROOT

pytestmark = pytest.mark.packaging

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir")

ONE_OF_EACH = """
import pytest
def test_passes(): pass
def test_is_left_out(): pytest.skip("no neighbour here")
"""


def plain(environment: dict[str, str]) -> dict[str, str]:
    """Ours without CI and without what the outer pytest left in it."""
    return {key: value for key, value in environment.items() if key != "CI" and not key.startswith("PYTEST_")}


@pytest.fixture
def scripts_of_each_end(tmp_path: Path) -> dict[int, str]:
    """Preparations that end with 0, 1 and 3."""
    made = {}
    for code in (0, 1, 3):
        place = tmp_path / f"ends-with-{code}.sh"
        place.write_text(f"exit {code}\n", encoding="utf-8")
        made[code] = str(place)
    return made


def test_a_missing_root_leaves_out_and_a_broken_script_fails(scripts_of_each_end: dict[int, str]) -> None:
    asked = [Suite(f"s{code}", ("true",), prepare=script) for code, script in scripts_of_each_end.items()]
    verdicts = {outcome.name: outcome.verdict for outcome in prepare(asked, dict(os.environ))}
    assert verdicts == {"prepare s0": "passed", "s1": "failed", "s3": "left out"}


def test_a_command_that_fails_fails_its_suite(tmp_path: Path) -> None:
    assert perform(Suite("good", ("true",)), tmp_path, dict(os.environ)).verdict == "passed"
    assert perform(Suite("bad", ("false",)), tmp_path, dict(os.environ)).verdict == "failed"


@pytest.mark.parametrize(
    ("outcome", "at_home", "in_ci"),
    [
        (Outcome("a"), True, True),
        (Outcome("a", "failed"), False, False),
        (Outcome("a", "left out", reason="needs root"), True, False),
        (Outcome("a", "empty"), True, False),
        (Outcome("a", counts={"passed": 1, "failed": 0, "skipped": 1}), True, False),
    ],
)
def test_what_did_not_run_is_a_failure_in_ci(
    outcome: Outcome, at_home: bool, in_ci: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert table([Outcome("b"), outcome], strict=False) is at_home
    assert table([Outcome("b"), outcome], strict=True) is in_ci
    printed = capsys.readouterr().out
    assert ("NOT RUN: a" in printed) == (at_home and not in_ci)


def test_the_counts_come_from_the_run_itself(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(ONE_OF_EACH + "def test_fails(): assert 0\n", encoding="utf-8")
    suite = Suite("inner", (*PYTEST, str(tmp_path), str(tmp_path)), tests=True)
    outcome = perform(suite, tmp_path, plain(dict(os.environ)))
    assert (outcome.verdict, outcome.counts) == ("failed", {"passed": 1, "failed": 1, "skipped": 1})


def test_a_suite_without_tests_is_empty_rather_than_passed(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("", encoding="utf-8")
    outcome = perform(Suite("inner", (*PYTEST, str(tmp_path), str(tmp_path)), tests=True), tmp_path, dict(os.environ))
    assert outcome.verdict == "empty"


def test_a_hung_suite_is_ended_with_all_that_it_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(suites, "SUITE_LIMIT_S", 0.5)
    pid = tmp_path / "pid"
    outcome = perform(Suite("hung", ("bash", "-c", f"sleep 600 & echo $! >{pid}; wait")), tmp_path, dict(os.environ))
    assert outcome.verdict == "failed"
    try:
        watched = os.pidfd_open(int(pid.read_text()))
    except ProcessLookupError:
        return  # gone already
    try:
        ended, _, _ = select.select([watched], [], [], 30)  # readable once the process has ended (pidfd_open(2))
        assert ended
    finally:
        os.close(watched)


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_a_skipped_test_is_named_and_fails_in_ci(tmp_path: Path, ci: str, code: int) -> None:
    (tmp_path / "test_it.py").write_text(ONE_OF_EACH, encoding="utf-8")
    done = subprocess.run(
        [*PYTEST, str(tmp_path), "-p", "tests.support.left_out", str(tmp_path)],
        cwd=ROOT, env=plain(dict(os.environ)) | {"CI": ci}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    assert "LEFT OUT test_it.py::test_is_left_out: no neighbour here" in done.stdout.replace(f"{tmp_path}/", "")
    assert "1 passed, 1 skipped" in done.stdout.splitlines()[-1], "the closing line of pytest stays the last one"
