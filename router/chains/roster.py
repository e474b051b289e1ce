"""The roster: one chain for the whole company that knows people, lines and who is there.

What calls see of it is looked up at admission (`router.office`) and stored with their events. When somebody comes back,
his phone can be reached again or his own call is over, the step frees his state key, and a call that waits for him is
granted it. Whether heads who let calls ring out are there is asked by the rules of `attendance`.
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
    EffectAside,
    Granted,
    Machine,
    Nudged,
    Standing,
    State,
    Step,
)
from router.basis.people import Directory
from router.basis.pinned import Pinned
from router.chains import attendance
from router.chains.attendance import Duty, Presence
from router.chains.choice import state_key
from router.chains.delivery import delivery_of
from router.chains.effects import ShowCard
from router.chains.events import (
    CameBack,
    DeviceSeen,
    DirectoryApplied,
    LineSeen,
    OffersMissed,
    SaidAway,
    SaidHere,
    WentAway,
)

ROSTER = "roster:office:main"
"""The one chain of this kind."""


PAUSED = "paused"
"""Why of an absence that the roster itself began."""


class Away(msgspec.Struct, frozen=True, array_like=True):
    """An absence."""

    person: str
    until: Instant | None
    why: str = "away"
    """`away` (his or the admin's word), `paused` (he let calls ring out and did not answer)."""


class Roster(State, frozen=True, omit_defaults=True):
    """Who works here and who is there."""

    directory: Pinned[Directory] | None = None
    away: tuple[Away, ...] = ()
    unreachable: tuple[str, ...] = ()
    """Extensions whose phones cannot be reached."""
    changed: dict[str, Instant] = msgspec.field(default_factory=dict)
    """Person -> when he last came back, or his phone did: a call that found him unreachable may try him again."""
    busy: tuple[str, ...] = ()
    """Extensions that are in calls of their own."""
    duties: tuple[Duty, ...] = ()
    """Heads who let calls ring out lately."""
    wall_ahead: int = 0
    """How far the wall clock is ahead of the line of stamps, microseconds: absences end by the wall."""

    def why_not(self, person: str, *extensions: str) -> str | None:
        """Why this head cannot be rung at any of his phones, apart from our own calls; None: he can."""
        for entry in self.away:
            if entry.person == person:
                return entry.why
        if any(extension in self.busy for extension in extensions):
            return "in_call"
        return "unreachable" if all(extension in self.unreachable for extension in extensions) else None

    def undisturbed(self) -> bool:
        """Everybody is there, with his phone, and in no call of his own."""
        return not (self.away or self.unreachable or self.busy)

    def duty(self, person: str) -> Duty:
        """What is known of a head's misses."""
        return next((duty for duty in self.duties if duty.person == person), Duty(person))


RosterEvent = (
    DirectoryApplied
    | WentAway
    | CameBack
    | DeviceSeen
    | ClockStepped
    | LineSeen
    | OffersMissed
    | SaidHere
    | SaidAway
    | EffectAside
    | DeadlineReached
    | Granted
    | ClaimLost
    | Nudged
)
RosterStep = Step[Roster]


class RosterMachine(Machine[Roster, RosterEvent, Presence]):
    """See the module's docstring."""

    kind: ClassVar[str] = "roster"
    version: ClassVar[int] = 1
    states = Roster
    events = RosterEvent
    effects = ShowCard
    seen = Presence

    def start(self, event: RosterEvent, seen: Presence, at: Instant) -> RosterStep:
        """The first fact about the company."""
        return self.step(Roster(), event, seen, at)

    def step(self, state: Roster, event: RosterEvent, seen: Presence, at: Instant) -> RosterStep:
        """Somebody or something is there or not."""
        match event:
            case DirectoryApplied(directory):
                return Step(msgspec.structs.replace(state, directory=directory), reply="applied")
            case WentAway(person, _, until):
                away = (*(entry for entry in state.away if entry.person != person), Away(person, until))
                return Step(msgspec.structs.replace(state, away=away), reply="away")
            case CameBack(person):
                return _is_here(state, person, at)
            case SaidHere(by):
                return _is_here(state, by, at)
            case SaidAway(by):
                return _paused(state, (by,), at, by_himself=True)
            case OffersMissed(_, people, asked_after):
                return _missed(state, people, asked_after, seen, at)
            case DeadlineReached():
                return _time(state, at)
            case ClockStepped(_, ahead_us):
                return Step(msgspec.structs.replace(state, wall_ahead=ahead_us))
            case DeviceSeen(extension, reachable):
                return _device(state, extension, at, reachable=reachable)
            case LineSeen(extension, busy):
                return _line(state, extension, at, busy=busy)
            case EffectAside() | Granted() | ClaimLost() | Nudged():
                return Step(state)
            case _:
                assert_never(event)

    def deadline(self, state: Roster) -> Instant | None:
        """When the next absence ends, by the wall, or the time to answer of a head who was asked; on the line."""
        ends = [Instant(entry.until - state.wall_ahead) for entry in state.away if entry.until is not None]
        return min([*ends, *(duty.answer_by for duty in state.duties if duty.answer_by)], default=None)

    def standing(self, state: Roster) -> Standing:
        """The company never ends."""
        return Standing(final=False, reason="standing data")

    def delivery(self, effect: Effect) -> Delivery:
        """Cards only; see `router.chains.delivery`."""
        assert isinstance(effect, ShowCard)
        return delivery_of(effect)


def _there(state: Roster, returned: Callable[[Away], bool], at: Instant) -> RosterStep:
    back = [entry.person for entry in state.away if returned(entry)]
    away = tuple(entry for entry in state.away if entry.person not in back)
    freed = tuple(state_key(person) for person in back)
    changed = {**state.changed, **dict.fromkeys(back, at)}
    return Step(msgspec.structs.replace(state, away=away, changed=changed), freed=freed, reply="back")


def _is_here(state: Roster, person: str, at: Instant) -> RosterStep:
    """He is there: his absence is over, and what he missed is forgotten."""
    step = _there(state, lambda entry: entry.person == person, at)
    known = next((duty for duty in state.duties if duty.person == person), None)
    if known is None:
        return step
    others = tuple(duty for duty in state.duties if duty.person != person)
    was_paused = any(entry.person == person and entry.why == PAUSED for entry in state.away)
    effects: tuple[Effect, ...] = ()
    duty = Duty(person, revision=known.revision)
    if known.answer_by or was_paused:
        duty, shown = attendance.back(duty, at)
        effects = (shown,)
    if was_paused:
        duty, told = attendance.told_back(duty, at)
        effects = (*effects, told)
    kept = (*others, duty) if duty.revision else others
    return msgspec.structs.replace(step, state=msgspec.structs.replace(step.state, duties=kept), effects=effects)


def _missed(state: Roster, people: tuple[str, ...], asked_after: int, seen: Presence, at: Instant) -> RosterStep:
    """Calls rang out at their phones: ask, and pause who was asked and let one more ring out."""
    gone = {entry.person for entry in state.away}
    effects: list[Effect] = []
    silent: list[str] = []
    for person in people:
        if person in gone:
            continue  # he was away already when the last ring at his phone ended
        before = state.duty(person)
        duty, pause = attendance.missed(before, asked_after, seen.talked.get(person, Instant(0)), at)
        if pause:
            silent.append(person)
        elif duty.answer_by and not before.answer_by:
            duty, asked = attendance.asked(duty, at)
            effects.append(asked)
        state = _with_duty(state, duty)
    step = _paused(state, tuple(silent), at, by_himself=False)
    return msgspec.structs.replace(step, effects=(*effects, *step.effects), reply=None)


def _paused(state: Roster, people: tuple[str, ...], at: Instant, *, by_himself: bool) -> RosterStep:
    """They get no calls until they say that they are there."""
    effects: list[Effect] = []
    for person in people:
        if not by_himself and any(entry.person == person for entry in state.away):
            continue
        away = (*(entry for entry in state.away if entry.person != person), Away(person, None, PAUSED))
        duty = msgspec.structs.replace(state.duty(person), answer_by=Instant(0))
        duty, shown = attendance.paused(duty, at)
        duty, told = attendance.told_paused(duty, at, by_himself=by_himself)
        effects += [shown, told]
        state = _with_duty(msgspec.structs.replace(state, away=away), duty)
    return Step(state, tuple(effects), reply="away")


def _with_duty(state: Roster, duty: Duty) -> Roster:
    others = tuple(other for other in state.duties if other.person != duty.person)
    return msgspec.structs.replace(state, duties=(*others, duty))


def _time(state: Roster, at: Instant) -> RosterStep:
    """An absence is over, or somebody did not say in time that he is there."""
    silent = tuple(duty.person for duty in state.duties if duty.answer_by and duty.answer_by <= at)
    paused = _paused(state, silent, at, by_himself=False)
    for person in silent:  # also of those who went away meanwhile: they are asked no more
        duty = msgspec.structs.replace(paused.state.duty(person), answer_by=Instant(0))
        paused = msgspec.structs.replace(paused, state=_with_duty(paused.state, duty))
    wall = at + state.wall_ahead
    there = _there(paused.state, lambda entry: entry.until is not None and entry.until <= wall, at)
    return msgspec.structs.replace(there, effects=paused.effects)


def _device(state: Roster, extension: str, at: Instant, *, reachable: bool) -> RosterStep:
    others = tuple(entry for entry in state.unreachable if entry != extension)
    if not reachable:
        return Step(msgspec.structs.replace(state, unreachable=tuple(sorted((*others, extension)))))
    if len(others) == len(state.unreachable):
        return Step(state)
    return _changed(msgspec.structs.replace(state, unreachable=others), extension, at)


def _line(state: Roster, extension: str, at: Instant, *, busy: bool) -> RosterStep:
    others = tuple(entry for entry in state.busy if entry != extension)
    if busy:
        return Step(msgspec.structs.replace(state, busy=tuple(sorted((*others, extension)))))
    if len(others) == len(state.busy):
        return Step(state)
    return _changed(msgspec.structs.replace(state, busy=others), extension, at)


def _changed(state: Roster, extension: str, at: Instant) -> RosterStep:
    """A phone can be rung again: who waits for its owner hears of it."""
    owner = state.directory.value.owner(extension) if state.directory else None
    if owner is None:
        return Step(state)
    changed = {**state.changed, owner.id: at}
    # Whoever waits for him hears of it only if he can be rung now: he may be away, or on another phone of his.
    able = state.why_not(owner.id, *owner.extensions) is None
    return Step(msgspec.structs.replace(state, changed=changed), freed=(state_key(owner.id),) if able else ())
