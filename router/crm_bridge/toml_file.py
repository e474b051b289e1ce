"""Reads a TOML file; what cannot be read is told with its name."""

import tomllib
from pathlib import Path
from typing import Any

from router.basis.failures import Mistake, Mistakes


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file. Raises `Mistakes`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Mistakes([Mistake(str(path), "", "no such file; config/ holds examples")]) from error
    except OSError as error:
        raise Mistakes([Mistake(str(path), "", f"cannot be read: {error.strerror}")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Mistakes([Mistake(str(path), "", f"not readable as TOML: {error}")]) from error
