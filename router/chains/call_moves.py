"""What a call does when something has happened to it: straight work, called by the branches in `call`.

Each move takes the file and returns a step. Who is rung next is `choice`'s business, what follows from a talk
`call_talk`'s, how a card looks `call_cards`'.
"""

from typing import Literal

import msgspec

from router.basis.instants import MILLISECOND, SECOND, Duration, Instant
from router.basis.machine import Effect, Message, Step
from router.chains import call_cards as cards
from router.chains import call_recording as recording
from router.chains.call_states import (
    CallSeen,
    CallStep,
    Connecting,
    Ended,
    Filed,
    HandedOver,
    Opening,
    Ringing,
    Stranger,
    Talking,
    Waiting,
)
from router.chains.choice import choose
from router.chains.delivery import Keys
from router.chains.effects import Release, RingBack, RingLeg, SendToFallback, StopLeg
from router.chains.enquiry import MISSED, End, File, Hop, Outcome, is_fading, unheld, with_fading, with_hop
from router.chains.events import CallArrived, CallMissed, CallProvedAnswered, Disposition, FallbackServed, Party
from router.chains.terms import AfterWindow, HopTimer, Seat

StopWhy = Literal["no_answer", "elsewhere", "caller_gone", "talk_over"]

LEAVES_WITHIN = Duration(500 * MILLISECOND)
"""A ring just ordered may take this long to leave (a commit, the previous leg's confirmed end) even where the offer is
no longer than `min_offer`: without it such an offer would be stale as soon as it is ordered."""

# --- the beginning ----------------------------------------------------------------------------------------------


def file(opening: Opening, event: CallArrived, at: Instant) -> File:
    """The file of a call whose arrival was reported."""
    line = event.line or opening.line
    return File(opening.call, opening.pbx, line, opening.channel, event.caller, at, opening.plan)


def file_of_record(opening: Opening, event: FallbackServed) -> File:
    """The file of a call of which only the fallback's record is known."""
    return File(opening.call, opening.pbx, event.line, opening.channel, event.caller, event.arrived, opening.plan)


def file_of_stranger(state: Stranger) -> File:
    """The file of a call whose arrival was not reported (yet)."""
    return File(state.call, state.pbx, state.line, state.channel, None, state.first, state.plan, reported=False)


def arrived(file: File, seen: CallSeen, at: Instant) -> CallStep:
    """The caller hears ringing; the first head is rung."""
    return offer_next(file, seen, at, at, effects=(RingBack(file.pbx, file.call, file.window_end),))


def stranger_arrived(state: Stranger, event: CallArrived, seen: CallSeen, at: Instant) -> CallStep:
    """The arrival comes after other facts of the call: they decide whether anybody is still to be rung."""
    papers = _papers(file_of_stranger(state), event, seen, at)
    if state.over:
        return end(papers, End(Outcome.CALLER_LEFT, at, by=Party.CALLER), at)
    return arrived(papers, seen, at)


def arrived_late(state: Filed, event: CallArrived, seen: CallSeen, at: Instant) -> CallStep:
    """The arrival of a call that is filed already: said twice, or the papers that were missing."""
    if state.file.reported:
        return Step(state)
    papers = _papers(state.file, event, seen, state.file.arrived)
    if not isinstance(state, Ended) or state.end.outcome not in MISSED:
        return _with_papers(state, papers)
    if state.end.outcome is Outcome.INCOMPLETE and state.end.by is not Party.CALLER:
        # Given up for want of an arrival, and nothing says that he is gone: he is served as if he came now.
        return arrived(msgspec.structs.replace(papers, arrived=at), seen, at)
    return Step(msgspec.structs.replace(state, file=papers), messages=(owe(papers, state.end.outcome),))


def _with_papers(state: Filed, papers: File) -> CallStep:
    if not isinstance(state, Talking | Ended) or state.end.outcome is not Outcome.ANSWERED:
        return Step(msgspec.structs.replace(state, file=papers))
    papers, shown = cards.talk_cards(papers, state.end, state.end.at if isinstance(state, Ended) else None)
    return Step(msgspec.structs.replace(state, file=papers), shown)


def _papers(file: File, event: CallArrived, seen: CallSeen, arrived_at: Instant) -> File:
    papers = msgspec.structs.replace(file, line=event.line, caller=event.caller, arrived=arrived_at, reported=True)
    if seen.opening is not None:
        papers = msgspec.structs.replace(papers, plan=seen.opening.plan, channel=seen.opening.channel)
    return papers


# --- hops -------------------------------------------------------------------------------------------------------


def leg_key(file: File, leg: str) -> str:
    """The effect key of a leg of this call."""
    return Keys.leg(file.pbx, leg)


