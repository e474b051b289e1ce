"""The theatre: the real core, the real office and the real outbox on a virtual clock, with a toy PBX behind them.

No store and no asyncio: a draft is prepared and settled at once, as if every commit took no time. Everything that is
due happens at its own instant, one after another; the toy PBX answers orders within the same instant unless it is told
to be slow, silent or deaf. Counterpart: `tests.stories.play`, which speaks to people.
"""

import heapq
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Literal

import msgspec

from router.basis.instants import SECOND, Instant
from router.basis.machine import ChainId, Effect, Event
from router.basis.people import Chain, Directory, Line, Person
from router.chains.effects import RingLeg, StopLeg
from router.chains.events import DirectoryApplied, Disposition, LegEnded, LegRinging
from router.chains.roster import ROSTER
from router.engine.core import Admission, Answer, Core
from router.engine.journal import Order, Record
from router.engine.outbox import Outbox
from router.engine.vault import Vault
from router.office import Office, call_chain, machines
from router.telephony_adapter.port import Abilities

T0 = Instant(1_767_225_600 * SECOND)
"""2026-01-01T00:00:00Z: when every play begins."""

HEADS = ("anna", "boris", "clara", "dima", "elena")
NAMES = {"anna": "Анна", "boris": "Борис", "clara": "Клара", "dima": "Дима", "elena": "Елена"}
LINE = "+74950000001"
PBX = "pbx"

STEPS_PER_INSTANT = 500
"""More than this at one instant is a circle, not work: the largest cast of a play causes some dozens."""

Timers = Literal["pbx", "server", "none"]


def extension_of(person: str) -> str:
    """The phone of a head: 101 for the first of the list."""
    return str(101 + HEADS.index(person)) if person in HEADS else "199"


def directory(heads: tuple[str, ...] = HEADS, terms: Mapping[str, Any] | None = None) -> Directory:
    """The company of the plays: five heads, one line, one list of them."""
    people = tuple(Person(person, NAMES[person], (extension_of(person),)) for person in HEADS)
    chain = Chain("sales", heads, "Продажи", dict(terms or {}))
    return Directory(people, (Line(LINE, "sales", "site", "Сайт"),), (chain,))


