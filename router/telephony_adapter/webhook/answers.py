"""What a PBX's answer to a command proves: facts, or a failure of one of the two kinds. Pure.

The manual is `docs/webhook-pbx.md`, "Answers". An answer is worth a fact wherever it proves one: a request that is
repeated until it is true would otherwise go on although the PBX has said that there is nothing left to do.
"""

from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import assert_never

import msgspec

from router.basis.failures import Permanent, Temporary
from router.basis.instants import SECOND
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
    TalkConfirmed,
    TalkStarted,
)
from router.telephony_adapter.port import NotSent
from router.telephony_adapter.webhook.wire import CallSeen, LegSeen, disposition

_LONGEST_WAIT_S = 3600
"""A PBX that asks for more than an hour is asked again after an hour."""


class Said(msgspec.Struct, frozen=True):
    """The body of an answer that is not a look; every field may be missing."""

    gone: str = ""
    reason: str = ""
    error: str = ""
    leg: LegSeen | None = None


_said = msgspec.json.Decoder(Said)
_call = msgspec.json.Decoder(CallSeen)


def facts(effect: TelephonyEffect, status: int, body: bytes, retry_after: str, now_s: float) -> Sequence[Event]:
    """What the answer proves. Raises Temporary or Permanent where nothing was done.

    `retry_after`: the header as received (RFC 9110, 10.2.3: seconds or a date), empty if there was none.
    """
    said = _read(body)
    if 200 <= status < 300:  # noqa: PLR2004 - RFC 9110, 15.3: the request was accepted
        return _looked(effect, body) if isinstance(effect, LookAtCall) else ()
    match status:
        case 404 | 410:
            return _gone(effect, said)
        case 409:
            return _already(effect, said)
        case 422:
            return _refused(effect, said)
        case 429 | 503:
            raise NotSent(f"http_{status}", said.error, wait_us(retry_after, now_s))
        case _ if status in (408, 425) or status >= 500:  # noqa: PLR2004 - RFC 9110, 15.6: the PBX's own trouble
            raise Temporary(f"http_{status}", said.error, wait_us(retry_after, now_s))
        case _:
            raise Permanent(f"http_{status}", said.error or _REMEDIES.get(status, "see the PBX's log"))


_REMEDIES = {
    301: "the command address has moved: give the final one, a signed order follows no redirect",
    302: "the command address has moved: give the final one, a signed order follows no redirect",
    307: "the command address has moved: give the final one, a signed order follows no redirect",
    308: "the command address has moved: give the final one, a signed order follows no redirect",
    401: "the PBX does not accept our signature: compare the secrets and both clocks",
    403: "the PBX does not accept our signature: compare the secrets and both clocks",
    405: "the command address takes no POST: look at command_url",
}


def _read(body: bytes) -> Said:
    try:
        return _said.decode(body)
    except msgspec.DecodeError:
        return Said()  # the status says enough; a proxy's HTML page says nothing more


def _gone(effect: TelephonyEffect, said: Said) -> Sequence[Event]:
    """404: the call, or the leg, is not on the PBX any more."""
    match effect:
        case RingLeg() | StopLeg() | Connect() | LookAtCall():
            # Connect without a word about what is gone: the leg. Wrongly taken, it costs a ring that is answered with
            # "call gone"; the other way round it would give up a caller who still waits.
            leg_only = said.gone == "leg" or (not said.gone and isinstance(effect, StopLeg | Connect))
            ended = _ended(effect.leg, said, Disposition.CANCELLED)
            # First that nobody waits, then that the leg is over: the other order would call for the next head.
            return (ended,) if leg_only else (CallerHungUp(), ended) if effect.leg else (CallerHungUp(),)
        case Release() | SendToFallback() | RingBack():
            return (CallerHungUp(),)
        case _:
            assert_never(effect)


def _already(effect: TelephonyEffect, said: Said) -> Sequence[Event]:
    """409: it has been done before."""
    match effect:
        case RingLeg():
            over = said.leg is not None and said.leg.state == "ended"
            return (_ended(effect.leg, said, Disposition.FAILED),) if over else ()
        case StopLeg():
            return (_ended(effect.leg, said, Disposition.CANCELLED),)
        case Connect():
            return (TalkStarted(effect.leg),)
        case Release():
            return (CallerHungUp(),)
        case SendToFallback():
            return (FallbackTook(),)
        case RingBack() | LookAtCall():
            return ()
        case _:
            assert_never(effect)


def _refused(effect: TelephonyEffect, said: Said) -> Sequence[Event]:
    """422: the PBX will not, and says why. The leg of a refused ring or connection is over."""
    if said.reason == "fallback":
        took: tuple[Event, ...] = (FallbackTook(),)
        return (*took, LegEnded(effect.leg, Disposition.CANCELLED)) if isinstance(effect, RingLeg | Connect) else took
    if isinstance(effect, RingLeg | Connect):
        return (LegEnded(effect.leg, disposition(said.reason)),)
    raise Permanent("refused", said.reason or said.error)


def _ended(leg: str, said: Said, otherwise: Disposition) -> LegEnded:
    return LegEnded(leg, disposition(said.leg.how if said.leg else "", otherwise))


def _looked(effect: LookAtCall, body: bytes) -> Sequence[Event]:
    """200 to a look: the call as it is."""
    try:
        seen = _call.decode(body)
    except msgspec.DecodeError as error:
        raise Temporary("unreadable_answer", str(error)) from error
    if seen.fallback:
        return (FallbackTook(),)
    if seen.talking_leg or seen.talking_extension:
        if not effect.leg or seen.talking_leg == effect.leg:
            return (TalkConfirmed(seen.talking_leg),)
        return (TalkStarted(seen.talking_leg, seen.talking_extension),)
    if not effect.leg:
        return ()
    leg = seen.leg(effect.leg)
    match leg.state if leg else "ended":
        case "ringing":
            return (LegRinging(effect.leg),)
        case "up":
            return (LegAnswered(effect.leg),)
        case _:  # ended, or not known: in either case nothing of it rings or talks
            return (LegEnded(effect.leg, disposition(leg.how if leg else "")),)


def wait_us(retry_after: str, now_s: float) -> int | None:
    """Microseconds the PBX asks us to wait; None if it does not say or cannot be understood."""
    text = retry_after.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), _LONGEST_WAIT_S) * SECOND
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return round(min(max(0.0, until.timestamp() - now_s), _LONGEST_WAIT_S) * SECOND)
