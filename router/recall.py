"""What the office remembers of calls that are over, for those that come: who talked when, with whom, who gave up.

A read model. It is fed by what the engine commits, read from the journal once after a start, and may be behind or empty
without harm: whatever a call takes from it is stored with the call's event, so a replay never asks it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec

from router.basis.instants import DAY, Duration, Instant, as_datetime
from router.basis.machine import Token
from router.chains.call_states import CallState, Ended, Filed, Talking, Transferring
from router.chains.enquiry import Outcome, asked, talker_since
from router.engine.core import Core, Draft
from router.engine.store.port import Store

REMEMBERED = Duration(30 * DAY)
"""How long the last talker of a number is known (design, section 5: within 30 days)."""

MOST_CALLERS = 100_000
"""Numbers remembered at most, the latest ones: some 20 MB, and 16 months of an office with 200 calls a day."""

MOST_READ = 20_000
"""Ended calls read from the journal after a start: three months of an office with 200 calls a day."""

AT_ONCE = 100
"""Calls taken in between two breaths of the loop while the journal is read: about 5 ms."""

MOSCOW = ZoneInfo("Europe/Moscow")


class Visit(msgspec.Struct, frozen=True):
    """What became of a number's latest calls."""

    talker: str = ""
    """Who talked with it last; empty: nobody, or not known."""
    talked: Instant = Instant(0)
    arrived: Instant = Instant(0)
    """When the call began that the client gave up himself; 0: his last call was served."""
    left: Instant = Instant(0)
    spam: bool = False
    """The last mark on it is spam."""


@dataclass(slots=True)
class Service:
    """A head's talks."""

    last: Instant = Instant(0)
    """End of his last talk, or the beginning of the present one."""
    taken: deque[Instant] = field(default_factory=lambda: deque(maxlen=1_000))
    """Beginnings of his talks, as they became known."""


class Recall:
    """See the module's docstring."""

    def __init__(self, zone: tzinfo = MOSCOW) -> None:
        self._zone = zone
        self._visits: dict[Token, Visit] = {}
        self._service: dict[str, Service] = {}
        self._firsts: dict[str, tuple[Instant, str]] = {}
        self._counted: dict[tuple[str, str], None] = {}
        """Call and head to whom it is counted, for calls of the last day."""

    # --- what is asked ------------------------------------------------------------------------------------------

    def visit(self, caller: Token) -> Visit | None:
        """The number's latest calls."""
        return self._visits.get(caller)

    def last_talk(self, person: str) -> Instant:
        """When the head talked last; 0: never, as far as is remembered."""
        service = self._service.get(person)
        return service.last if service else Instant(0)

    def taken_today(self, person: str, now: Instant) -> int:
        """How many calls the head has taken since midnight in the office's zone."""
        service = self._service.get(person)
        today = self._date(now)
        return sum(self._date(began) == today for began in service.taken) if service else 0

    def first_of(self, chain: str) -> str:
        """The head with whom the list's latest call began; empty: none is remembered."""
        return self._firsts.get(chain, (Instant(0), ""))[1]

    # --- what it is told ----------------------------------------------------------------------------------------

    def observe(self, core: Core, draft: Draft) -> None:
        """What has just become true."""
        # In the order of the records: `touched` is a set, whose order differs from one process to the next.
        for chain in dict.fromkeys(record.chain for record in draft.batch.records):
            live = core.live.get(chain)
            if live is not None and chain.startswith("call:"):
                self.note(live.state)  # type: ignore[arg-type] # chains of this kind have these states

    def note(self, state: CallState) -> None:
        """A state of a call; those of one call in their order."""
        if not isinstance(state, Filed):
            return
        file = state.file
        if file.hops or not isinstance(state, Ended):
            self._note_first(state)
        if isinstance(state, Talking | Transferring | Ended):
            self._note_talks(state)
        if isinstance(state, Ended) and file.caller is not None:
            self._note_visit(state, file.caller)

    async def read(self, core: Core, store: Store, breathe: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Take in ended calls of the journal, oldest first. What was observed meanwhile is newer and stays. Raises
        StoreUnavailable."""
        found = await store.find("call", final=True, newest=MOST_READ)
        seen, past = self._visits, Recall(self._zone)
        for number, stored in enumerate(reversed(found)):
            machine = core.machine(stored.kind, stored.machine_version)
            past.note(core.codec.state(machine, stored.state, stored.schema))  # type: ignore[arg-type] # as in `observe`
            if number % AT_ONCE == AT_ONCE - 1:
                await breathe(0)
        past._visits.update(seen)
        self._visits = past._visits
        self._firsts = {**past._firsts, **self._firsts}
        for person, service in past._service.items():
            present = self._service.setdefault(person, Service())
            present.last = max(present.last, service.last)
            present.taken.extendleft(reversed(service.taken))

    # --- inside -------------------------------------------------------------------------------------------------

    def _note_first(self, state: Filed) -> None:
        file = state.file
        hops = file.hops or getattr(state, "hops", ()) or getattr(state, "rings", ())
        chain = file.plan.value.chain
        if hops and hops[0].person and file.arrived >= self._firsts.get(chain, (Instant(0), ""))[0]:
            self._firsts[chain] = (file.arrived, hops[0].person)

    def _note_talks(self, state: Talking | Transferring | Ended) -> None:
        file, end = state.file, state.end
        for entry in file.passed:
            self._note_talk(file.chain, entry.person, entry.since, entry.at)
        if isinstance(state, Transferring) or end.outcome is not Outcome.ANSWERED:
            return
        began = talker_since(file, end)
        self._note_talk(file.chain, end.person, began, end.at if isinstance(state, Ended) else began)

    def _note_talk(self, chain: str, person: str, began: Instant, last: Instant) -> None:
        if not person:
            return
        service = self._service.setdefault(person, Service())
        service.last = max(service.last, last)
        if (chain, person) not in self._counted:
            self._counted[chain, person] = None
            service.taken.append(began)
            if len(self._counted) > 2 * MOST_READ:
                for old in list(islice(self._counted, MOST_READ)):
                    del self._counted[old]

    def _note_visit(self, state: Ended, caller: Token) -> None:
        file, end = state.file, state.end
        before = self._visits.pop(caller, Visit())
        marks = file.verdicts
        spam = marks[-1].verdict == "spam" if marks else before.spam
        if end.outcome is Outcome.ANSWERED:
            now = Visit(asked(file, end) or before.talker, end.at, spam=spam)
        elif end.outcome is Outcome.CALLER_LEFT:
            now = msgspec.structs.replace(before, arrived=file.known.since or file.arrived, left=end.at, spam=spam)
        else:
            now = msgspec.structs.replace(before, arrived=Instant(0), left=Instant(0), spam=spam)
        self._visits[caller] = now
        if len(self._visits) > MOST_CALLERS:
            del self._visits[next(iter(self._visits))]

    def _date(self, instant: Instant) -> date:
        return as_datetime(instant).astimezone(self._zone).date()
