"""Offers: whose phones ring for a call, until when, and what follows when one of them is over.

One head after the other is the ordinary case; a head may have several phones, and a chain may ring several heads
(`Spread`, `all_in_last`). All of them are hops that ring side by side in the state `Ringing`. Who comes next is
`choice`'s business.
"""

import msgspec

from router.basis.instants import MILLISECOND, NEVER, SECOND, Duration, Instant
from router.basis.machine import Effect, Step
from router.chains.call_ends import window_over
from router.chains.call_states import CallSeen, CallStep, Connecting, Filed, Ringing, Waiting
from router.chains.choice import Choice, choose
from router.chains.effects import RingLeg
from router.chains.enquiry import File, Hop, is_fading, unheld, with_hop
from router.chains.events import Disposition
from router.chains.stops import connect_key, leg_key, stopped, stopped_all
from router.chains.terms import HopTimer, Phone, Seat, Spread

LEAVES_WITHIN = Duration(500 * MILLISECOND)
"""A ring just ordered may take this long to leave (a commit, the previous leg's confirmed end) even where the offer is
no longer than `min_offer`: without it such an offer would be stale as soon as it is ordered."""

EVERYBODY = 1_000_000
"""Heads who may ring at once where there is no limit."""


# --- who rings next ---------------------------------------------------------------------------------------------


def offer_next(  # noqa: PLR0913 - what a step may carry besides the offer
    file: File,
    seen: CallSeen,
    at: Instant,
    start: Instant,
    *,
    ringing: tuple[Hop, ...] = (),
    effects: tuple[Effect, ...] = (),
    closed: tuple[str, ...] = (),
    reply: str | None = None,
) -> CallStep:
    """Ring whom the rules allow beside `ringing`, wait for somebody, or end the window.

    `start` is the stamp from which the next offer counts.
    """
    if at >= file.window_end:
        file, stops = stopped_all(file, ringing, Disposition.NO_ANSWER, "no_answer", at)
        return window_over(file, (*effects, *stops), at, closed)
    if file.window_end - at < file.terms.min_offer:
        rest = Ringing(file, ringing) if ringing else Waiting(file, file.window_end, ())
        return Step(rest, effects, closed=closed, reply=reply)
    if returned := tuple(person for person in seen.back if person not in file.back):
        file = msgspec.structs.replace(file, back=(*file.back, *returned))
    file, hops, rings, left_over = _fill(file, seen, at, start, ringing)
    if hops:
        return Step(_ringing(file, hops, left_over, at), (*effects, *rings), closed=closed, reply=reply)
    if left_over is None or left_over.over:
        return window_over(file, effects, at, closed)
    wake = min(left_over.wake, file.window_end)
    return Step(Waiting(file, wake, left_over.keys), effects, closed=closed, reply=reply)


def _fill(
    file: File, seen: CallSeen, at: Instant, start: Instant, hops: tuple[Hop, ...]
) -> tuple[File, tuple[Hop, ...], tuple[RingLeg, ...], Choice | None]:
    """Offer the call to one head after another until as many ring as may; the last choice says who else is awaited."""
    rings: tuple[RingLeg, ...] = ()
    while True:
        rung = frozenset(hop.person for hop in hops)
        if len(rung) >= width(file, at):
            return file, hops, rings, None
        choice = choose(file, seen.sights, at, rung)
        if choice.seat is None:
            return file, hops, rings, choice
        phones = tuple(phone for phone in choice.seat.phones if phone.extension not in seen.dead)
        file, fresh, asked = _offer(file, choice.seat, phones or choice.seat.phones, start, at, len(hops))
        hops, rings = (*hops, *fresh), (*rings, *asked)


def _ringing(file: File, hops: tuple[Hop, ...], left_over: Choice | None, at: Instant) -> Ringing:
    wake = next_join(file, at)
    if left_over is not None:
        wake = min(wake, left_over.wake)
    useful = wake <= file.window_end - file.terms.min_offer
    return Ringing(file, hops, wake if useful else None, left_over.keys if left_over else ())


def width(file: File, at: Instant) -> int:
    """How many heads may ring at once."""
    if file.terms.spread is Spread.RING_ALL or at >= file.group_from:
        return EVERYBODY
    if file.terms.spread is Spread.PROGRESSIVE:
        return 1 + (at - file.arrived) // file.terms.ring
    return 1


