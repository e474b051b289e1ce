"""A call that the PBX leads: who was rung, who answered, who missed it. Nobody is ordered, everything is told.

The same for a PBX that hunts by itself (witness) and between the questions of one that asks (adviser, see
`call_advised`). Phones are known by the leg the PBX names, else by their extension; whose extension that is was looked
up when the fact was admitted. An extension that is nobody's stays a phone without a person.

Where the PBX leads it also joins: a head who picks up is in talk with the client.
"""

import msgspec

from router.basis.instants import NEVER, SECOND, Duration, Instant
from router.basis.machine import ClaimLost, DeadlineReached, Granted, Step
from router.chains import call_ends as ends
from router.chains import call_offers as offers
from router.chains import call_talk as talk
from router.chains.call_states import (
    CallEvent,
    CallSeen,
    CallState,
    CallStep,
    Followed,
    HandedOver,
    Stranger,
    Talking,
    Transferring,
    Waiting,
)
from router.chains.choice import person_key
from router.chains.delivery import Keys
from router.chains.enquiry import End, File, Hop, Outcome, faded, next_fade, owner, unheld, with_fading, with_hop
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    Disposition,
    FallbackServed,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
)
from router.chains.stops import leg_key
from router.chains.terms import Style, Terms

KEPT = Duration(5 * SECOND)
"""For so long a head who became free is kept for the next question: twice the longest pause between two
(`call_advised.ASK_AGAIN_MS`), and a second for the network."""


def terms_of(state: CallState) -> Terms:
    """The terms that the call is pinned to."""
    return state.plan.value.terms if isinstance(state, Stranger) else state.file.terms


def understood(state: CallState, event: CallEvent) -> CallEvent:
    """The fact in the words of a call that the server leads: picked up is joined, and a phone without a leg's name is
    the leg that rings there."""
    if terms_of(state).style is Style.CONDUCTOR:
        return event
    if isinstance(event, LegAnswered):
        event = TalkStarted(event.leg, event.extension)
    if isinstance(event, LegRinging | LegEnded | TalkStarted | TalkConfirmed) and not event.leg and event.extension:
        return msgspec.structs.replace(event, leg=_leg_at(state, event.extension))
    return event


def _leg_at(state: CallState, extension: str) -> str:
    """The leg at a phone: one that rings, talks, is passed to or fades there, else none."""
    if isinstance(state, Stranger):
        return ""
    if isinstance(state, Talking) and state.end.leg and state.end.extension == extension:
        return state.end.leg
    if isinstance(state, Transferring) and state.file.passed[-1].to_extension == extension:
        return state.file.passed[-1].to_leg
    fading = [hop for entry in state.file.fading if (hop := owner(state.file, entry.leg))]
    hops = (*(state.rings if isinstance(state, Followed) else ()), *fading)
    return next((hop.leg for hop in hops if hop.extension == extension), "")


def deadline(state: Followed) -> Instant:
    """The soonest of: given up, an advised ring's end, a head let go, a leg that fades."""
    over = (_ring_over(state, hop) for hop in state.rings)
    return min((state.until, state.free_at, next_fade(state.file), *over))


def _ring_over(state: Followed, hop: Hop) -> Instant:
    """When a ring that the PBX times by our advice is over, told or not; how long its own rings last is not known."""
    return Instant(hop.end + state.file.terms.watchdog) if hop.timed_by_pbx else NEVER


def step(state: Followed, event: CallEvent, seen: CallSeen, at: Instant) -> CallStep | None:
    """What the fact means here; None: what it means anywhere."""
    state = msgspec.structs.replace(state, until=Instant(at + state.file.terms.handover_within))
    file = state.file
    match event:
        case LegRinging():
            return Step(_rings(state, event, seen, at))
        case LegEnded():
            return Step(_ring_ended(state, event, seen, at), closed=(leg_key(file, event.leg),))
        case TalkStarted() | TalkConfirmed():
            return _talk(state, event, seen, at)
        case TalkEnded(by):
            # Nothing said who: it is not taken from who was rung last.
            return talk.ended_unseen(Waiting(stopped(state, at), at, ()), by, seen, at)
        case CallerHungUp():
            return ends.left(stopped(state, at, Disposition.CANCELLED), (), at)
        case FallbackTook():
            until = Instant(at + file.terms.handover_within)
            closed = Keys.whole_call(file.pbx, file.call)
            return Step(HandedOver(stopped(state, at), until, took=True), closed=closed)
        case FallbackServed():
            return ends.served(stopped(state, at), event, at)
        case CallArrived() if file.reported:
            return Step(state)
        case Granted(key):
            return Step(_granted(state, key, at))
        case ClaimLost(key):
            lost = key.removeprefix(person_key(""))
            holds = tuple(person for person in state.holds if person != lost)
            return Step(msgspec.structs.replace(state, file=unheld(file, lost), holds=holds))
        case _:
            return None


