"""What a happening on the PBX means for a call. No I/O: a happening and the cache go in, reports come out.

Each fact of a call has one name (`origin`), made of what it says and not of how it was learned: whichever of several
ARI events tells it first, the engine admits it once, also after a reconnect or a restart.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from router.basis.machine import Event
from router.basis.phone import normal
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    DeviceSeen,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    LineSeen,
    Party,
    TalkEnded,
    TalkStarted,
)
from router.telephony_adapter.asterisk import recordings
from router.telephony_adapter.asterisk.causes import how_ended
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.guests import Guests
from router.telephony_adapter.asterisk.legs import Call, Calls, Leg
from router.telephony_adapter.asterisk.metrics import LATE_ANSWERS
from router.telephony_adapter.asterisk.wire import (
    LEG_WORD,
    NORMAL,
    OTHER_HALF,
    SOFT_EXPLICIT,
    SOFT_MOVED,
    SOFT_TIMEOUT,
    Channel,
    Happening,
    call_of_bridge,
    call_of_leg,
)
from router.telephony_adapter.port import Report

log = structlog.get_logger()

_SIGNS_OF_LIFE = frozenset({"RINGING", "PROGRESS"})
_FINAL = frozenset({"ANSWER", "BUSY", "CONGESTION", "NOANSWER", "CHANUNAVAIL", "CANCEL"})
_GOES_ON = frozenset({SOFT_MOVED, SOFT_TIMEOUT})


@dataclass(slots=True)
class Heard:
    """What follows from one happening."""

    reports: list[Report] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    """Calls whose caller the PBX must be asked about: the happening alone does not tell."""


class Ear:
    """Reads happenings in the socket's order and keeps the cache."""

    def __init__(self, name: str, calls: Calls, settings: AsteriskSettings) -> None:
        self._name = name
        self._calls = calls
        self._settings = settings
        self._guests = Guests(calls, settings)
        self._reachable: dict[str, bool] = {}
        self._busy: dict[str, bool] = {}
        self._by_type: dict[str, Callable[[Happening], Heard]] = {
            "StasisStart": self._entered,
            "StasisEnd": self._left,
            "ChannelStateChange": self._changed,
            "Dial": self._dialled,
            "ChannelHangupRequest": self._hanging_up,
            "ChannelDestroyed": self._destroyed,
            "ChannelEnteredBridge": self._joined,
            "ChannelLeftBridge": self._parted,
        }

    def hear(self, it: Happening, raw: bytes | None = None) -> Heard:
        """The facts in `it`; a type that is not read has none."""
        read = self._by_type.get(it.type)
        if it.playback is not None or it.recording is not None:
            heard = Heard(recordings.heard(it))
        elif self._guests.is_about(it):
            heard = Heard(*self._guests.hear(it))
        elif read is None or (it.channel and it.channel.id.endswith(OTHER_HALF)):
            return Heard()
        else:
            heard = read(it)
        if raw is not None:
            heard.reports = [_with_payload(report, raw) for report in heard.reports]
        return heard

    # --- a channel comes ----------------------------------------------------------------------------------------

    def _entered(self, it: Happening) -> Heard:
        channel = it.channel
        assert channel
        if it.args[:1] == (LEG_WORD,) or call_of_leg(channel.id):
            return self._leg_entered(channel, it.args)
        call = self._calls.take(channel.id)
        call.seen = True
        call.up = call.up or channel.state == "Up"
        call.line = call.line or (it.args[0] if it.args else "") or channel.dialplan.exten
        return Heard([arrival(call, channel)])

    def _leg_entered(self, channel: Channel, args: tuple[str, ...]) -> Heard:
        """Only now the leg is ours to bridge: before, `addChannel` answers 422. So this is the answer, not state Up."""
        if self._calls.how_ended(channel.id):
            return Heard()  # a late report must not bring a leg back
        call = args[1] if len(args) > 1 else call_of_leg(channel.id)
        leg = self._calls.take_leg(channel.id, call, "".join(args[3:4]))
        leg.up = True
        if leg.answered_said:
            return Heard()
        leg.answered_said = True
        if leg.stopped_ringing:
            LATE_ANSWERS.labels(self._name).inc()
            log.warning("late_answer", call=call, leg=leg.id, stopped=leg.stop)
        answered = LegAnswered(leg.id, self._settings.extension_of(channel.name))
        return Heard([Report(call, answered, origin=f"answered:{leg.id}")])

    # --- it rings, it is up -------------------------------------------------------------------------------------

    def _changed(self, it: Happening) -> Heard:
        channel = it.channel
        assert channel
        if not call_of_leg(channel.id):
            call = self._calls.find(channel.id)
            if call and channel.state == "Up":
                call.up = True
            return Heard()
        if channel.state == "Ringing":
            return self._rings(channel.id, said=True)
        if channel.state == "Up" and not self._calls.how_ended(channel.id):
            self._calls.take_leg(channel.id, call_of_leg(channel.id)).up = True
        return Heard()

    def _dialled(self, it: Happening) -> Heard:
        if it.peer is None or not call_of_leg(it.peer.id):
            return Heard()
        if it.dialstatus in _SIGNS_OF_LIFE:
            return self._rings(it.peer.id, said=it.dialstatus == "RINGING")
        leg = self._calls.leg(it.peer.id)
        if leg and it.dialstatus in _FINAL:
            leg.final_dial = it.dialstatus
        return Heard()

    def _rings(self, leg_id: str, *, said: bool) -> Heard:
        if self._calls.how_ended(leg_id):
            return Heard()
        leg = self._calls.take_leg(leg_id, call_of_leg(leg_id))
        leg.rang = True
        if not said or leg.ringing_said:
            return Heard()
        leg.ringing_said = True
        return Heard([Report(leg.call, LegRinging(leg.id), origin=f"ringing:{leg.id}")])

    # --- it ends ------------------------------------------------------------------------------------------------

    def _hanging_up(self, it: Happening) -> Heard:
        assert it.channel
        soft = (it.cause or 0) if it.soft else 0
        if call_of_leg(it.channel.id):
            leg = self._calls.leg(it.channel.id)
            if leg is None:
                return Heard()
            leg.soft = leg.soft or soft == SOFT_EXPLICIT
            return Heard(self._talk_ends(leg.call, leg.id, Party.PBX if soft or leg.stop else Party.HEAD))
        call = self._calls.find(it.channel.id)
        if call is None or call.gone:
            return Heard()
        if soft in _GOES_ON:
            return Heard()  # he lives on in the dialplan; StasisEnd comes
        return Heard(self.caller_gone(call, Party.PBX if soft else Party.CALLER))

    def _left(self, it: Happening) -> Heard:
        assert it.channel
        call = self._calls.find(it.channel.id)
        leg = self._calls.leg(it.channel.id)
        if leg and leg.replaced:
            return Heard([self.leg_ended(leg, NORMAL)])
        if call is None or call.gone or call_of_leg(it.channel.id):
            return Heard()
        if call.sent:
            return Heard(self.handed_over(call))
        # No hang-up was requested: TIMEOUT(absolute), which is not announced (measured on 22.10), or a transfer. He may
        # live on in the dialplan; only the PBX knows.
        return Heard(doubtful=[call.id])

    def _destroyed(self, it: Happening) -> Heard:
        assert it.channel
        if call_of_leg(it.channel.id):
            return Heard(self._leg_destroyed(it.channel, it.cause or 0))
        call = self._calls.find(it.channel.id)
        return Heard() if call is None or call.gone else Heard(self.caller_gone(call, Party.CALLER))

    def _leg_destroyed(self, channel: Channel, cause: int) -> list[Report]:
        if self._calls.how_ended(channel.id):
            return []
        leg = self._calls.take_leg(channel.id, call_of_leg(channel.id))
        leg.rang = leg.rang or channel.state == "Ringing"
        leg.up = leg.up or channel.state == "Up"
        reports = self._talk_ends(leg.call, leg.id, Party.PBX if leg.soft or leg.stop else Party.HEAD)
        return [*reports, self.leg_ended(leg, cause)]

    def leg_ended(self, leg: Leg, cause: int) -> Report:
        """The leg is over."""
        how = how_ended(leg, cause)
        self._calls.end_leg(leg, how, cause)
        return Report(leg.call, LegEnded(leg.id, how, cause), origin=f"ended:{leg.id}")

    def caller_gone(self, call: Call, by: Party, *, lives_on: bool = False) -> list[Report]:
        """The caller is no longer ours: off the PBX, or (`lives_on`) with somebody else there."""
        call.handed = lives_on
        reports = self._talk_ends(call.id, call.id, by)
        self._calls.end_call(call)
        return [*reports, Report(call.id, CallerHungUp(), origin="hung_up")]

    def handed_over(self, call: Call) -> list[Report]:
        """The caller lives on in the dialplan."""
        if call.talk and not call.sent:  # a head transferred him: not our fallback, but no longer ours either
            return self.caller_gone(call, Party.UNKNOWN, lives_on=True)
        call.handed = True
        self._calls.end_call(call)
        return [Report(call.id, FallbackTook(), origin="fallback_took")]

    # --- the talk -----------------------------------------------------------------------------------------------

    def _joined(self, it: Happening) -> Heard:
        call_id = call_of_bridge(it.bridge.id) if it.bridge else ""
        if not call_id or not it.bridge or call_id not in it.bridge.channels:
            return Heard()
        legs = [channel for channel in it.bridge.channels if call_of_leg(channel) == call_id]
        if not legs:
            return Heard()
        if self._calls.is_over(call_id):
            return Heard()
        call = self._calls.take(call_id)
        if call.talk and not call.talk_over:
            return Heard()
        call.seen, call.bridged = True, True
        return Heard([self.talk_starts(call, legs[0])])

    def talk_starts(self, call: Call, leg_id: str) -> Report:
        """Both are in the bridge."""
        call.talk, call.talk_over = leg_id, False
        leg = self._calls.take_leg(leg_id, call.id)
        return Report(call.id, TalkStarted(leg_id, leg.extension), origin=f"talk:{leg_id}")

    def _parted(self, it: Happening) -> Heard:
        assert it.channel
        call_id = call_of_bridge(it.bridge.id) if it.bridge else ""
        return Heard(self._talk_ends(call_id, it.channel.id, Party.UNKNOWN))

    def _talk_ends(self, call_id: str, who: str, by: Party) -> list[Report]:
        call = self._calls.find(call_id)
        if call is None or not call.talk or call.talk_over or who not in (call.id, call.talk):
            return []
        if call.guest and not call.guest_up:
            return []  # he is being transferred: nobody talks with him yet
        call.talk_over = True
        call.ended_by = by
        return [Report(call.id, TalkEnded(by), origin=f"talk_ended:{call.talk}")]

    def guest_gone(self, call: Call) -> tuple[Event, ...]:
        """Whoever a transfer brought in is no longer in the bridge."""
        return bare(self._guests.gone(call.guest))

    # --- phones -------------------------------------------------------------------------------------------------

    def device(self, endpoint: str, *, reachable: bool) -> list[Report]:
        """Whether a phone can be reached, said when it changes."""
        extension = self._settings.extension_of(endpoint)
        if not extension or self._reachable.get(extension) == reachable:
            return []
        self._reachable[extension] = reachable
        return [Report("", DeviceSeen(extension, reachable))]

    def line(self, endpoint: str, *, busy: bool) -> list[Report]:
        """Whether a phone is in a call that is none of ours, said when it changes; that it is free is no news at first
        only to a server that starts anew, and a server before us may have noted otherwise."""
        extension = self._settings.extension_of(endpoint)
        if not extension or self._busy.get(extension) == busy:
            return []
        self._busy[extension] = busy
        return [Report("", LineSeen(extension, busy))]


def arrival(call: Call, channel: Channel) -> Report:
    """The caller's channel as a call."""
    number = channel.caller.number
    personal = {"caller": number} if normal(number) else {}
    return Report(call.id, CallArrived(call.line), personal, origin="arrived")


def age_s(timestamp: str, now: datetime) -> float:
    """Seconds since an event's timestamp (`2026-03-02T10:15:04.201+0300`); 0 where it cannot be read."""
    text = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", timestamp)
    try:
        return (now - datetime.fromisoformat(text)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _with_payload(report: Report, raw: bytes) -> Report:
    return Report(report.call, report.event, report.personal, report.origin, raw)


def bare(reports: list[Report]) -> tuple[Event, ...]:
    """The facts alone, as `perform` returns them."""
    return tuple(report.event for report in reports)
