"""One Asterisk out of the chroot that install.sh made: own configuration, ports and folders, stopped by its own pid.

Everything of one instance lies in one folder inside the chroot, `/var/tmp/hopline-rig/<port>`, so any number of them
run side by side and the packaged configuration is never touched.
"""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Self

from tests.e2e.asterisk.rig.ari import Ari
from tests.e2e.asterisk.rig.missing import DIALPLAN, MissingError, chroot, what_is_missing
from tests.e2e.asterisk.rig.ports import Ports

TEMPLATES = Path(__file__).parent / "templates"
FOLDER = "var/tmp/hopline-rig"  # inside the chroot
GROUP = 5  # heads in one group of the baselines
START_LIMIT_S = 60.0  # it takes about a second; a machine at work on something else may need much longer
STOP_LIMIT_S = 20.0


@dataclass(frozen=True)
class Head:
    """A phone as Asterisk knows it. `qualify_s`: how often Asterisk asks whether it is there; 0 never."""

    name: str
    port: int
    qualify_s: int = 0

    @property
    def endpoint(self) -> str:
        """As a Dial() or an ARI originate names it."""
        return f"PJSIP/{self.name}"


class Asterisk:
    """A running Asterisk; `with Asterisk(ports, heads) as asterisk: ...`."""

    def __init__(self, ports: Ports, heads: Sequence[Head]) -> None:
        if missing := what_is_missing():
            raise MissingError(missing)
        self.ports, self.heads = ports, tuple(heads)
        self.root = chroot()
        self.inside = f"/{FOLDER}/{ports.sip}"
        self.home = _home(self.root, ports.sip)
        self.ari = Ari(ports.http, "hopline", secrets.token_hex(12))
        self.fallback_record = self.home / "log" / "hopline-fallback.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The running process; None while stopped."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Write the configuration, start, wait until ARI answers."""
        shutil.rmtree(self.home, ignore_errors=True)
        self._write_configuration()
        self._launch()

    def restart(self) -> None:
        """The same Asterisk dies (kill -9) and comes back; records in its log folder stay."""
        self.kill()
        self._launch()

    def kill(self) -> None:
        """End it without a word."""
        if self._process:
            self._process.kill()
            self._process.wait(STOP_LIMIT_S)
            self._process = None

    def stop(self) -> None:
        """Ask it to stop, insist after a while, remove its folder."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_LIMIT_S)
        self._process = None
        shutil.rmtree(self.home, ignore_errors=True)

    def command(self, line: str) -> str:
        """A command of Asterisk's console, e.g. `core show channels`."""
        said = subprocess.run(
            ["chroot", self.root, "/usr/sbin/asterisk", "-C", f"{self.inside}/etc/asterisk.conf", "-rx", line],
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return said.stdout + said.stderr

    def messages(self) -> str:
        """Asterisk's own log so far: notices, warnings, errors."""
        path = self.home / "log" / "messages"
        return path.read_text(errors="replace") if path.exists() else ""

    def groups(self) -> list[tuple[Head, ...]]:
        """Heads in fives: the first is group 1."""
        return [self.heads[at : at + GROUP] for at in range(0, len(self.heads), GROUP)]

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _launch(self) -> None:
        config = f"{self.inside}/etc/asterisk.conf"
        log = (self.home / "console").open("ab")
        with log:
            self._process = subprocess.Popen(
                ["chroot", self.root, "/usr/sbin/asterisk", "-f", "-C", config, "-U", "asterisk", "-G", "asterisk"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            )  # fmt: skip
        (self.home / "pid").write_text(str(self._process.pid))
        limit = time.monotonic() + START_LIMIT_S
        while not self.ari.ready():
            if self._process.poll() is not None or time.monotonic() > limit:
                said = (self.home / "console").read_text(errors="replace")[-2000:] + self.messages()[-2000:]
                self.stop()
                message = f"Asterisk did not start:\n{said}"
                raise RuntimeError(message)
            time.sleep(0.02)  # polling another process's socket: it offers no event

    def _write_configuration(self) -> None:
        uid, gid = _owner(self.root)
        for folder in ("etc", "run", "log", "lib", "spool/recording", "cache"):
            (self.home / folder).mkdir(parents=True)
        values = self._values()
        for name in ("asterisk", "modules", "logger", "rtp", "http", "ari", "voicemail", "indications", "extensions"):
            self._write(f"{name}.conf", _render(name, values))
        heads = [_render("pjsip_head", {"head": h.name, "port": h.port, "qualify": h.qualify_s}) for h in self.heads]
        self._write("pjsip.conf", _render("pjsip", values) + "".join(heads))
        self._write("queues.conf", "[general]\n" + "".join(self._queues()))
        shutil.copy(DIALPLAN, self.home / "etc" / DIALPLAN.name)
        for path in [self.home, *self.home.rglob("*")]:
            os.chown(path, uid, gid)

    def _values(self) -> dict[str, object]:
        modules = next((self.root / "usr/lib").glob("**/asterisk/modules"))
        return {
            "home": self.inside,
            "modules": "/" + str(modules.relative_to(self.root)),
            "sip_port": self.ports.sip,
            "http_port": self.ports.http,
            "rtp_first": self.ports.rtp[0],
            "rtp_last": self.ports.rtp[1],
            "ari_user": self.ari.user,
            "ari_password": self.ari.password,
            "all_heads": "&".join(head.endpoint for head in self.heads),
            "group_globals": "\n".join(
                f"RIG_G{number}_{place}={head.endpoint}"
                for number, group in enumerate(self.groups(), 1)
                for place, head in enumerate(group, 1)
            ),
        }

    def _queues(self) -> list[str]:
        rendered = []
        for number, group in enumerate(self.groups(), 1):
            members = "\n".join(f"member => {head.endpoint}" for head in group)
            for name, hop in ((f"g{number}", 8), (f"g{number}short", 2)):
                rendered.append(_render("queue", {"name": name, "hop": hop, "members": members}))
        return rendered

    def _write(self, name: str, text: str) -> None:
        (self.home / "etc" / name).write_text(text)


def _render(name: str, values: Mapping[str, object]) -> str:
    return Template((TEMPLATES / f"{name}.conf").read_text()).substitute(values)


def _owner(root: Path) -> tuple[int, int]:
    # The chroot's uid has another name, or none, on the host: look it up inside.
    for line in (root / "etc/passwd").read_text().splitlines():
        name, _, uid, gid, *_ = line.split(":")
        if name == "asterisk":
            return int(uid), int(gid)
    raise MissingError("the chroot has no user asterisk: run scripts/asterisk/install.sh again")


def _home(root: Path, sip_port: int) -> Path:
    return root / FOLDER / str(sip_port)


def end_left_over(sip_port: int) -> None:
    """End the Asterisk of a rig that was killed: it holds our ports. Its pid counts only while it is still that one."""
    home = _home(chroot(), sip_port)
    try:
        pid = int((home / "pid").read_text())
        if f"/{FOLDER}/{sip_port}/".encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
            while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.02)  # not our child: there is no wait for it
    except (OSError, ValueError):
        return  # no such file, or no such process any more
