"""What the rig needs from the machine, and the words in which it says what is missing."""

import os
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]
INSTALL = REPOSITORY / "scripts" / "asterisk" / "install.sh"
DIALPLAN = REPOSITORY / "deploy" / "asterisk" / "extensions_hopline.conf"


class MissingError(RuntimeError):
    """Something that the rig needs is not on this machine."""


def chroot() -> Path:
    """The folder in which install.sh keeps Asterisk's Debian, whether it is there or not."""
    said = subprocess.run([INSTALL, "--where"], check=True, capture_output=True, text=True, timeout=60)
    return Path(said.stdout.strip())


def what_is_missing() -> str:
    """One line that names everything that is missing; empty when the rig can run."""
    absent = [program for program in ("sipp", "dumpcap") if shutil.which(program) is None]
    if not (chroot() / "usr/sbin/asterisk").exists():
        absent.append(f"Asterisk in {chroot()}")
    if absent:
        return f"{', '.join(absent)}: run scripts/asterisk/install.sh as root"
    if os.geteuid() != 0:
        return "root (chroot and capture refuse anybody else)"
    return ""
