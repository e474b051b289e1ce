"""Programs of Debian that are tried without being installed as services (scripts/install-packaging.sh)."""

import os
import shutil
from pathlib import Path

from scripts.clean_debian import cache
from tests.support.left_out import leave_out


def program(package: str, inside: str) -> Path:
    """The unpacked program, or the installed one; leaves the calling test out when there is neither."""
    unpacked = cache() / "unpacked" / package / inside
    if os.access(unpacked, os.X_OK):
        return unpacked
    installed = shutil.which(Path(inside).name)
    if installed is None:
        leave_out(f"{Path(inside).name} is missing: run scripts/install-packaging.sh")
    return Path(installed)
