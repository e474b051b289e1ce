"""What a call sees of the company at the moment an event is admitted: its plan, who is free, whose extension that is.

Looked up once, stored with the event; a replay never comes here. It knows chains and the engine, so it stands beside
`app`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from router.basis.instants import Duration, Instant
from router.basis.machine import ChainId, Event, Machine, State
from router.basis.people import Directory
from router.basis.pinned import Pinned
from router.basis.timetable import Off, Timetable
from router.chains.attendance import Presence
from router.chains.call import CallMachine
from router.chains.call_states import CallSeen, Connecting, Filed, Followed, Opening, Ringing, Stranger, Waiting
from router.chains.callback import CallbackMachine
from router.chains.client import ClientMachine
from router.chains.enquiry import NOTHING_KNOWN
from router.chains.events import (
    AdviceAsked,
    CallArrived,
    Disposition,
    FallbackServed,
    LegAnswered,
    LegEnded,
    LegRinging,
    OffersMissed,
    TalkConfirmed,
    TalkStarted,
    TalkTransferred,
)
from router.chains.operations import OperationsMachine
from router.chains.roster import ROSTER, Roster, RosterMachine
from router.chains.terms import HopTimer, Plan, Seat, Style, Terms, with_deviations
from router.crm_bridge.builtin.book import ClientBook
from router.engine.core import Core, Look
from router.engine.line import LineMachine, ahead_of, followers
from router.places import known_of, seat_of, sights_of
from router.recall import Recall
from router.telephony_adapter.port import Abilities

NOTHING = CallSeen()
NOBODY = Presence()

_NAMES_A_PHONE = LegRinging | LegAnswered | LegEnded | TalkStarted | TalkConfirmed | TalkTransferred


def machines() -> tuple[Machine[Any, Any, Any], ...]:
    """All machines of this release, every version that may still have chains under way."""
    return (CallMachine(), CallbackMachine(), RosterMachine(), ClientMachine(), LineMachine(), OperationsMachine())


def call_chain(pbx: str, call: str) -> ChainId:
    """The chain of a call."""
    return f"call:{pbx}:{call}"


def on_wall(core: Core, at: Instant) -> Instant:
    """What the clock on the wall shows at an instant of the line: hours and absences go by it."""
    return Instant(at + ahead_of(core))


def roster_of(core: Core) -> Roster:
    """The roster as it stands; empty before the first directory was applied."""
    live = core.live.get(ROSTER)
    return live.state if live is not None and isinstance(live.state, Roster) else Roster()


class Office:
    """Looks for calls and the roster. One per engine."""

    def __init__(
        self, abilities: Mapping[str, Abilities], terms: Terms | None = None, recall: Recall | None = None
    ) -> None:
        self.recall = recall or Recall()
        self.book = ClientBook()
        self._abilities = abilities
        self._terms = terms or Terms()
        self._plans: dict[tuple[str, str, str], tuple[str, Pinned[Plan]]] = {}
        self._owners: dict[str, dict[str, str]] = {}
        self.draining = False
        """New calls are given to the PBX's own plan: the server is about to be stopped."""
        self._timetable = ("", Timetable(Directory()))

    def looks(self) -> dict[str, Look]:
        """By kind of chain."""
        return {"call": self.look_at_call, "roster": self.look_at_roster, LineMachine.kind: followers}

    def look_at_roster(self, chain: ChainId, event: Event, core: Core, at: Instant) -> Presence:
        """What a step of the roster sees: when heads who let a call ring out talked last."""
        if not isinstance(event, OffersMissed):
            return NOBODY
        return Presence({person: self.recall.last_talk(person) for person in event.people})

    def look_at_call(self, chain: ChainId, event: Event, core: Core, at: Instant) -> CallSeen:
        """What this step of a call sees."""
        live = core.live.get(chain)
        state = live.state if live is not None else None
        roster = roster_of(core)
        if self.draining and live is None and isinstance(event, CallArrived):
            return CallSeen(self._opening(chain, event, roster, core, at), draining=True)
        opening: Opening | None = None
        terms, seats = self._terms, tuple[Seat, ...]()
        if state is None or _has_no_papers(state, event):
            opening = self._opening(chain, event, roster, core, at)
            terms, seats = opening.plan.value.terms, opening.known.seats or opening.plan.value.seats
        elif isinstance(state, Ringing | Waiting | Connecting | Followed):
            terms, seats = state.file.terms, state.file.seats
        kept = state.holds if isinstance(state, Followed) and not state.rings else ()
        off = self._off(seats, roster, on_wall(core, at)) if seats else {}
        sights = sights_of(chain, terms, seats, roster, core, event, off, kept) if seats else ()
        dead = _dead(seats, roster) if roster.unreachable else ()
        back = _back(state, roster) if isinstance(state, Ringing | Waiting | Connecting | Followed) else ()
        answerer = ""
        if isinstance(event, _NAMES_A_PHONE) and event.extension and roster.directory:
            answerer = self._owner(roster.directory, event.extension)
        if opening is None and not sights and not answerer and not back and not dead:
            return NOTHING
        return CallSeen(opening, sights, answerer, back, dead)

    def _owner(self, directory: Pinned[Directory], extension: str) -> str:
        """The person whose extension this is; empty: nobody's, or more than one's."""
        if directory.digest not in self._owners:
            self._owners = {directory.digest: directory.value.owners()}
        return self._owners[directory.digest].get(extension, "")

    def _opening(self, chain: ChainId, event: Event, roster: Roster, core: Core, at: Instant) -> Opening:
        _, pbx, call = chain.split(":", 2)
        number = event.line if isinstance(event, CallArrived | AdviceAsked | FallbackServed) else ""
        channel, plan = self.plan(pbx, number, roster, core)
        known = NOTHING_KNOWN
        if isinstance(event, CallArrived | AdviceAsked):
            directory = roster.directory.value if roster.directory else Directory()
            client = self.book.by_phone(event.caller)
            known = known_of(event.caller, client, plan.value, directory, self.recall, at)
            timetable = self._times(roster)
            if not timetable.chain_open(plan.value.chain, on_wall(core, at)):
                known = msgspec.structs.replace(known, closed="hours")
        return Opening(call, pbx, number, channel, plan, known)

    def _times(self, roster: Roster) -> Timetable:
        """Who works when, by the directory as it stands."""
        digest = roster.directory.digest if roster.directory else ""
        if self._timetable[0] != digest:
            self._timetable = (digest, Timetable(roster.directory.value if roster.directory else Directory()))
        return self._timetable[1]

    def _off(self, seats: tuple[Seat, ...], roster: Roster, at: Instant) -> dict[str, Off]:
        """Heads of a list who do not work now."""
        timetable = self._times(roster)
        if not timetable.has_hours:
            return {}
        found = ((seat.person, timetable.off(seat.person, at)) for seat in seats)
        return {person: off for person, off in found if off is not None}

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
        people = [person for head in chain.heads if (person := directory.person(head)) and person.phones]
        seats = tuple(map(seat_of, people))
        return (line.channel if line else ""), core.contents.pin(Plan(chain.id, terms, seats))

    def _able(self, terms: Terms, pbx: str) -> Terms:
        abilities = self._abilities.get(pbx)
        if abilities is None:
            return terms
        changes: dict[str, Any] = {
            "hop_timer": HopTimer.SERVER if abilities.owns_timer == "server" else HopTimer.PBX,
            "whole_second_timer": abilities.whole_second_timer,
            "can_connect_late": abilities.can_connect_late,
            "reports_ringing": abilities.reports_ringing,
            "style": Style(abilities.style),
            "can_cancel_leg": abilities.can_cancel_leg,
            "can_reroute_ringing": abilities.can_reroute_ringing,
            "can_wait": abilities.can_wait,
            "can_look": abilities.can_look,
            "can_record": abilities.can_record,
        }
        if not abilities.reports_ringing:
            changes["no_ringing_after"] = Duration(0)
        return msgspec.structs.replace(terms, **changes)


