"""A head's desk phone with buttons: answers, holds, calls a colleague, transfers blindly or after asking, sends a tone.

SIPp plays a fixed scenario. What a head does during a talk is decided by the test at the moment it likes, and an
attended transfer needs two dialogs of one phone; so this is a phone of its own: SIP over UDP on the head's port
(RFC 3261, 3515 REFER, 3891 Replaces), PCMU over RTP beside it. It asks nobody for permission: where the PBX refuses,
the button returns the status.

    with DeskPhone(rig.ports.sip, rig.heads[0]) as phone:
        talk = phone.wait_for_talk()
        phone.hold(talk)
        phone.resume(talk)
        status = phone.transfer(talk, "102")           # 202: accepted
"""

import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self, TypeVar
from urllib.parse import quote

from tests.e2e.asterisk.rig.asterisk import Head
from tests.e2e.asterisk.rig.audio import Audio

T = TypeVar("T")

LIMIT_S = 20.0
"""An answer of Asterisk takes milliseconds; a machine at work on something else may need much longer."""
_REPEATS_S = (0.5, 1.5, 3.5)


@dataclass
class Message:
    """One SIP message, as far as a phone reads it."""

    method: str
    status: int
    headers: list[tuple[str, str]]
    body: str

    def header(self, name: str) -> str:
        """The first one of this name."""
        return next((value for key, value in self.headers if key == name), "")

    def lines(self, *names: str) -> str:
        """Headers to be repeated in an answer."""
        return "".join(f"{key.title()}: {value}\r\n" for name in names for key, value in self.headers if key == name)


@dataclass
class Dialog:
    """One call of this phone."""

    id: str
    me: str
    """The value of From in what we send: with our tag."""
    other: str
    """The value of To in what we send: with their tag, once it is known."""
    target: str
    """Where requests go."""
    cseq: int = 1
    invite: Message | None = None
    up: bool = False
    over: bool = False
    last_reason: str = ""
    answers: dict[int, list[Message]] = field(default_factory=dict)
    """By CSeq."""
    notified: list[str] = field(default_factory=list)
    """First lines of the reports about a transfer (RFC 3515 2.4.5)."""


