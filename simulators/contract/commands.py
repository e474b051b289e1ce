"""The command `hopline pbx new NAME`: a package of its own for an adapter, with a fake PBX and a green contract suite.

The files are those of `template/`, with the name put in the place of `newpbx`. They are real: what was generated
installs and passes from the first minute, speaking an invented PBX.
"""

import keyword
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

TEMPLATE = Path(__file__).parent / "template"
NAME = re.compile(r"[a-z][a-z0-9]{1,30}")


class Action(StrEnum):
    """What can be done."""

    NEW = "new"


def pbx(
    action: Annotated[Action, typer.Argument(help="new: make a package for an adapter of your own")],
    name: Annotated[str, typer.Argument(help='name of the PBX: small letters and digits, as in kind = "name"')],
    into: Annotated[Path, typer.Option("--into", help="folder in which hopline-NAME is made")] = Path(),
) -> None:
    """Begin a telephony adapter in a package of its own."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or name == "newpbx":
        sys.stderr.write(f"NAME = {name!r}: give 2 to 31 small letters and digits, a letter first, for example acme\n")
        sys.exit(2)
    try:
        target = make(name, into)
    except FileExistsError as error:
        sys.stderr.write(f"{error.filename} is there already: choose another name or folder\n")
        sys.exit(2)
    sys.stdout.write(f"made {target}\nnext: read {target / 'README.md'}, pip install -e '{target}[dev]', pytest\n")


def make(name: str, into: Path) -> Path:
    """The package as files; returns its folder. Raises FileExistsError, OSError."""
    target = into / f"hopline-{name}"
    target.mkdir(parents=True)
    for source in sorted(TEMPLATE.rglob("*")):
        if source.is_dir() or "__pycache__" in source.parts:
            continue
        path = target / named(source.relative_to(TEMPLATE).as_posix(), name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(named(source.read_text(encoding="utf-8"), name), encoding="utf-8")
    return target


def named(text: str, name: str) -> str:
    """The text with the name in all its forms."""
    return text.replace("newpbx", name).replace("NewPbx", name.capitalize()).replace("NEWPBX", name.upper())