def _dead(seats: tuple[Seat, ...], roster: Roster) -> tuple[str, ...]:
    """Phones that cannot be reached, of heads who have another one that can."""
    return tuple(
        phone.extension
        for seat in seats
        if seat.others and any(other.extension not in roster.unreachable for other in seat.phones)
        for phone in seat.phones
        if phone.extension in roster.unreachable
    )


def _has_no_papers(state: State, event: Event) -> bool:
    """The call's arrival was not told yet, or is told by this event after other facts."""
    return isinstance(state, Stranger) or (
        isinstance(event, CallArrived | AdviceAsked) and isinstance(state, Filed) and not state.file.reported
    )


def _back(state: Ringing | Waiting | Connecting | Followed, roster: Roster) -> tuple[str, ...]:
    """Heads whom this call found unreachable and who came back, or whose phones did, since then."""
    if not any(hop.how is Disposition.UNREACHABLE for hop in state.file.hops):
        return ()
    last = {hop.person: hop for hop in state.file.hops}
    if isinstance(state, Ringing | Connecting):
        for hop in state.hops if isinstance(state, Ringing) else (state.hop,):
            last[hop.person] = hop  # he is being tried again already
    return tuple(
        person
        for person, hop in last.items()
        if hop.how is Disposition.UNREACHABLE and roster.changed.get(person, 0) > (hop.ended or hop.end)
    )
