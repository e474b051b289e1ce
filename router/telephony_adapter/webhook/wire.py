"""The contract with a webhook PBX: its facts -> reports, our effects -> commands, its list of calls. Pure.

The manual is `docs/webhook-pbx.md`, section by section. Counterparts: `routes` (in), `client` (out), `answers` (what a
command was answered); a PBX that plays the other side is in `simulators/pbx`.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal, assert_never

import msgspec
from msgspec import Meta

from router.basis.instants import from_datetime
from router.basis.machine import Event
from router.chains.effects import (
    Connect,
    Release,
    RingBack,
    RingLeg,
    SendToFallback,
    StopLeg,
    TelephonyEffect,
)
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    DeviceSeen,
    Disposition,
    FallbackServed,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    Party,
    TalkEnded,
    TalkHeld,
    TalkResumed,
    TalkStarted,
    TalkTransferred,
    Transfer,
)
from router.telephony_adapter.port import CallSight, LegSight, Report, Sighting, UnknownPayload

# --- what the PBX tells (docs/webhook-pbx.md, "Events") -----------------------------------------------------------

Id = Annotated[str, Meta(min_length=1, max_length=200)]
"""Ids go into keys of the journal; 200 characters is more than any PBX uses."""
Moment = Annotated[datetime, Meta(tz=True)]
"""RFC 3339 with a zone: without one it would be a guess."""


class _Told(msgspec.Struct, frozen=True, gc=False):
    """A fact of one call. Unknown fields are ignored: a PBX may say more than we ask."""

    call: Id


class _CallArrived(_Told, frozen=True, tag="call.arrived", gc=False):
    line: str
    caller: str | None = None


class _LegRinging(_Told, frozen=True, tag="leg.ringing", gc=False):
    leg: str = ""


class _LegAnswered(_Told, frozen=True, tag="leg.answered", gc=False):
    leg: str = ""
    extension: str = ""


class _LegEnded(_Told, frozen=True, tag="leg.ended", gc=False):
    leg: str = ""
    how: str = ""
    code: int = 0


class _TalkStarted(_Told, frozen=True, tag="talk.started", gc=False):
    leg: str = ""
    extension: str = ""


class _TalkHeld(_Told, frozen=True, tag="talk.held", gc=False):
    leg: str = ""


class _TalkResumed(_Told, frozen=True, tag="talk.resumed", gc=False):
    leg: str = ""


class _TalkTransferred(_Told, frozen=True, tag="talk.transferred", gc=False):
    how: str = ""
    leg: str = ""
    extension: str = ""
    number: str | None = None


class _TalkEnded(_Told, frozen=True, tag="talk.ended", gc=False):
    by: str = ""


class _CallEnded(_Told, frozen=True, tag="call.ended", gc=False):
    pass


class _FallbackTook(_Told, frozen=True, tag="fallback.took", gc=False):
    pass


class _FallbackServed(_Told, frozen=True, tag="fallback.served", gc=False):
    line: str
    arrived: Moment
    caller: str | None = None
    answered_by: str = ""
    talk_s: int | float = 0
    why: str = ""


class _DeviceState(msgspec.Struct, frozen=True, tag="device.state", gc=False):
    extension: Id
    reachable: bool


_AnyTold = (
    _CallArrived
    | _LegRinging
    | _LegAnswered
    | _LegEnded
    | _TalkStarted
    | _TalkHeld
    | _TalkResumed
    | _TalkTransferred
    | _TalkEnded
    | _CallEnded
    | _FallbackTook
    | _FallbackServed
    | _DeviceState
)

_one = msgspec.json.Decoder(_AnyTold)
_many = msgspec.json.Decoder(list[msgspec.Raw])


class Malformed(Exception):
    """The body is no JSON at all."""


def read(body: bytes, delivery: str) -> tuple[list[Report], list[UnknownPayload]]:
    """The reports in one delivery, in order, and what could not be read. Raises Malformed.

    The origin of a report is the delivery's id, with its place where the delivery is a list: a repeated delivery is
    therefore known to be one.
    """
    if not body.lstrip().startswith(b"["):
        told = _read_one(body, delivery)
        return ([told], []) if isinstance(told, Report) else ([], [told])
    try:
        parts = _many.decode(body)
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from error
    reports: list[Report] = []
    unknown: list[UnknownPayload] = []
    for place, part in enumerate(parts):
        told = _read_one(bytes(part), f"{delivery}/{place}")
        if isinstance(told, Report):
            reports.append(told)
        else:
            unknown.append(told)
    return reports, unknown


def _read_one(body: bytes, origin: str) -> Report | UnknownPayload:
    try:
        told = _one.decode(body)
    except msgspec.ValidationError as error:
        return UnknownPayload(str(error), body)
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from error
    return _report(told, origin, body)


def _report(told: _AnyTold, origin: str, raw: bytes) -> Report:
    match told:
        case _CallArrived():
            personal = {"caller": told.caller} if told.caller else {}
            return Report(told.call, CallArrived(told.line), personal, origin, raw)
        case _LegRinging():
            event: Event = LegRinging(told.leg)
        case _LegAnswered():
            event = LegAnswered(told.leg, told.extension)
        case _LegEnded():
            event = LegEnded(told.leg, disposition(told.how), told.code)
        case _TalkStarted():
            event = TalkStarted(told.leg, told.extension)
        case _TalkHeld():
            event = TalkHeld(told.leg)
        case _TalkResumed():
            event = TalkResumed(told.leg)
        case _TalkTransferred():
            event = TalkTransferred(_TRANSFERS.get(told.how, Transfer.UNKNOWN), told.leg, told.extension)
            return Report(told.call, event, {"number": told.number} if told.number else {}, origin, raw)
        case _TalkEnded():
            event = TalkEnded(_PARTIES.get(told.by, Party.UNKNOWN))
        case _CallEnded():
            event = CallerHungUp()
        case _FallbackTook():
            event = FallbackTook()
        case _FallbackServed():
            personal = {"caller": told.caller} if told.caller else {}
            arrived = from_datetime(told.arrived)
            served = FallbackServed(told.line, None, arrived, told.answered_by, round(told.talk_s), told.why)
            return Report(told.call, served, personal, origin, raw)
        case _DeviceState():
            return Report("", DeviceSeen(told.extension, told.reachable), {}, origin, raw)
        case _:
            assert_never(told)
    return Report(told.call, event, {}, origin, raw)


_TRANSFERS = {how.value: how for how in Transfer}
_PARTIES = {party.value: party for party in Party}
_DISPOSITIONS = {disposition.value: disposition for disposition in Disposition}


def disposition(how: str, otherwise: Disposition = Disposition.FAILED) -> Disposition:
    """How a leg ended. A word we do not know does not undo the fact that it ended."""
    return _DISPOSITIONS.get(how, otherwise)


# --- what we ask (docs/webhook-pbx.md, "Commands") ----------------------------------------------------------------


def order(effect: TelephonyEffect, caller: str | None, net_us: int) -> dict[str, Any] | None:
    """The command's body; None where this contract needs no command.

    `net_us`: how much longer than asked the PBX rings a leg that the server ends itself.
    """
    match effect:
        case RingBack():
            return None  # `call.arrived` promises that the caller hears ringing
        case RingLeg():
            ring_us = effect.ring if effect.timed_by_pbx else effect.ring + net_us
            # Rounded down: a ring cut by the end of the window must not reach beyond it.
            ring = {"extension": effect.extension, "line": effect.line, "ring_ms": max(1, ring_us // 1000)}
            shown = {"caller": caller} if caller else {}
            return {"command": "ring", "call": effect.call, "leg": effect.leg} | ring | shown
        case StopLeg():
            return {"command": "stop", "call": effect.call, "leg": effect.leg, "why": effect.why}
        case Connect():
            return {"command": "connect", "call": effect.call, "leg": effect.leg}
        case Release():
            return {"command": "release", "call": effect.call, "why": effect.why}
        case SendToFallback():
            return {"command": "fallback", "call": effect.call}
        case _:  # LookAtCall
            return {"command": "look", "call": effect.call, "leg": effect.leg}


def command_id(body: dict[str, Any]) -> str:
    """The `webhook-id` of a command: the same for each repeat. Hashed, since a PBX's own ids may hold full stops."""
    name = str(body["command"])
    same = "\n".join((name, str(body["call"]), str(body.get("leg", ""))))
    return f"{name}-{hashlib.sha256(same.encode()).hexdigest()[:32]}"


