"""Hold and transfer as Asterisk reports them. No I/O.

A head's phone transfers by REFER. Our bridge keeps the client: Asterisk puts one half of a Local channel into the
head's place (the *guest*), the other half runs the dialplan of the phones' context, whatever it dials (measured on
22.10, `docs/asterisk.md`, "Hold and transfer"):

    StasisStart(guest, replace_channel = the head's leg)      exten "_attended": he asked the other one first
    ChannelLeftBridge(leg), ChannelEnteredBridge(guest)       the leg stays up, alone, until somebody hangs it up
    ChannelStateChange(guest, Up)                             somebody behind the guest picked up
    ChannelConnectedLine(caller)                              the one behind the guest changed: he was transferred on
    StasisEnd(guest)                                          over, or never taken; ChannelDestroyed does not come

Who is behind a guest stands in the list of bridges alone, so the adapter asks: `behind`.
"""

from collections.abc import Iterable, Mapping

from router.basis.machine import Event
from router.basis.phone import normal
from router.chains.events import (
    Disposition,
    LegEnded,
    Party,
    TalkEnded,
    TalkHeld,
    TalkResumed,
    TalkTransferred,
    Transfer,
)
from router.telephony_adapter.asterisk.causes import how_refused
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.legs import Call, Calls
from router.telephony_adapter.asterisk.wire import (
    SOFT_EXPLICIT,
    Bridge,
    Channel,
    Happening,
    call_of_leg,
)
from router.telephony_adapter.port import Report

ATTENDED = "_attended"
"""Extension of the Local channel by which Asterisk joins two bridges (asterisk main/bridge.c, `_attended@transfer`)."""
DEPTH = 4
"""Local channels in a row that are looked through: a transfer of a transfer, and two for a PBX of its own making."""


class Guests:
    """Reads happenings about holds, transfers and guests; the cache is `Calls`."""

    def __init__(self, calls: Calls, settings: AsteriskSettings) -> None:
        self._calls = calls
        self._settings = settings

    def is_about(self, it: Happening) -> bool:
        """Whether it is for this reader."""
        channel = it.channel
        if channel is None:
            return False
        return bool(
            it.type in ("ChannelHold", "ChannelUnhold", "ChannelConnectedLine")
            or (it.replace_channel and self._call_of(it.replace_channel.id))
            or self._calls.host(channel.id)
        )

    def hear(self, it: Happening) -> tuple[list[Report], list[str]]:
        """The facts in it, and calls of which the PBX must be asked who is behind their guest."""
        channel = it.channel
        assert channel
        match it.type:
            case "StasisStart" if it.replace_channel:
                return self._transferred(it, channel, it.replace_channel)
            case "ChannelHold" | "ChannelUnhold":
                return self._held(it, channel), []
            case "ChannelConnectedLine":
                call = self._calls.find(channel.id)
                return [], [call.id] if call and call.guest and call.guest_up and not call.gone else []
            case "ChannelStateChange" if channel.state == "Up":
                return [], self._picked_up(channel.id)
            case "ChannelHangupRequest":
                return self._hangs_up(it, channel.id), []
            case "ChannelLeftBridge":
                return self._parted(channel.id, Party.UNKNOWN), []
            case "StasisEnd" | "ChannelDestroyed":
                return self.gone(channel.id), []
            case _:
                return [], []

    def _call_of(self, channel_id: str) -> str:
        return call_of_leg(channel_id) or self._calls.host(channel_id)

    # --- it begins ------------------------------------------------------------------------------------------------

    def _transferred(self, it: Happening, guest: Channel, replaced: Channel) -> tuple[list[Report], list[str]]:
        call = self._calls.find(self._call_of(replaced.id))
        if call is None or call.gone:
            return [], []  # he left at that moment; the next look clears the guest away
        if leg := self._calls.leg(replaced.id):
            leg.replaced = True
        attended = guest.dialplan.exten == ATTENDED
        self._calls.take_guest(call, guest.id, up=attended)
        to = guest.caller.number if attended else guest.dialplan.exten
        extension = to if self._settings.is_extension(to) else ""
        how = Transfer.ATTENDED if attended else Transfer.BLIND
        if attended:  # at times Asterisk has not passed the number on yet: then the list of bridges tells who it is
            call.guest_named, call.guest_said = (extension, True) if extension else (None, False)
        # A number outside is personal data: it travels beside the event.
        personal = {"number": to} if not extension and normal(to) else {}
        event = TalkTransferred(how, guest.id, extension)
        report = Report(call.id, event, personal, origin=f"transferred:{guest.id}:{it.timestamp}")
        return [report], [call.id] if attended else []

    def _held(self, it: Happening, channel: Channel) -> list[Report]:
        call = self._calls.find(self._call_of(channel.id))
        if call is None or channel.id != call.talk or call.talk_over:
            return []
        event: Event = TalkHeld(channel.id) if it.type == "ChannelHold" else TalkResumed(channel.id)
        return [Report(call.id, event, origin=f"{it.type}:{channel.id}:{it.timestamp}")]

    def _picked_up(self, guest: str) -> list[str]:
        call = self._calls.find(self._calls.host(guest))
        if call is None or call.guest != guest or call.guest_up:
            return []
        call.guest_up = True
        return [call.id]

    # --- it ends --------------------------------------------------------------------------------------------------

    def _hangs_up(self, it: Happening, guest: str) -> list[Report]:
        call = self._calls.find(self._calls.host(guest))
        if call is None:
            return []
        explicit = it.soft and it.cause == SOFT_EXPLICIT
        if not it.soft:
            call.guest_cause = it.cause or 0
        return self._parted(guest, Party.PBX if explicit else Party.HEAD)

    def _parted(self, guest: str, by: Party) -> list[Report]:
        call = self._calls.find(self._calls.host(guest))
        if call is None or call.talk != guest or call.talk_over or not call.guest_up:
            return []
        call.talk_over, call.ended_by = True, by
        return [Report(call.id, TalkEnded(by), origin=f"talk_ended:{guest}")]

    def gone(self, guest: str) -> list[Report]:
        """The guest is over."""
        host = self._calls.host(guest)
        call = self._calls.find(host)
        reports = self._parted(guest, Party.UNKNOWN)
        how = Disposition.COMPLETED if call and call.guest_up else how_refused(call.guest_cause if call else 0)
        self._calls.drop_guest(guest)
        return [*reports, Report(host, LegEnded(guest, how), origin=f"ended:{guest}")]


def behind(guest: str, channels: Mapping[str, Channel], bridges: Iterable[Bridge]) -> Channel | None:
    """Who is at the other end of a guest; None: nobody yet, it rings."""
    inside = {member: bridge for bridge in bridges for member in bridge.channels}
    by_name = {channel.name: channel for channel in channels.values()}
    here = channels.get(guest)
    for _ in range(DEPTH):
        if here is None or not here.name.endswith((";1", ";2")):
            return here if here is None or here.id != guest else None
        half = by_name.get(here.name[:-1] + ("2" if here.name.endswith("1") else "1"))
        bridge = inside.get(half.id) if half else None
        if half is None or bridge is None:
            return None
        here = next((channels[member] for member in bridge.channels if member != half.id and member in channels), None)
    return None


def named(call: Call, channel: Channel, settings: AsteriskSettings) -> str:
    """The extension of whoever is behind the guest, noted; empty: a phone outside."""
    call.guest_named = settings.extension_of(channel.name)
    return call.guest_named
