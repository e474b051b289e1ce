"""What a call does when something has happened to it: straight work, called by the branches in `call`.

Each move takes the file and returns a step. Who is rung next is `choice`'s business, how a card looks `call_cards`'.
"""

from typing import Literal

import msgspec

from router.basis.instants import SECOND, Duration, Instant
from router.basis.machine import Effect, Message, Step
from router.chains import call_cards as cards
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
from router.chains.effects import Connect, Release, RingBack, RingLeg, SendToFallback, StopLeg
from router.chains.enquiry import (
    MISSED,
    End,
    File,
    Hop,
    Outcome,
    Verdict,
    is_fading,
    owner,
    with_fading,
    with_hop,
    without_fading,
)
from router.chains.events import (
    CallArrived,
    CallMissed,
    CallProvedAnswered,
    Disposition,
    FallbackServed,
    Party,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
    VerdictGiven,
)
from router.chains.terms import AfterWindow, HopTimer, Seat

StopWhy = Literal["no_answer", "elsewhere", "caller_gone", "talk_over"]

# --- the beginning ----------------------------------------------------------------------------------------------


def file(opening: Opening, event: CallArrived, at: Instant) -> File:
    """The file of a call whose arrival was reported."""
    line = event.line or opening.line
    return File(opening.call, opening.pbx, line, opening.channel, event.caller, at, opening.plan)


def file_of_record(opening: Opening, event: FallbackServed) -> File:
    """The file of a call of which only the fallback's record is known."""
    return File(
        opening.call, opening.pbx, event.line, opening.channel, event.caller, event.arrived, opening.plan
    )  # fmt: skip


def file_of_stranger(state: Stranger) -> File:
    """The file of a call whose arrival was never reported."""
    return File(state.call, state.pbx, state.line, state.channel, None, state.first, state.plan)


def arrived(file: File, seen: CallSeen, at: Instant) -> CallStep:
    """The caller hears ringing; the first head is rung."""
    return offer_next(file, seen, at, at, effects=(RingBack(file.pbx, file.call, file.window_end),))


def stranger_arrived(state: Stranger, event: CallArrived, seen: CallSeen, at: Instant) -> CallStep:
    """The arrival comes after other facts of the call: they decide whether anybody is still to be rung."""
    papers = File(state.call, state.pbx, event.line, state.channel, event.caller, at, state.plan)
    if seen.opening is not None:
        papers = msgspec.structs.replace(papers, plan=seen.opening.plan, channel=seen.opening.channel)
    if state.over:
        return end(papers, state.talk or End(Outcome.CALLER_LEFT, at, by=Party.CALLER), at)
    if state.talk is not None:
        return _begin_talk(papers, state.talk, at, ())
    return arrived(papers, seen, at)


# --- hops -------------------------------------------------------------------------------------------------------


def leg_key(file: File, leg: str) -> str:
    """The effect key of a leg of this call."""
    return Keys.leg(file.pbx, leg)


def hop_deadline(file: File, hop: Hop) -> Instant:
    """When the server looks at a ring: at its end, behind the PBX's own timer, or when it should have rung by now."""
    planned = Instant(hop.end + file.terms.watchdog) if hop.timed_by_pbx else hop.end
    if hop.rang is not None or not file.terms.no_ringing_after:
        return planned
    return min(planned, Instant(max(hop.start, hop.asked or hop.start) + file.terms.no_ringing_after))


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
    choice = choose(file, seen.sights, at)
    if choice.seat is not None:
        file, hop, ring = _offer(file, choice.seat, start)
        return Step(Ringing(file, hop), (*effects, ring), closed=closed, reply=reply)
    if choice.over:
        return window_over(file, effects, at, closed)
    wake = min(choice.wake, file.window_end)
    return Step(Waiting(file, wake, choice.keys), effects, closed=closed, reply=reply)


