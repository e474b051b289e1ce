"""What a call sees of the company at the moment an event is admitted: its plan, who is free, whose extension that is.

Looked up once, stored with the event; a replay never comes here. Knows chains and the engine, so it stands beside `app`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from router.basis.instants import Duration, Instant
from router.basis.machine import ChainId, Event
from router.basis.people import Directory
from router.basis.pinned import Pinned
from router.chains.call import CallMachine
from router.chains.call_states import CallSeen, Connecting, Opening, Ringing, Stranger, Waiting
from router.chains.callback import CallbackMachine
from router.chains.choice import Sight, person_key
from router.chains.events import CallArrived, FallbackServed, TalkConfirmed, TalkStarted
from router.chains.roster import ROSTER, Roster, RosterMachine
from router.chains.terms import HopTimer, Plan, Seat, Terms, with_deviations
from router.engine.core import Core, Look
from router.telephony_adapter.port import Abilities

NOTHING = CallSeen()


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
        if state is None or isinstance(state, Stranger):
            opening = self._opening(chain, event, roster, core)
            plan = opening.plan
        elif isinstance(state, Ringing | Waiting | Connecting):
            plan = state.file.plan
        sights = self._sights(chain, plan.value, roster, core) if plan is not None else ()
        answerer = ""
        if isinstance(event, TalkStarted | TalkConfirmed) and event.extension and roster.directory is not None:
            owner = roster.directory.value.owner(event.extension)
            answerer = owner.id if owner else ""
        if opening is None and not sights and not answerer:
            return NOTHING
        return CallSeen(opening, sights, answerer)

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
        terms = self._terms_for(pbx)
        if chain is None:
            return "", core.contents.pin(Plan("", terms, ()))
        terms, _ = with_deviations(terms, chain.terms, f"chain.{chain.id}")
        people = [person for head in chain.heads if (person := directory.person(head)) and person.extensions]
        seats = tuple(Seat(person.id, person.extensions[0]) for person in people)
        return (line.channel if line else ""), core.contents.pin(Plan(chain.id, terms, seats))

    def _terms_for(self, pbx: str) -> Terms:
        abilities = self._abilities.get(pbx)
        if abilities is None:
            return self._terms
        changes: dict[str, Any] = {
            "hop_timer": HopTimer(abilities.owns_timer),
            "whole_second_timer": abilities.whole_second_timer,
            "can_connect_late": abilities.can_connect_late,
        }
        if not abilities.reports_ringing:
            changes["no_ringing_after"] = Duration(0)
        return msgspec.structs.replace(self._terms, **changes)

    def _sights(self, chain: ChainId, plan: Plan, roster: Roster, core: Core) -> tuple[Sight, ...]:
        sights: list[Sight] = []
        exclusive = plan.terms.offers_per_person != 0
        for seat in plan.seats:
            holder = core.claims.holder(person_key(seat.person)) if exclusive else None
            if holder is not None and holder != chain:
                sights.append(Sight(seat.person, "claimed", holder))
            elif (why := roster.why_not(seat.person, seat.extension)) is not None:
                sights.append(Sight(seat.person, why))
        return tuple(sights)
