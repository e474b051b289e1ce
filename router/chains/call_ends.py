"""How a call ends, and the end of its window: straight work, called by the branches in `call`.

Each move takes the file and returns a step.
"""

import msgspec

from router.basis.instants import Instant
from router.basis.machine import Effect, Message, Step
from router.chains import call_cards as cards
from router.chains import call_recording as recording
from router.chains.attendance import ROSTER_CHAIN
from router.chains.call_states import CallStep, Connecting, Ended, HandedOver, Ringing, Waiting
from router.chains.choice import rang_out
from router.chains.delivery import Keys
from router.chains.effects import Release, SendToFallback
from router.chains.enquiry import MISSED, End, File, Outcome
from router.chains.events import CallMissed, CallProvedAnswered, Disposition, FallbackServed, OffersMissed, Party
from router.chains.stops import stopped, stopped_all
from router.chains.terms import AfterWindow

# --- the end of the window --------------------------------------------------------------------------------------


def window_over(file: File, effects: tuple[Effect, ...], at: Instant, closed: tuple[str, ...] = ()) -> CallStep:
    """Nobody took the call: what the terms say follows."""
    if file.terms.after_window is AfterWindow.RELEASE:
        return released(file, at, effects, closed)
    file, over = cards.late_cards_over(file, Outcome.FALLBACK_UNKNOWN)
    file, messages = misses(file)
    until = Instant(at + file.terms.handover_within)
    send = SendToFallback(file.pbx, file.call)
    return Step(HandedOver(file, until), (*effects, *over, send), messages, closed=closed)


def released(file: File, at: Instant, effects: tuple[Effect, ...] = (), closed: tuple[str, ...] = ()) -> CallStep:
    """The caller is hung up: nobody took him, and he is not (or cannot be) given to the PBX's own plan."""
    release = Release(file.pbx, file.call, "no_answer")
    return end(file, End(Outcome.NOBODY, at, by=Party.PBX), at, (*effects, release), closed)


def taken_by_fallback(state: Ringing | Waiting | Connecting, at: Instant) -> CallStep:
    """The PBX took the caller to its own plan (its safety net was quicker than we)."""
    papers, effects = _offer_over(state, at)
    papers, over = cards.late_cards_over(papers, Outcome.FALLBACK_UNKNOWN)
    closed = Keys.whole_call(papers.pbx, papers.call)
    until = Instant(at + papers.terms.handover_within)
    return Step(HandedOver(papers, until, took=True), (*effects, *over), closed=closed)


def served_meanwhile(state: Ringing | Waiting | Connecting, event: FallbackServed, at: Instant) -> CallStep:
    """The fallback's record comes while we still think that the call is ours."""
    papers, effects = _offer_over(state, at)
    return served(papers, event, at, effects)


def _offer_over(state: Ringing | Waiting | Connecting, at: Instant) -> tuple[File, tuple[Effect, ...]]:
    match state:
        case Ringing(file, hops):
            return stopped_all(file, hops, Disposition.ELSEWHERE, "elsewhere", at)
        case Connecting(file, hop):
            return stopped(file, hop, Disposition.ELSEWHERE, "elsewhere", at, holds=state.holds)
        case Waiting(file):
            return file, ()


def served(file: File, event: FallbackServed, at: Instant, effects: tuple[Effect, ...] = ()) -> CallStep:
    """The PBX's record says what its fallback did."""
    if not file.reported:
        told = {"line": event.line, "caller": event.caller, "arrived": event.arrived, "reported": True}
        file = msgspec.structs.replace(file, **told)
    outcome = Outcome.FALLBACK_SERVED if event.answered_by else Outcome.FALLBACK_MISSED
    closed = Keys.whole_call(file.pbx, file.call)
    return end(file, End(outcome, at, extension=event.answered_by), at, effects, closed)


# --- the end ----------------------------------------------------------------------------------------------------


def left(file: File, effects: tuple[Effect, ...], at: Instant) -> CallStep:
    """The caller hung up before he was served."""
    closed = Keys.whole_call(file.pbx, file.call)
    return end(file, End(Outcome.CALLER_LEFT, at, by=Party.CALLER), at, effects, closed)


def end(
    file: File,
    how: End,
    at: Instant,
    effects: tuple[Effect, ...] = (),
    closed: tuple[str, ...] = (),
    *,
    wrap_up: bool = False,
) -> CallStep:
    """The call is over; if nobody served the client, a call-back is owed from this transaction on.

    `wrap_up`: the head has the pause after a talk.
    """
    file, over = cards.late_cards_over(file, how.outcome)
    effects = (*effects, *over, *recording.left_on_pbx(file))
    if how.outcome is Outcome.ANSWERED:
        file, shown = cards.talk_cards(file, how, how.at)
        effects = (*effects, *shown)
    file, missed = misses(file, how.person)
    if how.outcome in MISSED:
        messages: tuple[Message, ...] = (owe(file, how.outcome),)
        file = msgspec.structs.replace(file, owed=True)
    else:
        file, messages = settled(file, how.person)
    messages = (*messages, *missed)
    pause = file.terms.wrap_up if wrap_up and how.person else 0
    wrap_until = Instant(at + pause) if pause else Instant(0)
    return Step(Ended(file, how, wrap_until), effects, messages, closed)


def owe(file: File, outcome: Outcome) -> Message:
    """Tells the call-back of this call that it is owed, and all that is known."""
    missed = CallMissed(file.chain, file.line, file.channel, file.caller, file.arrived, outcome.value)
    return Message(callback_of(file), missed)


def misses(file: File, talker: str = "") -> tuple[File, tuple[Message, ...]]:
    """Nobody is rung for this call any more: the roster hears, once, who let it ring out."""
    asked_after = file.terms.misses_asked
    if file.misses_told or not asked_after:
        return file, ()
    people = dict.fromkeys(hop.person for hop in file.hops if hop.person not in {"", talker})
    silent = tuple(person for person in people if rang_out(file, person))
    file = msgspec.structs.replace(file, misses_told=True)
    told = Message(ROSTER_CHAIN, OffersMissed(file.chain, silent, asked_after))
    return file, (told,) if silent else ()


def settled(file: File, person: str) -> tuple[File, tuple[Message, ...]]:
    """The client was served after all: a call-back that was opened for this call is told."""
    if not file.owed:
        return file, ()
    proof = Message(callback_of(file), CallProvedAnswered(file.chain, person))
    return msgspec.structs.replace(file, owed=False), (proof,)


def callback_of(file: File) -> str:
    """The chain of the call-back that a missed call opens."""
    return f"callback:{file.pbx}:{file.call}"
