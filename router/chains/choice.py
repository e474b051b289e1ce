"""Who is offered the call next. Pure; the rules of who may be rung again and when stand here and nowhere else.

- In list order, on from the head who was offered last; after the last the list begins again (`on_list_end`).
- A head who is claimed, in a call, away or off line is passed over and waited for if nobody is left.
- Whose offer ended at once (busy, failed, a phone that stopped by itself) rests for 10 s in this call.
- Who declined is offered only when none of the others can be, and rests too.
- Who was unreachable is offered again only after his state has changed.
- A head who pressed Take is first, whoever pressed first before others; the list then goes on where it was.
- Where everybody on the list is away when the call comes, there is nobody to wait for.
"""

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


class Choice(msgspec.Struct, frozen=True):
    """Whom to ring; or until when, and for whom, to wait."""

    seat: Seat | None
    wake: Instant = NEVER
    """When somebody's rest ends."""
    keys: tuple[str, ...] = ()
    over: bool = False
    """The list is at its end and does not begin again."""


class Obstacle(msgspec.Struct, frozen=True):
    """Why a head is not offered the call now."""

    code: str
    """`claimed`, `in_call`, `away`, `unreachable` (as seen), `no_change` (unreachable before, nothing changed since),
    `rests`, `declined` (others come first)."""
    by: str = ""
    """The chain that holds him."""
    until: Instant | None = None
    """End of his rest."""


def obstacle(file: File, person: str, sights: tuple[Sight, ...], at: Instant) -> Obstacle | None:
    """Why this head is not offered the call now; None: nothing is in the way."""
    for sight in sights:
        if sight.person == person:
            return Obstacle(sight.why, sight.by)
    last = _last_hop(file, person)
    ready = _ready(file, last)
    if ready is None:
        return Obstacle("no_change")
    if ready > at:
        return Obstacle("rests", until=ready)
    return Obstacle("declined") if last is not None and last.how is Disposition.DECLINED else None


def choose(file: File, sights: tuple[Sight, ...], at: Instant) -> Choice:
    """The next head for this call."""
    seats = file.plan.value.seats
    barred = {sight.person: sight.why for sight in sights}
    wanting = [seat for person in file.wants for seat in seats if seat.person == person]
    for seat in wanting:
        if seat.person not in barred:
            return Choice(seat)
    if not file.hops and all(barred.get(seat.person) == "away" for seat in seats):
        return Choice(None, over=True)
    # Who pressed Take and cannot now is waited for even where the list has passed him for good.
    keys = [_key(seat.person, barred[seat.person]) for seat in wanting]
    wake, reluctant = NEVER, None
    for seat in in_order(file):
        if seat in wanting:
            continue
        stands = obstacle(file, seat.person, sights, at)
        if stands is None:
            return Choice(seat)
        if stands.until is not None:
            wake = min(wake, stands.until)
        elif stands.code == "declined":
            reluctant = reluctant or seat
        else:
            keys.append(_key(seat.person, stands.code))
    if reluctant is not None:
        return Choice(reluctant)
    over = not keys and wake == NEVER
    return Choice(None, wake, tuple(keys), over)


def _key(person: str, why: str) -> str:
    return person_key(person) if why in CLAIMED else state_key(person)


def in_order(file: File) -> tuple[Seat, ...]:
    """The list as this call goes through it now: on from the head after the one offered last."""
    seats = file.plan.value.seats
    position = _position(file, seats)
    order = seats[position:] + seats[:position]
    if file.terms.on_list_end is OnListEnd.WRAP:
        return order
    offered = {hop.person for hop in file.hops}
    return tuple(seat for seat in order if seat.person not in offered)


def _position(file: File, seats: tuple[Seat, ...]) -> int:
    """Index of the seat after the one offered last in his turn."""
    last = next((hop.person for hop in reversed(file.hops) if hop.in_turn), None)
    return next((index + 1 for index, seat in enumerate(seats) if seat.person == last), 0)


def _last_hop(file: File, person: str) -> Hop | None:
    return next((hop for hop in reversed(file.hops) if hop.person == person), None)


def _ready(file: File, last: Hop | None) -> Instant | None:
    """From when on a head may be offered this call again; None: when his state has changed."""
    if last is None or last.ended is None:
        return Instant(0)
    if last.how is Disposition.UNREACHABLE:
        return Instant(0) if last.person in file.back else None
    # Half of a short ring: else one that lasts no longer than `at_once` could never have ended at once.
    patience = max(last.end - file.terms.at_once, (last.start + last.end) // 2)
    patient = last.how is Disposition.NO_ANSWER and last.ended >= patience
    return Instant(0) if patient else Instant(last.ended + file.terms.rest)
