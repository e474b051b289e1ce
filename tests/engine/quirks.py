"""A machine that does what no machine should: it raises, loops, claims without looking, says too much."""

from typing import Any, ClassVar

from router.basis.instants import Instant
from router.basis.machine import (
    ChainId,
    Claim,
    Delivery,
    Effect,
    Event,
    Machine,
    Message,
    Standing,
    State,
    Step,
    Urgency,
)


class Explode(Event, frozen=True):
    """The step raises."""


class ExplodeLate(Event, frozen=True):
    """The step returns an effect whose delivery raises, after the state was replaced."""


class Loop(Event, frozen=True):
    """Sends itself to its own chain for ever."""

    chain: ChainId


class Grab(Event, frozen=True):
    """Claims a key, whoever holds it."""

    key: str
    seize: bool = False


class Tell(Event, frozen=True):
    """Passes events on to other chains, and closes a key."""

    to: tuple[tuple[ChainId, "Small"], ...]


class Small(Event, frozen=True):
    """Counted."""

    name: str = ""


class Alarm(Event, frozen=True):
    """Sets a deadline."""

    deadline: Instant
    explodes: bool = False


class Note(Effect, frozen=True):
    text: str


class Undeliverable(Effect, frozen=True):
    pass


class Odd(State, frozen=True, omit_defaults=True):
    heard: tuple[str, ...] = ()
    key: str = ""
    seize: bool = False
    deadline: Instant | None = None
    explodes: bool = False


class Quirk(Machine[Odd, Any, None]):
    """See the module."""

    kind: ClassVar[str] = "quirk"
    version: ClassVar[int] = 1
    states: ClassVar[Any] = Odd
    events: ClassVar[Any] = Explode | ExplodeLate | Loop | Grab | Tell | Small | Alarm
    effects: ClassVar[Any] = Note | Undeliverable
    seen: ClassVar[Any] = None

    def start(self, event: Event, seen: None, at: Instant) -> Step[Odd]:
        return self.step(Odd(), event, seen, at)

    def step(self, state: Odd, event: Event, seen: None, at: Instant) -> Step[Odd]:
        heard = (*state.heard, type(event).__name__)
        match event:
            case Explode():
                raise RuntimeError("boom")
            case ExplodeLate():
                return Step(Odd(heard), (Undeliverable(),))
            case Loop(chain):
                return Step(Odd(heard[:3]), messages=(Message(chain, event),))
            case Grab(key, seize):
                return Step(Odd(heard, key, seize))
            case Tell(to):
                return Step(
                    Odd(heard), messages=tuple(Message(chain, small) for chain, small in to), closed=("note/told",)
                )
            case Alarm(deadline, explodes):
                return Step(Odd(heard, deadline=deadline, explodes=explodes))
            case Small(name):
                return Step(Odd((*state.heard, name)), (Note(name),), reply=f"heard {name}")
            case _:
                if state.explodes:
                    return Step(Odd(heard), (Undeliverable(),))
                return Step(Odd(heard))

    def deadline(self, state: Odd) -> Instant | None:
        return state.deadline

    def standing(self, state: Odd) -> Standing:
        return Standing(False, "odd")

    def claims(self, state: Odd) -> tuple[Claim, ...]:
        return (Claim(state.key, Instant(10**15), state.seize),) if state.key else ()

    def delivery(self, effect: Effect) -> Delivery:
        if isinstance(effect, Note):
            return Delivery("post", Urgency.SOONER_OR_LATER, f"note/{effect.text}")
        raise TypeError(effect)
