"""The states of a call, the events it takes and what a step sees."""

import msgspec

from router.basis.instants import NEVER, Instant
from router.basis.machine import ClaimLost, DeadlineReached, EffectAside, EffectDropped, Granted, Nudged, State, Step
from router.basis.pinned import Pinned
from router.chains.choice import Sight
from router.chains.effects import RecordingEffect, ShowCard, TelephonyEffect
from router.chains.enquiry import NOTHING_KNOWN, End, File, Hop, Known
from router.chains.events import (
    AdviceAsked,
    Announced,
    CallArrived,
    CallClosed,
    CallerHungUp,
    FallbackOrdered,
    FallbackServed,
    FallbackTook,
    HeadFreed,
    LegAnswered,
    LegAsked,
    LegEnded,
    LegRinging,
    RecordingFailed,
    RecordingFinished,
    RecordingKept,
    RecordingStarted,
    TakePressed,
    TalkConfirmed,
    TalkEnded,
    TalkHeld,
    TalkResumed,
    TalkStarted,
    TalkTransferred,
    VerdictGiven,
)
from router.chains.terms import Plan


class Ringing(State, frozen=True, omit_defaults=True):
    """Phones ring, or are about to: of one head, or of several."""

    file: File
    hops: tuple[Hop, ...]
    """At least one, in the order in which they were offered."""
    wake: Instant | None = None
    """When more heads may be rung beside these; None: at no instant that is known."""
    keys: tuple[str, ...] = ()
    """Heads who would be rung beside these if they were free."""

    @property
    def hop(self) -> Hop:
        """The one offered first; the only one unless a group rings or a head has several phones."""
        return self.hops[0]

    def with_leg(self, leg: str) -> Hop | None:
        """The phone that rings under this leg."""
        return next((hop for hop in self.hops if hop.leg == leg), None)


class Waiting(State, frozen=True):
    """No head can be offered the call now."""

    file: File
    wake: Instant
    """When to look again: somebody's rest ends, or the window does."""
    keys: tuple[str, ...]


class Connecting(State, frozen=True):
    """A head picked up; the PBX was told to join him with the caller."""

    file: File
    hop: Hop
    check: Instant
    holds: bool = True
    """Whether the head is still claimed by this call (a later fact may have given him to another)."""


class Talking(State, frozen=True):
    """They talk."""

    file: File
    end: End
    """Who talks since when; becomes the call's end."""
    confirmed: Instant
    check: Instant
    holds: bool = True
    """Whether the talker is still claimed by this call (a later fact may have given him to another)."""
    held: Instant | None = None
    """Since when the client has been on hold."""


class Transferring(State, frozen=True):
    """A head passed the client on blindly: another phone rings, and nobody talks with him."""

    file: File
    """Its last `passed` is the transfer under way."""
    end: End
    """The talk until then; becomes the call's end if the client hangs up."""
    check: Instant


class HandedOver(State, frozen=True):
    """The PBX's own plan has the caller; its record will tell the rest."""

    file: File
    until: Instant
    took: bool = False
    """Whether the PBX has confirmed that it has him; before that a hang-up is an ordinary one."""


class Followed(State, frozen=True):
    """The PBX leads: it rings by itself or as it was advised, and tells; nobody is ordered."""

    file: File
    until: Instant
    """When the call is given up for want of any word."""
    rings: tuple[Hop, ...] = ()
    """Phones that ring now, by our advice or by the PBX's own plan."""
    holds: tuple[str, ...] = ()
    """Heads whom our advice keeps from other calls."""
    keys: tuple[str, ...] = ()
    """Whom the call waits for, where nobody could be advised."""
    free_at: Instant = NEVER
    """A head who was kept for the next question is let go then."""


class Ended(State, frozen=True):
    """The call is over. Facts and verdicts may still come."""

    file: File
    end: End
    wrap_until: Instant
    """End of the pause after the talk, in which the head is kept from other calls; 0: none, or over."""


class Stranger(State, frozen=True):
    """Facts of a call whose arrival has not been reported."""

    call: str
    pbx: str
    line: str
    channel: str
    plan: Pinned[Plan]
    first: Instant
    until: Instant
    over: bool = False
    """The caller is gone already."""


Filed = Ringing | Waiting | Connecting | Followed | Talking | Transferring | HandedOver | Ended
"""States that have a file."""

CallState = Ringing | Waiting | Connecting | Followed | Talking | Transferring | HandedOver | Ended | Stranger

CallEvent = (
    CallArrived
    | AdviceAsked
    | LegAsked
    | LegRinging
    | LegAnswered
    | LegEnded
    | TalkStarted
    | TalkConfirmed
    | TalkHeld
    | TalkResumed
    | TalkTransferred
    | TalkEnded
    | Announced
    | RecordingStarted
    | RecordingFinished
    | RecordingFailed
    | RecordingKept
    | CallerHungUp
    | FallbackTook
    | FallbackServed
    | VerdictGiven
    | TakePressed
    | HeadFreed
    | CallClosed
    | FallbackOrdered
    | DeadlineReached
    | Granted
    | ClaimLost
    | EffectDropped
    | EffectAside
    | Nudged
)

CallEffect = TelephonyEffect | RecordingEffect | ShowCard


class Opening(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a new chain must know of itself."""

    call: str
    pbx: str
    line: str
    channel: str
    plan: Pinned[Plan]
    known: Known = NOTHING_KNOWN


class CallSeen(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a step of a call sees of the world around it."""

    opening: Opening | None = None
    """Given while the chain has not been told of the call's arrival."""
    sights: tuple[Sight, ...] = ()
    """Heads of the list who cannot be offered the call now."""
    answerer: str = ""
    """Person whose extension the event names; empty: none or more than one."""
    back: tuple[str, ...] = ()
    """Heads who were unreachable in this call and whose state has changed since."""
    dead: tuple[str, ...] = ()
    """Phones of the list that cannot be reached, of heads who have another one that can."""
    draining: bool = False
    """The server takes no new call: it is about to be stopped."""


CallStep = Step[CallState]
