"""A workbench: the core, a journal in memory, an outbox and a clock that stands still; everything at once, no loop.

bench = Bench()
bench.file("r1", 500)
bench.wait(60)                    the clock goes on, deadlines are handled at their instants
bench.new_orders()                what has been ordered since the last look
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from router.basis.instants import SECOND, Instant
from router.basis.machine import ChainId, Effect, Event
from router.engine.claims import Held
from router.engine.clock import VirtualClock
from router.engine.core import Admission, Answer, Core, Draft
from router.engine.journal import Order, Refused, StoredRecord
from router.engine.outbox import Outbox
from router.engine.store.sqlite_file import HISTORY, MEMORY, RECORDS, SqliteFile, stored_record
from router.engine.vault import Vault
from tests.engine.approval import Approval, Filed, Free
from tests.engine.ledger import Ledger, Present, Staff
from tests.engine.quirks import Quirk
from tests.engine.values import ANNA, BORIS, CLARA, Terms

T0 = Instant(1_700_000_000 * SECOND)
CLERKS = (ANNA, BORIS, CLARA)


def who_is_free(chain: ChainId, event: Event, core: Core, at: Instant) -> Free:
    """The look of requests: clerks who are in the office and held by nobody."""
    return Free(tuple(clerk for clerk in CLERKS if core.claims.holder(clerk) is None and in_the_office(core, clerk)))


def in_the_office(core: Core, clerk: str) -> bool:
    """Unless his chain says that he went home."""
    live = core.live.get(f"staff:office:{clerk}")
    return live is None or not isinstance(live.state, Present) or live.state.here


def new_core() -> Core:
    """A core with all machines of these tests and tokens that count up."""
    tokens = iter(range(1, 10**9))
    vault = Vault(lambda: f"t_{next(tokens)}")
    return Core((Approval(), Ledger(), Staff(), Quirk()), {"request": who_is_free}, vault)


def request(name: str) -> ChainId:
    """The chain id of a request."""
    return f"request:office:{name}"


class Bench:
    """See the module."""

    def __init__(self, file: SqliteFile | None = None, now: Instant = T0) -> None:
        self.journal = file or SqliteFile(MEMORY)
        if file is None:
            self.journal.open()
        self.clock = VirtualClock(now)
        self.core = new_core()
        self.outbox = Outbox()
        self.refuse: list[Refused] = []
        """Refusals that the next commits meet, whatever the journal thinks."""
        self.drafts: list[Draft] = []
        self._orders: list[Order] = []
        for digest, body in self.journal.contents():
            self.core.contents.loaded(digest, body)
        self.core.warm((), self.journal.load_live())
        self.core.restore_claims(self.journal.claims())

    # --- what happens ------------------------------------------------------------------------------------------

    def admit(self, *admissions: Admission) -> list[Answer]:
        """Admissions in one batch, as the edge does it; what the store refuses is answered with the refusal."""
        failed: dict[int, Answer] = {}
        self._load(self.core.cold({admission.chain for admission in admissions}))
        while True:
            active = [index for index in range(len(admissions)) if index not in failed]
            draft = self.core.prepare([admissions[index] for index in active], self.clock.now())
            if draft.missing:
                self._load(sorted(draft.missing))
                continue
            try:
                self._commit(draft)
            except Refused as refused:
                self.core.revoke(draft)
                guilty = {active[draft.owners[index]] for index in refused.reasons}
                failed.update((index, Answer(admissions[index], error=refused)) for index in guilty)
                continue
            break
        self._orders += self.core.settle(draft)
        self.outbox.take_in(draft, self.clock.now())
        self.drafts.append(draft)
        answers = list(draft.answers)
        for index in sorted(failed):
            answers.insert(index, failed[index])
        return answers

    def say(self, chain: ChainId, *events: Event, source: str = "test", origin: str | None = None) -> Answer:
        """Facts one after another; the answer to the last. Raises what went wrong."""
        answer: Answer | None = None
        for event in events:
            (answer,) = self.admit(Admission(chain, event, source, origin))
            if answer.error is not None:
                raise answer.error
        assert answer is not None
        return answer

    def file(self, name: str, amount: int = 100, terms: Terms | None = None, **given: Any) -> Answer:
        """A request is filed."""
        return self.say(request(name), self.filed(name, amount, terms, **given))

    def filed(self, name: str, amount: int = 100, terms: Terms | None = None, **given: Any) -> Filed:
        """The event of that."""
        return Filed(request(name), amount, self.core.contents.pin(terms or Terms()), **given)

    def wait(self, seconds: float) -> None:
        """The clock goes on; each deadline on the way is handled at its instant."""
        until = Instant(self.clock.now() + round(seconds * SECOND))
        while (soonest := self.core.timer.next()) is not None and soonest <= until:
            self.clock.advance_to(Instant(max(soonest, self.clock.now())))
            self.fire()
        self.clock.advance_to(until)

    def fire(self) -> list[Answer]:
        """Handle the deadlines that have come."""
        return self.admit(*self.core.due(self.clock.now(), lambda live: False))

    def restart(self) -> "Bench":
        """Another process takes over the journal."""
        return Bench(self.journal, self.clock.now())

    # --- what can be seen --------------------------------------------------------------------------------------

    def state(self, name: str) -> Any:
        """The state of a request, or of a chain given in full."""
        return self.core.live[name if ":" in name else request(name)].state

    def new_orders(self) -> list[Order]:
        """Orders since the last look."""
        orders, self._orders = self._orders, []
        return orders

    def new_effects(self) -> list[Effect]:
        """Their effects."""
        return [order.effect for order in self.new_orders()]

    def history(self, chain: ChainId) -> list[StoredRecord]:
        """The log of a chain."""
        return [stored_record(row) for row in self.journal.connection.execute(HISTORY, (chain,))]

    def log(self) -> list[StoredRecord]:
        """The log of all chains."""
        return [stored_record(row) for row in self.journal.connection.execute(RECORDS, (0, -1))]

    def heard(self, chain: ChainId) -> list[str]:
        """The names of a chain's events."""
        names: list[str] = []
        for line in self.history(chain):
            machine = self.core.machine(line.kind, line.machine_version)
            names.append(type(self.core.codec.event(machine, line.event, line.schema)).__name__)
        return names

    # --- inside ------------------------------------------------------------------------------------------------

    def _load(self, chains: Sequence[ChainId]) -> None:
        if chains:
            self.core.warm(chains, self.journal.load(chains))

    def _commit(self, draft: Draft) -> None:
        if self.refuse:
            raise self.refuse.pop(0)
        if not draft.batch.empty():
            self.journal.write(draft.batch)
            self.journal.commit()


def snapshot(core: Core) -> dict[str, Any]:
    """All that a core knows, in values that compare; what differs only in dead entries of heaps is left out."""
    claims = core.claims
    return {
        "live": {
            chain: (
                live.machine.kind,
                live.state,
                live.sequence,
                live.at,
                live.final,
                live.deadline,
                dict(live.origins),
            )
            for chain, live in core.live.items()
        },
        "held": claims.all(),
        "held_by": {chain: claims.held_by(chain) for chain in core.live},
        "waiting": claims.waiting(),
        "queues": {key: queue_of(core, key) for key in (*CLERKS, "k")},
        "timer": dict(core.timer._own),
        "vault": (dict(core.vault._tokens), dict(core.vault._values)),
        "contents": deepcopy(core.contents._bodies),
    }


def queue_of(core: Core, key: str) -> list[ChainId]:
    """Who waits for a key, in the order of service."""
    found: list[ChainId] = []
    while (waiter := core.claims.next_waiter(key, set(found))) is not None:
        found.append(waiter)
    return found


def holders(core: Core) -> dict[str, ChainId]:
    """Key -> chain."""
    held: dict[str, Held] = core.claims.all()
    return {key: claim.chain for key, claim in held.items()}