def _offer(file: File, seat: Seat, start: Instant) -> tuple[File, Hop, RingLeg]:
    terms = file.terms
    number = len(file.hops) + 1
    finish = Instant(min(start + terms.ring, file.window_end))
    whole = not terms.whole_second_timer or terms.ring % SECOND == 0
    # The PBX's timer is for full rings; one that the window cuts is ended by the server to the microsecond.
    timed = terms.hop_timer is HopTimer.PBX and whole and finish - start == terms.ring
    hop = Hop(number, seat.person, seat.extension, f"{file.call}.h{number}", start, finish, timed)
    ring = RingLeg(
        file.pbx,
        file.call,
        hop.leg,
        seat.extension,
        file.caller,
        file.line,
        Duration(finish - start),
        timed,
        Instant(finish - terms.min_offer),
        file.fading[-1].leg if file.fading else None,
    )
    others = msgspec.structs.replace(
        file,
        wants=tuple(person for person in file.wants if person != seat.person),
        back=tuple(person for person in file.back if person != seat.person),
    )
    return others, hop, ring


def stopped(
    file: File, hop: Hop, how: Disposition, why: StopWhy, at: Instant, ended: Instant | None = None
) -> tuple[File, tuple[Effect, ...]]:
    """The offer is over and its leg told to stop; until that is confirmed the leg fades and keeps its head."""
    file = with_fading(with_hop(file, hop, how, ended or at), hop.leg, hop.person, at)
    return file, (StopLeg(file.pbx, file.call, hop.leg, why),)


def pass_on(
    file: File, hop: Hop, how: Disposition, seen: CallSeen, at: Instant, ended: Instant
) -> CallStep:
    """Stop this head's ring, go to the next."""
    file, effects = stopped(file, hop, how, "no_answer", at, ended)
    return offer_next(file, seen, at, ended, effects=effects)


def ring_time(state: Ringing, seen: CallSeen, at: Instant) -> CallStep:
    """An instant of a ring has come: the window's end, the ring's own, the time it should have rung by, or a fading leg's."""
    file, hop = state.file, state.hop
    if at >= file.window_end:
        file, effects = stopped(file, hop, Disposition.NO_ANSWER, "no_answer", at, file.window_end)
        return window_over(file, effects, at, ())
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


# --- the end of the window --------------------------------------------------------------------------------------


def window_over(file: File, effects: tuple[Effect, ...], at: Instant, closed: tuple[str, ...] = ()) -> CallStep:
    """Nobody took the call: what the terms say follows."""
    if file.terms.after_window is AfterWindow.RELEASE:
        release = Release(file.pbx, file.call, "no_answer")
        return end(file, End(Outcome.NOBODY, at, by=Party.PBX), at, (*effects, release), closed)
    until = Instant(at + file.terms.handover_within)
    return Step(HandedOver(file, until), (*effects, SendToFallback(file.pbx, file.call)), closed=closed)


def taken_by_fallback(state: Ringing | Waiting | Connecting, at: Instant) -> CallStep:
    """The PBX took the caller to its own plan (its safety net was quicker than we)."""
    papers, effects = state.file, tuple[Effect, ...]()
    if isinstance(state, Ringing | Connecting):
        papers, effects = stopped(papers, state.hop, Disposition.ELSEWHERE, "elsewhere", at)
    closed = Keys.whole_call(papers.pbx, papers.call)
    return Step(HandedOver(papers, Instant(at + papers.terms.handover_within)), effects, closed=closed)


def served_meanwhile(state: Filed, event: FallbackServed, at: Instant) -> CallStep:
    """The fallback's record comes while we still think that the call is ours."""
    papers, effects = state.file, tuple[Effect, ...]()
    if isinstance(state, Ringing | Connecting):
        papers, effects = stopped(papers, state.hop, Disposition.ELSEWHERE, "elsewhere", at)
    return served(papers, event, at, effects)


def served(file: File, event: FallbackServed, at: Instant, effects: tuple[Effect, ...] = ()) -> CallStep:
    """The PBX's record says what its fallback did."""
    outcome = Outcome.FALLBACK_SERVED if event.answered_by else Outcome.FALLBACK_MISSED
    return end(file, End(outcome, at, extension=event.answered_by), at, effects)


# --- talk -------------------------------------------------------------------------------------------------------


def picked_up(file: File, hop: Hop, at: Instant) -> CallStep:
    """Join the head with the caller."""
    hop = msgspec.structs.replace(hop, answered=at, rang=hop.rang or at)
    check = Instant(at + file.terms.connect_within)
    return Step(Connecting(file, hop, check), (Connect(file.pbx, file.call, hop.leg),))


