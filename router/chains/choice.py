"""Who is offered the call next. Pure; the rules of who may be rung again and when stand here and nowhere else.

- In list order, on from the head who was offered last; after the last the list begins again (`on_list_end`).
- A head who is claimed, in a call, away or off line is passed over and waited for if nobody is left.
- A head who let this call ring out and for whom other callers wait is left to them, and waited for like a claimed one.
- Whose offer ended at once (busy, failed, a phone that stopped by itself) rests for 10 s in this call.
- Who declined is offered only when none of the others can be, and rests too.
- Who was unreachable is offered again only after his state has changed.
- A head who pressed Take is first, whoever pressed first before others; the list then goes on where it was.
- Where everybody on the list is away when the call comes, there is nobody to wait for.
"""

import msgspec

from router.basis.instants import NEVER, SECOND, Duration, Instant
from router.chains.enquiry import File, Hop
from router.chains.events import Disposition
from router.chains.terms import OnListEnd, Seat


class Sight(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """A head who cannot be offered the call at this moment, and why. Whoever is not named is free."""

    person: str
    why: str
    """`claimed`, `wanted` (had his offer; others wait for him), `in_call` (in a call that is none of ours), `away`,
    `paused`, `off` (not his working hours), `unreachable`."""
    by: str = ""
    """The chain that holds or wants him; of who is off, why (`off_hours`, or the reason of an absence)."""
    until: Instant = Instant(0)
    """When who is off works again; 0: not known."""


CLAIMED = frozenset({"claimed", "wanted"})
"""Obstacles that end when a claim does; the others end with a word to the roster, which frees the state key."""

LEFT_FOR = Duration(1 * SECOND)
"""A head who is left to another caller is looked at again after this: that one may have found another meanwhile,
while the head's last leg is still being confirmed over (waited for no longer either, `Delivery.after_limit`)."""

ABSENT = frozenset({"away", "paused", "off"})
"""A caller does not wait for these when nobody else is on duty."""


def person_key(person: str) -> str:
    """The claim key of a head."""
    return f"person:{person}"


def state_key(person: str) -> str:
    """The key under which one waits for a head who is away or off line."""
    return f"state:{person}"


class Choice(msgspec.Struct, frozen=True, gc=False):
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
    """As seen (`Sight.why`); `no_change` (unreachable before, nothing changed since), `rests`, `declined` (others come
    first), `rung` (his phone rings already)."""
    by: str = ""
    """The chain that holds him."""
    until: Instant | None = None
    """End of his rest."""


def obstacle(file: File, person: str, sights: tuple[Sight, ...], at: Instant) -> Obstacle | None:
    """Why this head is not offered the call now; None: nothing is in the way."""
    for sight in sights:
        if sight.person == person:
            return Obstacle(sight.why, sight.by, sight.until or None)
    offer = last_offer(file, person)
    ready = _ready(file, offer)
    if ready is None:
        return Obstacle("no_change")
    if ready > at:
        return Obstacle("rests", until=ready)
    return Obstacle("declined") if _declined(offer) else None


def choose(file: File, sights: tuple[Sight, ...], at: Instant, rung: frozenset[str] = frozenset()) -> Choice:
    """The next head for this call. `rung`: heads whose phones ring for it already."""
    seats = file.seats
    barred = {sight.person: sight.why for sight in sights}
    wanting = [seat for person in file.wants for seat in seats if seat.person == person and person not in rung]
    for seat in wanting:
        if seat.person not in barred:
            return Choice(seat)
    if not file.hops and not rung and _nobody_on_duty(file, sights):
        return Choice(None, over=True)
    # Who pressed Take and cannot now is waited for even where the list has passed him for good.
    keys = [_key(seat.person, barred[seat.person]) for seat in wanting]
    wake, reluctant = NEVER, None
    for seat in in_order(file, rung):
        if seat in wanting or seat.person in rung:
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
            if stands.code == "wanted":
                wake = min(wake, Instant(at + LEFT_FOR))
    if reluctant is not None and not rung:
        return Choice(reluctant)
    over = not keys and wake == NEVER
    return Choice(None, wake, tuple(keys), over)


def _nobody_on_duty(file: File, sights: tuple[Sight, ...]) -> bool:
    """Every head is absent, and none of them comes back in time to be rung."""
    last = file.window_end - file.terms.min_offer
    absent = {sight.person for sight in sights if sight.why in ABSENT and not 0 < sight.until <= last}
    return all(seat.person in absent for seat in file.seats)


def _key(person: str, why: str) -> str:
    return person_key(person) if why in CLAIMED else state_key(person)


def in_order(file: File, rung: frozenset[str] = frozenset()) -> tuple[Seat, ...]:
    """The list as this call goes through it now: on from the head after the one offered last."""
    seats = file.seats
    position = _position(file, seats, rung)
    order = seats[position:] + seats[:position]
    if file.terms.on_list_end is OnListEnd.WRAP:
        return order
    offered = {hop.person for hop in file.hops}
    return tuple(seat for seat in order if seat.person not in offered)


def _position(file: File, seats: tuple[Seat, ...], rung: frozenset[str]) -> int:
    """Index of the seat after the one offered last in his turn."""
    if rung:
        # A group: whoever is next on the list after the last of those who ring.
        return max((index + 1 for index, seat in enumerate(seats) if seat.person in rung), default=0)
    last = next((hop.person for hop in reversed(file.hops) if hop.in_turn), None)
    return next((index + 1 for index, seat in enumerate(seats) if seat.person == last), 0)


def last_offer(file: File, person: str) -> tuple[Hop, ...]:
    """The hops of the latest offer to a head that is over: one for each of his phones."""
    last = next((hop for hop in reversed(file.hops) if hop.person == person), None)
    if last is None or not last.offer:
        return () if last is None else (last,)
    return tuple(hop for hop in file.hops if hop.offer == last.offer)


def rang_out(file: File, person: str) -> bool:
    """Whether the head let the latest offer of this call ring its time, at one of his phones at least."""
    offer = last_offer(file, person)
    return not _declined(offer) and any(_rang_its_time(file, hop) and hop.rang is not None for hop in offer)


def _declined(offer: tuple[Hop, ...]) -> bool:
    return any(hop.how is Disposition.DECLINED for hop in offer)


def _ready(file: File, offer: tuple[Hop, ...]) -> Instant | None:
    """From when on a head may be offered this call again; None: when his state has changed."""
    ended = max((hop.ended for hop in offer if hop.ended is not None), default=None)
    if ended is None:
        return Instant(0)
    if all(hop.how is Disposition.UNREACHABLE for hop in offer):
        return Instant(0) if offer[0].person in file.back else None
    patient = not _declined(offer) and any(_rang_its_time(file, hop) for hop in offer)
    return Instant(0) if patient else Instant(ended + file.terms.rest)


def _rang_its_time(file: File, hop: Hop) -> bool:
    """Ended by patience, not by the phone."""
    # Half of a short ring: else one that lasts no longer than `at_once` could never have ended at once.
    patience = max(hop.end - file.terms.at_once, (hop.start + hop.end) // 2)
    return hop.how is Disposition.NO_ANSWER and hop.ended is not None and hop.ended >= patience
