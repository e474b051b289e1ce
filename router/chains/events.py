"""What can happen to a call, in the words of the trade. Adapters translate their vendor's words into these.

A fact may come late, twice, in another order or never; none is refused. `call` is the PBX's own id of the whole call
and lies in the chain's id, so the events do not repeat it. `leg` is *our* id of one ring (`RingLeg.leg`); empty or
unknown where the PBX rang on its own. Personal data arrives as tokens.
"""

from enum import StrEnum
from typing import Literal

from router.basis.clients import ClientKind
from router.basis.instants import Instant
from router.basis.machine import Event, Token
from router.basis.people import Directory
from router.basis.pinned import Pinned


class Disposition(StrEnum):
    """How a leg ended: technical, not anybody's judgement."""

    NO_ANSWER = "no_answer"
    """Rang its time, or the phone stopped without a word."""
    BUSY = "busy"
    DECLINED = "declined"
    UNREACHABLE = "unreachable"
    """Off line, not registered, no such endpoint."""
    CANCELLED = "cancelled"
    """Ended by our own stop."""
    ELSEWHERE = "elsewhere"
    """Ended because somebody else took the call."""
    COMPLETED = "completed"
    """Ended after it had been answered."""
    FAILED = "failed"
    """Any other technical end."""


class Party(StrEnum):
    """Who ended it."""

    CALLER = "caller"
    HEAD = "head"
    PBX = "pbx"
    UNKNOWN = "unknown"


class Transfer(StrEnum):
    """How a client is transferred."""

    BLIND = "blind"
    """The new phone rings first; a talk with it is reported by `TalkStarted`."""
    ATTENDED = "attended"
    """The head asked the other one first: they talk at once."""
    UNKNOWN = "unknown"
    """Seen afterwards: another one talks with the client now."""


# --- what the PBX reports ---------------------------------------------------------------------------------------


class CallArrived(Event, frozen=True):
    """A client is on the line and hears ringing."""

    line: str
    """The dialled number."""
    caller: Token | None = None
    """Token of the client's number; None where it is withheld."""


class AdviceAsked(Event, frozen=True):
    """The PBX asks whom to ring now; the advice is the step's reply (`router.chains.effects.Advice` as JSON)."""

    line: str = ""
    caller: Token | None = None
    leg: str = ""
    """The leg that was advised last and is over; empty: none was, or the PBX does not tell which."""
    how: Disposition | None = None
    """How that leg ended; None: not told."""


class LegAsked(Event, frozen=True):
    """After a restart: the ring, never sent before, is sent only now."""

    leg: str


class LegRinging(Event, frozen=True):
    """The head's phone rings."""

    leg: str
    extension: str = ""
    """The phone, where the PBX rang it by itself; empty: as ordered."""


class LegAnswered(Event, frozen=True):
    """A head picked up. He does not speak with the client yet."""

    leg: str
    extension: str = ""
    """The extension that answered as the PBX tells it; empty: as ordered."""


class LegEnded(Event, frozen=True):
    """A leg is over; nothing of it rings or talks any more."""

    leg: str
    how: Disposition
    code: int = 0
    """The PBX's own cause code (Q.850 on Asterisk), for the explanation only; 0: none given."""
    extension: str = ""
    """The phone, where the PBX rang it by itself; empty: as ordered."""


class TalkStarted(Event, frozen=True):
    """Client and head are connected with each other. If the PBX says that they talk, they talk."""

    leg: str
    extension: str = ""


class TalkConfirmed(Event, frozen=True):
    """Asked, the PBX says that they still talk."""

    leg: str
    extension: str = ""


class TalkHeld(Event, frozen=True):
    """The client is on hold: he hears music, the talk goes on."""

    leg: str = ""


class TalkResumed(Event, frozen=True):
    """The client is back from hold."""

    leg: str = ""


class TalkTransferred(Event, frozen=True):
    """A head transferred the client. It stands instead of the end of his talk: the client's talk goes on."""

    how: Transfer
    leg: str = ""
    """The PBX's id of the new talker's leg; ours where it is one that we ordered; empty: it names none."""
    extension: str = ""
    """Where to, inside the house; empty: outside, or not told."""
    number: Token | None = None
    """Token of the number outside that he was transferred to."""


class TalkEnded(Event, frozen=True):
    """The talk is over, whoever hung up."""

    by: Party = Party.UNKNOWN


class Announced(Event, frozen=True):
    """The client was told that the talk is recorded; or could not be told."""

    ok: bool


class RecordingStarted(Event, frozen=True):
    """The talk is being recorded."""

    name: str
    """Our own name of the recording."""


class RecordingFinished(Event, frozen=True):
    """The recording is over and lies on the PBX."""

    name: str
    duration_ms: int = 0


