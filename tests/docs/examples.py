"""Reads an example of the configuration as a person would after taking the `#` away from every default."""

import re
import tomllib
from pathlib import Path
from typing import Any

from tests.docs.papers import ROOT

SERVER = ROOT / "config" / "hopline.example.toml"
PEOPLE = ROOT / "config" / "people.example.toml"

DEFAULT = re.compile(r"^#(?=[a-z_]+ = |\[)")
"""A default that is shown: `#` and the key, with no space between (prose has one)."""


def full(path: Path) -> dict[str, Any]:
    """The document with every shown default written out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tomllib.loads("\n".join(DEFAULT.sub("", line) for line in lines))


def plain(path: Path) -> dict[str, Any]:
    """The document as it stands."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def comment_above(path: Path, key: str, after: str = "") -> str:
    """The prose above the first line with `key` that comes after the line `after`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = lines.index(after) if after else 0
    at = next(index for index in range(first, len(lines)) if re.match(rf"#?{key} = ", lines[index]))
    prose: list[str] = []
    for line in reversed(lines[:at]):
        if line.startswith("# "):
            prose.insert(0, line[2:])
        elif not re.match(r"#?[a-z_]+ = ", line):
            break
    return " ".join(prose)
