"""What a call sees of the company at the moment an event is admitted: its plan, who is free, whose extension that is.

Looked up once, stored with the event; a replay never comes here. It knows chains and the engine, so it stands beside
`app`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from router.basis.instants import Duration, Instant
from router.basis.machine import ChainId, Event, State
from router.basis.people import Directory
from router.basis.pinned import Pinned
from router.chains.call import CallMachine
from router.chains.call_states import CallSeen, Connecting, Filed, Opening, Ringing, Stranger, Waiting
from router.chains.callback import CallbackMachine
from router.chains.choice import Sight, person_key
from router.chains.events import (
    CallArrived,
    Disposition,
    FallbackServed,
    LegAnswered,
    TalkConfirmed,
    TalkStarted,
    TalkTransferred,
)
from router.chains.roster import ROSTER, Roster, RosterMachine
from router.chains.terms import HopTimer, Plan, Seat, Terms, with_deviations
from router.engine.core import Core, Look
from router.telephony_adapter.port import Abilities

NOTHING = CallSeen()

Naming = LegAnswered | TalkStarted | TalkConfirmed | TalkTransferred
"""Facts that name an extension: whose it is, is looked up."""


def machines() -> tuple[CallMachine, CallbackMachine, RosterMachine]:
    """All machines of this release, every version that may still have chains under way."""
    return (CallMachine(), CallbackMachine(), RosterMachine())


def call_chain(pbx: str, call: str) -> ChainId:
    """The chain of a call."""
    return f"call:{pbx}:{call}"


def roster_of(core: Core) -> Roster:
    """The roster as it stands; empty before the first directory was applied."""
    live = core.live.get(ROSTER)
    return live.state if live is not None and isinstance(live.state, Roster) else Roster()


class Office:
    """Looks for calls. One per engine."""

    def __init__(self, abilities: Mapping[str, Abilities], terms: Terms | None = None) -> None:
        self._abilities = abilities
        self._terms = terms or Terms()
        self._plans: dict[tuple[str, str, str], tuple[str, Pinned[Plan]]] = {}
        self._owners: dict[str, dict[str, str]] = {}

    def looks(self) -> dict[str, Look]:
        """By kind of chain."""
        return {"call": self.look_at_call}

    def look_at_call(self, chain: ChainId, event: Event, core: Core, at: Instant) -> CallSeen:
        """What this step of a call sees."""
        live = core.live.get(chain)
        state = live.state if live is not None else None
        roster = roster_of(core)
        opening: Opening | None = None
        plan: Pinned[Plan] | None = None
        if state is None or _has_no_papers(state, event):
            opening = self._opening(chain, event, roster, core)
            plan = opening.plan
        elif isinstance(state, Ringing | Waiting | Connecting):
            plan = state.file.plan
        sights = self._sights(chain, plan.value, roster, core) if plan is not None else ()
        back = _back(state, roster) if isinstance(state, Ringing | Waiting | Connecting) else ()
        answerer = ""
        named = event.extension if isinstance(event, Naming) else ""
        if named and roster.directory:
            answerer = self._owner(roster.directory, named)
        if opening is None and not sights and not answerer and not back:
            return NOTHING
        return CallSeen(opening, sights, answerer, back)

    def _owner(self, directory: Pinned[Directory], extension: str) -> str:
        """The person whose extension this is; empty: nobody's, or more than one's."""
        if directory.digest not in self._owners:
            people = directory.value.people
            known = {extension: directory.value.owner(extension) for one in people for extension in one.extensions}
            self._owners = {directory.digest: {name: owner.id for name, owner in known.items() if owner is not None}}
        return self._owners[directory.digest].get(extension, "")

    def _opening(self, chain: ChainId, event: Event, roster: Roster, core: Core) -> Opening:
        _, pbx, call = chain.split(":", 2)
        number = event.line if isinstance(event, CallArrived | FallbackServed) else ""
        channel, plan = self.plan(pbx, number, roster, core)
        return Opening(call, pbx, number, channel, plan)

    def plan(self, pbx: str, number: str, roster: Roster, core: Core) -> tuple[str, Pinned[Plan]]:
        """Advertising channel and plan of a call to `number`.

        A number that is not in the number plan is served by the first chain: a client is never lost to a missing line.
        """
        digest = roster.directory.digest if roster.directory else ""
        key = (digest, pbx, number)
        if key not in self._plans:
            directory = roster.directory.value if roster.directory else Directory()
            self._plans[key] = self._make_plan(pbx, number, directory, core)
        return self._plans[key]

    def _make_plan(self, pbx: str, number: str, directory: Directory, core: Core) -> tuple[str, Pinned[Plan]]:
        line = directory.line(number)
        chain = directory.chain(line.chain) if line else None
        if chain is None and directory.chains:
            chain = directory.chains[0]
        if chain is None:
            return "", core.contents.pin(Plan("", self._able(self._terms, pbx), ()))
        terms, _ = with_deviations(self._terms, chain.terms, f"chain.{chain.id}")
        # The PBX's abilities last: no wish makes it report what it does not.
        terms = self._able(terms, pbx)
        people = [person for head in chain.heads if (person := directory.person(head)) and person.extensions]
        seats = tuple(Seat(person.id, person.extensions[0]) for person in people)
        return (line.channel if line else ""), core.contents.pin(Plan(chain.id, terms, seats))

    def _able(self, terms: Terms, pbx: str) -> Terms:
        abilities = self._abilities.get(pbx)
        if abilities is None:
            return terms
        changes: dict[str, Any] = {
            "hop_timer": HopTimer(abilities.owns_timer),
            "whole_second_timer": abilities.whole_second_timer,
            "can_connect_late": abilities.can_connect_late,
            "can_record": abilities.can_record,
        }
        if not abilities.reports_ringing:
            changes["no_ringing_after"] = Duration(0)
        return msgspec.structs.replace(terms, **changes)

    def _sights(self, chain: ChainId, plan: Plan, roster: Roster, core: Core) -> tuple[Sight, ...]:
        sights: list[Sight] = []
        exclusive = plan.terms.offers_per_person != 0
        everybody_there = not roster.away and not roster.unreachable
        if everybody_there and not exclusive:
            return ()
        holder_of = core.claims.holder
        for seat in plan.seats:
            # Who is away is not waited for although he still talks: first whether he is there, then whether he is free.
            if not everybody_there and (why := roster.why_not(seat.person, seat.extension)) is not None:
                sights.append(Sight(seat.person, why))
                continue
            holder = holder_of(person_key(seat.person)) if exclusive else None
            if holder is not None and holder != chain:
                sights.append(Sight(seat.person, "claimed", holder))
        return tuple(sights)


def _has_no_papers(state: State, event: Event) -> bool:
    """The call's arrival was not told yet, or is told by this event after other facts."""
    return isinstance(state, Stranger) or (
        isinstance(event, CallArrived) and isinstance(state, Filed) and not state.file.reported
    )


def _back(state: Ringing | Waiting | Connecting, roster: Roster) -> tuple[str, ...]:
    """Heads whom this call found unreachable and who came back, or whose phones did, since then."""
    last = {hop.person: hop for hop in state.file.hops}
    if not isinstance(state, Waiting):
        last[state.hop.person] = state.hop  # he is being tried again already
    return tuple(
        person
        for person, hop in last.items()
        if hop.how is Disposition.UNREACHABLE and roster.changed.get(person, 0) > (hop.ended or hop.end)
    )
