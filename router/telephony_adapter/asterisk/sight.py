"""The PBX's live channels and bridges read as calls of ours, and what is left over of calls that are gone. Pure."""

from dataclasses import dataclass, field

from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.guests import behind
from router.telephony_adapter.asterisk.legs import Calls
from router.telephony_adapter.asterisk.orders import in_stasis
from router.telephony_adapter.asterisk.wire import (
    NORMAL,
    OTHER_HALF,
    Application,
    Bridge,
    Channel,
    Request,
    bridge_of,
    call_of_bridge,
    call_of_leg,
    drop_bridge,
    hang_up,
)
from router.telephony_adapter.port import CallSight, LegSight


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something of ours that belongs to no living call, and the request that clears it away."""

    what: str
    id: str
    request: Request


@dataclass(slots=True)
class Read:
    """What was read from the PBX."""

    channels: dict[str, Channel]
    bridges: tuple[Bridge, ...]
    own: Application
    settings: AsteriskSettings
    guests: dict[str, str] = field(init=False)
    """Channel that a transfer put into our bridge -> call."""
    callers: dict[str, Channel] = field(init=False)
    legs: dict[str, Channel] = field(init=False)

    def __post_init__(self) -> None:
        application = self.settings.application
        self.guests = {
            member: call
            for bridge in self.bridges
            if (call := call_of_bridge(bridge.id)) and self._is_ours(bridge)
            for member in bridge.channels
            if member in self.channels and member != call and call_of_leg(member) != call
        }
        self.callers = {
            channel.id: channel
            for channel in self.channels.values()
            if in_stasis(channel, application)
            and not call_of_leg(channel.id)
            and not channel.id.endswith(OTHER_HALF)
            and channel.id not in self.guests
        }
        mine = frozenset(self.own.channel_ids)
        self.legs = {
            channel.id: channel
            for channel in self.channels.values()
            # Another application on this Asterisk may name its legs alike: whose it is says its caller or our list.
            if (call := call_of_leg(channel.id)) and (call in self.callers or channel.id in mine)
        }

    # --- calls --------------------------------------------------------------------------------------------------

    def calls(self) -> tuple[CallSight, ...]:
        """Calls that live: a caller in our application who is not the rest of a talk that is over."""
        over = {orphan.id for orphan in self.orphans()}
        return tuple(self._call(caller) for caller in self.callers.values() if caller.id not in over)

    def handed(self, calls: Calls) -> tuple[str, ...]:
        """Callers who are in the dialplan's fallback now, or on the way there (extension T of another context)."""
        context = self.settings.fallback_context
        return tuple(
            channel.id
            for channel in self.channels.values()
            if (channel.dialplan.context == context or calls.is_handed(channel.id))
            and channel.id not in self.callers
            and not call_of_leg(channel.id)
        )

    def _call(self, caller: Channel) -> CallSight:
        legs = [leg for leg in self.legs.values() if call_of_leg(leg.id) == caller.id]
        talking = next((leg for leg in legs if {caller.id, leg.id} <= self._inside(caller.id)), None)
        with_whom = talking
        if guest := self.guest_of(caller.id):
            legs = [*legs, guest]
            with_whom = behind(guest.id, self.channels, self.bridges) if guest.state == "Up" else None
            talking = guest if with_whom else None
        return CallSight(
            call=caller.id,
            line=line_of(caller),
            caller=caller.caller.number,
            legs=tuple(LegSight(leg.id, "up" if leg.state == "Up" else "ringing") for leg in legs),
            talking_leg=talking.id if talking else "",
            talking_extension=self.settings.extension_of(with_whom.name) if with_whom else "",
        )

    def guest_of(self, call: str) -> Channel | None:
        """Whoever a transfer put into the call's bridge."""
        return next((self.channels[guest] for guest, host in self.guests.items() if host == call), None)

    def _is_ours(self, bridge: Bridge) -> bool:
        return bridge.name == self.settings.application or bridge.id in self.own.bridge_ids

    def _inside(self, call: str) -> set[str]:
        return {member for bridge in self.bridges if bridge.id == bridge_of(call) for member in bridge.channels}

    # --- what is left over ----------------------------------------------------------------------------------------

    def orphans(self) -> list[Orphan]:
        """What nobody else will clear away: while the server is dead, the one who is left of a talk stays up alone, and
        an empty bridge stays for ever (measured on Asterisk 22). A connection being made has both ends alive.
        """
        found = [self._channel(leg) for leg in self.legs if call_of_leg(leg) not in self.callers]
        found += [self._channel(guest) for guest, call in self.guests.items() if call not in self.callers]
        for bridge in self.bridges:
            call = call_of_bridge(bridge.id)
            if not call or not self._is_ours(bridge):
                continue
            alone = bridge.channels == (call,) and not any(call_of_leg(leg) == call for leg in self.legs)
            if alone and call in self.callers:
                found.append(self._channel(call))
            if alone or call not in self.callers:
                found.append(Orphan("bridge", bridge.id, drop_bridge(bridge.id)))
        return found

    @staticmethod
    def _channel(channel_id: str) -> Orphan:
        return Orphan("channel", channel_id, hang_up(channel_id, NORMAL))

    # --- the cache ------------------------------------------------------------------------------------------------

    def refresh(self, calls: Calls) -> None:
        """Put what was read into the cache. What the cache has beyond it stays: its end is reported by events."""
        for sight in self.calls():
            if calls.is_over(sight.call):
                continue  # his end was reported while this was being read
            call = calls.take(sight.call)
            call.seen = True
            call.up = self.callers[sight.call].state == "Up"
            call.line = call.line or sight.line
            call.bridged = call.bridged or any(bridge.id == bridge_of(sight.call) for bridge in self.bridges)
            guest = self.guest_of(sight.call)
            if guest and call.guest != guest.id:
                calls.take_guest(call, guest.id, up=guest.state == "Up")
                call.guest_said = bool(sight.talking_leg)
                call.guest_named = sight.talking_extension if sight.talking_leg else None
            for leg in sight.legs:
                if calls.how_ended(leg.leg) or leg.leg in self.guests:
                    continue
                known = calls.take_leg(leg.leg, sight.call, self.settings.extension_of(self.legs[leg.leg].name))
                known.up = known.up or leg.state == "up"
                known.rang = known.rang or self.legs[leg.leg].state == "Ringing"
            if sight.talking_leg and not call.talk:
                call.talk = sight.talking_leg

    def prune(self, calls: Calls, before: frozenset[str]) -> None:
        """Forget what the cache knew `before` and the PBX does not have: its end was not seen, the socket was cut."""
        for call in calls:
            if call.id not in before:
                continue
            for leg in [leg for leg in call.legs.values() if leg.id not in self.channels]:
                calls.withdraw(leg)
            if call.id not in self.callers:
                calls.end_call(call)


def line_of(caller: Channel) -> str:
    """The dialled number: the application's argument (`hopline,74951234567`), else the extension."""
    _, _, argument = caller.dialplan.app_data.partition(",")
    return argument.split(",")[0] or caller.dialplan.exten
