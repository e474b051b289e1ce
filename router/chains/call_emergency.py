"""What a call does when a person in charge orders it, and when the server takes no new calls.

Each order is an event of the call it concerns, names who gave it, and is answered in a word. Facts stay above orders:
if the PBX says afterwards that they talk, they talk.
"""

import msgspec

from router.basis.instants import Instant
from router.basis.machine import Effect, Step
from router.chains import call_cards as cards
from router.chains import call_offers as offers
from router.chains import call_talk as talk
from router.chains.call_papers import file_of_stranger
from router.chains.call_states import (
    CallSeen,
    CallStep,
    Connecting,
    Ended,
    Filed,
    Followed,
    HandedOver,
    Ringing,
    Stranger,
    Talking,
    Transferring,
    Waiting,
)
from router.chains.delivery import Keys
from router.chains.effects import Release, SendToFallback
from router.chains.enquiry import End, File, Outcome, unheld
from router.chains.events import CallClosed, Disposition, FallbackOrdered, HeadFreed, Party
from router.chains.stops import connect_key, stopped, stopped_all

Ordered = HeadFreed | CallClosed | FallbackOrdered


def obeyed(state: Filed, event: Ordered, seen: CallSeen, at: Instant) -> CallStep:
    """An order about a call that has a file."""
    match event:
        case HeadFreed(person):
            return _freed(state, person, seen, at)
        case CallClosed(_, reason):
            return _closed(state, reason, at)
        case FallbackOrdered():
            return _sent_to_fallback(state, at)


def obeyed_by_stranger(state: Stranger, event: Ordered, at: Instant) -> CallStep:
    """An order about a call whose arrival was not reported."""
    file = file_of_stranger(state)
    match event:
        case HeadFreed():
            return Step(state, reply="not_held")
        case CallClosed(_, reason):
            return _over(file, reason, at)
        case FallbackOrdered():
            return _handed_over(file, at)


def turned_away(file: File, at: Instant) -> CallStep:
    """The server is about to be stopped: the PBX's own plan has the caller from the first moment."""
    return _handed_over(file, at)


# --- free this head ---------------------------------------------------------------------------------------------


def _freed(state: Filed, person: str, seen: CallSeen, at: Instant) -> CallStep:
    """He is kept no longer. His phone, if this call rings it, is told to stop: it would ring for two calls."""
    if isinstance(state, Ringing) and any(hop.person == person for hop in state.hops):
        step = offers.lost_to_another(state, person, seen, at)
        return msgspec.structs.replace(step, reply="freed")
    freed: Filed = msgspec.structs.replace(state, file=unheld(state.file, person))
    match freed:
        case Connecting(_, hop) if hop.person == person:
            freed = msgspec.structs.replace(freed, holds=False)
        case Talking(_, end) if end.person == person:
            freed = msgspec.structs.replace(freed, holds=False)
        case Ended(_, end) if end.person == person:
            freed = msgspec.structs.replace(freed, wrap_until=Instant(0))
        case Followed(holds=holds) if person in holds:
            freed = msgspec.structs.replace(freed, holds=tuple(held for held in holds if held != person))
        case _:
            pass
    return Step(freed, reply="not_held" if freed == state else "freed")


# --- end this call ----------------------------------------------------------------------------------------------


def _closed(state: Filed, reason: str, at: Instant) -> CallStep:
    """A talk that is ended by hand was answered all the same; anything else ends as closed, and owes nobody a call."""
    match state:
        case Ended():
            return Step(state, reply="over")
        case Talking():
            state = msgspec.structs.replace(state, end=msgspec.structs.replace(state.end, reason=reason))
            return msgspec.structs.replace(talk.talk_over(state, Party.PBX, at), reply="closed")
        case Transferring(file, end):
            passed = Talking(file, msgspec.structs.replace(end, reason=reason), at, at, holds=False)
            return msgspec.structs.replace(talk.talk_over(passed, Party.PBX, at), reply="closed")
        case Followed(file):
            return _over(file, reason, at)
        case HandedOver(file):
            return _over(file, reason, at, closed=(Keys.call(file.pbx, file.call, "fallback"),))
        case Ringing() | Waiting() | Connecting():
            file, effects = _silenced(state, Disposition.CANCELLED, at)
            return _over(file, reason, at, effects, (connect_key(file),))


def _over(
    file: File, reason: str, at: Instant, effects: tuple[Effect, ...] = (), closed: tuple[str, ...] = ()
) -> CallStep:
    """A call-back that is owed for this call from before stays open: nobody has proved it needless."""
    file, late = cards.late_cards_over(file, Outcome.CLOSED)
    end = End(Outcome.CLOSED, at, by=Party.PBX, reason=reason)
    release = Release(file.pbx, file.call, "no_answer")
    return Step(Ended(file, end, Instant(0)), (*effects, *late, release), closed=closed, reply="closed")


def _silenced(state: Ringing | Waiting | Connecting, how: Disposition, at: Instant) -> tuple[File, tuple[Effect, ...]]:
    match state:
        case Ringing(file, hops):
            return stopped_all(file, hops, how, "elsewhere", at)
        case Connecting(file, hop):
            return stopped(file, hop, how, "elsewhere", at, holds=state.holds)
        case Waiting(file):
            return file, ()


# --- to the PBX's own plan --------------------------------------------------------------------------------------


def _sent_to_fallback(state: Filed, at: Instant) -> CallStep:
    match state:
        case Ringing() | Waiting() | Connecting():
            file, effects = _silenced(state, Disposition.ELSEWHERE, at)
            return _handed_over(file, at, effects, (connect_key(file),))
        case Talking() | Transferring():
            return Step(state, reply="in_talk")
        case Followed():
            return Step(state, reply="pbx_leads")
        case HandedOver():
            return Step(state, reply="already")
        case Ended():
            return Step(state, reply="over")


def _handed_over(file: File, at: Instant, effects: tuple[Effect, ...] = (), closed: tuple[str, ...] = ()) -> CallStep:
    file, late = cards.late_cards_over(file, Outcome.FALLBACK_UNKNOWN)
    until = Instant(at + file.terms.handover_within)
    send = SendToFallback(file.pbx, file.call)
    return Step(HandedOver(file, until), (*effects, *late, send), closed=closed, reply="sent")
