"""The papers of the project, as version control sees them."""

import re
from pathlib import Path

from tests.packaging.tree import tracked

ROOT = Path(__file__).resolve().parents[2]

FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def papers() -> list[Path]:
    """All Markdown files."""
    return [path for path in tracked() if path.suffix == ".md"]


def text(name: str) -> str:
    """A paper by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def prose(source: str) -> str:
    """A paper without its blocks of code."""
    return FENCE.sub("", source)


def blocks(source: str) -> list[str]:
    """Its blocks of code, without the fences."""
    return ["\n".join(block.splitlines()[1:-1]) for block in FENCE.findall(source)]


def code_words(source: str) -> list[str]:
    """What stands between single backticks in the prose."""
    return re.findall(r"`([^`\n]+)`", prose(source))
