"""The whole server as a process of its own (`hopline serve`) beside the rig's Asterisk: company, journal, pages.

    line = Line("9401", (141, 142, 143), {"ring_s": 2, "window_s": 10})
    with Office(rig, folder, "wire", [line]) as office:       # applied, started, in sight of Asterisk
        dialled = office.call(line)
        ...
        office.kill()                                         # kill -9
        office.start()
        entry = office.books.entry(dialled.numbers[0])        # what the journal knows of this caller's call

Blocking, for threads: a play runs in a thread of its own beside the others.
"""

import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

from router.chains.call_states import Ended
from router.chat_notify.buttons import personal_link
from router.config import SECRET_VARIABLE
from router.telephony_adapter.asterisk.config import password_variable
from tests.e2e.asterisk.books import Books, Entry
from tests.e2e.asterisk.rig import CallerScript, Dialled, Rig, Rules

T = TypeVar("T")

PBX = "asterisk"
START_LIMIT_S = 60.0
"""It takes 2 s alone on the machine."""
PUBLIC_URL = "http://office.example"
_LISTENS = re.compile(r"hopline listens on http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, eq=False)
class Line:
    """A line, the heads who are rung for it in this order, and the deviations of its terms."""

    number: str
    heads: tuple[int, ...]
    terms: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def order(self) -> tuple[str, ...]:
        """The heads as the capture names them."""
        return tuple(str(head) for head in self.heads)

    def rules(self, **others: Any) -> Rules:
        """What the capture is held against."""
        hop, window = float(self.terms.get("ring_s", 8)), float(self.terms.get("window_s", 40))
        return Rules(**{"hop_s": hop, "window_s": window, "order": self.order, **others})


def people_toml(lines: Iterable[Line]) -> str:
    """The company: one person for each extension, one chain for each line."""
    lines = list(lines)
    people = dict.fromkeys(head for line in lines for head in line.heads)
    text = [f'[[person]]\nid = "h{head}"\nname = "Head {head}"\nextensions = ["{head}"]\n' for head in people]
    for line in lines:
        heads = ", ".join(f'"h{head}"' for head in line.heads)
        terms = ", ".join(f"{name} = {json.dumps(value)}" for name, value in line.terms.items())
        text.append(f'[[line]]\nnumber = "{line.number}"\nchain = "c{line.number}"\nchannel = "site"\n')
        text.append(f"[chain.c{line.number}]\nheads = [{heads}]\nterms = {{ {terms} }}\n")
    return "\n".join(text)


class Office:
    """One installation: configuration, people, journal. Its server may be started, killed and started again.

    `pbx`: more settings of the adapter. `url`: where it finds ARI, if not at the rig's own address.
    """

    def __init__(
        self, rig: Rig, folder: Path, application: str, lines: Iterable[Line], *, url: str = "", **pbx: object
    ) -> None:
        self.rig, self.application, self.lines = rig, application, tuple(lines)
        self.folder, self.data = folder, folder / "data"
        self.books = Books(self.data)
        self._secret = secrets.token_hex(32)
        self._environment = {
            **os.environ, SECRET_VARIABLE: self._secret, password_variable(PBX): rig.asterisk.ari.password,
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._log = folder / "server.log"
        settings: dict[str, object] = {
            "kind": "asterisk", "url": url or rig.asterisk.ari.url, "user": rig.asterisk.ari.user,
            "application": application, "fallback_record": str(rig.asterisk.fallback_record), "fallback_poll_s": 0.2,
            **pbx,
        }  # fmt: skip
        server = {"port": 0, "data": str(self.data), "public_url": PUBLIC_URL}
        folder.mkdir(parents=True)
        (folder / "hopline.toml").write_text(_table("server", server) + _table(f"pbx.{PBX}", settings))
        (folder / "people.toml").write_text(people_toml(self.lines))
        for line in self.lines:
            rig.line(line.number, HOPLINE_APP=application)

    # ---- life --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.hopline("apply", str(self.folder / "people.toml"), "--data", str(self.data))
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *, crash_at: str = "") -> None:
        """Start the server; returns when it listens and sees Asterisk. `crash_at`: see `hopline crash-points`."""
        self.launch(crash_at=crash_at)
        eventually(self.ready, f"{self.application} does not see Asterisk", START_LIMIT_S, self.log)

    def launch(self, *, crash_at: str = "") -> None:
        """Start the server; returns when it listens."""
        environment = {**self._environment, "HOPLINE_CRASH_AT": crash_at}
        before = len(self.log())
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                # PR_SET_PDEATHSIG (prctl(2)): no server outlives a test run that was killed
                ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "router", "serve", "-c", "hopline.toml"],
                env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        eventually(lambda: self._listens(before), f"{self.application} does not listen", START_LIMIT_S, self.log)

    def _listens(self, since: int) -> bool:
        assert self._process
        assert self._process.poll() is None, f"the server ended with {self._process.returncode}:\n{self.log()}"
        found = _LISTENS.search(self.log()[since:])
        if found:
            self._port = int(found[1])
        return found is not None

    def kill(self) -> None:
        """kill -9."""
        if self._process:
            self._process.kill()
            self._process.wait(START_LIMIT_S)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(START_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def wait(self) -> int:
        """It ends by itself; the exit code."""
        assert self._process
        return self._process.wait(START_LIMIT_S)

    def hopline(self, *arguments: str) -> str:
        """A command of `hopline`; AssertionError unless its exit code is 0."""
        done = subprocess.run(
            [sys.executable, "-m", "router", *arguments], env=self._environment, cwd=self.folder, check=False,
            capture_output=True, text=True, timeout=2 * START_LIMIT_S,
        )  # fmt: skip
        assert done.returncode == 0, f"hopline {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def port(self) -> int:
        """Where its pages are, on 127.0.0.1."""
        return self._port

    def log(self) -> str:
        """What the server has written to its log so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    # ---- calls -------------------------------------------------------------------------------------------------------

    def call(self, line: Line, script: CallerScript | None = None) -> Dialled:
        """A client calls a line of ours; returns at once."""
        return self.calls(line, 1, script)

    def calls(self, line: Line, count: int, script: CallerScript | None = None, rate: float = 100.0) -> Dialled:
        """Several clients, `rate` of them a second."""
        # As the server shows numbers to its heads: the capture joins a head's leg with its call by the number.
        return self.rig.calls(line.number, [f"+{self.rig.number()}" for _ in range(count)], script, rate)

    def entry_once(self, caller: str, what: str, holds: Callable[[Entry], object]) -> Entry:
        """The journal's entry of this caller's call as soon as something is true of it."""

        def found() -> Entry | None:
            mine = [entry for entry in self.books.entries() if entry.caller == caller]
            assert len(mine) < 2, mine
            return mine[0] if mine and holds(mine[0]) else None

        more = lambda: f"{self.books.entries()}\n{self.log()[-6000:]}"  # noqa: E731 - two words
        entry = eventually(found, f"{caller}: not {what}", more=more)
        assert entry
        return entry

    def over(self, caller: str) -> Entry:
        """The entry of a call that is over, once nothing of it is left on the PBX."""
        entry = self.entry_once(caller, "over", lambda entry: isinstance(entry.state, Ended))
        call = entry.chain.split(":", 2)[2]
        ari = self.rig.asterisk.ari

        def left() -> list[str]:
            return [thing["id"] for thing in (*ari.channels(), *ari.bridges()) if thing["id"].startswith(f"{call}")]

        eventually(lambda: not left(), f"{call}: something is left", more=lambda: f"{left()}\n{self.log()[-6000:]}")
        return entry

    # ---- what it shows -----------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether calls would be served."""
        try:
            return self._request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def ended(self, caller: str) -> Mapping[str, Any]:
        """How the page shows this caller's call among those that are over."""
        chain = self.books.entry(caller).chain
        (view,) = [view for view in self.api("/api/v1/calls")["ended"] if view["id"] == chain]
        return dict(view)

    def api(self, path: str) -> Any:
        """JSON of a page."""
        return json.loads(self.page(path))

    def page(self, path: str) -> str:
        """A page; AssertionError unless it is there."""
        status, body = self._request("GET", path)
        assert status == 200, f"{path}: {status}"
        return body

    def press(self, path: str, fields: Mapping[str, str]) -> Any:
        """Press a button of a page as its script does; the answer."""
        form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        status, body = self._request("POST", path, urlencode(fields), form)
        assert status == 200, body
        return json.loads(body)

    def inbox(self, head: int) -> str:
        """Path of a head's personal page."""
        return personal_link(PUBLIC_URL, self._secret, f"h{head}").removeprefix(PUBLIC_URL)

    def duty(self) -> str:
        """Path of the duty page."""
        return personal_link(PUBLIC_URL, self._secret, "duty").removeprefix(PUBLIC_URL)

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        found = re.search(rf"^{name} (\S+)$", self.page("/metrics"), re.MULTILINE)
        assert found, f"no metric {name}"
        return float(found[1])

    def _request(
        self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, path, body or None, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def eventually(holds: Callable[[], T], what: str, limit_s: float = 30.0, more: Callable[[], str] = str) -> T:
    """Poll another process, which offers no event, until something is true; AssertionError after the limit."""
    limit = time.monotonic() + limit_s
    while not (value := holds()):
        assert time.monotonic() < limit, f"{what}\n{more()}"
        time.sleep(0.02)
    return value


def _table(name: str, values: Mapping[str, object]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
