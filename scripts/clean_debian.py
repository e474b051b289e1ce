"""A clean Debian in a folder, made once by debootstrap and copied for each use; stands in for a container's base image.

The archive is the one that this machine's own apt is set up with. What the machine needs to reach package registries
(names, certificates, the package client's own configuration) is carried into the copy at run time and written nowhere
else. Needs root: chroot(2) and debootstrap(8) refuse anybody else.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SUITE = "bookworm"

# python:3.11-slim-bookworm has Python below /usr/local, certificates and zone files; Debian's own Python 3.11 and the
# two packages stand for them.
INCLUDE = "python3,python3-venv,ca-certificates,tzdata,netbase"

# What of this machine a process inside may see: the way out, and nothing else.
PASSED = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE")
PATHS = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")


class NotPrepared(Exception):
    """The clean Debian could not be made."""


def cache() -> Path:
    """Where things live that are worth keeping from run to run; the same place as scripts/asterisk/ uses."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HOPLINE_CACHE") or Path(home) / "hopline")


def base() -> Path:
    """The pristine Debian, built when it is not there yet."""
    folder = cache() / f"clean-{SUITE}"
    if (folder / ".hopline-complete").exists():
        return folder
    if os.geteuid() != 0:
        raise NotPrepared("root is needed: debootstrap and chroot refuse anybody else")
    half = folder.with_name(f".{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)  # what an interrupted run left cannot be continued
    half.parent.mkdir(parents=True, exist_ok=True)
    log = cache() / f"clean-{SUITE}.log"
    print(f"building a clean Debian {SUITE} in {folder} (a minute or two)", file=sys.stderr, flush=True)
    with log.open("wb") as output:
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={INCLUDE}", SUITE, half, _archive()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    if made.returncode:
        raise NotPrepared(f"debootstrap failed: {log.read_text(errors='replace')[-2000:]}")
    # The image's interpreter is called `python`.
    (half / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    shutil.rmtree(half / "var/cache/apt/archives", ignore_errors=True)
    (half / ".hopline-complete").touch()
    shutil.rmtree(folder, ignore_errors=True)
    half.rename(folder)
    return folder


def copy_to(folder: Path) -> None:
    """Lays a fresh copy of the clean Debian down at `folder`."""
    subprocess.run(["cp", "-a", "--reflink=auto", f"{base()}/.", folder], check=True)
    names = [Path("/etc/resolv.conf"), Path("/etc/hosts")]
    # A machine behind a proxy of its own brings its certificates along, under the path that its settings name.
    trusted = [Path(value) for name, value in way_out().items() if name in CERTIFICATES and Path(value).is_file()]
    for source in names + trusted:
        target = folder / source.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def way_out() -> dict[str, str]:
    """The environment with which a package client inside finds its registry: as this machine's own pip is set up."""
    found = {}
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.partition(".")
        if section in {"global", "install"}:
            # pip documentation, "Configuration": every option is also a variable, lists are separated by spaces
            found[f"PIP_{option.upper().replace('-', '_')}"] = value.strip("'").replace("\\n", " ").strip()
    found |= {name: value for name, value in os.environ.items() if name in PASSED or name.startswith("PIP_")}
    # Folders and files of this machine are not there inside; what is installed there is locked to the byte anyway.
    return {name: value for name, value in found.items() if name not in PATHS or "://" in _without_files(value)}


def _without_files(value: str) -> str:
    return " ".join(word for word in value.split() if not word.startswith(("file:", "/")))


def _archive() -> str:
    """Address of Debian's main archive, asked of apt itself (apt-get(8), indextargets)."""
    for attempt in range(2):
        listed = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(COMPONENT)|$(LABEL)", "Created-By: Packages"],
            capture_output=True,
            text=True,
            check=True,
        )
        for line in listed.stdout.splitlines():
            address, component, label = line.split("|")
            if (component, label) == ("main", "Debian"):
                return address
        if attempt == 0:  # apt knows labels only after an update
            subprocess.run(["apt-get", "-qq", "update"], check=True)
    raise NotPrepared("apt on this machine has no Debian archive")