# --- what the PBX says about its calls (docs/webhook-pbx.md, "The list of calls") ---------------------------------


class LegSeen(msgspec.Struct, frozen=True):
    """One leg of ours."""

    leg: Id
    state: Literal["ringing", "up", "ended"]
    how: str = ""
    talked: bool = False


class CallSeen(msgspec.Struct, frozen=True):
    """One live call."""

    call: Id
    line: str = ""
    caller: str | None = None
    legs: tuple[LegSeen, ...] = ()
    talking_leg: str = ""
    talking_extension: str = ""
    fallback: bool = False
    """The PBX's own plan has it, or had it and its record has not been taken yet."""

    def leg(self, leg: str) -> LegSeen | None:
        """The leg with this id."""
        return next((seen for seen in self.legs if seen.leg == leg), None)


class _Calls(msgspec.Struct, frozen=True):
    calls: tuple[CallSeen, ...]
    recent: tuple[LegSeen, ...] = ()


_calls = msgspec.json.Decoder(_Calls)


def sighting(body: bytes, *, remembers_legs: bool) -> Sighting:
    """All live calls. Raises msgspec.DecodeError where the answer cannot be read."""
    said = _calls.decode(body)
    calls = tuple(_call_sight(seen) for seen in said.calls if not seen.fallback)
    recent = tuple(_leg_sight(leg) for leg in said.recent)
    return Sighting(calls, recent, remembers_legs, tuple(seen.call for seen in said.calls if seen.fallback))


def _call_sight(seen: CallSeen) -> CallSight:
    legs = tuple(_leg_sight(leg) for leg in seen.legs)
    # Somebody talks who was not rung by us, and the PBX gives no id for that: the port wants one, else nobody talks.
    talking = seen.talking_leg or seen.talking_extension
    return CallSight(seen.call, seen.line, seen.caller or "", legs, talking, seen.talking_extension)


def _leg_sight(seen: LegSeen) -> LegSight:
    return LegSight(seen.leg, seen.state, disposition(seen.how).value if seen.how else "", seen.talked)
