"""The rooms' import contracts (pyproject.toml, `tool.importlinter`) hold, and each of them sees a breach.

Breaches are planted in a hollow copy of the tree: the same modules, all empty, so that only the planted line counts.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.tree import ROOT, tracked

pytestmark = pytest.mark.packaging

PACKAGES = ("router", "sidecars", "simulators", "tests", "benchmarks")

BREACHES = [
    ("router.basis", "import router.engine", "basis <- chains"),
    ("router.basis", "import router.chains.events", "basis <- chains"),
    ("router.basis", "import time", "are pure"),
    ("router.chains.call", "import asyncio", "are pure"),
    ("router.chains.call", "import random", "are pure"),
    ("router.chains.call", "import router.engine", "basis <- chains"),
    ("router.chains.call", "import router.telephony_adapter.port", "basis <- chains"),
    ("router.chains.call", "import sidecars", "the router knows no"),
    ("router.chains.call", "import router.texts", "basis <- chains"),
    ("router.engine", "import router.chains.call", "the engine is generic"),
    ("router.engine", "import router.telephony_adapter.port", "basis <- chains"),
    ("router.engine", "import simulators", "the router knows no"),
    ("router.telephony_adapter.asterisk", "import router.chains.call", "adapters see the words"),
    ("router.telephony_adapter.asterisk", "import router.engine", "basis <- chains"),
    ("router.telephony_adapter.asterisk", "import router.telephony_adapter.webhook", "PBX adapters are strangers"),
    ("router.telephony_adapter.asterisk", "import router.chat_notify", "basis <- chains"),
    ("router.telephony_adapter.asterisk", "import router.app", "basis <- chains"),
    ("sidecars", "import router.chains.call", "sidecars see basis"),
    ("sidecars", "import router.app", "sidecars see basis"),
    ("simulators", "import tests", "knows no test"),
    ("tests.engine", "import router.chains.call", "second machine"),
]


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [program, "--no-logo", "--no-cache"], cwd=folder, capture_output=True, text=True, check=False,
        env={"COLUMNS": "300", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def hollow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every module of the tree, empty."""
    folder = tmp_path_factory.mktemp("hollow")
    shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
    for path in tracked():
        inside = path.relative_to(ROOT)
        if path.suffix == ".py" and inside.parts[0] in PACKAGES:
            (folder / inside).parent.mkdir(parents=True, exist_ok=True)
            (folder / inside).touch()
    return folder


def file_of(folder: Path, module: str) -> Path:
    place = folder.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def test_the_contracts_hold() -> None:
    done = linted(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hollow_tree_breaks_nothing(hollow: Path) -> None:
    done = linted(hollow)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("module", "line", "contract"), BREACHES, ids=[f"{one[0]}: {one[1]}" for one in BREACHES])
def test_a_breach_is_seen(hollow: Path, module: str, line: str, contract: str) -> None:
    place = file_of(hollow, module)
    assert place.is_file(), f"{module} is gone: plant this breach elsewhere"
    place.write_text(line + "\n", encoding="utf-8")
    try:
        done = linted(hollow)
    finally:
        place.write_text("", encoding="utf-8")
    assert done.returncode != 0
    broken = [text for text in done.stdout.splitlines() if "BROKEN" in text]
    assert any(contract in text for text in broken), done.stdout + done.stderr
