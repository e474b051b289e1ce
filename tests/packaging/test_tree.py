"""The tree can be moved to any machine: no path and no host of the one it was written on, no secret, no big file."""

import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.packaging.tree import ROOT, text_of, tracked

pytestmark = pytest.mark.packaging

LARGEST = 1024 * 1024
"""Bytes. Recorded payloads and golden logs are far smaller; what is bigger is data and belongs elsewhere."""

# Addresses of package indexes never stand in the tree: the lock says what to install, the machine's own settings where
# from. Written in pieces, so that this file does not find itself.
INDEX = re.compile(
    "|".join(
        [r"pypi\.(?:org|python)", r"python" + r"hosted\.org", r"deb\.debian\." + r"org", r"snap" + r"shot\.debian"]
    )
)


def searched() -> list[tuple[Path, str]]:
    return [(path, text) for path in tracked() if (text := text_of(path)) is not None]


def hosts_of_this_machine() -> set[str]:
    """Hosts of the package client's own settings, and the machine's name."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    words = re.findall(
        r"\w+://[^\s']+", listed.stdout + " ".join(os.environ.get(name, "") for name in ("http_proxy", "https_proxy"))
    )
    hosts = {urlsplit(word).hostname or "" for word in words}
    name = socket.gethostname()
    # a short or common name would be found in ordinary prose
    return {host for host in {*hosts, name if len(name) > 8 else ""} if host and host != "localhost"}


def test_there_is_something_to_search() -> None:
    names = {path.relative_to(ROOT).as_posix() for path, _ in searched()}
    assert {"pyproject.toml", "Makefile", "router/__init__.py"} <= names


def test_no_path_of_this_machine() -> None:
    places = {str(ROOT), str(Path.home()) if Path.home() != Path("/") else str(ROOT)}
    # /root is a word of its own in a Dockerfile or a unit; only what lies below it is somebody's home
    patterns = [re.compile(re.escape(place) + r"/\w") for place in places]
    found = [(path.name, match[0]) for path, text in searched() for one in patterns if (match := one.search(text))]
    assert found == []


def test_no_host_of_this_machine() -> None:
    hosts = hosts_of_this_machine()
    assert [(path.name, host) for path, text in searched() for host in hosts if host in text] == []


def test_no_address_of_a_package_index() -> None:
    assert [(path.name, match[0]) for path, text in searched() if (match := INDEX.search(text))] == []


def test_no_secret() -> None:
    private = re.compile("-----BEGIN [A-Z ]*PRIVATE" + " KEY-----")
    assert [path.name for path, text in searched() if private.search(text)] == []
    assert [path.name for path in tracked() if path.name in {".env", "secrets.env"}] == []


def test_no_big_file() -> None:
    assert [(path.name, path.stat().st_size) for path in tracked() if path.stat().st_size > LARGEST] == []


def test_what_begins_as_a_program_can_be_run() -> None:
    """`#!` and the bit belong together; a lost bit shows only on somebody else's machine."""
    programs = {path for path, text in searched() if text.startswith("#!")}
    runnable = {path for path in tracked() if path.stat().st_mode & stat.S_IXUSR}
    assert {path.relative_to(ROOT).as_posix() for path in programs ^ runnable} == set()
