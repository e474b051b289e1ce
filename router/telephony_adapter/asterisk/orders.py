"""Effects carried out over ARI. Each may be repeated; what the answer itself proves comes back as facts."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import assert_never

import structlog

from router.basis.failures import Permanent, Temporary
from router.basis.machine import Event
from router.chains.effects import (
    Connect,
    LookAtCall,
    Release,
    RingBack,
    RingLeg,
    SendToFallback,
    StopLeg,
    TelephonyEffect,
)
from router.chains.events import (
    CallerHungUp,
    Disposition,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    Party,
    TalkConfirmed,
    TalkStarted,
    TalkTransferred,
    Transfer,
)
from router.telephony_adapter.asterisk import wire
from router.telephony_adapter.asterisk.client import Answer, Client
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.facts import Ear, bare
from router.telephony_adapter.asterisk.guests import behind, named
from router.telephony_adapter.asterisk.legs import Call, Calls, Leg
from router.telephony_adapter.port import NotSent

log = structlog.get_logger()

Facts = Sequence[Event]

_STOP_CAUSE = {"elsewhere": wire.ELSEWHERE, "no_answer": wire.NO_ANSWER}
"""26 makes CANCEL carry `Reason: SIP;cause=200`, so that the losers' phones show no missed call (asterisk
res/res_pjsip_rfc3326.c); anything else ends with 16."""
_RELEASE_CAUSE = {"no_answer": wire.NO_ANSWER}
"""19 reaches the caller as 480 (asterisk channels/chan_pjsip.c)."""


class Orders:
    """Carries out one effect at a time; many run side by side."""

    def __init__(self, client: Client, calls: Calls, ear: Ear, settings: AsteriskSettings) -> None:
        self._client = client
        self._calls = calls
        self._ear = ear
        self._settings = settings

    async def perform(self, effect: TelephonyEffect, caller: str | None) -> Facts:
        """See `router.telephony_adapter.port.Telephony.perform`."""
        match effect:
            case RingBack():
                return await self._ring_back(effect)
            case RingLeg():
                return await self._ring(effect, caller)
            case StopLeg():
                return await self._stop(effect)
            case Connect():
                facts = await self._connect(effect)
                if self._calls.is_over(effect.call):  # he left meanwhile: the bridge may have been made after that
                    await self.drop_bridge(effect.call)
                return facts
            case Release():
                return await self._release(effect)
            case SendToFallback():
                return await self._send_to_fallback(effect)
            case LookAtCall():
                return await self._look(effect)
            case _:
                assert_never(effect)

    # --- the caller hears ringing, a head's phone rings -----------------------------------------------------------

    async def _ring_back(self, effect: RingBack) -> Facts:
        answer = await self._client.ask(wire.ring_back(effect.call))
        if answer.ok or answer.status == HTTPStatus.PRECONDITION_FAILED:  # 412: he hears more than ringing already
            return ()
        return await self._caller_refused(effect.call, answer)

    async def _ring(self, effect: RingLeg, caller: str | None) -> Facts:
        if ended := self._calls.how_ended(effect.leg):
            return (LegEnded(effect.leg, *ended),)
        if self._calls.is_over(effect.call):
            gone = FallbackTook() if self._calls.is_handed(effect.call) else CallerHungUp()
            # The caller first: a machine that reads in order must not go on to the next head.
            return (gone, LegEnded(effect.leg, Disposition.CANCELLED))
        leg = self._calls.leg(effect.leg)
        if leg and (leg.ringing_said or leg.up):
            return ()  # a repeat of an order that was carried out
        # Noted before it is asked for: its first event may be faster than the answer.
        leg = leg or self._calls.take_leg(effect.leg, effect.call, effect.extension)
        try:
            answer = await self._client.ask(wire.originate(effect, caller, self._settings))
        except NotSent:
            self._calls.withdraw(leg)
            raise
        if answer.ok or answer.conflict:  # 409: this id is there, an earlier try was carried out
            return ()
        return await self._ring_refused(leg, answer)

    async def _ring_refused(self, leg: Leg, answer: Answer) -> Facts:
        said = answer.trouble
        if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR and "Allocation failed" not in said:
            raise Temporary("pbx_error", said or "500")
        log.info("leg_refused", call=leg.call, leg=leg.id, status=answer.status, said=said)
        if "originator" in said:  # asterisk res/ari/resource_channels.c: the caller is gone
            self._calls.withdraw(leg)
            return (*await self._is_caller_gone(leg.call), LegEnded(leg.id, Disposition.CANCELLED))
        # 500 "Allocation failed": no contact, the phone is not registered; 400: no such endpoint or technology.
        self._calls.end_leg(leg, Disposition.UNREACHABLE, 0)
        return (LegEnded(leg.id, Disposition.UNREACHABLE),)

    async def _stop(self, effect: StopLeg) -> Facts:
        leg = self._calls.leg(effect.leg)
        if leg and not leg.stop:
            leg.stop = effect.why
            leg.stopped_ringing = not leg.up
        answer = await self._client.ask(wire.hang_up(effect.leg, _STOP_CAUSE.get(effect.why, wire.NORMAL)))
        if answer.ok:
            return ()  # 204 comes before CANCEL is on the wire: ChannelDestroyed is the confirmation
        if not answer.absent:
            raise Temporary("pbx_refuses_stop", f"{answer.status}: {answer.trouble}")
        if ended := self._calls.how_ended(effect.leg):
            return (LegEnded(effect.leg, *ended),)
        how = Disposition.ELSEWHERE if effect.why == "elsewhere" else Disposition.CANCELLED
        if leg:
            self._calls.end_leg(leg, how, 0)
        return (LegEnded(effect.leg, how),)

    # --- the talk -------------------------------------------------------------------------------------------------

    async def _connect(self, effect: Connect) -> Facts:
        leg = self._calls.leg(effect.leg)
        call = self._calls.find(effect.call)
        if leg and leg.stopped_ringing:
            # An answer that crossed our stop: Asterisk ends it by BYE, a bridge would connect the caller with nobody.
            raise Permanent("leg_was_stopped", effect.leg)
        if call and call.talk == effect.leg and not call.talk_over:
            return await self._lift_limit(effect.call, effect.leg)
        if call:
            call.bridged = True
        answered, bridge = await asyncio.gather(
            self._client.ask(wire.answer(effect.call)), self._client.ask(wire.make_bridge(effect.call, self._settings))
        )
        if not answered.ok:
            return await self._caller_refused(effect.call, answered)
        if not bridge.ok and not bridge.conflict:  # 409: an earlier try made it
            raise Temporary("pbx_refuses_bridge", f"{bridge.status}: {bridge.trouble}")
        if bridge.conflict:
            bridge = await self._client.ask(wire.bridge(wire.bridge_of(effect.call)))
        if not _are_joined(bridge, effect):
            # Never for those who are joined already: Asterisk would take them apart and join them anew.
            joined = await self._client.ask(wire.join(effect.call, effect.leg))
            if not joined.ok:
                return await self._join_refused(effect, joined)
            return await self._lift_limit(effect.call, None)
        return await self._lift_limit(effect.call, effect.leg)

    async def _lift_limit(self, call_id: str, talking: str | None) -> Facts:
        # Only after both are joined: a caller who hops on still needs the net under a dead server.
        answer = await self._client.ask(wire.lift_limit(call_id))
        if not answer.ok:
            return await self._caller_refused(call_id, answer)
        if talking is None:
            return ()  # ChannelEnteredBridge says it
        return bare([self._ear.talk_starts(self._calls.take(call_id), talking)])

    async def _join_refused(self, effect: Connect, answer: Answer) -> Facts:
        """400 a channel is gone, 422 a channel is not in Stasis (asterisk res/ari/resource_bridges.c): which one?"""
        leg, caller = await asyncio.gather(
            self._client.ask(wire.channel(effect.leg)), self._client.ask(wire.channel(effect.call))
        )
        facts: list[Event] = []
        if caller.absent:
            facts += await self._is_caller_gone(effect.call)
        if leg.absent:
            facts.append(self._leg_gone(effect.leg, effect.call))
        if facts:
            return facts
        # Both live: the leg is up but not handed over yet, or the caller is on his way out. Its event comes.
        raise Temporary("pbx_refuses_join", f"{answer.status}: {answer.trouble}")

    # --- the end --------------------------------------------------------------------------------------------------

    async def drop_bridge(self, call_id: str) -> None:
        """The bridge of a caller who is gone; harmless where there is none."""
        await self._client.ask(wire.drop_bridge(wire.bridge_of(call_id)))

    async def _release(self, effect: Release) -> Facts:
        call = self._calls.find(effect.call)
        cause = _RELEASE_CAUSE.get(effect.why, wire.NORMAL)
        # A caller who was sent on talks with somebody else and must not be cut off; the rest of our call goes.
        lives_on = await self._lives_on(effect.call)
        requests = [] if lives_on else [wire.hang_up(effect.call, cause)]
        for leg in list(call.legs.values()) if call else []:
            if not leg.stop:
                leg.stop, leg.stopped_ringing = effect.why, not leg.up
            requests.append(wire.hang_up(leg.id, cause))
        if call and call.guest:
            requests.append(wire.hang_up(call.guest, cause))
        if call is None or call.bridged:
            requests.append(wire.drop_bridge(wire.bridge_of(effect.call)))
        answers = await asyncio.gather(*(self._client.ask(request) for request in requests))
        if any(not answer.ok and not answer.absent for answer in answers):
            raise Temporary("pbx_refuses_release", ",".join(str(answer.status) for answer in answers))
        if lives_on:
            return (CallerHungUp(),)
        return self._caller_gone(effect.call) if answers[0].absent else ()

    async def _lives_on(self, call_id: str) -> bool:
        """In the dialplan. Asked of the PBX only where a talk ended without anybody's hang-up: a transfer."""
        call = self._calls.find(call_id)
        if call and call.talk_over and call.ended_by is Party.UNKNOWN and not call.gone:
            await self._is_caller_gone(call_id)
        return self._calls.is_handed(call_id)

    async def _send_to_fallback(self, effect: SendToFallback) -> Facts:
        call = self._calls.find(effect.call)
        if call:
            call.sent = True
        answer = await self._client.ask(wire.to_fallback(effect.call, call.line if call else "", self._settings))
        if answer.ok:
            return ()  # StasisEnd is the confirmation
        if call:
            call.sent = False
        return await self._caller_refused(effect.call, answer)

    # --- what is true ---------------------------------------------------------------------------------------------

    async def _look(self, effect: LookAtCall) -> Facts:
        requests = [wire.channel(effect.call), wire.bridge(wire.bridge_of(effect.call))]
        if effect.leg:
            requests.append(wire.channel(effect.leg))
        caller, bridge, *legs = await asyncio.gather(*(self._client.ask(request) for request in requests))
        facts: list[Event] = []
        if caller.absent:
            facts += self._caller_gone(effect.call)
        elif caller.ok:
            facts += self._where_is_caller(caller)
        call = self._calls.find(effect.call)
        if call and call.guest:
            return (*facts, *await self._how_is_guest(call, bridge))
        for answer in legs:
            facts += self._how_is_leg(effect, answer, bridge)
        return facts

    async def _how_is_guest(self, call: Call, bridge: Answer) -> Facts:
        if call.guest not in (bridge.read(wire.Bridge).channels if bridge.ok else ()):
            return self._ear.guest_gone(call)
        if not call.guest_up:
            return ()
        known = call.guest_named
        said = await self._who_is_behind(call)
        return said or (() if known is None else (TalkConfirmed(call.guest, known),))

    def _where_is_caller(self, answer: Answer) -> Facts:
        channel = answer.read(wire.Channel)
        call = self._calls.take(channel.id)
        call.seen = True
        call.up = channel.state == "Up"
        if in_stasis(channel, self._settings.application):
            return ()
        return bare(self._ear.handed_over(call))

    def _how_is_leg(self, effect: LookAtCall, answer: Answer, bridge: Answer) -> Facts:
        if answer.absent:
            return (self._leg_gone(effect.leg, effect.call),)
        if not answer.ok:
            return ()
        channel = answer.read(wire.Channel)
        leg = self._calls.take_leg(effect.leg, effect.call)
        if _are_joined(bridge, effect):
            call = self._calls.take(effect.call)
            started = () if call.talk else bare([self._ear.talk_starts(call, effect.leg)])
            return (*started, TalkConfirmed(effect.leg))
        if channel.state == "Up":
            leg.up = True
            return (LegAnswered(effect.leg, self._settings.extension_of(channel.name)),)
        return (LegRinging(effect.leg),) if channel.state == "Ringing" else ()

    async def ask_about(self, call_id: str) -> Facts:
        """A caller left Stasis without a hang-up: did he go on in the dialplan? Or: who is behind his guest?

        Raises `Temporary` while nobody is behind a guest that is up: he was transferred on, and a phone rings.
        """
        call = self._calls.find(call_id)
        if call is None or not call.guest or call.gone:
            return await self._caller_refused(call_id, None)
        facts = await self._who_is_behind(call)
        if not facts and call.guest_named is None and call.guest_up:
            raise Temporary("nobody_behind_guest", call.guest)
        return facts

    async def _who_is_behind(self, call: Call) -> Facts:
        """What is new about whoever the client was transferred to."""
        channels, bridges = await asyncio.gather(self._client.ask(wire.CHANNELS), self._client.ask(wire.BRIDGES))
        if not channels.ok or not bridges.ok:
            raise Temporary("pbx_error", f"{channels.status}, {bridges.status}")
        all_channels = {channel.id: channel for channel in channels.read(tuple[wire.Channel, ...])}
        found = behind(call.guest, all_channels, bridges.read(tuple[wire.Bridge, ...]))
        if found is None:
            call.guest_named = None  # the next one is news, whoever it is
            return ()
        first, known = not call.guest_said, call.guest_named
        extension = named(call, found, self._settings)
        if first:
            call.guest_said = True
            return (TalkStarted(call.guest, extension),)
        return () if extension == known else (TalkTransferred(Transfer.UNKNOWN, call.guest, extension),)

    async def _caller_refused(self, call_id: str, answer: Answer | None) -> Facts:
        """A request about the caller was refused: 404 he is gone, 409 he is not in Stasis; anything else is told."""
        if answer and answer.absent:
            return self._caller_gone(call_id)
        if answer and not answer.conflict:
            raise Temporary("pbx_refuses", f"{answer.status}: {answer.trouble}")
        return await self._is_caller_gone(call_id)

    async def _is_caller_gone(self, call_id: str) -> Facts:
        answer = await self._client.ask(wire.channel(call_id))
        if answer.absent:
            return self._caller_gone(call_id)
        return self._where_is_caller(answer) if answer.ok else ()

    def _caller_gone(self, call_id: str) -> Facts:
        call = self._calls.find(call_id)
        if call is None or call.gone:
            return (CallerHungUp(),)
        return bare(self._ear.caller_gone(call, Party.UNKNOWN))

    def _leg_gone(self, leg_id: str, call_id: str) -> LegEnded:
        if ended := self._calls.how_ended(leg_id):
            return LegEnded(leg_id, *ended)
        leg = self._calls.leg(leg_id)
        if leg is None:
            return LegEnded(leg_id, Disposition.FAILED)
        event = self._ear.leg_ended(leg, 0).event
        assert isinstance(event, LegEnded)
        return event


def in_stasis(channel: wire.Channel, application: str) -> bool:
    """The channel is in our application now; `DialplanCEP.app_data` holds the application's name and arguments."""
    return channel.dialplan.app_name == "Stasis" and channel.dialplan.app_data.split(",")[0] == application


def _are_joined(bridge: Answer, effect: Connect | LookAtCall) -> bool:
    inside = bridge.read(wire.Bridge).channels if bridge.ok else ()
    return effect.call in inside and effect.leg in inside