def connect_key(file: File) -> str:
    """The effect key of joining a head with the caller."""
    return Keys.call(file.pbx, file.call, "connect")


def hop_deadline(file: File, hop: Hop) -> Instant:
    """When the server looks at a ring: at its end, behind the PBX's own timer, or when it should have rung by now."""
    planned = Instant(hop.end + file.terms.watchdog) if hop.timed_by_pbx else hop.end
    if hop.rang is not None or not file.terms.no_ringing_after:
        return planned
    # From the order, not from the planned start: a phone cannot ring before it was asked to.
    return min(planned, Instant(max(hop.ordered, hop.asked or hop.ordered) + file.terms.no_ringing_after))


def offer_next(
    file: File,
    seen: CallSeen,
    at: Instant,
    start: Instant,
    *,
    effects: tuple[Effect, ...] = (),
    closed: tuple[str, ...] = (),
    reply: str | None = None,
) -> CallStep:
    """Ring the next head, wait for one, or end the window. `start` is the stamp the next offer counts from."""
    if at >= file.window_end:
        return window_over(file, effects, at, closed)
    if file.window_end - at < file.terms.min_offer:
        return Step(Waiting(file, file.window_end, ()), effects, closed=closed, reply=reply)
    if returned := tuple(person for person in seen.back if person not in file.back):
        file = msgspec.structs.replace(file, back=(*file.back, *returned))
    choice = choose(file, seen.sights, at)
    if choice.seat is not None:
        file, hop, ring = _offer(file, choice.seat, start, at)
        return Step(Ringing(file, hop), (*effects, ring), closed=closed, reply=reply)
    if choice.over:
        return window_over(file, effects, at, closed)
    wake = min(choice.wake, file.window_end)
    return Step(Waiting(file, wake, choice.keys), effects, closed=closed, reply=reply)


def _offer(file: File, seat: Seat, start: Instant, at: Instant) -> tuple[File, Hop, RingLeg]:
    terms = file.terms
    number = len(file.hops) + 1
    finish = Instant(min(start + terms.ring, file.window_end))
    whole = not terms.whole_second_timer or terms.ring % SECOND == 0
    # The PBX's timer is for full rings; one that the window cuts is ended by the server to the microsecond.
    timed = terms.hop_timer is HopTimer.PBX and whole and finish - start == terms.ring
    leg = f"{file.call}.h{number}"
    hop = Hop(number, seat.person, seat.extension, leg, start, finish, timed, at, seat.person not in file.wants)
    # Only the previous leg is waited for: an older one that is still unconfirmed had its second already.
    previous = file.hops[-1].leg if file.hops else ""
    ring = RingLeg(
        file.pbx,
        file.call,
        hop.leg,
        seat.extension,
        file.caller,
        file.line,
        Duration(finish - start),
        timed,
        Instant(max(finish - terms.min_offer, min(at + LEAVES_WITHIN, finish))),
        previous if is_fading(file, previous) else None,
    )
    others = msgspec.structs.replace(
        file,
        wants=tuple(person for person in file.wants if person != seat.person),
        back=tuple(person for person in file.back if person != seat.person),
    )
    return others, hop, ring


def stopped(
    file: File,
    hop: Hop,
    how: Disposition,
    why: StopWhy,
    at: Instant,
    *,
    ended: Instant | None = None,
    holds: bool = True,
) -> tuple[File, tuple[Effect, ...]]:
    """The offer is over and its leg told to stop; until that is confirmed the leg fades and keeps its head."""
    file = with_fading(with_hop(file, hop, how, ended or at), hop.leg, hop.person, at, holds=holds)
    return file, (StopLeg(file.pbx, file.call, hop.leg, why),)


def pass_on(file: File, hop: Hop, how: Disposition, seen: CallSeen, at: Instant, ended: Instant) -> CallStep:
    """Stop this head's ring, go to the next."""
    file, effects = stopped(file, hop, how, "no_answer", at, ended=ended)
    return offer_next(file, seen, at, ended, effects=effects)


def lost_to_another(file: File, hop: Hop, seen: CallSeen, at: Instant) -> CallStep:
    """A fact gave the head who is rung to another call: his phone stops, he is no longer ours, the next one is rung."""
    file = unheld(file, hop.person)
    file, effects = stopped(file, hop, Disposition.ELSEWHERE, "elsewhere", at, holds=False)
    return offer_next(file, seen, at, at, effects=effects)


def not_connected(state: Connecting, seen: CallSeen, at: Instant) -> CallStep:
    """The PBX will not join them, or has not said for too long that they talk: the caller goes on to the next head."""
    file, effects = stopped(state.file, state.hop, Disposition.FAILED, "elsewhere", at, holds=state.holds)
    return offer_next(file, seen, at, at, effects=effects, closed=(connect_key(file),))


