"""The commands that README promises exist, and `make help` names all of them."""

import re
import subprocess

import pytest

from scripts.suites import FAST, LINT, MARKERS, SLOW, expression
from tests.packaging.tree import ROOT

pytestmark = pytest.mark.packaging

PROMISED = {"install", "run", "check", "test", "bench", "lock", "clean", "help"}


def targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {name for line in re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE) for name in line.split()}


def test_help_lists_every_target_with_a_sentence() -> None:
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", printed, re.MULTILINE))
    assert set(listed) == targets()
    assert PROMISED - set(listed) == set()
    assert all(listed.values())


def test_every_test_belongs_to_one_suite() -> None:
    """The expressions partition the tests: for each set of marks exactly one is true."""
    expressions = [expression(marker) for marker in (*MARKERS, "fast")]
    for bits in range(2 ** len(MARKERS)):
        carried = {marker: bool(bits >> place & 1) for place, marker in enumerate(MARKERS)}
        holding = [one for one in expressions if eval(one, {"__builtins__": {}}, carried)]
        assert len(holding) == 1, carried


def test_every_mark_has_its_suite() -> None:
    assert {suite.name for suite in (FAST, *SLOW)} == {*MARKERS, "fast"}
    named = {suite.name for suite in (*LINT, FAST, *SLOW)}
    assert len(named) == len(LINT) + 1 + len(SLOW)
    assert [suite.prepare for suite in SLOW if suite.prepare and not (ROOT / suite.prepare).is_file()] == []


@pytest.mark.parametrize("command", ["no-such-target", "test ONLY=no-such-suite"])
def test_a_mistyped_command_fails(command: str) -> None:
    done = subprocess.run(["make", *command.split()], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "no-such" in done.stderr
