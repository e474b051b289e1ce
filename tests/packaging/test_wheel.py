"""The wheel holds all that a server needs and nothing else, and what its entry points name is in it."""

import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging.tree import ROOT, tracked

pytestmark = pytest.mark.packaging

PACKAGES = ("router", "sidecars", "simulators")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built as the Dockerfile does it: with the locked backend, without isolation, offline."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--no-build-isolation",
            "-w",
            folder,
            ROOT,
        ],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("hopline-*.whl")
    return zipfile.ZipFile(built)


def shipped() -> list[Path]:
    """Every file of the import packages: modules, templates, style sheets, texts, migrations."""
    inside = [path.relative_to(ROOT) for path in tracked()]
    return [path for path in inside if path.parts[0] in PACKAGES]


def test_every_file_of_the_packages_is_in_it(wheel: zipfile.ZipFile) -> None:
    assert {path.as_posix() for path in shipped()} - set(wheel.namelist()) == set()


@pytest.mark.parametrize("pattern", ["router/**/migrations/**/*.py", "router/web/**/*.html"])
def test_what_is_not_python_or_found_by_name_is_in_it(wheel: zipfile.ZipFile, pattern: str) -> None:
    """Migrations are loaded by path and templates by name: no import would miss them here, only a server would."""
    there = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)}
    assert there, f"nothing matches {pattern}: the layout has changed, change this test with it"
    assert there - set(wheel.namelist()) == set()


def test_examples_of_the_configuration_are_in_it(wheel: zipfile.ZipFile) -> None:
    names = {Path(name).name for name in wheel.namelist() if ".data/data/share/hopline/config/" in name}
    assert names == {"clients.example.toml", "hopline.example.toml", "people.example.toml"}


def test_nothing_else_is_in_it(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.startswith("hopline-")} == set(PACKAGES)
    assert [name for name in wheel.namelist() if "__pycache__" in name or name.endswith((".pyc", ".db"))] == []


def test_what_entry_points_name_is_in_it(wheel: zipfile.ZipFile) -> None:
    (listed,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    points = configparser.ConfigParser(delimiters=("=",))
    points.read_string(wheel.read(listed).decode())
    assert {"console_scripts", "hopline.telephony", "hopline.command"} <= set(points.sections())
    modules = {value.split(":")[0] for section in points.sections() for value in points[section].values()}
    files = {module: module.replace(".", "/") for module in modules}
    names = set(wheel.namelist())
    assert [one for one, path in files.items() if not {f"{path}.py", f"{path}/__init__.py"} & names] == []
