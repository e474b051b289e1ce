"""A call about which the PBX asks: "whom now?". Each question moves the chain by the rules and is answered with one
advice: ring these phones for so long, wait and ask again, the PBX's own plan, hang up.

     0.0 s  AdviceAsked, the first: the call arrives with it. Reply: ring h1 for 8 s.
     8.1 s  AdviceAsked (h1 is over, no answer). Reply: ring h2 for 8 s.
     8.3 s  AdviceAsked (h1 is over), told again under a new name: h2 rings by now, so h2 is said again.
    40.2 s  AdviceAsked: the window is over. Reply: what the terms say, the PBX's own plan or a hang-up.

A question that is delivered twice under one origin never comes here: the engine repeats the stored reply. The rules of
who is next are those of every call (`call_offers.offer_next`); here the orders of that move become words of the reply.
"""

from typing import assert_never

import msgspec

from router.basis.instants import MILLISECOND, NEVER, Instant
from router.basis.machine import Step
from router.chains import call_papers as papers
from router.chains.call_ends import window_over
from router.chains.call_offers import offer_next
from router.chains.call_states import (
    CallSeen,
    CallState,
    CallStep,
    Connecting,
    Ended,
    Filed,
    Followed,
    HandedOver,
    Opening,
    Ringing,
    Stranger,
    Talking,
    Transferring,
    Waiting,
)
from router.chains.effects import Advice, AdvisedLeg, AdviseFallback, AdviseHangUp, AdviseRing, AdviseWait
from router.chains.enquiry import Hop, Outcome, owner, with_hop, without_fading
from router.chains.events import AdviceAsked, CallArrived, Disposition
from router.chains.terms import Style

RELEASED = frozenset({Outcome.NOBODY, Outcome.LOST_IN_TRANSFER})
"""Ends by which the client is to be hung up."""

ASK_AGAIN_MS = 2_000
"""A PBX that was told to wait asks again after this at the latest: a head may become free at any moment."""
ASK_AGAIN_SOONEST_MS = 200
"""And no sooner: a PBX in a circle serves nobody."""


def first_asked(opening: Opening, event: AdviceAsked, seen: CallSeen, at: Instant) -> CallStep:
    """The call arrives with the question."""
    return _answered(papers.arrived(papers.file(opening, _arrival(event), at), seen, at), event, seen, at)


def asked(state: CallState, event: AdviceAsked, seen: CallSeen, at: Instant) -> CallStep:
    """A question about a call that is known."""
    if isinstance(state, Stranger):
        return _answered(papers.stranger_arrived(state, _arrival(event), seen, at), event, seen, at)
    return _answered(_with_papers(state, event, seen, at), event, seen, at)


def _arrival(event: AdviceAsked) -> CallArrived:
    return CallArrived(event.line, event.caller)


def _with_papers(state: Filed, event: AdviceAsked, seen: CallSeen, at: Instant) -> CallStep:
    """The question brings line and caller, where these were not told yet."""
    return Step(state) if state.file.reported else papers.arrived_late(state, _arrival(event), seen, at)


def _answered(step: CallStep, event: AdviceAsked, seen: CallSeen, at: Instant) -> CallStep:
    """The advice in the state that the question has found."""
    match step.state:
        case Followed() if step.state.file.terms.style is Style.ADVISER:
            advised = _next(step.state, event, seen, at)
            return msgspec.structs.replace(
                advised, effects=(*step.effects, *advised.effects), messages=(*step.messages, *advised.messages)
            )
        case Followed():
            return _saying(step, AdviseFallback())  # it hunts by itself: it may do so
        case Ringing() | Waiting() | Connecting():
            return _saying(step, AdviseWait(ASK_AGAIN_MS))  # its orders come as commands
        case Ended() if step.state.end.outcome in RELEASED:
            return _saying(step, AdviseHangUp())
        case Ended() | HandedOver() | Talking() | Transferring() | Stranger():
            # Over or in talk for all we know; should a client wait there all the same, he is not left in silence.
            return _saying(step, AdviseFallback())
        case _:
            assert_never(step.state)


def _next(state: Followed, event: AdviceAsked, seen: CallSeen, at: Instant) -> CallStep:
    """Whatever was advised is over: the next head, by the rules."""
    file = state.file
    if state.rings and event.leg and all(hop.leg != event.leg for hop in state.rings) and owner(file, event.leg):
        # About a leg that was over before: the question was asked again, or overtaken. What was said last holds.
        return _saying(Step(state), _ring_these(state.rings))
    for hop in state.rings:
        named = event.how if event.how is not None and event.leg in ("", hop.leg) else None
        file = without_fading(with_hop(file, hop, named or Disposition.NO_ANSWER, at), hop.leg)
    if event.leg:
        file = without_fading(file, event.leg)
    return _as_advice(offer_next(file, seen, at, at), at)


def _as_advice(step: CallStep, at: Instant) -> CallStep:
    """The move of a call that the server leads, as a word for the PBX that leads."""
    match step.state:
        case Ringing(file, hops, wake):
            # Whoever leads times the ring, also one that the window cuts. Who may join later is asked for then.
            over = min(max(hop.end for hop in hops), wake or NEVER)
            timed = tuple(msgspec.structs.replace(hop, timed_by_pbx=True, end=min(hop.end, over)) for hop in hops)
            until = Instant(at + file.terms.handover_within)
            holds = tuple(dict.fromkeys(hop.person for hop in timed))
            return _saying(Step(Followed(file, until, timed, holds)), _ring_these(timed))
        case Waiting(file, wake, keys) if file.terms.can_wait:
            wait_ms = min(max((wake - at) // MILLISECOND, ASK_AGAIN_SOONEST_MS), ASK_AGAIN_MS)
            followed = Followed(file, Instant(at + file.terms.handover_within), keys=keys, free_at=NEVER)
            return _saying(Step(followed), AdviseWait(wait_ms))
        case Waiting(file):
            return _as_advice(window_over(file, (), at), at)
        case Ended():
            return _saying(step, AdviseHangUp())
        case _:
            return _saying(step, AdviseFallback())


def _ring_these(rings: tuple[Hop, ...]) -> AdviseRing:
    legs = tuple(AdvisedLeg(hop.leg, hop.extension) for hop in rings)
    longest = max(hop.end for hop in rings) - rings[0].start
    return AdviseRing(legs, max(1, longest // MILLISECOND))


def _saying(step: CallStep, advice: Advice) -> CallStep:
    return msgspec.structs.replace(step, reply=msgspec.json.encode(advice).decode())