def time_passed(state: Followed, event: DeadlineReached, at: Instant) -> CallStep:
    """An instant of the call has come: a ring is over, a head is let go, nothing was heard for long."""
    if event.deadline != deadline(state):
        return Step(state)
    file = faded(state.file, at)
    if at >= state.until:
        # Not a missed call by any report, but nobody is known to have served the client: a call-back is owed.
        return ends.end(stopped(state, at), End(Outcome.INCOMPLETE, at), at)
    if at >= state.free_at:
        state = msgspec.structs.replace(state, holds=(), free_at=NEVER)
    over = [hop for hop in state.rings if at >= _ring_over(state, hop)]
    for hop in over:
        # Not confirmed: the phone may ring a moment longer, and keeps its head until it is told or forgotten.
        held = hop.person in state.holds  # else a fact gave him to another call meanwhile
        file = with_fading(with_hop(file, hop, Disposition.NO_ANSWER, hop.end), hop.leg, hop.person, at, holds=held)
    rings = tuple(hop for hop in state.rings if hop not in over)
    gone = {hop.person for hop in over}
    holds = tuple(person for person in state.holds if person not in gone)
    return Step(msgspec.structs.replace(state, file=file, rings=rings, holds=holds))


def stopped(state: Followed, at: Instant, how: Disposition = Disposition.ELSEWHERE) -> File:
    """The file with all that rings over."""
    file = state.file
    for hop in state.rings:
        file = with_hop(file, hop, how, at)
    return file


# --- facts ------------------------------------------------------------------------------------------------------


def _rings(state: Followed, event: LegRinging, seen: CallSeen, at: Instant) -> Followed:
    if (known := _ring(state, event.leg, event.extension)) is not None:
        rang = msgspec.structs.replace(known, rang=known.rang or at)
        return msgspec.structs.replace(state, rings=tuple(rang if hop is known else hop for hop in state.rings))
    if owner(state.file, event.leg) is not None or not (event.leg or event.extension):
        return state  # over already: the ring is told late
    return msgspec.structs.replace(state, rings=(*state.rings, _own(state, event.leg, event.extension, seen, at)))


def _own(state: Followed, leg: str, extension: str, seen: CallSeen, at: Instant) -> Hop:
    """A ring by the PBX's own plan. For how long, it does not say: the end shown is the window's."""
    file = state.file
    number = len(file.hops) + len(state.rings) + 1
    end = max(at, file.window_end)
    return Hop(
        number, seen.answerer, extension, leg or f"{file.call}.w{number}", at, end,
        timed_by_pbx=False, ordered=at, in_turn=False, rang=at,
    )  # fmt: skip


def _ring_ended(state: Followed, event: LegEnded, seen: CallSeen, at: Instant) -> Followed:
    file = msgspec.structs.replace(
        state.file, fading=tuple(entry for entry in state.file.fading if entry.leg != event.leg)
    )
    hop = _ring(state, event.leg, event.extension)
    if hop is None:
        if event.extension and owner(file, event.leg) is None:
            # It ended without having rung: busy, or not there.
            own = msgspec.structs.replace(_own(state, event.leg, event.extension, seen, at), rang=None)
            file = with_hop(file, own, event.how, at)
        return msgspec.structs.replace(state, file=file)
    rings = tuple(ring for ring in state.rings if ring is not hop)
    holds = tuple(person for person in state.holds if person != hop.person)
    return msgspec.structs.replace(state, file=with_hop(file, hop, event.how, at), rings=rings, holds=holds)


def _talk(state: Followed, event: TalkStarted | TalkConfirmed, seen: CallSeen, at: Instant) -> CallStep:
    """They talk: with whom is what leg and extension say; whatever else rings is over by that."""
    hop = _ring(state, event.leg, event.extension)
    file = state.file
    for ring in state.rings:
        if ring is hop:
            answered = msgspec.structs.replace(ring, answered=at, rang=ring.rang or at)
            file = msgspec.structs.replace(file, hops=(*file.hops, answered))
        else:
            file = with_hop(file, ring, Disposition.ELSEWHERE, at)
    return talk.talk(file, msgspec.structs.replace(event, leg=hop.leg) if hop else event, seen, at)


def _ring(state: Followed, leg: str, extension: str) -> Hop | None:
    """What rings under that name, else at that phone."""
    named = next((hop for hop in state.rings if leg and hop.leg == leg), None)
    return named or next((hop for hop in state.rings if extension and hop.extension == extension), None)


def _granted(state: Followed, key: str, at: Instant) -> Followed:
    """Somebody is free for whom the call waited: kept until the PBX asks again, which it was told to do soon."""
    person = key.removeprefix(person_key(""))
    if person == key or key not in state.keys:
        return msgspec.structs.replace(state, file=offers.back(state.file, key))
    return msgspec.structs.replace(state, holds=(person,), keys=(), free_at=Instant(at + KEPT))
