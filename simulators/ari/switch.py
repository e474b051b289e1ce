"""The exchange: channels, bridges, applications and what they report. Counterpart: `server`, which lets requests in."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from simulators.ari.phones import Phone, Refusal

Json = dict[str, Any]


@dataclass
class Channel:
    """One leg of the exchange."""

    id: str
    name: str
    state: str
    number: str = ""
    context: str = "from-trunk"
    exten: str = ""
    app: str = ""
    args: tuple[str, ...] = ()
    in_stasis: bool = False
    outbound: bool = False
    bridge: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    """Applications that hear of it."""
    shown: str = ""
    """Caller id shown on the phone."""
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    refused: Refusal | None = None
    hangup_cause: int = 0

    def json(self) -> Json:
        """channels.json `Channel`."""
        data = ",".join((self.app, *self.args)) if self.in_stasis else ""
        return {
            "id": self.id, "name": self.name, "state": self.state, "protocol_id": "",
            "caller": {"name": "", "number": self.number}, "connected": {"name": "", "number": ""}, "accountcode": "",
            "dialplan": {
                "context": self.context, "exten": self.exten, "priority": 1,
                "app_name": "Stasis" if self.in_stasis else "Dial", "app_data": data,
            },
            "creationtime": _now(), "language": "en",
        }  # fmt: skip


@dataclass
class Bridge:
    """A mixing bridge."""

    id: str
    name: str
    members: list[str] = field(default_factory=list)

    def json(self) -> Json:
        """bridges.json `Bridge`."""
        return {
            "id": self.id, "name": self.name, "channels": list(self.members), "technology": "simple_bridge",
            "bridge_type": "mixing", "bridge_class": "stasis", "creator": "Stasis", "creationtime": _now(),
        }  # fmt: skip


@dataclass
class Application:
    """An application and the one socket that hears it."""

    name: str
    listener: Callable[[Json], None] | None = None
    allowed: frozenset[str] | None = None


class Switch:
    """A played Asterisk. All methods run in the loop's thread."""

    def __init__(self, *, second: float = 0.05, seed: int = 1) -> None:
        self.second = second
        """Real length of one played second."""
        self.delete_s = 0.001
        """Real seconds from the answer to DELETE until it is carried out."""
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, Bridge] = {}
        self.phones: dict[str, Phone] = {}
        """By endpoint, `PJSIP/101`."""
        self.applications: dict[str, Application] = {}
        self.log: list[tuple[str, str]] = []
        """On the wire: (`ring`, leg), (`answer`, leg), (`stop`, leg), (`gone`, call), (`fallback`, call)."""
        self.shown: dict[str, str] = {}
        """Caller id each leg showed."""
        self.causes: dict[str, int] = {}
        """With which cause a channel was ended by a request."""
        self._random = Random(seed)
        self._numbers = itertools.count(1)
        self._loop = asyncio.get_running_loop()

    # --- callers ------------------------------------------------------------------------------------------------------

    def call(
        self,
        line: str,
        number: str = "79990000001",
        app: str = "hopline",
        args: tuple[str, ...] | None = None,
        absolute: float | None = None,
    ) -> Channel:
        """A client dials `line`: to the application, or to the fallback where it is not there."""
        sequence = next(self._numbers)
        name = f"PJSIP/trunk-{sequence:08x}"
        channel = Channel(f"1764000000.{sequence}", name, "Ring", number, exten=line, app=app)
        self.channels[channel.id] = channel
        application = self.applications.get(app)
        if application is None or application.listener is None:
            self._into_fallback(channel)
            return channel
        channel.in_stasis, channel.args = True, (line,) if args is None else args
        channel.told.add(app)
        if absolute is not None:
            channel.variables["TIMEOUT(absolute)"] = str(absolute)
            self._later(channel, absolute, self._absolute_timeout)
        self.report("StasisStart", channel, args=list(channel.args))
        return channel

    def hang_up(self, channel: Channel) -> None:
        """The far end hangs up: caller, or a head in a talk."""
        if channel.id in self.channels:
            # The first request of a remote BYE has no cause, that of a CANCEL 127 (measured).
            self.report("ChannelHangupRequest", channel, **({} if channel.state == "Up" else {"cause": 127}))
            self._end(channel, 16)

    def _absolute_timeout(self, channel: Channel) -> None:
        if channel.variables.get("TIMEOUT(absolute)") != "0" and channel.in_stasis:
            self._leave_stasis(channel)
            self._into_fallback(channel)

    # --- legs ---------------------------------------------------------------------------------------------------------

    def originate(self, leg: Channel, phone: Phone, timeout: int) -> None:
        """Ring a phone."""
        leg.outbound = True
        leg.told.add(leg.app)
        self.channels[leg.id] = leg
        self.log.append(("ring", leg.id))
        self.shown[leg.id] = leg.shown
        self._later(leg, timeout, self._rang_out)
        begins: list[Callable[[], None]] = [lambda: self.dial(leg, "")]
        if phone.rings_after is not None:
            begins += [lambda: self.dial(leg, "RINGING"), lambda: self.report("ChannelStateChange", leg)]
            self._random.shuffle(begins)  # came in all six orders (measured)
            self._later(leg, phone.rings_after, lambda leg: self._rings(leg, begins))
        else:
            begins[0]()
        if phone.refuses:
            leg.refused = phone.refuses
            self._later(leg, phone.refuses_after, self._refuses)
        if phone.answers_after is not None:
            self._later(leg, phone.answers_after, lambda leg: self.answers(leg, phone.talks))

    def _rings(self, leg: Channel, begins: list[Callable[[], None]]) -> None:
        leg.state = "Ringing"
        for begin in begins:
            begin()

    def answers(self, leg: Channel, talks: float | None = None) -> None:
        """The head picks up."""
        if leg.id not in self.channels or leg.state == "Up":
            return
        self._quiet(leg)
        leg.state = "Up"
        self.log.append(("answer", leg.id))
        self.report("ChannelStateChange", leg)
        self.dial(leg, "ANSWER")
        self._later(leg, 0.02, self._enters)
        if talks is not None:
            self._later(leg, talks, self.hang_up)

    def _enters(self, leg: Channel) -> None:
        application = self.applications.get(leg.app)
        if application is None or application.listener is None:
            self._end(leg, 16)
            return
        leg.in_stasis = True
        self.report("StasisStart", leg, args=list(leg.args))

    def _rang_out(self, leg: Channel) -> None:
        if leg.state != "Up":
            self._end(leg, 19, tech=480)  # no final Dial, no hang-up request (measured)

    def _refuses(self, leg: Channel) -> None:
        if leg.refused and leg.state != "Up":
            self.report("ChannelHangupRequest", leg, cause=leg.refused.cause)
            self.dial(leg, leg.refused.dial)
            self._end(leg, leg.refused.cause, tech=leg.refused.sip)

    def delete(self, channel: Channel, cause: int) -> None:
        """DELETE: answered at once, carried out a moment later."""
        self.causes[channel.id] = cause
        self._loop.call_later(self.delete_s, self._deleted, channel, cause)

    def _deleted(self, channel: Channel, cause: int) -> None:
        if channel.id not in self.channels:
            return
        self.report("ChannelHangupRequest", channel, cause=32, soft=True)
        if channel.outbound and channel.state == "Ringing":
            self.dial(channel, "NOANSWER")
        self._end(channel, cause, tech=480 if channel.state != "Up" else None)

    # --- bridges ------------------------------------------------------------------------------------------------------

    def join(self, bridge: Bridge, channel: Channel) -> None:
        """Into the bridge."""
        self.part(channel)  # also out of the same bridge: Asterisk takes them apart and joins them anew (measured)
        channel.bridge = bridge.id
        bridge.members.append(channel.id)
        self.report("ChannelEnteredBridge", channel, bridge=bridge.json())

    def part(self, channel: Channel) -> None:
        """Out of its bridge, which stays."""
        bridge = self.bridges.get(channel.bridge)
        channel.bridge = ""
        if bridge:
            bridge.members.remove(channel.id)
            self.report("ChannelLeftBridge", channel, bridge=bridge.json())

    # --- ends ---------------------------------------------------------------------------------------------------------

    def to_dialplan(self, channel: Channel, context: str, exten: str) -> None:
        """`continue`."""
        channel.context, channel.exten = context or channel.context, exten or channel.exten
        self._leave_stasis(channel)
        self._into_fallback(channel)

    def transfer(self, channel: Channel, exten: str) -> None:
        """The head sends him on: he leaves bridge and application, nobody hangs up, the dialplan has him."""
        channel.context, channel.exten = "from-heads", exten
        self._leave_stasis(channel)

    def _into_fallback(self, channel: Channel) -> None:
        channel.context = "hopline-fallback"
        self.log.append(("fallback", channel.id))

    def _leave_stasis(self, channel: Channel) -> None:
        self.part(channel)
        channel.in_stasis = False
        self.report("StasisEnd", channel)
        channel.told.discard(channel.app)

    def _end(self, channel: Channel, cause: int, tech: int | None = None) -> None:
        self._quiet(channel)
        self.log.append(("stop" if channel.outbound else "gone", channel.id))
        self.part(channel)
        if channel.in_stasis:
            channel.in_stasis = False
            self.report("StasisEnd", channel)
            if not channel.outbound:
                channel.told.discard(channel.app)  # nothing more is heard of a caller (measured)
        self.channels.pop(channel.id, None)
        self.report("ChannelDestroyed", channel, cause=cause, **({} if tech is None else {"tech_cause": tech}))

    # --- reports ------------------------------------------------------------------------------------------------------

    def dial(self, leg: Channel, status: str) -> None:
        """A Dial event."""
        event = {"type": "Dial", "peer": leg.json(), "dialstatus": status, "dialstring": "", "forward": ""}
        self._tell(leg.told, event)

    def report(self, kind: str, channel: Channel, **fields: Any) -> None:
        """An event about a channel, to the applications that hear of it."""
        self._tell(channel.told, {"type": kind, "channel": channel.json(), **fields})

    def _tell(self, names: set[str], event: Json) -> None:
        for name in names:
            app = self.applications.get(name)
            if app and app.listener and (app.allowed is None or event["type"] in app.allowed):
                # A copy of the moment: the channel goes on changing.
                app.listener({**event, "application": name, "timestamp": _now(), "asterisk_id": "00:00:00:00:00:01"})

    def _later(self, channel: Channel, seconds: float, what: Callable[[Channel], None]) -> None:
        def due() -> None:
            if channel.id in self.channels:
                what(channel)

        channel.timers.append(self._loop.call_later(seconds * self.second, due))

    @staticmethod
    def _quiet(channel: Channel) -> None:
        for timer in channel.timers:
            timer.cancel()
        channel.timers.clear()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
