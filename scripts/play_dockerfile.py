"""Plays the Dockerfile where no container engine is at hand: each stage is a copy of a clean Debian, RUN runs in it.

    scripts/play_dockerfile.py                         build, print where the image lies
    scripts/play_dockerfile.py --serve hopline.toml --health http://127.0.0.1:8080/healthz
                                                       build, start CMD as USER, wait until HEALTHCHECK is content, stop

What stands in: Debian 12's own Python 3.11 for the image `python:3.11-slim-bookworm`; chroot(2) for a container, so
processes and ports are this machine's. What is not played: layers, the network of a container, EXPOSE. Needs root.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.clean_debian import NotPrepared, copy_to, way_out
from scripts.dockerfile import Instruction, NotPlayable, Stage, health_command, parse

ROOT = Path(__file__).resolve().parent.parent

# The base image that the clean Debian stands for; another one would make the play worthless.
BASE = "python:3.11-slim-bookworm"

# PATH of the base image (docker inspect python:3.11-slim-bookworm, Config.Env).
DEFAULT_ENV = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}

HEALTHY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 20.0


@dataclass
class Image:
    """A stage that was played: a folder, and how a process starts in it."""

    folder: Path
    env: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_ENV))
    user: str = "root"
    workdir: str = "/"
    volumes: list[str] = field(default_factory=list)

    def inside(self, path: str) -> Path:
        """A path of the image, seen from this machine."""
        absolute = path if path.startswith("/") else f"{self.workdir.rstrip('/')}/{path}"
        return self.folder / absolute.lstrip("/")

    def command(self, words: list[str]) -> list[str]:
        """The words that start a process in the image, as its user and in its folder."""
        # setpriv(1) would need to be inside; chroot(1) of coreutils does it all before the change of root
        user = [] if self.user == "root" else [f"--userspec={self.user}"]
        return ["chroot", *user, str(self.folder), "/bin/sh", "-c", 'cd "$0" && exec "$@"', self.workdir, *words]


def play(text: str, context: Path, folder: Path) -> tuple[Image, Stage]:
    """Plays all stages below `folder`; returns the last image and its stage."""
    done: dict[str, Image] = {}
    stages = parse(text)
    for number, stage in enumerate(stages):
        if stage.base not in {BASE, *done}:
            raise NotPlayable(f"FROM {stage.base}: the player has only {BASE}")
        image = Image(folder / f"stage{number}")
        image.folder.mkdir()
        if stage.base in done:
            subprocess.run(["cp", "-a", f"{done[stage.base].folder}/.", image.folder], check=True)
        else:
            copy_to(image.folder)
        for step in stage.steps:
            print(f"{stage.name}:{step.line}: {step.word} {step.rest}", file=sys.stderr, flush=True)
            _carry_out(step, image, done, context)
        done[stage.name] = image
    return done[stages[-1].name], stages[-1]


def _carry_out(step: Instruction, image: Image, done: dict[str, Image], context: Path) -> None:
    match step.word:
        case "RUN":
            with _devices(image):
                ran = subprocess.run(
                    image.command(step.command()),
                    env=image.env | way_out(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
            if ran.returncode:
                raise NotPlayable(f"line {step.line}: RUN ended with {ran.returncode}:\n{ran.stdout}")
        case "COPY":
            _copy(step, image, done[step.flags["from"]].folder if "from" in step.flags else context)
        case "ENV":
            image.env |= step.pairs()
        case "USER":
            (image.user,) = step.words()
        case "WORKDIR":
            (folder,) = step.words()
            image.inside(folder).mkdir(parents=True, exist_ok=True)
            image.workdir = folder
        case "VOLUME":
            image.volumes += step.words()
        case "EXPOSE" | "HEALTHCHECK" | "CMD":
            pass  # said of the finished image; looked up by whoever starts it
        case _:
            raise NotPlayable(f"line {step.line}: {step.word}")


def _copy(step: Instruction, image: Image, source: Path) -> None:
    if set(step.flags) - {"from"}:
        raise NotPlayable(f"line {step.line}: of COPY's flags only --from is known")
    *names, target = step.words()
    if len(names) > 1 and not target.endswith("/"):
        raise NotPlayable(f"line {step.line}: several sources need a target that ends with a slash")
    there = image.inside(target)
    for name in names:
        origin = source / name.lstrip("/")
        if origin.is_dir():  # the content is copied, not the folder itself (reference, COPY)
            shutil.copytree(
                origin, there, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            goal = there / origin.name if target.endswith(("/", ".")) else there
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, goal)
            goal.chmod(0o644)


@contextmanager
def _devices(image: Image) -> Iterator[None]:
    """A container has /dev and /proc. Device files are made by debootstrap; /proc is lent for the time of a command."""
    proc = image.folder / "proc"
    lent = subprocess.run(["mount", "-t", "proc", "proc", proc], check=False, capture_output=True).returncode == 0
    try:
        yield
    finally:
        if lent:
            subprocess.run(["umount", "-l", proc], check=True)


@contextmanager
def serving(
    image: Image, stage: Stage, config: Path, log: Path, secrets: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Starts CMD as USER with `config` mounted and `secrets` set; SIGTERM at the end, as an engine does."""
    cmd = stage.last("CMD")
    goal = image.folder / "etc/hopline/hopline.toml"
    shutil.copyfile(config, goal)
    goal.chmod(0o644)
    with (
        _devices(image),
        log.open("wb") as output,
        subprocess.Popen(
            image.command(cmd.command()),
            env=image.env | {"HOME": "/var/lib/hopline"} | secrets,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as child,
    ):
        try:
            yield child
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            try:
                child.wait(STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)


def healthy(image: Image, stage: Stage, health_url: str, child: subprocess.Popen[bytes]) -> bool:
    """Runs the image's own HEALTHCHECK in it, again and again, until it is content or time is up."""
    check = stage.last("HEALTHCHECK")
    until = time.monotonic() + HEALTHY_WITHIN_S
    while time.monotonic() < until and child.poll() is None:
        asked = subprocess.run(
            image.command(health_command(check)),
            env=image.env | {"HOPLINE_HEALTH_URL": health_url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if asked.returncode == 0:
            return True
        time.sleep(0.5)  # a real server in another process: there is no event to wait for
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", type=Path, metavar="TOML", help="start the image's CMD with this configuration")
    parser.add_argument("--health", default="http://127.0.0.1:8080/healthz", metavar="URL")
    parser.add_argument("--keep", action="store_true", help="leave the image's folder where it is")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hopline-image-"))
    folder.chmod(0o755)
    try:
        image, stage = play((ROOT / "Dockerfile").read_text(encoding="utf-8"), ROOT, folder)
        print(image.folder)
        if arguments.serve is None:
            return 0
        log = folder / "server.log"
        secrets = {name: value for name, value in os.environ.items() if name.startswith("HOPLINE_")}
        with serving(image, stage, arguments.serve, log, secrets) as child:
            well = healthy(image, stage, arguments.health, child)
        print(log.read_text(errors="replace"), file=sys.stderr)
        print("healthy" if well else "NOT healthy")
        return 0 if well else 1
    except (NotPlayable, NotPrepared) as failure:
        print(f"play_dockerfile: {failure}", file=sys.stderr)
        return 3 if os.geteuid() else 1
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
