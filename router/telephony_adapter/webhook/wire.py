"""What a webhook PBX tells: its facts -> reports, its list of calls -> a sighting. Pure.

The manual is `docs/webhook-pbx.md`, section by section. Counterparts: `commands` (what we ask of it), `answers` (what a
command was answered), `routes` (in), `client` (out); a PBX that plays the other side is in `simulators/pbx`.
"""

from datetime import datetime
from typing import Annotated, Literal, assert_never

import msgspec
from msgspec import Meta

from router.basis.instants import from_datetime
from router.basis.machine import Event
from router.chains.events import (
    AdviceAsked,
    CallArrived,
    CallerHungUp,
    DeviceSeen,
    Disposition,
    FallbackServed,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    LineSeen,
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


Code = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""A cause code; no PBX has larger numbers than JSON carries exactly (RFC 8259, 6)."""
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
"""Thirty years of talk: whoever says more has mistaken the unit."""


class Told(msgspec.Struct, frozen=True, gc=False):
    """A fact of one call. Unknown fields are ignored: a PBX may say more than we ask."""

    call: Id


class CallArrivedTold(Told, frozen=True, tag="call.arrived", gc=False):
    line: str
    caller: str | None = None


class AdviceAskedTold(Told, frozen=True, tag="advice.asked", gc=False):
    """Whom is it to ring now? (PBXs that ask.)"""

    line: str = ""
    caller: str | None = None
    leg: str = ""
    """The leg advised last, which is over."""
    how: str = ""


class LegRingingTold(Told, frozen=True, tag="leg.ringing", gc=False):
    leg: str = ""
    extension: str = ""


class LegAnsweredTold(Told, frozen=True, tag="leg.answered", gc=False):
    leg: str = ""
    extension: str = ""


class LegEndedTold(Told, frozen=True, tag="leg.ended", gc=False):
    leg: str = ""
    how: str = ""
    code: Code = 0
    extension: str = ""


class TalkStartedTold(Told, frozen=True, tag="talk.started", gc=False):
    leg: str = ""
    extension: str = ""


class TalkHeldTold(Told, frozen=True, tag="talk.held", gc=False):
    leg: str = ""


class TalkResumedTold(Told, frozen=True, tag="talk.resumed", gc=False):
    leg: str = ""


class TalkTransferredTold(Told, frozen=True, tag="talk.transferred", gc=False):
    how: str = ""
    leg: str = ""
    extension: str = ""
    number: str | None = None


class TalkEndedTold(Told, frozen=True, tag="talk.ended", gc=False):
    by: str = ""


class CallEndedTold(Told, frozen=True, tag="call.ended", gc=False):
    pass


class FallbackTookTold(Told, frozen=True, tag="fallback.took", gc=False):
    pass


class FallbackServedTold(Told, frozen=True, tag="fallback.served", gc=False):
    line: str
    arrived: Moment
    caller: str | None = None
    answered_by: str = ""
    talk_s: Seconds = 0
    why: str = ""


class DeviceStateTold(msgspec.Struct, frozen=True, tag="device.state", gc=False):
    extension: Id
    reachable: bool


class LineStateTold(msgspec.Struct, frozen=True, tag="line.state", gc=False):
    extension: Id
    in_call: bool


AnyTold = (
    CallArrivedTold
    | AdviceAskedTold
    | LegRingingTold
    | LegAnsweredTold
    | LegEndedTold
    | TalkStartedTold
    | TalkHeldTold
    | TalkResumedTold
    | TalkTransferredTold
    | TalkEndedTold
    | CallEndedTold
    | FallbackTookTold
    | FallbackServedTold
    | DeviceStateTold
    | LineStateTold
)

_one = msgspec.json.Decoder(AnyTold)
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


def _report(told: AnyTold, origin: str, raw: bytes) -> Report:
    match told:
        case CallArrivedTold():
            personal = {"caller": told.caller} if told.caller else {}
            return Report(told.call, CallArrived(told.line), personal, origin, raw)
        case AdviceAskedTold():
            personal = {"caller": told.caller} if told.caller else {}
            how = disposition(told.how) if told.how else None
            return Report(told.call, AdviceAsked(told.line, None, told.leg, how), personal, origin, raw)
        case LegRingingTold():
            event: Event = LegRinging(told.leg, told.extension)
        case LegAnsweredTold():
            event = LegAnswered(told.leg, told.extension)
        case LegEndedTold():
            event = LegEnded(told.leg, disposition(told.how), told.code, told.extension)
        case TalkStartedTold():
            event = TalkStarted(told.leg, told.extension)
        case TalkHeldTold():
            event = TalkHeld(told.leg)
        case TalkResumedTold():
            event = TalkResumed(told.leg)
        case TalkTransferredTold():
            event = TalkTransferred(_TRANSFERS.get(told.how, Transfer.UNKNOWN), told.leg, told.extension)
            return Report(told.call, event, {"number": told.number} if told.number else {}, origin, raw)
        case TalkEndedTold():
            event = TalkEnded(_PARTIES.get(told.by, Party.UNKNOWN))
        case CallEndedTold():
            event = CallerHungUp()
        case FallbackTookTold():
            event = FallbackTook()
        case FallbackServedTold():
            personal = {"caller": told.caller} if told.caller else {}
            arrived = from_datetime(told.arrived)
            served = FallbackServed(told.line, None, arrived, told.answered_by, round(told.talk_s), told.why)
            return Report(told.call, served, personal, origin, raw)
        case DeviceStateTold():
            return Report("", DeviceSeen(told.extension, told.reachable), {}, origin, raw)
        case LineStateTold():
            return Report("", LineSeen(told.extension, told.in_call), {}, origin, raw)
        case _:
            assert_never(told)
    return Report(told.call, event, {}, origin, raw)


_TRANSFERS = {how.value: how for how in Transfer}
_PARTIES = {party.value: party for party in Party}
_DISPOSITIONS = {disposition.value: disposition for disposition in Disposition}


def disposition(how: str, otherwise: Disposition = Disposition.FAILED) -> Disposition:
    """How a leg ended. A word we do not know does not undo the fact that it ended."""
    return _DISPOSITIONS.get(how, otherwise)


# --- what the PBX says about its calls (docs/webhook-pbx.md, "The list of calls") ---------------------------------


class LegSeen(msgspec.Struct, frozen=True):
    """One leg: of ours, or of a PBX that hunts by itself."""

    leg: Id
    state: Literal["ringing", "up", "ended"]
    how: str = ""
    talked: bool = False
    extension: str = ""


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


class Calls(msgspec.Struct, frozen=True):
    """The list of calls."""

    calls: tuple[CallSeen, ...]
    recent: tuple[LegSeen, ...] = ()


_calls = msgspec.json.Decoder(Calls)


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
    how = disposition(seen.how).value if seen.how else ""
    return LegSight(seen.leg, seen.state, how, seen.talked, seen.extension)