def hop_answered(file: File, hop: Hop, at: Instant) -> File:
    """The file with an offer that was accepted."""
    hop = msgspec.structs.replace(hop, answered=hop.answered or at, rang=hop.rang or at)
    return msgspec.structs.replace(file, hops=(*file.hops, hop))


def talk_from_ringing(
    file: File, hop: Hop, event: TalkStarted | TalkConfirmed, seen: CallSeen, at: Instant
) -> CallStep:
    """They talk already; if it is not the head who is rung, his phone stops."""
    if event.leg == hop.leg:
        return talk(hop_answered(file, hop, at), event, seen, at, ())
    file, effects = stopped(file, hop, Disposition.ELSEWHERE, "elsewhere", at)
    return talk(file, event, seen, at, effects)


def talk(
    file: File, event: TalkStarted | TalkConfirmed, seen: CallSeen, at: Instant, effects: tuple[Effect, ...]
) -> CallStep:
    """The PBX says that they talk."""
    return _begin_talk(file, _talk_end(file, event, seen, at), at, effects)


def _begin_talk(file: File, talk_end: End, at: Instant, effects: tuple[Effect, ...]) -> CallStep:
    if talk_end.leg:
        file = without_fading(file, talk_end.leg)
    file, over = cards.late_cards_over(file, Outcome.ANSWERED)
    file, card = cards.answer_card(file, talk_end, None)
    state = Talking(file, talk_end, at, Instant(at + file.terms.talk_check))
    closed = (Keys.call(file.pbx, file.call, "connect"), Keys.call(file.pbx, file.call, "ringback"))
    return Step(state, (*effects, *over, card), closed=closed)


def _talk_end(file: File, event: TalkStarted | TalkConfirmed | TalkEnded, seen: CallSeen, at: Instant) -> End:
    """Who talks, by the evidence: the extension the PBX names, else the leg we ordered, else nobody we know."""
    if isinstance(event, TalkEnded):
        return End(Outcome.ANSWERED, at, by=event.by)
    hop = owner(file, event.leg)
    if event.extension and not (hop is not None and hop.extension == event.extension):
        return End(Outcome.ANSWERED, at, seen.answerer, event.extension, event.leg, at)
    person, extension = (hop.person, hop.extension) if hop is not None else ("", event.extension)
    return End(Outcome.ANSWERED, at, person, extension, event.leg, at)


def talk_over(state: Talking, by: Party, at: Instant, closed: tuple[str, ...] = ()) -> CallStep:
    """Somebody hung up: whatever is left of the call is released, the head is free (after his pause)."""
    over = msgspec.structs.replace(state.end, at=at, by=by)
    return end(state.file, over, at, (Release(state.file.pbx, state.file.call, "talk_over"),), closed)


def another_talker(state: Talking, event: TalkStarted | TalkConfirmed, seen: CallSeen, at: Instant) -> CallStep:
    """Evidence for another answerer during the talk."""
    other = _talk_end(state.file, event, seen, at).person
    if not other or other == state.end.person or other in state.end.others:
        return Step(state)
    named = msgspec.structs.replace(state.end, others=(*state.end.others, other))
    papers, card = cards.answer_card(state.file, named, None)
    return Step(msgspec.structs.replace(state, file=papers, end=named), (card,))


def another_answerer(state: Ended, event: TalkStarted, seen: CallSeen, at: Instant) -> CallStep:
    """Evidence for another answerer after the end."""
    other = _talk_end(state.file, event, seen, at).person
    if not other or other == state.end.person or other in state.end.others:
        return Step(state)
    named = msgspec.structs.replace(state.end, others=(*state.end.others, other))
    papers, card = cards.answer_card(state.file, named, named.at)
    return Step(msgspec.structs.replace(state, file=papers, end=named), (card,))