def ring_time(state: Ringing, seen: CallSeen, at: Instant) -> CallStep:
    """An instant of a ring has come: the window's end, its own, when it should have rung by, or a fading leg's."""
    file, hop = state.file, state.hop
    if at >= file.window_end:
        file, effects = stopped(file, hop, Disposition.NO_ANSWER, "no_answer", at, ended=hop.end)
        return window_over(file, effects, at)
    if at >= hop.end and (not hop.timed_by_pbx or at >= hop.end + file.terms.watchdog):
        on_time = not hop.timed_by_pbx and at - hop.end <= file.terms.late_by
        return pass_on(file, hop, Disposition.NO_ANSWER, seen, at, hop.end if on_time else at)
    if at >= hop_deadline(file, hop):
        return pass_on(file, hop, Disposition.UNREACHABLE, seen, at, at)
    return Step(state)


def back(file: File, key: str) -> File:
    """A key was granted: if it is somebody's state that changed, he may be offered the call again."""
    person = key.removeprefix("state:")
    if person == key or person in file.back:
        return file
    return msgspec.structs.replace(file, back=(*file.back, person))


def never_asked(state: Filed, key: str, seen: CallSeen, at: Instant) -> CallStep:
    """A ring was given up by the outbox: a phone that was never asked to ring is not to blame for its silence."""
    file = state.file
    hops = tuple(
        msgspec.structs.replace(hop, how=Disposition.FAILED)
        if leg_key(file, hop.leg) == key and hop.how is Disposition.UNREACHABLE
        else hop
        for hop in file.hops
    )
    if hops == file.hops:
        return Step(state)
    file = msgspec.structs.replace(file, hops=hops)
    if isinstance(state, Waiting):
        return offer_next(file, seen, at, at)  # it may have waited for him to change; now it waits for his rest
    return Step(msgspec.structs.replace(state, file=file))


def take_pressed(state: Filed, by: str, seen: CallSeen, at: Instant) -> CallStep:
    """A head wants the caller who still waits: he is the next one who is rung."""
    papers = state.file
    if by not in {seat.person for seat in papers.plan.value.seats}:
        return Step(state, reply="not_on_the_list")
    waits = isinstance(state, Ringing | Waiting | Connecting)
    if not waits or papers.window_end - at < papers.terms.min_offer:
        return Step(state, reply="too_late")
    if by in papers.wants:
        return Step(state, reply="already")
    wants = msgspec.structs.replace(papers, wants=(*papers.wants, by))
    if isinstance(state, Waiting):
        return offer_next(wants, seen, at, at, reply="next")
    return Step(msgspec.structs.replace(state, file=wants), reply="next")


# --- the end of the window --------------------------------------------------------------------------------------


def window_over(file: File, effects: tuple[Effect, ...], at: Instant, closed: tuple[str, ...] = ()) -> CallStep:
    """Nobody took the call: what the terms say follows."""
    if file.terms.after_window is AfterWindow.RELEASE:
        return released(file, at, effects, closed)
    file, over = cards.late_cards_over(file, Outcome.FALLBACK_UNKNOWN)
    until = Instant(at + file.terms.handover_within)
    send = SendToFallback(file.pbx, file.call)
    return Step(HandedOver(file, until), (*effects, *over, send), closed=closed)


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
        case Ringing(file, hop):
            return stopped(file, hop, Disposition.ELSEWHERE, "elsewhere", at)
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
    if how.outcome in MISSED:
        messages: tuple[Message, ...] = (owe(file, how.outcome),)
        file = msgspec.structs.replace(file, owed=True)
    else:
        file, messages = settled(file, how.person)
    pause = file.terms.wrap_up if wrap_up and how.person else 0
    wrap_until = Instant(at + pause) if pause else Instant(0)
    return Step(Ended(file, how, wrap_until), effects, messages, closed)


def owe(file: File, outcome: Outcome) -> Message:
    """Tells the call-back of this call that it is owed, and all that is known."""
    missed = CallMissed(file.chain, file.line, file.channel, file.caller, file.arrived, outcome.value)
    return Message(callback_of(file), missed)


def settled(file: File, person: str) -> tuple[File, tuple[Message, ...]]:
    """The client was served after all: a call-back that was opened for this call is told."""
    if not file.owed:
        return file, ()
    proof = Message(callback_of(file), CallProvedAnswered(file.chain, person))
    return msgspec.structs.replace(file, owed=False), (proof,)


def callback_of(file: File) -> str:
    """The chain of the call-back that a missed call opens."""
    return f"callback:{file.pbx}:{file.call}"
