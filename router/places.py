"""What a call sees of the heads at one moment: in which order they come for this caller, and who cannot be offered it.

Read by `router.office` when an event is admitted, stored with the event.
"""

from collections.abc import Mapping

from router.basis.clients import Client
from router.basis.instants import Instant
from router.basis.machine import ChainId, Event, Granted, Token
from router.basis.people import Device, Directory, Person
from router.basis.timetable import Off
from router.chains.choice import Sight, person_key
from router.chains.enquiry import NOTHING_KNOWN, Known
from router.chains.roster import Roster
from router.chains.terms import Order, Phone, Plan, Seat, Terms
from router.engine.core import Core
from router.recall import Recall, Visit

SPAM_RANK = 1
"""A number whose last mark is spam is served after the others that wait; it is never refused (design, section 5)."""


# --- who cannot be offered the call ---------------------------------------------------------------------------------


def sights_of(  # noqa: PLR0913 - all that decides who is free
    chain: ChainId,
    terms: Terms,
    seats: tuple[Seat, ...],
    roster: Roster,
    core: Core,
    event: Event,
    off: Mapping[str, Off],
    kept: tuple[str, ...] = (),
) -> tuple[Sight, ...]:
    """The heads who cannot be offered the call now, and why. `off`: heads who do not work now. `kept`: granted to this
    call before, for its next question."""
    exclusive = terms.offers_per_person != 0
    undisturbed = roster.undisturbed()
    if undisturbed and not exclusive and not off:
        return ()
    sights: list[Sight] = []
    for seat in seats:
        if seat.person in off:
            gone = off[seat.person]
            sights.append(Sight(seat.person, "off", gone.why, gone.until or Instant(0)))
            continue
        why = None if undisturbed else roster.why_not(seat.person, *(phone.extension for phone in seat.phones))
        # Who is away is not waited for although he still talks: first whether he is there, then whether he is free.
        if why is not None and why != "in_call":
            sights.append(Sight(seat.person, why))
            continue
        held = _held(chain, seat.person, core, event) if exclusive and seat.person not in kept else None
        if held is not None:
            sights.append(held)
        elif why is not None:
            sights.append(Sight(seat.person, why))
    return tuple(sights)


def _held(chain: ChainId, person: str, core: Core, event: Event) -> Sight | None:
    """Another call has the head; or this one had its offer to him, and another waits for one.

    With more callers than heads every call would else ring its own head again and again, while the callers behind it
    are offered to nobody: he is left to them (the release grants him to the first), and this call gets the next head
    whom another lets go.
    """
    key = person_key(person)
    holder = core.claims.holder(key)
    if holder != chain:
        return Sight(person, "claimed", holder) if holder is not None else None
    if isinstance(event, Granted) and event.key == key:
        return None  # it is this call's turn
    first = core.claims.next_waiter(key, {chain})
    return Sight(person, "wanted", first) if first is not None else None


# --- the list as it is for one caller -------------------------------------------------------------------------------


def known_of(
    caller: Token | None, client: Client | None, plan: Plan, directory: Directory, recall: Recall, at: Instant
) -> Known:
    """What is known of a caller when he calls, and the list's order for him.

    First the person responsible for him, else who talked with him last (design, section 5).
    """
    seats = in_order(plan, recall, at)
    rank = client.rank if client is not None else 0
    first = _seat(client.responsible, plan, directory) if client is not None and plan.terms.returning_first else None
    why, since = "responsible", Instant(0)
    visit = recall.visit(caller) if caller is not None else None
    if visit is not None:
        rank = max(rank, SPAM_RANK) if visit.spam and client is None else rank
        if visit.left and at - visit.left <= plan.terms.place_kept:
            since = visit.arrived
        if first is None and _knows_him(visit, plan, at):
            first, why = _seat(visit.talker, plan, directory), "last_talker"
    if first is not None:
        seats = (first, *(seat for seat in seats if seat.person != first.person))
    as_planned = seats == plan.seats
    if as_planned and first is None and not rank and not since:
        return NOTHING_KNOWN
    return Known(() if as_planned else seats, why if first is not None else "", rank, since)


def _knows_him(visit: Visit, plan: Plan, at: Instant) -> bool:
    remembered = at - visit.talked <= plan.terms.returning_within
    return plan.terms.returning_first and not visit.spam and remembered


def _seat(person: str, plan: Plan, directory: Directory) -> Seat | None:
    """Where a head is rung who may or may not be on the list."""
    listed = next((seat for seat in plan.seats if seat.person == person), None)
    if listed is not None:
        return listed
    known = directory.person(person) if person else None
    return seat_of(known) if known is not None and known.phones else None


def seat_of(person: Person) -> Seat:
    """Where a person is rung: at his first phone and those that are described beside it, together."""
    first, *others = (_phone(device) for device in person.rung)
    plain = first == Phone(first.extension)
    return Seat(person.id, first.extension, tuple(others), None if plain else first)


def _phone(device: Device) -> Phone:
    return Phone(device.extension, device.count_from == "ringing", device.cap, device.no_ringing_after)


def in_order(plan: Plan, recall: Recall, at: Instant) -> tuple[Seat, ...]:
    """The list in the order that its terms ask for; ties keep the order in which it was written."""
    seats = plan.seats
    match plan.terms.order:
        case Order.FIXED:
            return seats
        case Order.ROTATE:
            return _after(recall.first_of(plan.chain), seats)
        case Order.LONGEST_IDLE:
            return tuple(sorted(seats, key=lambda seat: recall.last_talk(seat.person)))
        case Order.FEWEST_CALLS:
            return tuple(sorted(seats, key=lambda seat: recall.taken_today(seat.person, at)))


def _after(person: str, seats: tuple[Seat, ...]) -> tuple[Seat, ...]:
    index = next((index + 1 for index, seat in enumerate(seats) if seat.person == person), 0)
    return (*seats[index:], *seats[:index])