def proved_answered(
    state: Ended, event: TalkStarted | TalkConfirmed | TalkEnded, seen: CallSeen, at: Instant
) -> CallStep:
    """A late fact proves that a call thought missed was answered: its call-back is told."""
    talk_end = msgspec.structs.replace(_talk_end(state.file, event, seen, at), at=state.end.at, by=state.end.by)
    papers, card = cards.answer_card(state.file, talk_end, talk_end.at)
    proof = CallProvedAnswered(papers.chain, talk_end.person)
    message = Message(callback_of(papers), proof)
    return Step(msgspec.structs.replace(state, file=papers, end=talk_end), (card,), (message,))


def late_answer(state: Filed, leg: str, seen: CallSeen, at: Instant) -> CallStep:
    """A head picks up after his ring was told to stop. Only a PBX that can still connect him does; else he may press Take."""
    papers = state.file
    hop = owner(papers, leg)
    if hop is None or not is_fading(papers, leg):
        return Step(state)  # not ours, or over already: if they talk, the PBX will say so
    waits = isinstance(state, Ringing | Waiting)
    if waits and papers.terms.can_connect_late:
        effects: tuple[Effect, ...] = ()
        if isinstance(state, Ringing):
            papers, effects = stopped(papers, state.hop, Disposition.ELSEWHERE, "elsewhere", at)
        papers = msgspec.structs.replace(
            without_fading(papers, leg), hops=tuple(entry for entry in papers.hops if entry.leg != leg)
        )
        step = picked_up(papers, msgspec.structs.replace(hop, ended=None, how=None), at)
        return _preceded(step, effects)
    stop = StopLeg(papers.pbx, papers.call, leg, "elsewhere")
    if not waits or hop.person in papers.late:
        return Step(state, (stop,))
    papers = msgspec.structs.replace(papers, late=(*papers.late, hop.person))
    papers, card = cards.late_card(papers, hop.person)
    return Step(msgspec.structs.replace(state, file=papers), (stop, card))


def _preceded(step: CallStep, before: tuple[Effect, ...]) -> CallStep:
    """The step with effects put before its own."""
    return Step(step.state, (*before, *step.effects), step.messages, step.closed, step.freed, step.reply)


# --- the end ----------------------------------------------------------------------------------------------------


def left(file: File, effects: tuple[Effect, ...], at: Instant) -> CallStep:
    """The caller hung up before he was served."""
    closed = Keys.whole_call(file.pbx, file.call)
    return end(file, End(Outcome.CALLER_LEFT, at, by=Party.CALLER), at, effects, closed)


def end(file: File, how: End, at: Instant, effects: tuple[Effect, ...] = (), closed: tuple[str, ...] = ()) -> CallStep:
    """The call is over; if nobody served the client, a call-back is owed from this transaction on."""
    file, over = cards.late_cards_over(file, how.outcome)
    effects = (*effects, *over)
    messages: tuple[Message, ...] = ()
    if how.outcome is Outcome.ANSWERED:
        file, card = cards.answer_card(file, how, how.at)
        effects = (*effects, card)
    elif how.outcome in MISSED:
        missed = CallMissed(file.chain, file.line, file.channel, file.caller, file.arrived, how.outcome.value)
        messages = (Message(callback_of(file), missed),)
    pause = file.terms.wrap_up if how.person else 0
    wrap_until = Instant(at + pause) if pause else Instant(0)
    return Step(Ended(file, how, wrap_until), effects, messages, closed)


def marked(state: Talking | Ended, event: VerdictGiven, at: Instant) -> CallStep:
    """A person marks the call: the answerer his own, anybody a call whose answerer is not known."""
    papers, how = state.file, state.end
    if how.outcome is not Outcome.ANSWERED:
        return Step(state, reply="not_answered")
    if how.person and not how.others and event.by != how.person:
        return Step(state, reply="not_yours")
    if papers.verdicts and papers.verdicts[-1].verdict == event.verdict:
        return Step(state, reply="already")
    verdict = Verdict(event.by, event.verdict, at)
    papers = msgspec.structs.replace(papers, verdicts=(*papers.verdicts, verdict))
    papers, card = cards.answer_card(papers, how, how.at if isinstance(state, Ended) else None)
    return Step(msgspec.structs.replace(state, file=papers), (card,), reply="marked")


def callback_of(file: File) -> str:
    """The chain of the call-back that a missed call opens."""
    return f"callback:{file.pbx}:{file.call}"
