"""What of a step's orders this PBX can carry out: the machine decides as if it could do everything, and what it cannot
is left out here, in one place, from the abilities that the call is pinned to.

- A PBX that leads (adviser, witness) is ordered nothing; it may be asked what is true.
- A phone that rings and cannot be stopped ends by itself: its leg fades until that is told.
- Where the next ring takes the caller away from the phone that rings, that phone needs no stop, and the ring waits for
  no end.
"""

import msgspec

from router.basis.machine import Effect
from router.chains.call_states import CallEvent, CallState, CallStep, Connecting
from router.chains.call_witnessed import terms_of
from router.chains.effects import Connect, LookAtCall, Release, RingBack, RingLeg, SendToFallback, StopLeg
from router.chains.events import LegAnswered
from router.chains.terms import Style

_ORDERS = RingBack | RingLeg | StopLeg | Connect | Release | SendToFallback


def possible(before: CallState | None, event: CallEvent, step: CallStep) -> CallStep:
    """The step without the orders that the PBX cannot carry out."""
    if not step.effects:
        return step
    terms = terms_of(step.state)
    effects = step.effects
    if terms.style is not Style.CONDUCTOR:
        effects = tuple(effect for effect in effects if not isinstance(effect, _ORDERS))
    if not terms.can_look:
        effects = tuple(effect for effect in effects if not isinstance(effect, LookAtCall))
    if terms.can_reroute_ringing:
        effects = _rerouted(effects)
    if not terms.can_cancel_leg:
        effects = tuple(effect for effect in effects if not _stops_a_ring(effect, before, event))
    return step if effects == step.effects else msgspec.structs.replace(step, effects=effects)


def _rerouted(effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    """Stop and ring in one: the ring itself ends the one before."""
    before = {effect.after for effect in effects if isinstance(effect, RingLeg)} - {None}
    return tuple(
        msgspec.structs.replace(effect, after=None) if isinstance(effect, RingLeg) else effect
        for effect in effects
        if not (isinstance(effect, StopLeg) and effect.leg in before)
    )


def _stops_a_ring(effect: Effect, before: CallState | None, event: CallEvent) -> bool:
    """Whether this would stop a phone that only rings; one that was picked up can be hung up on any PBX."""
    if not isinstance(effect, StopLeg) or effect.why == "talk_over":
        return False
    picked_up = isinstance(before, Connecting) and before.hop.leg == effect.leg
    return not (picked_up or (isinstance(event, LegAnswered) and event.leg == effect.leg))
