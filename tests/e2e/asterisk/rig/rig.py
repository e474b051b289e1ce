"""The whole rig: ports, Asterisk, capture, phones, callers, judge."""

import contextlib
import itertools
import shutil
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.e2e.asterisk.rig.ari import AriError
from tests.e2e.asterisk.rig.asterisk import Asterisk, Head, end_left_over
from tests.e2e.asterisk.rig.calls import read_calls
from tests.e2e.asterisk.rig.capture import Capture
from tests.e2e.asterisk.rig.judge import Rules, Verdict, review
from tests.e2e.asterisk.rig.missing import MissingError, what_is_missing
from tests.e2e.asterisk.rig.ports import Ports
from tests.e2e.asterisk.rig.scripts import CallerScript, HeadScript, never_answers, waits
from tests.e2e.asterisk.rig.sipp import Dialled, Phone, dial

FIRST_HEAD = 101
# A number never used twice in one rig, so that no leg is taken for one of another call.
_FIRST_CALLER = 79990000001


class Rig:
    """One Asterisk with its phones. See the package's docstring for how to use it.

    `heads`: how many, named 101, 102, ...; all ring and never answer until told otherwise. `qualify`: head -> seconds
    between Asterisk's questions whether the phone is there (none for heads not named).
    """

    def __init__(self, heads: int = 5, qualify: Mapping[int, int] | None = None) -> None:
        self._count, self._qualify = heads, dict(qualify or {})
        self._numbers = itertools.count(_FIRST_CALLER)
        self._turn = itertools.count(1)

    def __enter__(self) -> Self:
        if missing := what_is_missing():
            raise MissingError(missing)
        self.ports = Ports(end_left_over)
        self.folder = Path(tempfile.mkdtemp(prefix="hopline-rig-"))
        # dumpcap drops root's rights over files of others before it writes
        self.folder.chmod(0o755)
        names = [str(FIRST_HEAD + at) for at in range(self._count)]
        self.heads = [Head(name, self.ports.head(at), self._qualify.get(int(name), 0)) for at, name in enumerate(names)]
        self.phones = {
            head.name: Phone(head.name, head.port, self.ports.control(head.port), self.folder / f"head-{head.name}")
            for head in self.heads
        }
        self._dialled: list[Dialled] = []
        self.asterisk = Asterisk(self.ports, self.heads)
        try:
            self.capture = Capture(self.folder / "wire.pcap", self.ports.sip)
            self.asterisk.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for dialled in self._dialled:
            dialled.stop()
        for phone in self.phones.values():
            phone.stop()
        self.asterisk.stop()
        if hasattr(self, "capture"):
            self.capture.stop()
        self.ports.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- phones and callers ----------------------------------------------------------------------------------------

    def head(self, name: int | str, script: HeadScript) -> None:
        """From now on this head behaves so. Returns when its phone is there."""
        self.phones[str(name)].behave(script)

    def all_heads(self, script: HeadScript | None = None, names: Collection[int | str] = ()) -> None:
        """The same for all of them, or for those named; without a script they ring and never answer."""
        for name in names or self.phones:
            self.head(name, script or never_answers())

    def rest(self) -> None:
        """Between two tests: nobody calls and no phone is there (twenty idle SIPp cost a quarter of a core)."""
        for dialled in self._dialled:
            dialled.stop()
        self._dialled.clear()
        for phone in self.phones.values():
            phone.stop()
        for channel in self.asterisk.ari.channels():
            with contextlib.suppress(AriError):  # it may have ended by itself meanwhile
                self.asterisk.ari.request("DELETE", f"/channels/{channel['id']}")
        self.wait_until_idle()

    def number(self) -> str:
        """A caller's number that nobody in this rig has used."""
        return str(next(self._numbers))

    def call(self, line: str, caller: str | None = None, script: CallerScript | None = None) -> Dialled:
        """One call; returns at once. `.numbers[0]` is the caller, `.wait()` returns when he has hung up."""
        return self.calls(line, [caller or self.number()], script)

    def calls(
        self, line: str, callers: Sequence[str] | int, script: CallerScript | None = None, rate: float = 100.0
    ) -> Dialled:
        """Several calls to one line (their numbers, or how many), `rate` new ones per second; returns at once."""
        numbers = [self.number() for _ in range(callers)] if isinstance(callers, int) else list(callers)
        folder = self.folder / f"callers-{next(self._turn)}"
        dialled = dial(self.ports, folder, line, numbers, script or waits(), rate)
        self._dialled.append(dialled)
        return dialled

    def line(self, line: str, **values: str) -> None:
        """Settings of the shipped dialplan for one line 9xxx: HOPLINE_APP, HOPLINE_ABSOLUTE, HOPLINE_HEADS, ..."""
        for name, value in values.items():
            self.asterisk.ari.set_global(f"RIG_{line}_{name}", value)

    # ---- what was seen ---------------------------------------------------------------------------------------------

    def verdict(
        self,
        rules: Rules | None = None,
        callers: Collection[str] | None = None,
        heads: Collection[int | str] | None = None,
    ) -> Verdict:
        """Judge the capture so far: all of it, or only these callers, and of stray legs only those to these heads."""
        ports = {head.port: head.name for head in self.heads}
        calls, strays = read_calls(self.capture.messages(), self.ports.sip, ports)
        if callers is not None:
            calls = [call for call in calls if call.caller in callers]
        if heads is not None:
            mine = {str(head) for head in heads}
            strays = [leg for leg in strays if leg.head in mine]
        return review(calls, strays, rules or Rules())

    def left_over(self) -> str:
        """Channels and bridges that live now; empty when Asterisk is idle."""
        channels = [f"{channel['name']} {channel['state']}" for channel in self.asterisk.ari.channels()]
        bridges = [f"bridge {bridge['id']} {bridge['channels']}" for bridge in self.asterisk.ari.bridges()]
        return "; ".join(channels + bridges)

    def wait_until_idle(self, limit_s: float = 10.0) -> None:
        """Return when no channel and no bridge is left; AssertionError that names them after the limit."""
        limit = time.monotonic() + limit_s
        while said := self.left_over():
            assert time.monotonic() < limit, f"left over: {said}"
            time.sleep(0.05)  # polling another process
