"""Who is offered the call next. Pure; the rules of who may be rung again and when stand here and nowhere else.

- In list order, on from the head who was offered last; after the last the list begins again (`on_list_end`).
- A head who is claimed, in a call, away or off line is passed over and waited for if nobody is left.
- Whose offer ended at once (busy, failed, a phone that stopped by itself) rests for 10 s in this call.
- Who declined is offered only when none of the others can be, and rests too.
- Who was unreachable is offered again only after his state has changed.
- A head who pressed Take is first.
"""

from dataclasses import dataclass

import msgspec

from router.basis.instants import NEVER, Instant
from router.chains.enquiry import File, Hop
from router.chains.events import Disposition
from router.chains.terms import OnListEnd, Seat


class Sight(msgspec.Struct, frozen=True, array_like=True):
    """A head who cannot be offered the call at this moment, and why. Whoever is not named is free."""

    person: str
    why: str
    """`claimed`, `in_call`, `away`, `unreachable`."""
    by: str = ""
    """The chain that holds him, for the explanation."""


CLAIMED = frozenset({"claimed", "in_call"})


def person_key(person: str) -> str:
    """The claim key of a head."""
    return f"person:{person}"


def state_key(person: str) -> str:
    """The key under which one waits for a head who is away or off line."""
    return f"state:{person}"


@dataclass(frozen=True, slots=True)
class Choice:
    """Whom to ring; or until when, and for whom, to wait."""

    seat: Seat | None
    wake: Instant = NEVER
    """When somebody's rest ends."""
    keys: tuple[str, ...] = ()
    over: bool = False
    """The list is at its end and does not begin again."""


def choose(file: File, sights: tuple[Sight, ...], at: Instant) -> Choice:
    """The next head for this call."""
    seats = file.plan.value.seats
    barred = {sight.person: sight.why for sight in sights}
    order = _in_order(file, seats)
    asked = [seat for seat in seats if seat.person in file.wants and seat.person not in barred]
    if asked:
        return Choice(asked[0])
    wake, keys, reluctant = NEVER, list[str](), None
    for seat in order:
        why = barred.get(seat.person)
        if why is not None:
            keys.append(person_key(seat.person) if why in CLAIMED else state_key(seat.person))
            continue
        last = _last_hop(file, seat.person)
        ready = _ready(file, last)
        if ready is None:
            keys.append(state_key(seat.person))
        elif ready > at:
            wake = min(wake, ready)
        elif last is not None and last.how is Disposition.DECLINED:
            reluctant = reluctant or seat
        else:
            return Choice(seat)
    if reluctant is not None:
        return Choice(reluctant)
    over = not keys and wake == NEVER
    return Choice(None, wake, tuple(keys), over)


def _in_order(file: File, seats: tuple[Seat, ...]) -> tuple[Seat, ...]:
    position = _position(file, seats)
    if file.terms.on_list_end is OnListEnd.WRAP:
        return seats[position:] + seats[:position]
    offered = {hop.person for hop in file.hops}
    passed_over = tuple(seat for seat in seats[:position] if seat.person not in offered)
    return seats[position:] + passed_over


def _position(file: File, seats: tuple[Seat, ...]) -> int:
    """Index of the seat after the one offered last."""
    if not file.hops:
        return 0
    last = file.hops[-1].person
    return next((index + 1 for index, seat in enumerate(seats) if seat.person == last), 0)


def _last_hop(file: File, person: str) -> Hop | None:
    return next((hop for hop in reversed(file.hops) if hop.person == person), None)


def _ready(file: File, last: Hop | None) -> Instant | None:
    """From when on a head may be offered this call again; None: when his state has changed."""
    if last is None or last.ended is None:
        return Instant(0)
    if last.how is Disposition.UNREACHABLE:
        return Instant(0) if last.person in file.back else None
    patient = last.how is Disposition.NO_ANSWER and last.ended >= last.end - file.terms.at_once
    return Instant(0) if patient else Instant(last.ended + file.terms.rest)