def next_join(file: File, at: Instant) -> Instant:
    """When more heads may ring than now; NEVER: not in this call."""
    if width(file, at) == EVERYBODY:
        return NEVER
    if file.terms.spread is Spread.PROGRESSIVE:
        step = file.terms.ring
        return min(file.group_from, Instant(file.arrived + ((at - file.arrived) // step + 1) * step))
    return file.group_from


# --- one offer --------------------------------------------------------------------------------------------------


def _offer(
    file: File, seat: Seat, phones: tuple[Phone, ...], start: Instant, at: Instant, beside: int
) -> tuple[File, tuple[Hop, ...], tuple[RingLeg, ...]]:
    """Ring these phones of a head, together."""
    first = len(file.hops) + beside + 1
    # Only the previous leg is waited for: an older one that is still unconfirmed had its second already.
    previous = file.hops[-1].leg if file.hops else ""
    after = previous if is_fading(file, previous) else None
    offer = first if len(phones) > 1 else 0
    hops = tuple(_hop(file, seat, phone, first + index, offer, start, at) for index, phone in enumerate(phones))
    rings = tuple(_ring(file, hop, at, after) for hop in hops)
    file = msgspec.structs.replace(
        file,
        wants=tuple(person for person in file.wants if person != seat.person),
        back=tuple(person for person in file.back if person != seat.person),
    )
    return file, hops, rings


def _hop(file: File, seat: Seat, phone: Phone, number: int, offer: int, start: Instant, at: Instant) -> Hop:
    terms = file.terms
    from_ringing = phone.from_ringing and terms.reports_ringing
    together = terms.spread is not Spread.ONE_BY_ONE or at >= file.group_from
    longest = (phone.most or terms.reach) if from_ringing else terms.ring
    finish = file.window_end if together else Instant(min(start + longest, file.window_end))
    whole = not terms.whole_second_timer or terms.ring % SECOND == 0
    # The PBX's timer is for full rings; one that the window cuts, or that counts from ringing, is ended by the server.
    timed = terms.hop_timer is HopTimer.PBX and whole and not from_ringing and finish - start == terms.ring
    silent_after = terms.no_ringing_after if phone.silent_after is None else phone.silent_after
    return Hop(
        number,
        seat.person,
        phone.extension,
        f"{file.call}.h{number}",
        start,
        finish,
        timed,
        at,
        offer=offer,
        from_ringing=from_ringing and not together,
        silent_after=silent_after if terms.reports_ringing else Duration(0),
        in_turn=seat.person not in file.wants,
    )


def _ring(file: File, hop: Hop, at: Instant, after: str | None) -> RingLeg:
    best_before = Instant(max(hop.end - file.terms.min_offer, min(at + LEAVES_WITHIN, hop.end)))
    return RingLeg(
        file.pbx,
        file.call,
        hop.leg,
        hop.extension,
        file.caller,
        file.line,
        Duration(hop.end - hop.start),
        hop.timed_by_pbx,
        best_before,
        after,
    )


def rang(state: Ringing, hop: Hop, at: Instant) -> Ringing:
    """A phone is reported ringing: where the offer counts from that, its end is known now."""
    if hop.rang is not None:
        return state
    end = min(Instant(at + state.file.terms.ring), hop.end) if hop.from_ringing else hop.end
    return with_changed(state, msgspec.structs.replace(hop, rang=at, end=end))


def with_changed(state: Ringing, changed: Hop) -> Ringing:
    """The state with one hop replaced by what is known of it now."""
    hops = tuple(changed if hop.leg == changed.leg else hop for hop in state.hops)
    return msgspec.structs.replace(state, hops=hops)


# --- the end of an offer ----------------------------------------------------------------------------------------


def hop_deadline(file: File, hop: Hop) -> Instant:
    """When the server looks at a ring: at its end, behind the PBX's own timer, or when it should have rung by now."""
    planned = Instant(hop.end + file.terms.watchdog) if hop.timed_by_pbx else hop.end
    if hop.rang is not None or not hop.silent_after:
        return planned
    # From the order, not from the planned start: a phone cannot ring before it was asked to.
    return min(planned, Instant(max(hop.ordered, hop.asked or hop.ordered) + hop.silent_after))


def ring_deadline(state: Ringing) -> Instant:
    """The soonest instant at which something is due about the phones that ring."""
    file = state.file
    soonest = min(hop_deadline(file, hop) for hop in state.hops)
    return min(soonest, file.window_end, state.wake or NEVER)


def leg_over(state: Ringing, hop: Hop, how: Disposition, seen: CallSeen, at: Instant) -> CallStep:
    """A phone rings no more by itself. Who declines on one of his phones has declined on all."""
    file = with_hop(state.file, hop, how, at)
    rest = _without(state.hops, hop)
    effects: tuple[Effect, ...] = ()
    if how is Disposition.DECLINED:
        his = tuple(other for other in rest if other.person == hop.person)
        file, effects = stopped_all(file, his, how, "elsewhere", at)
        rest = tuple(other for other in rest if other.person != hop.person)
    closed = (leg_key(file, hop.leg),)
    return offer_next(file, seen, at, at, ringing=rest, effects=effects, closed=closed)


def never_left(state: Ringing, hop: Hop, seen: CallSeen, at: Instant) -> CallStep:
    """A ring was given up by the outbox. Told to stop all the same: an order that timed out may have reached the
    PBX."""
    file, effects = stopped(state.file, hop, Disposition.FAILED, "no_answer", at)
    return offer_next(file, seen, at, at, ringing=_without(state.hops, hop), effects=effects)


def lost_to_another(state: Ringing, person: str, seen: CallSeen, at: Instant) -> CallStep:
    """A fact gave a head who is rung to another call: his phones stop, he is no longer ours, the next one is rung."""
    his = tuple(hop for hop in state.hops if hop.person == person)
    rest = tuple(hop for hop in state.hops if hop.person != person)
    file, effects = stopped_all(unheld(state.file, person), his, Disposition.ELSEWHERE, "elsewhere", at, holds=False)
    return offer_next(file, seen, at, at, ringing=rest, effects=effects)


def not_connected(state: Connecting, seen: CallSeen, at: Instant) -> CallStep:
    """The PBX will not join them, or has not said for too long that they talk: the caller goes on to the next head."""
    file, effects = stopped(state.file, state.hop, Disposition.FAILED, "elsewhere", at, holds=state.holds)
    return offer_next(file, seen, at, at, effects=effects, closed=(connect_key(file),))


def ring_time(state: Ringing, seen: CallSeen, at: Instant) -> CallStep:
    """An instant of a ring has come: the window's end, a hop's own, when a phone should have rung by, when more heads
    join, or a fading leg's."""
    file, effects = state.file, tuple[Effect, ...]()
    if at >= file.window_end:
        for hop in state.hops:
            file, stops = stopped(file, hop, Disposition.NO_ANSWER, "no_answer", at, ended=hop.end)
            effects = (*effects, *stops)
        return window_over(file, effects, at)
    rest, ends = state.hops, list[Instant]()
    for hop in state.hops:
        if (over := _due(file, hop, at)) is None:
            continue
        how, ended = over
        file, stops = stopped(file, hop, how, "no_answer", at, ended=ended)
        rest, effects = _without(rest, hop), (*effects, *stops)
        ends.append(ended)
    if ends:
        return offer_next(file, seen, at, max(ends), ringing=rest, effects=effects)
    if state.wake is not None and at >= state.wake:
        on_time = at - state.wake <= file.terms.late_by
        return offer_next(file, seen, at, state.wake if on_time else at, ringing=rest)
    return Step(state)


def _due(file: File, hop: Hop, at: Instant) -> tuple[Disposition, Instant] | None:
    """How and when a hop is over by the clock; None: it is not."""
    if at >= hop.end and (not hop.timed_by_pbx or at >= hop.end + file.terms.watchdog):
        on_time = not hop.timed_by_pbx and at - hop.end <= file.terms.late_by
        # A phone whose offer counts from ringing and that never rang in its longest time was not reached.
        reached = not hop.from_ringing or hop.rang is not None
        how = Disposition.NO_ANSWER if reached else Disposition.UNREACHABLE
        return how, hop.end if on_time else at
    if at >= hop_deadline(file, hop):
        return Disposition.UNREACHABLE, at
    return None


def _without(hops: tuple[Hop, ...], hop: Hop) -> tuple[Hop, ...]:
    return tuple(other for other in hops if other.leg != hop.leg)


# --- who may be offered after all -------------------------------------------------------------------------------


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
    if by not in {seat.person for seat in papers.seats}:
        return Step(state, reply="not_on_the_list")
    waits = isinstance(state, Ringing | Waiting | Connecting)
    if not waits or papers.window_end - at < papers.terms.min_offer:
        return Step(state, reply="too_late")
    if by in papers.wants:
        return Step(state, reply="already")
    wants = msgspec.structs.replace(papers, wants=(*papers.wants, by))
    if isinstance(state, Waiting):
        return offer_next(wants, seen, at, at, reply="next")
    if isinstance(state, Ringing) and width(papers, at) > 1:
        return offer_next(wants, seen, at, at, ringing=state.hops, reply="next")
    return Step(msgspec.structs.replace(state, file=wants), reply="next")
