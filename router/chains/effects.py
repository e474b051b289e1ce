"""What a chain asks of the world. Performers (adapters) carry it out and answer with facts.

`call` is the PBX's own id of the call, `leg` our id of one ring. An effect may be performed more than once (after a
crash, or until it is confirmed): every performer is idempotent by `leg`, `call` or `card`.
"""

from typing import Literal

import msgspec

from router.basis.instants import Duration, Instant
from router.basis.machine import Effect, Token


class RingBack(Effect, frozen=True):
    """Let the caller hear that it rings."""

    pbx: str
    call: str
    best_before: Instant


class RingLeg(Effect, frozen=True):
    """Ring one head."""

    pbx: str
    call: str
    leg: str
    extension: str
    caller: Token | None
    """Token of the client's number, shown on the head's phone."""
    line: str
    ring: Duration
    """How long the phone may ring, microseconds, from the order's own start."""
    timed_by_pbx: bool
    """True: the PBX ends the ring itself after `ring`. False: the server stops it; the PBX's own timer, if it must have
    one, is longer and only a net."""
    best_before: Instant
    after: str | None
    """Leg whose confirmed end is awaited first, at most a second; kept by the outbox, performers ignore it."""


class StopLeg(Effect, frozen=True):
    """End a leg, ringing or up."""

    pbx: str
    call: str
    leg: str
    why: Literal["no_answer", "elsewhere", "caller_gone", "talk_over"]


class Connect(Effect, frozen=True):
    """Answer the caller and join him with the answered leg."""

    pbx: str
    call: str
    leg: str


class Release(Effect, frozen=True):
    """Hang up the caller and whatever else is left of the call."""

    pbx: str
    call: str
    why: Literal["no_answer", "talk_over", "caller_gone"]


class SendToFallback(Effect, frozen=True):
    """Give the caller to the PBX's own plan."""

    pbx: str
    call: str


class LookAtCall(Effect, frozen=True):
    """Ask the PBX what is true about the call; the answer comes as facts (TalkConfirmed, LegEnded, CallerHungUp …)."""

    pbx: str
    call: str
    leg: str
    best_before: Instant


class Announce(Effect, frozen=True):
    """Play a sound into the talk: the client learns that it is recorded. `Announced` says whether he heard it."""

    pbx: str
    call: str
    name: str
    sound: str
    """As the PBX names it; on Asterisk a media URI, `sound:custom/recorded`."""
    best_before: Instant


class StartRecording(Effect, frozen=True):
    """Record the talk under this name until it is over."""

    pbx: str
    call: str
    name: str
    best_before: Instant


class KeepRecording(Effect, frozen=True):
    """Fetch a finished recording into the data folder (`RecordingKept`)."""

    pbx: str
    call: str
    name: str


class Face(msgspec.Struct, frozen=True, gc=False):
    """What a card shows, as a code and parameters; words are put to it where it is rendered."""

    code: str
    """For example `verdict_asked`, `answered`, `missed`, `unknown_answerer`, `callback_open`."""
    params: dict[str, str] = {}
    """Values by name; tokens of personal data under names that end in `_token`, instants (µs) under `_at`."""
    buttons: tuple[str, ...] = ()
    """Codes of the buttons: `real`, `spam`, `take`, `close`."""


class ShowCard(Effect, frozen=True):
    """Make the card `card` look like `face` for `audience`. A desired state: a newer one supersedes."""

    card: str
    chain: str
    """Chain that hears the buttons."""
    audience: str
    """`person:<id>` or `duty` (the duty channel)."""
    face: Face
    revision: int
    """Rises with every change of this card; an older one never replaces a newer one."""


RecordingEffect = Announce | StartRecording | KeepRecording
TelephonyEffect = RingBack | RingLeg | StopLeg | Connect | Release | SendToFallback | LookAtCall

# --- advice: what a PBX that asks is answered -------------------------------------------------------------------
# Not effects: the reply is stored with the question and given again, word for word, when the question is repeated.


class AdvisedLeg(msgspec.Struct, frozen=True):
    """One phone of an advice."""

    leg: str
    """Our id of this ring; the next question and the PBX's reports name it."""
    extension: str


class AdviseRing(msgspec.Struct, frozen=True, tag_field="do", tag="ring"):
    """Ring these phones together, join the client with the first that is picked up; ask again when all are over."""

    legs: tuple[AdvisedLeg, ...]
    ring_ms: int
    """For how long, milliseconds."""


class AdviseWait(msgspec.Struct, frozen=True, tag_field="do", tag="wait"):
    """Nobody can be rung at this moment: let the client hear ringing and ask again."""

    wait_ms: int
    """After how long, milliseconds."""


class AdviseFallback(msgspec.Struct, frozen=True, tag_field="do", tag="fallback"):
    """Give the client to the PBX's own plan."""


class AdviseHangUp(msgspec.Struct, frozen=True, tag_field="do", tag="hang_up"):
    """Hang up the client."""


Advice = AdviseRing | AdviseWait | AdviseFallback | AdviseHangUp
