"""The roster: one chain for the whole company that knows people, lines and who is there.

What calls see of it is looked up at admission (`router.office`) and stored with their events. When somebody comes back
or his phone can be reached again, the step frees his state key, and a call that waits for him is granted it.
"""

from collections.abc import Callable
from typing import ClassVar, assert_never

import msgspec

from router.basis.instants import Instant
from router.basis.machine import (
    ClaimLost,
    ClockStepped,
    DeadlineReached,
    Delivery,
    Effect,
    Granted,
    Machine,
    Nudged,
    Standing,
    State,
    Step,
)
from router.basis.people import Directory
from router.basis.pinned import Pinned
from router.chains.choice import state_key
from router.chains.events import CameBack, DeviceSeen, DirectoryApplied, WentAway

ROSTER = "roster:office:main"
"""The one chain of this kind."""


class Away(msgspec.Struct, frozen=True, array_like=True):
    """An absence."""

    person: str
    until: Instant | None


class Roster(State, frozen=True):
    """Who works here and who is there."""

    directory: Pinned[Directory] | None = None
    away: tuple[Away, ...] = ()
    unreachable: tuple[str, ...] = ()
    """Extensions whose phones cannot be reached."""
    changed: dict[str, Instant] = msgspec.field(default_factory=dict)
    """Person -> when he last came back, or his phone did: a call that found him unreachable may try him again."""
    wall_ahead: int = 0
    """How far the wall clock is ahead of the line of stamps, microseconds: absences end by the wall."""

    def why_not(self, person: str, extension: str) -> str | None:
        """Why this head cannot be rung at this phone, apart from calls; None: he can."""
        if any(entry.person == person for entry in self.away):
            return "away"
        return "unreachable" if extension in self.unreachable else None


RosterEvent = (
    DirectoryApplied | WentAway | CameBack | DeviceSeen | ClockStepped | DeadlineReached | Granted | ClaimLost | Nudged
)


class RosterMachine(Machine[Roster, RosterEvent, None]):
    """See the module's docstring."""

    kind: ClassVar[str] = "roster"
    version: ClassVar[int] = 1
    states = Roster
    events = RosterEvent
    effects = Effect
    seen = type(None)

    def start(self, event: RosterEvent, seen: None, at: Instant) -> Step[Roster]:
        """The first fact about the company."""
        return self.step(Roster(), event, seen, at)

    def step(self, state: Roster, event: RosterEvent, seen: None, at: Instant) -> Step[Roster]:
        """Somebody or something is there or not."""
        match event:
            case DirectoryApplied(directory):
                return Step(msgspec.structs.replace(state, directory=directory), reply="applied")
            case WentAway(person, _, until):
                away = (*(entry for entry in state.away if entry.person != person), Away(person, until))
                return Step(msgspec.structs.replace(state, away=away), reply="away")
            case CameBack(person):
                return _there(state, lambda entry: entry.person == person, at)
            case DeadlineReached():
                wall = at + state.wall_ahead
                return _there(state, lambda entry: entry.until is not None and entry.until <= wall, at)
            case ClockStepped(_, ahead_us):
                return Step(msgspec.structs.replace(state, wall_ahead=ahead_us))
            case DeviceSeen(extension, reachable):
                return _device(state, extension, at, reachable=reachable)
            case Granted() | ClaimLost() | Nudged():
                return Step(state)
            case _:
                assert_never(event)

    def deadline(self, state: Roster) -> Instant | None:
        """When the next absence ends, on the line."""
        ends = (Instant(entry.until - state.wall_ahead) for entry in state.away if entry.until is not None)
        return min(ends, default=None)

    def standing(self, state: Roster) -> Standing:
        """The company never ends."""
        return Standing(final=False, reason="standing data")

    def delivery(self, effect: Effect) -> Delivery:
        """The roster asks nothing of anybody."""
        raise AssertionError(effect)


def _there(state: Roster, returned: Callable[[Away], bool], at: Instant) -> Step[Roster]:
    back = [entry.person for entry in state.away if returned(entry)]
    away = tuple(entry for entry in state.away if entry.person not in back)
    freed = tuple(state_key(person) for person in back)
    changed = {**state.changed, **dict.fromkeys(back, at)}
    return Step(msgspec.structs.replace(state, away=away, changed=changed), freed=freed, reply="back")


def _device(state: Roster, extension: str, at: Instant, *, reachable: bool) -> Step[Roster]:
    others = tuple(entry for entry in state.unreachable if entry != extension)
    if not reachable:
        return Step(msgspec.structs.replace(state, unreachable=tuple(sorted((*others, extension)))))
    owner = state.directory.value.owner(extension) if state.directory else None
    if owner is None or len(others) == len(state.unreachable):
        return Step(msgspec.structs.replace(state, unreachable=others))
    changed = {**state.changed, owner.id: at}
    return Step(msgspec.structs.replace(state, unreachable=others, changed=changed), freed=(state_key(owner.id),))