class Toy:
    """What the PBX of a play does by itself. Change its fields to make it slow, silent or deaf."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        """Extensions whose phones never report ringing."""
        self.confirms = True
        """Whether a stop is confirmed by LegEnded."""
        self.ends_rings = False
        """Whether the PBX ends a ring itself after its time."""
        self.deaf = False
        """Whether nothing at all comes back."""


class Stage:
    """One company, one PBX, any number of calls."""

    def __init__(
        self,
        heads: tuple[str, ...] = HEADS,
        terms: Mapping[str, Any] | None = None,
        *,
        timers: Timers = "server",
        can_connect_late: bool = False,
        reports_ringing: bool = True,
        company: Callable[[Directory], Directory] = lambda directory: directory,
        can_record: bool = True,
        **able: Any,
    ) -> None:
        """`able`: other abilities of the PBX by name."""
        abilities = Abilities(
            owns_timer=timers,
            whole_second_timer=True,
            can_cancel_leg=able.pop("can_cancel_leg", True),
            can_connect_late=can_connect_late,
            reports_ringing=reports_ringing,
            reports_answerer=True,
            idempotent_legs=True,
            can_record=can_record,
            **able,
        )
        tokens = count(1)
        self.now = T0
        self.office = Office({PBX: abilities})
        self.core = Core(machines(), self.office.looks(), Vault(lambda: f"t_{next(tokens)}"))
        self.outbox = Outbox()
        self.toy = Toy()
        self.toy.ends_rings = timers == "pbx"
        self.records: list[Record] = []
        self.ordered: list[tuple[Instant, Effect]] = []
        """Every effect when it was asked for."""
        self.sent: list[tuple[Instant, Effect]] = []
        """Every effect when it left the outbox (repeats included)."""
        self.perform: Callable[[Order], None] = self._toy_performs
        self._later: list[tuple[Instant, int, ChainId, Event]] = []
        self._tick = count()
        self._busy = False
        self.admit(ROSTER, DirectoryApplied(self.core.contents.pin(company(directory(heads, terms))), "admin"))

    # --- facts ------------------------------------------------------------------------------------------------

    def admit(
        self,
        chain: ChainId,
        event: Event,
        source: str = "pbx:pbx",
        origin: str | None = None,
        personal: Mapping[str, tuple[str, str]] | None = None,
    ) -> Answer:
        """One fact now, and all that follows from it at this instant."""
        answer = self.take(Admission(chain, event, source, origin, personal or {}))
        self.work()
        return answer

    def take(self, *admissions: Admission) -> Answer:
        """One transaction; raises what a machine raised. Returns the first answer."""
        while True:
            self.core.warm(self.core.cold({admission.chain for admission in admissions}), [])
            draft = self.core.prepare(list(admissions), self.now)
            if not draft.missing:
                break
            self.core.warm(draft.missing, [])
        for answer in draft.answers:
            if answer.error is not None:
                raise answer.error
        orders = self.core.settle(draft)
        self.outbox.take_in(draft, self.now)
        self.office.recall.observe(self.core, draft)
        self.records += draft.batch.records
        self.ordered += [(self.now, order.effect) for order in orders]
        return draft.answers[0]

    def later(self, at: Instant, chain: ChainId, event: Event) -> None:
        """The PBX reports something at that instant."""
        heapq.heappush(self._later, (at, next(self._tick), chain, event))

    # --- time ---------------------------------------------------------------------------------------------------

    def run_to(self, instant: Instant) -> None:
        """Everything that is due until then happens at its own time; the clock stands at `instant` afterwards."""
        self.work()
        while (due := self.next_due()) is not None and due <= instant:
            self.now = max(self.now, due)
            self.work()
        self.now = max(self.now, instant)

    def oversleep_to(self, instant: Instant) -> None:
        """The server does nothing until then (a pause of the machine); what was due is handled now."""
        self.now = max(self.now, instant)
        self.work()

    def next_due(self) -> Instant | None:
        """The soonest instant at which something happens by itself."""
        times = [self._later[0][0]] if self._later else []
        times += [wake for wake in (self.core.timer.next(), self.outbox.next_wake()) if wake is not None]
        return min(times, default=None)

    def work(self) -> None:
        """All that is due now. Raises AssertionError where the world turns in a circle at one instant."""
        if self._busy:
            return
        self._busy = True
        try:
            for _ in range(STEPS_PER_INSTANT):
                if not self._one_turn():
                    return
            message = f"more than {STEPS_PER_INSTANT} turns at one instant"
            raise AssertionError(message)
        finally:
            self._busy = False

    def _one_turn(self) -> bool:
        admissions = self.core.due(self.now, lambda live: False)
        while self._later and self._later[0][0] <= self.now:
            _, _, chain, event = heapq.heappop(self._later)
            admissions.append(Admission(chain, event, "pbx:pbx"))
        admissions += self.outbox.collect().admissions
        if admissions:
            self.take(*admissions)
        ready = self.outbox.start_ready(self.now)
        for order in ready:
            self.sent.append((self.now, order.effect))
            self.perform(order)
        return bool(admissions or ready)

    # --- the toy PBX ----------------------------------------------------------------------------------------------

    def _toy_performs(self, order: Order) -> None:
        effect, toy = order.effect, self.toy
        self.outbox.performed(order.id, self.now)
        if toy.deaf:
            return
        if isinstance(effect, RingLeg):
            chain = call_chain(PBX, effect.call)
            if effect.extension not in toy.silent:
                self.later(self.now, chain, LegRinging(effect.leg))
            if effect.timed_by_pbx and toy.ends_rings:
                self.later(Instant(self.now + effect.ring), chain, LegEnded(effect.leg, Disposition.NO_ANSWER))
        elif isinstance(effect, StopLeg) and toy.confirms:
            self.later(self.now, call_chain(PBX, effect.call), LegEnded(effect.leg, Disposition.CANCELLED))

    # --- what the audience sees -------------------------------------------------------------------------------------

    def state(self, chain: ChainId) -> msgspec.Struct:
        """The chain's present state."""
        return self.core.live[chain].state

    def holders(self) -> dict[str, ChainId]:
        """Person -> chain that holds him."""
        return {key.removeprefix("person:"): held.chain for key, held in self.core.claims.all().items()}
