"""The Dockerfile, played in a clean Debian: it builds, its server starts as an ordinary user and is healthy.

No container engine is asked for; what stands in for what is said in scripts/play_dockerfile.py.
"""

import base64
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.dockerfile import NotPlayable, Stage, health_command, parse
from scripts.play_dockerfile import STOPPED_WITHIN_S, Image, healthy, play, serving
from tests.packaging.tree import ROOT
from tests.support.left_out import leave_out
from tests.support.ports import free_port

pytestmark = pytest.mark.packaging


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")


class TestReading:
    """The reader of the language, on examples."""

    def test_lines_that_go_on_and_comments_within(self) -> None:
        (stage,) = parse("FROM a AS b\nRUN one \\\n# a word\n  && two\n")
        assert (stage.base, stage.name) == ("a", "b")
        assert stage.steps[0].command() == ["/bin/sh", "-c", "one   && two"]

    def test_both_forms_of_a_command(self) -> None:
        (stage,) = parse('FROM a\nCMD ["x", "y z"]\nHEALTHCHECK --interval=1s CMD ["ok"]\n')
        cmd, health = stage.last("CMD"), stage.last("HEALTHCHECK")
        assert cmd.command() == ["x", "y z"]
        assert health_command(health) == ["ok"]

    def test_the_last_command_counts(self) -> None:
        (stage,) = parse('FROM a\nCMD ["x"]\nCMD ["y"]\n')
        cmd = stage.last("CMD")
        assert cmd.command() == ["y"]

    @pytest.mark.parametrize(
        "text",
        ["ADD x /x\n", "RUN x\n", "FROM a\nSHELL [\"x\"]\n", "FROM a\nCOPY --link a b\n", "FROM a\nRUN x \\\n", ""],
    )  # fmt: skip
    def test_what_is_not_known_is_refused(self, text: str) -> None:
        with pytest.raises(NotPlayable):
            parse(text)


class TestText:
    """What the file says, without playing it."""

    def test_it_ends_as_an_ordinary_user(self) -> None:
        user = parse(dockerfile())[-1].last("USER")
        assert user.rest not in {"root", "0"}

    def test_it_copies_what_is_shipped_and_nothing_else(self) -> None:
        copied = {
            name.removeprefix("./")
            for stage in parse(dockerfile())
            for step in stage.steps
            if step.word == "COPY" and "from" not in step.flags
            for name in step.words()[:-1]
        }
        rooms = {name for name in copied if (ROOT / name).is_dir()}
        assert rooms == {"router", "sidecars", "simulators", "config"}

    def test_the_data_lives_in_a_volume(self) -> None:
        last = parse(dockerfile())[-1]
        volume, workdir = last.last("VOLUME"), last.last("WORKDIR")
        assert volume.words() == workdir.words() == ["/var/lib/hopline"]

    def test_the_command_serves(self) -> None:
        cmd = parse(dockerfile())[-1].last("CMD")
        assert cmd.command() == ["hopline", "serve", "--config", "/etc/hopline/hopline.toml"]


@dataclass(frozen=True)
class Played:
    image: Image
    stage: Stage
    folder: Path


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    if os.geteuid() != 0:
        leave_out("the Dockerfile is played in a chroot: run as root")
    if shutil.which("debootstrap") is None:
        leave_out("debootstrap is not installed: run scripts/install-packaging.sh as root")
    # Not tmp_path: the image's own user has to get through the parents.
    folder = Path(tempfile.mkdtemp(prefix="hopline-image-"))
    folder.chmod(0o755)
    try:
        image, stage = play(dockerfile(), ROOT, folder)
        yield Played(image, stage, folder)
    finally:
        shutil.rmtree(folder)


@pytest.mark.timeout(900)  # on a new machine the clean Debian is made first
def test_the_server_starts_is_healthy_and_stops(played: Played) -> None:
    port = free_port()
    config = played.folder / "hopline.toml"
    config.write_text(configuration(port, free_port()), encoding="utf-8")
    log = played.folder / "server.log"
    with serving(played.image, played.stage, config, log, secrets_of_an_operator()) as child:
        well = healthy(played.image, played.stage, f"http://127.0.0.1:{port}/healthz", child)
        owner = Path(f"/proc/{child.pid}").stat().st_uid
        assert well, log.read_text(errors="replace")
    assert owner == 8080, "the server must not run as root"
    assert child.returncode in {0, -signal.SIGTERM}, f"it did not stop within {STOPPED_WITHIN_S} s"
    assert list((played.image.folder / "var/lib/hopline").iterdir()), "the journal must lie in the volume"


def test_the_image_holds_no_tests_and_no_settings_of_this_machine(played: Played) -> None:
    site = next(played.image.folder.glob("opt/hopline/lib/python3*/site-packages"))
    assert (site / "router").is_dir()
    assert not (site / "tests").exists()
    assert not (site / "pytest").exists()
    assert not (played.image.folder / "etc/pip.conf").exists()


def configuration(port: int, pbx: int) -> str:
    """The smallest lawful configuration: the generic signed PBX, out of sight, which a server must start without."""
    return f"""
[server]
host = "127.0.0.1"
port = {port}
public_url = "http://127.0.0.1:{port}"

[pbx.office]
kind = "webhook"
command_url = "http://127.0.0.1:{pbx}/commands"
"""


def secrets_of_an_operator() -> dict[str, str]:
    """What compose.yaml takes from .env: made up anew for each run."""
    signing = base64.b64encode(secrets.token_bytes(32)).decode()
    return {"HOPLINE_SECRET": secrets.token_hex(32), "HOPLINE_PBX_OFFICE_SECRETS": f"whsec_{signing}"}