class DeskPhone:
    """See the module's docstring. Every button is to be pressed from one thread."""

    def __init__(self, pbx_port: int, head: Head, *, after_s: float = 0.0, hertz: int = 440) -> None:
        self.name = head.name
        self.dialogs: dict[str, Dialog] = {}
        self.audio = Audio(hertz)
        self._after_s = after_s
        self._pbx = ("127.0.0.1", pbx_port)
        self._port = head.port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", head.port))
        self._socket.settimeout(0.1)
        self._news = threading.Condition()
        self.answers_only: Callable[[Message], bool] = lambda _: True
        """Which calls he picks up; the others ring."""
        self._over = False
        self._timers: list[threading.Timer] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The phone loses its power."""
        for timer in self._timers:
            timer.cancel()
        self._over = True
        self._thread.join()
        self._socket.close()
        self.audio.close()

    # ---- buttons -----------------------------------------------------------------------------------------------------

    def wait_for_talk(self, known: tuple[Dialog, ...] = ()) -> Dialog:
        """The dialog of a call that came in and was answered, other than those that are known."""
        ids = {dialog.id for dialog in known}
        return self._wait(
            lambda: next((one for one in self.dialogs.values() if one.up and one.id not in ids), None), "no talk"
        )

    def wait_for_end(self, dialog: Dialog) -> None:
        """The other side hung up, or this one after a transfer."""
        self._wait(lambda: dialog.over or None, "nobody hangs up")

    @staticmethod
    def talks_for(seconds: float) -> None:
        """Says its tone for so long: audio takes real time."""
        time.sleep(seconds)

    def hold(self, dialog: Dialog) -> int:
        """Put the other side on hold (RFC 3264 8.4)."""
        return self._reinvite(dialog, "sendonly")

    def resume(self, dialog: Dialog) -> int:
        """Take him back."""
        return self._reinvite(dialog, "sendrecv")

    def transfer(self, dialog: Dialog, extension: str) -> int:
        """Blindly, to this extension."""
        return self._refer(dialog, f"<sip:{extension}@127.0.0.1:{self._pbx[1]}>")

    def transfer_attended(self, dialog: Dialog, asked: Dialog) -> int:
        """Join the other sides of both dialogs."""
        tags = f"to-tag={_tag(asked.other)};from-tag={_tag(asked.me)}"
        replaces = quote(f"{asked.id};{tags}", safe="")
        return self._refer(dialog, f"<{_uri(asked.other)}?Replaces={replaces}>")

    def call(self, extension: str) -> Dialog:
        """Call somebody and wait until he answers."""
        dialog = self.dial(extension)
        self._wait(lambda: dialog.up or None, f"{extension} does not answer")
        return dialog

    def dial(self, extension: str) -> Dialog:
        """Call somebody."""
        server = f"127.0.0.1:{self._pbx[1]}"
        uri = f"sip:{extension}@{server}"
        me = f"<sip:{self.name}@127.0.0.1:{self._port}>;tag={secrets.token_hex(4)}"
        dialog = Dialog(f"{secrets.token_hex(8)}@127.0.0.1", me, f"<{uri}>", uri)
        self.dialogs[dialog.id] = dialog
        self._send(self._request(dialog, "INVITE", body=self._sdp("sendrecv")))
        return dialog

    def cancel(self, dialog: Dialog) -> None:
        """Hang up before he answers."""
        self._wait(lambda: any(one.status >= 180 for one in dialog.answers.get(1, ())) or None, "it does not ring")
        request = self._request(dialog, "CANCEL", branch=f"z9hG4bK-{dialog.id[:12]}-{dialog.cseq}")
        self._send(request)

    def hang_up(self, dialog: Dialog) -> None:
        """End a talk."""
        if not dialog.over:
            dialog.over = True
            self.audio.send_to(None)
            dialog.cseq += 1
            self._ask(dialog, self._request(dialog, "BYE"), dialog.cseq)

    # ---- out ---------------------------------------------------------------------------------------------------------

    def _reinvite(self, dialog: Dialog, direction: str) -> int:
        dialog.cseq += 1
        number = dialog.cseq
        answer = self._ask(dialog, self._request(dialog, "INVITE", body=self._sdp(direction)), number)
        return answer.status

    def _refer(self, dialog: Dialog, refer_to: str) -> int:
        dialog.cseq += 1
        more = f"Refer-To: {refer_to}\r\nReferred-By: <sip:{self.name}@127.0.0.1>\r\n"
        return self._ask(dialog, self._request(dialog, "REFER", more=more), dialog.cseq).status

    def _ask(self, dialog: Dialog, request: str, number: int) -> Message:
        """Send, repeat as UDP must, wait for the final answer."""
        self._send(request)
        started = time.monotonic()
        repeats = iter(_REPEATS_S)
        again = next(repeats)
        while time.monotonic() - started < LIMIT_S:
            with self._news:
                final = [one for one in dialog.answers.get(number, ()) if one.status >= 200]
                if final:
                    return final[0]
                self._news.wait(0.05)
            if time.monotonic() - started > again:
                self._send(request)
                again = next(repeats, LIMIT_S)
        message = f"{self.name}: no answer to {request.splitlines()[0]}"
        raise AssertionError(message)

    def _request(self, dialog: Dialog, method: str, *, body: str = "", more: str = "", branch: str = "") -> str:
        number = dialog.cseq
        branch = branch or f"z9hG4bK-{dialog.id[:12]}-{number}"
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"{method} {dialog.target} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self._port};rport;branch={branch}\r\n"
            f"From: {dialog.me}\r\nTo: {dialog.other}\r\nCall-ID: {dialog.id}\r\nCSeq: {number} {method}\r\n"
            f"Contact: <sip:{self.name}@127.0.0.1:{self._port}>\r\nMax-Forwards: 70\r\n"
            f"{more}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def _sdp(self, direction: str) -> str:
        return (
            f"v=0\r\no={self.name} 1 {time.monotonic_ns()} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.audio.port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na={direction}\r\n"
        )

    def _send(self, text: str) -> None:
        self._socket.sendto(text.encode(), self._pbx)

    # ---- in ----------------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        while not self._over:
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                continue
            message = _read(data.decode(errors="replace"))
            if message is None:
                continue
            if message.status:
                self._answered(message)
            else:
                self._asked(message)
            with self._news:
                self._news.notify_all()

    def _answered(self, message: Message) -> None:
        dialog = self.dialogs.get(message.header("call-id"))
        if dialog is None:
            return
        number, _, method = message.header("cseq").partition(" ")
        if method == "INVITE" and message.status >= 200:
            if message.status < 300:
                dialog.other = message.header("to")
                dialog.target = _uri(message.header("contact")) or dialog.target
                dialog.up = True
                self._hears(message)
            kept, dialog.cseq = dialog.cseq, int(number)
            # of a refusal it belongs to the INVITE's transaction (RFC 3261 17.1.1.3), of a 200 it is one of its own
            branch = f"z9hG4bK-{dialog.id[:12]}-{number}" + ("-ack" if message.status < 300 else "")
            self._send(self._request(dialog, "ACK", branch=branch))
            dialog.cseq = kept
        dialog.answers.setdefault(int(number), []).append(message)

    def _asked(self, message: Message) -> None:
        dialog = self.dialogs.get(message.header("call-id"))
        if message.method == "INVITE":
            if dialog is None:
                self._rings(message)
            else:
                self._reply(message, 200, "OK", dialog, self._sdp("sendrecv"))
            return
        if message.method == "ACK":
            if dialog and not dialog.up and not dialog.over:
                dialog.up = True
            return
        if dialog is None:
            self._reply(message, 200 if message.method == "OPTIONS" else 481, "As you say")
            return
        if message.method == "NOTIFY":
            dialog.notified.append(message.body.partition("\r\n")[0])
        self._reply(message, 200, "OK", dialog)
        if dialog.notified[-1:] == ["SIP/2.0 200 OK"] and not dialog.over:
            # RFC 5589 6.1: whoever transferred hangs up himself. Asterisk waits for it: it sent no BYE within 20 s.
            dialog.over = True
            self.audio.send_to(None)
            dialog.cseq += 1
            self._send(self._request(dialog, "BYE"))
        if message.method in ("BYE", "CANCEL"):
            dialog.over, dialog.last_reason = True, message.header("reason")
            self.audio.send_to(None)
            if message.method == "CANCEL" and dialog.invite:
                self._reply(dialog.invite, 487, "Request Terminated", dialog)

    def _rings(self, message: Message) -> None:
        to = f"{message.header('to')};tag={secrets.token_hex(4)}"
        target = _uri(message.header("contact"))
        dialog = Dialog(message.header("call-id"), to, message.header("from"), target, cseq=100, invite=message)
        self.dialogs[dialog.id] = dialog
        self._reply(message, 180, "Ringing", dialog)
        if not self.answers_only(message):
            return
        timer = threading.Timer(self._after_s, self._picks_up, (dialog, message))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _picks_up(self, dialog: Dialog, message: Message) -> None:
        if not dialog.over:
            self._hears(message)
            self._reply(message, 200, "OK", dialog, self._sdp("sendrecv"))

    def _hears(self, message: Message) -> None:
        if found := re.search(r"^m=audio (\d+)", message.body, re.MULTILINE):
            self.audio.send_to(int(found[1]))

    def _reply(self, message: Message, status: int, word: str, dialog: Dialog | None = None, body: str = "") -> None:
        to = dialog.me if dialog and dialog.invite else message.header("to")
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self._send(
            f"SIP/2.0 {status} {word}\r\n{message.lines('via', 'record-route', 'from')}To: {to}\r\n"
            f"{message.lines('call-id', 'cseq')}Contact: <sip:{self.name}@127.0.0.1:{self._port}>\r\n"
            f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def _wait(self, holds: Callable[[], T | None], what: str) -> T:
        limit = time.monotonic() + LIMIT_S
        with self._news:
            while not (value := holds()):
                assert time.monotonic() < limit, f"{self.name}: {what}"
                self._news.wait(0.1)
        return value


def _read(text: str) -> Message | None:
    head, _, body = text.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    words = first.split(" ")
    headers = [(key.strip().lower(), value.strip()) for key, _, value in (line.partition(":") for line in lines)]
    if words[0] == "SIP/2.0":
        return Message("", int(words[1]), headers, body)
    return Message(words[0], 0, headers, body) if len(words) == 3 else None


def _uri(value: str) -> str:
    found = re.search(r"<([^>]*)>", value)
    return found[1] if found else value.partition(";")[0]


def _tag(value: str) -> str:
    found = re.search(r";tag=([^;]+)", value)
    return found[1] if found else ""
