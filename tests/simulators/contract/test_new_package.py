"""`hopline pbx new acme`: what it makes installs, is found, passes the contract, and fails it when it is broken."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from simulators.contract.commands import TEMPLATE, make, pbx
from tests.docs.papers import ROOT

ROOMS = ("__init__.py", "config.py", "wire.py", "client.py", "routes.py")


def said(*arguments: str) -> tuple[int, str]:
    app = Typer()
    app.command()(pbx)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_it_makes_the_four_rooms_a_fake_and_a_suite(tmp_path: Path) -> None:
    code, output = said("new", "acme", "--into", str(tmp_path))
    assert code == 0, output
    made = tmp_path / "hopline-acme"
    assert {path.name for path in (made / "hopline_acme").iterdir()} == set(ROOMS)
    assert {path.name for path in (made / "tests").iterdir()} == {
        "conftest.py", "fake.py", "test_contract.py", "test_wire.py",
    }  # fmt: skip
    for path in made.rglob("*.*"):
        assert not path.is_file() or "newpbx" not in path.read_text(encoding="utf-8").lower(), path


@pytest.mark.parametrize("name", ["Acme", "a", "1acme", "ac-me", "ac/me", "class", "newpbx", "ж" * 3, "a" * 32])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    code, output = said("new", name, "--into", str(tmp_path))
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert name in output


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "hopline-acme").mkdir()
    code, output = said("new", "acme", "--into", str(tmp_path))
    assert (code, list((tmp_path / "hopline-acme").iterdir())) == (2, [])
    assert "already" in output


def test_the_template_speaks_this_version_of_the_port() -> None:
    from router.telephony_adapter.port import PORT_VERSION  # noqa: PLC0415 - beside what it is compared with

    assert f"port_version: ClassVar[int] = {PORT_VERSION}" in (TEMPLATE / "hopline_newpbx/__init__.py").read_text()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated and installed into a folder of its own, without a network."""
    folder = tmp_path_factory.mktemp("third-party")
    package = make("acme", folder)
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
            "--target", str(folder / "site"), str(package),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return package


def run(made: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """In the package's folder; `hopline_acme` is the installed one."""
    here = {"PYTHONPATH": os.pathsep.join([str(made.parent / "site"), str(ROOT)]), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=made, env=os.environ | here, capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip


def suite(made: Path) -> "subprocess.CompletedProcess[str]":
    return run(made, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis")


@pytest.mark.packaging
def test_its_suite_is_green_and_red_when_it_is_broken(made: Path) -> None:
    good = suite(made)
    assert good.returncode == 0, good.stdout + good.stderr
    assert " passed" in good.stdout
    wire = made.parent / "site" / "hopline_acme" / "wire.py"
    text = wire.read_text(encoding="utf-8")
    try:
        wire.write_text(text.replace('"reject": Disposition.DECLINED', '"reject": Disposition.NO_ANSWER'), "utf-8")
        bad = suite(made)
    finally:
        wire.write_text(text, encoding="utf-8")
    assert bad.returncode == 1, bad.stdout
    assert "test_contract.py::TestAcme::test_declined" in bad.stdout


@pytest.mark.packaging
def test_the_server_finds_it(made: Path, tmp_path: Path) -> None:
    configuration = tmp_path / "hopline.toml"
    configuration.write_text('[pbx.office]\nkind = "acme"\nurl = "https://pbx.example/api"\n', encoding="utf-8")
    check = ("-m", "router", "check-config", "--config", str(configuration))
    without = run(made, *check)
    assert without.returncode == 2
    assert "HOPLINE_PBX_OFFICE_TOKEN" in without.stderr
    os.environ["HOPLINE_PBX_OFFICE_TOKEN"], os.environ["HOPLINE_SECRET"] = "t", "s" * 32
    try:
        found = run(made, *check)
    finally:
        del os.environ["HOPLINE_PBX_OFFICE_TOKEN"], os.environ["HOPLINE_SECRET"]
    assert found.returncode == 0, found.stderr


@pytest.mark.packaging
def test_its_types_are_right(made: Path) -> None:
    checked = run(made, "-m", "mypy", "--strict", "--config-file", os.devnull, "hopline_acme")
    assert checked.returncode == 0, checked.stdout