class RecordingFailed(Event, frozen=True):
    """There is no recording, or none any more."""

    name: str
    why: str = ""
    """Code."""


class RecordingKept(Event, frozen=True):
    """The recording lies in the server's data folder, checked."""

    name: str
    size: int
    """Bytes."""


class CallerHungUp(Event, frozen=True):
    """The client is gone: hung up, or no longer known to the PBX."""


class FallbackTook(Event, frozen=True):
    """The PBX confirms that it runs its own fallback plan for this call."""


class FallbackServed(Event, frozen=True):
    """Read from the PBX's own records: what its fallback plan did with a call."""

    line: str
    caller: Token | None
    arrived: Instant
    answered_by: str = ""
    """Extension or device that answered; empty: nobody did."""
    talk_s: int = 0
    why: str = ""
    """Why the fallback ran: `no_server`, `absolute_timeout`, `sent`, or the PBX's own word."""


# --- what people do ---------------------------------------------------------------------------------------------


class VerdictGiven(Event, frozen=True):
    """A person marked the call."""

    by: str
    """Person id."""
    verdict: Literal["real", "spam"]


class TakePressed(Event, frozen=True):
    """A head who missed his ring wants the caller who still waits."""

    by: str


class PressedClose(Event, frozen=True):
    """A person closes a call-back entry with a reason."""

    by: str
    reason: str


# --- what a person in charge orders in an emergency ------------------------------------------------------------


class HeadFreed(Event, frozen=True):
    """This call shall keep that head no longer, whatever the PBX says of him; its next fact about him wins."""

    person: str
    by: str
    """Person id, the name at the machine, or `duty`."""


class CallClosed(Event, frozen=True):
    """The call is to end, for a reason that is no outcome of its own."""

    by: str
    reason: str
    """One of `CLOSING_REASONS`."""


class FallbackOrdered(Event, frozen=True):
    """The client is to be given to the PBX's own plan at once."""

    by: str


CLOSING_REASONS = ("stuck", "test", "nuisance", "other")
"""Why a person ends a call by hand: the PBX no longer has it; a trial; abuse. Codes, so that no sentences and no
personal data get into the log."""


# --- what one chain tells another -------------------------------------------------------------------------------


class CallMissed(Event, frozen=True):
    """Nobody took a call: a call-back is owed."""

    call: str
    """The call's chain id."""
    line: str
    channel: str
    caller: Token | None
    arrived: Instant
    why: str
    """Code: a value of `enquiry.Outcome` that is among those missed."""


class CallProvedAnswered(Event, frozen=True):
    """A call that was thought missed turns out to have been answered: a fact came late."""

    call: str
    person: str
    """Who answered; empty: not known."""


# --- who is there -----------------------------------------------------------------------------------------------


class DirectoryApplied(Event, frozen=True):
    """People, lines and chains changed, as a whole document."""

    directory: Pinned[Directory]
    by: str


class WentAway(Event, frozen=True):
    """A person is not there (his own word or the admin's)."""

    person: str
    by: str
    until: Instant | None = None


class CameBack(Event, frozen=True):
    """A person is there again."""

    person: str
    by: str


class LineSeen(Event, frozen=True):
    """The PBX reports whether an extension is in a call that is none of ours (a call he makes himself, a call that came
    another way)."""

    extension: str
    busy: bool


class OffersMissed(Event, frozen=True):
    """A call tells the roster which heads let it ring out."""

    call: str
    """The call's chain id."""
    people: tuple[str, ...]
    asked_after: int
    """So many in a row are a reason to ask (`Terms.misses_asked`)."""


class SaidHere(Event, frozen=True):
    """Asked whether he is there, or paused: a head says that he is."""

    by: str


class SaidAway(Event, frozen=True):
    """Asked whether he is there: a head says that he is not."""

    by: str


class DeviceSeen(Event, frozen=True):
    """The PBX reports whether an extension's phone can be reached."""

    extension: str
    reachable: bool


# --- the client book ----------------------------------------------------------------------------------------------


class ClientSaved(Event, frozen=True):
    """Somebody wrote a client's entry, as a whole: by file, by CSV, by the API."""

    client: str
    """The entry's id."""
    by: str
    """Who wrote it: a person id, `api`, or the user of the machine who gave the command."""
    kind: ClientKind
    responsible: str
    active: bool
    priority: int
    name: Token = ""
    phones: tuple[Token, ...] = ()
    mails: tuple[Token, ...] = ()
    note: Token = ""
    """Empty: none."""
    expected: int | None = None
    """The revision the writer had before his eyes; 0: none, the client is to be new; None: whatever there is."""
