"""NewPbx's words and ours: payload -> report, effect -> request, answer -> facts. Pure.

Write beside each field the page of the vendor's manual.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
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
    CallArrived,
    CallerHungUp,
    Disposition,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    Party,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
)
from router.telephony_adapter.port import CallSight, LegSight, NotSent, Report, Sighting, UnknownPayload

# --- what it tells ------------------------------------------------------------------------------------------------


class Told(msgspec.Struct, frozen=True):
    """One event as it is posted to us; fields that we do not know are ignored."""

    event: str
    n: int
    """Running number: the same when the event is told again."""
    call: str
    line: str = ""
    number: str = ""
    leg: str = ""
    phone: str = ""
    reason: str = ""


HOW = {
    "timeout": Disposition.NO_ANSWER, "busy": Disposition.BUSY, "reject": Disposition.DECLINED,
    "offline": Disposition.UNREACHABLE, "cancel": Disposition.CANCELLED, "normal": Disposition.COMPLETED,
}  # fmt: skip
BY = {"client": Party.CALLER, "agent": Party.HEAD}

_told = msgspec.json.Decoder(Told)


def read(body: bytes) -> Report | UnknownPayload:
    """One event. What cannot be read is kept, not refused."""
    try:
        told = _told.decode(body)
    except msgspec.DecodeError as error:
        return UnknownPayload(str(error), body)
    event = _event(told)
    if event is None:
        return UnknownPayload(f"event {told.event!r} is not known", body)
    personal = {"caller": told.number} if told.number and isinstance(event, CallArrived) else {}
    return Report(told.call, event, personal, f"n{told.n}", body)


def _event(told: Told) -> Event | None:
    match told.event:
        case "incoming":
            return CallArrived(told.line)
        case "ringing":
            return LegRinging(told.leg)
        case "answer":
            return LegAnswered(told.leg, told.phone)
        case "leg_end":
            return LegEnded(told.leg, HOW.get(told.reason, Disposition.FAILED))
        case "talk":
            return TalkStarted(told.leg, told.phone)
        case "talk_end":
            return TalkEnded(BY.get(told.reason, Party.UNKNOWN))
        case "bye":
            return CallerHungUp()
        case _:
            return None


# --- what we ask --------------------------------------------------------------------------------------------------


def request(effect: TelephonyEffect, caller: str | None) -> tuple[str, dict[str, Any]] | None:
    """Path below the API and body; None where nothing is to be asked."""
    match effect:
        case RingLeg():
            return f"/call/{effect.call}/ring", {"leg": effect.leg, "phone": effect.extension, "show": caller or ""}
        case StopLeg():
            return f"/call/{effect.call}/stop", {"leg": effect.leg}
        case Connect():
            return f"/call/{effect.call}/join", {"leg": effect.leg}
        case Release():
            return f"/call/{effect.call}/hangup", {}
        case SendToFallback():
            return f"/call/{effect.call}/reception", {}
        case RingBack() | LookAtCall():
            return None  # the client hears ringing from the start; a look reads the list of calls


class Said(msgspec.Struct, frozen=True):
    """The body of an answer."""

    gone: str = ""
    reason: str = ""


def facts(effect: TelephonyEffect, status: int, body: bytes) -> Sequence[Event]:
    """What an answer proves. Raises Temporary (again) or Permanent (a person is told)."""
    try:
        said = msgspec.json.decode(body, type=Said) if body else Said()
    except msgspec.DecodeError:
        said = Said()  # a proxy's page: the status says enough
    leg = effect.leg if isinstance(effect, RingLeg | StopLeg | Connect) else ""
    match status:
        case 200:
            return (FallbackTook(),) if isinstance(effect, SendToFallback) else ()
        case 404 if said.gone == "leg" and leg:
            return (LegEnded(leg, Disposition.CANCELLED),)
        case 404:
            ended = (LegEnded(leg, Disposition.CANCELLED),) if leg else ()
            return (CallerHungUp(), *ended)
        case 409 if isinstance(effect, RingLeg):
            return (LegEnded(leg, HOW.get(said.reason, Disposition.FAILED)),)
        case 409:
            return ()
        case 503:
            raise NotSent("http_503")
        case _ if status >= 500:
            raise Temporary(f"http_{status}")
        case _:
            raise Permanent(f"http_{status}", said.reason)


# --- what it says about its calls ---------------------------------------------------------------------------------


class LegSeen(msgspec.Struct, frozen=True):
    """One live leg."""

    leg: str
    phone: str
    up: bool


class CallSeen(msgspec.Struct, frozen=True):
    """One live call."""

    call: str
    line: str
    number: str
    legs: tuple[LegSeen, ...]
    talks: str
    """The leg that is joined with the client; empty: none."""


def sighting(body: bytes) -> Sighting:
    """All live calls. Raises Temporary where the answer cannot be read."""
    try:
        seen = msgspec.json.decode(body, type=list[CallSeen])
    except msgspec.DecodeError as error:
        raise Temporary("unreadable_calls", str(error)) from error
    return Sighting(tuple(_call(one) for one in seen))


def _call(seen: CallSeen) -> CallSight:
    legs = tuple(LegSight(leg.leg, "up" if leg.up else "ringing") for leg in seen.legs)
    phone = next((leg.phone for leg in seen.legs if leg.leg == seen.talks), "")
    return CallSight(seen.call, seen.line, seen.number, legs, seen.talks, phone)


def looked(effect: LookAtCall, sighting: Sighting) -> Sequence[Event]:
    """What the list says about one call."""
    call = next((one for one in sighting.calls if one.call == effect.call), None)
    if call is None:
        return (CallerHungUp(),)
    if call.talking_leg:
        return (TalkConfirmed(call.talking_leg),)
    leg = next((one for one in call.legs if one.leg == effect.leg), None)
    if leg is None:
        return (LegEnded(effect.leg, Disposition.FAILED),) if effect.leg else ()
    return (LegAnswered(leg.leg),) if leg.state == "up" else (LegRinging(leg.leg),)
