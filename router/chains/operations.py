"""What people in charge did to the server itself: one chain that notes each act, who did it, and to what.

Acts that concern a call, a call-back or a person are events of their own chains; here stands the rest.
"""

from typing import ClassVar, assert_never

import msgspec

from router.basis.instants import Instant
from router.basis.machine import (
    ClaimLost,
    DeadlineReached,
    Delivery,
    Effect,
    Event,
    Granted,
    Machine,
    Nudged,
    Standing,
    State,
    Step,
)

OPERATIONS = "operations:office:main"
"""The one chain of this kind; there is none before the first act."""


class EffectSentAgain(Event, frozen=True):
    """An effect that was put aside is to be performed once more."""

    effect: str
    """Its idempotency key."""
    by: str


class EffectGivenUp(Event, frozen=True):
    """An effect that was put aside will not be performed any more."""

    effect: str
    by: str
    reason: str


class UnreadDropped(Event, frozen=True):
    """A person has seen to something in the quarantine."""

    row: str
    by: str


class DrainBegan(Event, frozen=True):
    """No new calls are taken from here on."""

    by: str


class DrainEnded(Event, frozen=True):
    """New calls are taken again, without a restart."""

    by: str


class Acts(State, frozen=True):
    """How many there were, and the last."""

    count: int = 0
    last_by: str = ""
    last_at: Instant = Instant(0)


Act = EffectSentAgain | EffectGivenUp | UnreadDropped | DrainBegan | DrainEnded
OperationsEvent = Act | DeadlineReached | Granted | ClaimLost | Nudged


class OperationsMachine(Machine[Acts, OperationsEvent, None]):
    """See the module's docstring."""

    kind: ClassVar[str] = "operations"
    version: ClassVar[int] = 1
    states = Acts
    events = OperationsEvent
    effects = Effect
    seen = type(None)

    def start(self, event: OperationsEvent, seen: None, at: Instant) -> Step[Acts]:
        """The first act."""
        return self.step(Acts(), event, seen, at)

    def step(self, state: Acts, event: OperationsEvent, seen: None, at: Instant) -> Step[Acts]:
        """An act is noted."""
        match event:
            case EffectSentAgain() | EffectGivenUp() | UnreadDropped() | DrainBegan() | DrainEnded():
                noted = msgspec.structs.replace(state, count=state.count + 1, last_by=event.by, last_at=at)
                return Step(noted, reply="noted")
            case DeadlineReached() | Granted() | ClaimLost() | Nudged():
                return Step(state)
            case _:
                assert_never(event)

    def deadline(self, state: Acts) -> Instant | None:
        """Nothing is waited for."""
        return None

    def standing(self, state: Acts) -> Standing:
        """The list never ends."""
        return Standing(final=False, reason="standing data")

    def delivery(self, effect: Effect) -> Delivery:
        """It asks nothing of anybody."""
        raise AssertionError(effect)
