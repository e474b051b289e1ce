"""What the papers tell people to type is there; what README tells a newcomer to type is typed here."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from router import cli
from router.config import SECRET_LENGTH
from simulators.commands import simulate
from simulators.contract.commands import pbx
from simulators.demo import demo
from tests.docs.papers import ROOT, blocks, code_words, papers, text

MADE = re.compile(r"(?:^|`)make ([a-z]+)", re.MULTILINE)


def commands() -> TyperGroup:
    """The command line as a person has it, with the commands found by entry points."""
    known = typer.Typer()
    known.registered_commands = [*cli.app.registered_commands]
    known.registered_groups = [*cli.app.registered_groups]
    known.command("demo")(demo)
    known.command("simulate")(simulate)
    known.command("pbx")(pbx)
    group = typer.main.get_command(known)
    assert isinstance(group, TyperGroup)
    return group


def typed(source: str) -> list[str]:
    """What a paper shows as typed: blocks of code, and code within sentences."""
    return [line for block in blocks(source) for line in block.splitlines()] + code_words(source)


def test_every_command_in_the_papers_exists_with_its_options() -> None:
    group, wrong, seen = commands(), list[str](), set[str]()
    for paper in papers():
        for line in typed(paper.read_text(encoding="utf-8")):
            if not re.match(r"(?:\S*/)?hopline [a-z]", line.strip()):
                continue
            name, *rest = line.strip().partition("hopline ")[2].split()
            command = group.commands.get(name)
            if command is None:
                wrong.append(f"{paper.name}: {line}")
                continue
            seen.add(name)
            if isinstance(command, TyperGroup) and rest:
                command = command.commands.get(rest[0], command)
            options = {option for parameter in command.params for option in parameter.opts}
            wrong += [f"{paper.name}: {line}" for word in rest if word.startswith("--") and word not in options]
    assert wrong == []
    assert seen == set(group.commands), "a command that no paper names"


def test_operations_lists_every_command() -> None:
    listed = set(re.findall(r"^\| `hopline ([a-z-]+)` \|", text("docs/operations.md"), re.MULTILINE))
    assert listed == set(commands().commands)


def test_every_make_target_in_the_papers_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    named = {name for paper in papers() for name in MADE.findall(paper.read_text(encoding="utf-8"))}
    assert {"install", "run", "check", "test", "bench"} <= named
    assert named - targets == set()


def readme_commands() -> list[str]:
    """The block under "Connect your Asterisk", line by line."""
    part = text("README.md").partition("## Connect your Asterisk")[2]
    block = re.search(r"^ *```\n(.*?)^ *```", part, re.MULTILINE | re.DOTALL)
    assert block is not None
    return [line.strip() for line in block.group(1).splitlines()]


@pytest.mark.slow
def test_what_readme_tells_to_type_works_as_typed(tmp_path: Path) -> None:
    for name in ("hopline.example.toml", "people.example.toml"):
        (tmp_path / "config").mkdir(exist_ok=True)
        shutil.copy(ROOT / "config" / name, tmp_path / "config" / name)
    program = Path(sys.executable).with_name("hopline")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HOPLINE_")}
    printed: list[str] = []
    for line in readme_commands():
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            environment[name] = "s" * SECRET_LENGTH if value.startswith("$(openssl rand -hex 32)") else value
        elif line != "make run":  # it would serve until it is stopped; tests of the server do that
            words = [str(program) if word == ".venv/bin/hopline" else word for word in shlex.split(line)]
            done = subprocess.run(
                words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            printed.append(done.stdout)
    assert any("no mistakes found" in said for said in printed)
    assert any("+ person anna" in said for said in printed)


@pytest.mark.slow
def test_a_backup_made_as_told_can_be_read(tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("hopline"))
    shutil.copy(ROOT / "config" / "people.example.toml", tmp_path / "people.toml")
    subprocess.run([program, "apply", "people.toml"], cwd=tmp_path, capture_output=True, timeout=120, check=True)
    told = next(
        line for block in blocks(text("docs/operations.md")) for line in block.splitlines() if ".backup(" in line
    )
    words = shlex.split(told)
    assert words[0] == "python3"
    subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, timeout=120, check=True)
    (tmp_path / "copy").mkdir()
    (tmp_path / "backup.db").rename(tmp_path / "copy" / "hopline.db")
    for command in (["audit"], ["replay", "--all", "--check"]):
        done = subprocess.run(
            [program, *command, "--data", "copy"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
