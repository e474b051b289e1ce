"""How long a state of a call stands by itself, and which heads the call keeps from others meanwhile."""

from typing import assert_never

from router.basis.instants import NEVER, SECOND, Duration, Instant
from router.basis.machine import Claim
from router.chains.call_offers import ring_deadline
from router.chains.call_states import (
    CallState,
    Connecting,
    Ended,
    Followed,
    HandedOver,
    Ringing,
    Stranger,
    Talking,
    Transferring,
    Waiting,
)
from router.chains.call_witnessed import deadline as witnessed_deadline
from router.chains.choice import person_key
from router.chains.enquiry import next_fade

CLAIM_MARGIN = Duration(10 * SECOND)
"""A claim expires this much after the instant at which the call itself would let go: a net behind its deadlines."""


def deadline(state: CallState) -> Instant | None:
    """The soonest of the state's own instants and of the legs that fade."""
    match state:
        case Ringing(file):
            return min(ring_deadline(state), next_fade(file))
        case Waiting(file, wake):
            return min(wake, file.window_end, next_fade(file))
        case Connecting(file, _, check):
            return min(check, next_fade(file))
        case Talking(file, _, confirmed, check, holds):
            keeps_until = Instant(confirmed + file.terms.unconfirmed_talk) if holds else NEVER
            return min(check, next_fade(file), keeps_until)
        case Followed():
            return witnessed_deadline(state)
        case Transferring(file, _, check):
            return min(check, next_fade(file), Instant(file.passed[-1].at + file.terms.unconfirmed_talk))
        case HandedOver(file, until):
            return min(until, next_fade(file))
        case Ended(file, _, wrap_until):
            soonest = min(next_fade(file), wrap_until or NEVER)
            return None if soonest == NEVER else soonest
        case Stranger():
            return state.until
        case _:
            assert_never(state)


def claims(state: CallState) -> tuple[Claim, ...]:
    """The heads this call keeps from others: rung, fading, talking, in the pause after the talk."""
    if isinstance(state, Stranger) or state.file.terms.offers_per_person == 0:
        return ()
    held: dict[str, tuple[Instant, bool]] = {}
    for entry in state.file.fading:
        if entry.holds:
            held[entry.person] = (entry.until, False)
    match state:
        case Ringing(file, hops):
            for hop in hops:
                until, _ = held.get(hop.person, (Instant(0), False))
                held[hop.person] = (max(until, Instant(hop.end + file.terms.fade)), False)
        case Connecting(file, hop, _, holds) if holds:
            held[hop.person] = (Instant((hop.answered or hop.start) + file.terms.unconfirmed_talk), True)
        case Followed(file, _, rings, holds):
            over = Instant(max((hop.end for hop in rings), default=state.free_at) + file.terms.fade)
            held.update((person, (over, False)) for person in holds)
        case Talking(file, end, confirmed) if end.person and state.holds:
            held[end.person] = (Instant(confirmed + file.terms.unconfirmed_talk), True)
        case Ended(_, end, wrap_until) if wrap_until and end.person:
            held[end.person] = (wrap_until, False)
        case _:
            pass
    return tuple(
        Claim(person_key(person), Instant(until + CLAIM_MARGIN), seize)
        for person, (until, seize) in held.items()
        if person
    )
