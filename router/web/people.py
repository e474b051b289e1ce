"""What each head does now. Claims say who is busy, the call that holds the claim says with what."""

from collections.abc import Mapping, Sequence

from router.basis.instants import Instant
from router.basis.machine import ChainId
from router.basis.people import Directory, Person
from router.chains.call_states import Connecting, Ended, Followed, Ringing, Talking
from router.chains.choice import person_key
from router.chains.enquiry import talker_since
from router.chains.roster import Roster
from router.engine.core import Core
from router.office import roster_of
from router.web.views import PersonView

NEVER_SINCE = Instant(0)


def people_views(core: Core, directory: Directory, live: Sequence[ChainId]) -> tuple[PersonView, ...]:
    """The heads of all chains, in list order; `live` are the calls to look through where no claims are kept."""
    roster = roster_of(core)
    without_claims = _by_person(core, live)
    return tuple(_person(core, person, roster, without_claims) for person in _heads(directory))


def _heads(directory: Directory) -> list[Person]:
    ids = dict.fromkeys(head for chain in directory.chains for head in chain.heads)
    return [person for head in ids if (person := directory.person(head)) is not None]


def _person(core: Core, person: Person, roster: Roster, without_claims: Mapping[str, ChainId]) -> PersonView:
    holder = core.claims.holder(person_key(person.id)) or without_claims.get(person.id)
    if holder is not None and (busy := _busy(core, holder, person)) is not None:
        return busy
    why = roster.why_not(person.id, *person.extensions)
    if why == "paused":
        return PersonView(person.id, person.name, "paused", NEVER_SINCE)
    if why == "in_call":
        return PersonView(person.id, person.name, "in_call", NEVER_SINCE)
    if why == "away":
        until = next((entry.until for entry in roster.away if entry.person == person.id), None)
        return PersonView(person.id, person.name, "away", until or NEVER_SINCE)
    if why is not None or not person.extensions:
        return PersonView(person.id, person.name, "unreachable", NEVER_SINCE)
    return PersonView(person.id, person.name, "free", NEVER_SINCE)


def _busy(core: Core, holder: ChainId, person: Person) -> PersonView | None:
    live = core.live.get(holder)
    match live.state if live is not None else None:
        case Ringing(_, hops) if any(hop.person == person.id for hop in hops):
            return PersonView(person.id, person.name, "rung", NEVER_SINCE)
        case Followed(_, _, _, holds) if person.id in holds:
            return PersonView(person.id, person.name, "rung", NEVER_SINCE)
        case Connecting(_, hop) if hop.person == person.id:
            return PersonView(person.id, person.name, "talk", hop.answered or hop.start)
        case Talking(file, end) if end.person == person.id:
            return PersonView(person.id, person.name, "talk", talker_since(file, end))
        case Ended(_, end, wrap_until) if end.person == person.id and wrap_until:
            return PersonView(person.id, person.name, "pause", NEVER_SINCE)
        case _ if holder.startswith("call:") and core.claims.holder(person_key(person.id)) == holder:
            # A leg that was told to stop and is not confirmed over: no other call is offered to him yet.
            return PersonView(person.id, person.name, "clearing", NEVER_SINCE)
        case _:
            return None


def _by_person(core: Core, live: Sequence[ChainId]) -> Mapping[str, ChainId]:
    found: dict[str, ChainId] = {}
    for chain in live:
        known = core.live.get(chain)
        match known.state if known is not None else None:
            case Ringing(_, hops):
                for hop in hops:
                    found.setdefault(hop.person, chain)
            case Connecting(_, hop):
                found.setdefault(hop.person, chain)
            case Followed(_, _, rings):
                for ring in rings:
                    found.setdefault(ring.person, chain)
            case Talking(_, end):
                found[end.person] = chain
            case _:
                pass
    return found
