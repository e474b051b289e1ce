"""Random histories of the second machine over the laws of the core (design, section 4).

One office, three clerks, requests that come and go, facts in any order, twins, mistakes, refusals of the store,
restarts. After every step the invariants hold; at the end the whole log is folded again.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from router.basis.machine import ChainId, Event
from router.engine.core import Admission
from router.engine.journal import Refused
from router.engine.replay import replay
from tests.engine.approval import (
    ClerkAnswered,
    ClerkSeenWorking,
    LightIsOff,
    ManagerAnswered,
    Over,
    WaitingForClerk,
    Withdrawn,
)
from tests.engine.bench import CLERKS, Bench, holders, in_the_office, request, snapshot
from tests.engine.ledger import LEDGER, CameBack, WentHome
from tests.engine.quirks import Explode, ExplodeLate, Grab, Small
from tests.engine.values import Terms

NAMES = [f"r{number}" for number in range(8)]
names = st.sampled_from(NAMES)
clerks = st.sampled_from(CLERKS)
facts = st.one_of(
    st.builds(ClerkAnswered, clerks, st.booleans()),
    st.builds(ManagerAnswered, st.booleans()),
    st.builds(ClerkSeenWorking, clerks),
    st.builds(Withdrawn),
    st.builds(LightIsOff, st.integers(1, 3)),
)
mistakes = st.one_of(st.builds(Explode), st.builds(ExplodeLate), st.builds(Grab, clerks))
seconds = st.sampled_from([0, 0.5, 1, 59.999999, 60, 120, 180, 900])
ODD = "quirk:test:odd"


class Office(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.number = 0

    @initialize()
    def somebody_is_at_work(self) -> None:
        self.bench.say(ODD, Small("first"))

    def admit(self, *pairs: tuple[ChainId, Event]) -> None:
        """Each with an origin of its own."""
        admissions: list[Admission] = []
        for chain, event in pairs:
            self.number += 1
            admissions.append(Admission(chain, event, "test", f"o{self.number}"))
        self.bench.admit(*admissions)

    # --- what happens ------------------------------------------------------------------------------------------

    @rule(name=names, rank=st.integers(0, 1), shy=st.integers(0, 1), few=st.booleans())
    def filed(self, name: str, rank: int, shy: int, few: bool) -> None:
        if request(name) not in self.bench.core.live:
            terms = Terms(clerks=CLERKS[:1]) if few else Terms(clerks=CLERKS)
            self.admit((request(name), self.bench.filed(name, 100 + len(name), terms, rank=rank, shy=shy)))

    @rule(pairs=st.lists(st.tuples(names, facts), min_size=1, max_size=5))
    def facts_come_in_any_order(self, pairs: list[tuple[str, Event]]) -> None:
        self.admit(*((request(name), fact) for name, fact in pairs))

    @rule(clerk=clerks, back=st.booleans())
    def staff(self, clerk: str, back: bool) -> None:
        self.admit((f"staff:office:{clerk}", CameBack(clerk) if back else WentHome(clerk)))

    @rule(seconds=seconds)
    def time_passes(self, seconds: float) -> None:
        self.bench.wait(seconds)

    @rule(name=names, fact=facts)
    def a_twin_changes_nothing(self, name: str, fact: Event) -> None:
        first = self.bench.say(request(name), fact, origin="twin")
        before = snapshot(self.bench.core)
        second = self.bench.say(request(name), Withdrawn(), origin="twin")
        assert second.twin
        assert second.reply == first.reply
        assert snapshot(self.bench.core) == before

    @rule(pairs=st.lists(st.tuples(names, facts), min_size=1, max_size=4), bad=mistakes, place=st.integers(0, 4))
    def a_mistake_fails_alone(self, pairs: list[tuple[str, Event]], bad: Event, place: int) -> None:
        """The batch with it leads where the batch without it leads."""
        good = [Admission(request(name), fact, "test") for name, fact in pairs]
        now = self.bench.clock.now()
        core = self.bench.core
        cold = core.cold([*(admission.chain for admission in good), LEDGER])
        core.warm(cold, self.bench.journal.load(cold))
        before = snapshot(core)
        without = core.prepare(good, now)
        expected = snapshot(core)
        core.revoke(without)
        assert snapshot(core) == before
        mixed = [*good[:place], Admission(ODD, bad, "test"), *good[place:]]
        draft = core.prepare(mixed, now)
        if not any(answer.error for answer in draft.answers):
            core.revoke(draft)  # the key was free: no mistake after all
            return
        assert snapshot(core) == expected
        assert draft.batch.records == without.batch.records
        core.revoke(draft)
        assert snapshot(core) == before

    @rule(pairs=st.lists(st.tuples(names, facts), min_size=2, max_size=4), data=st.data())
    def the_store_refuses_one(self, pairs: list[tuple[str, Event]], data: st.DataObject) -> None:
        self.bench.refuse = [Refused({data.draw(st.integers(0, len(pairs) - 1)): "sequence"})]
        answers = self.bench.admit(*(Admission(request(name), fact, "test") for name, fact in pairs))
        assert sum(answer.error is not None for answer in answers) == 1

    @rule()
    def another_process_takes_over(self) -> None:
        before = snapshot(self.bench.core)
        live = {chain: kept for chain, kept in before["live"].items() if not kept[4]}
        self.bench = self.bench.restart()
        after = snapshot(self.bench.core)
        for part in ("held", "waiting", "queues", "timer"):
            assert after[part] == before[part], part
        assert after["live"] == live

    # --- what always holds -------------------------------------------------------------------------------------

    @invariant()
    def a_claim_is_held_by_the_one_chain_that_wants_it(self) -> None:
        wanted: dict[str, list[ChainId]] = {}
        for chain, live in self.bench.core.live.items():
            if not live.final:
                for claim in live.machine.claims(live.state):
                    wanted.setdefault(claim.key, []).append(chain)
        assert all(len(chains) == 1 for chains in wanted.values()), wanted
        held = holders(self.bench.core)
        assert held == {key: chains[0] for key, chains in wanted.items()}
        assert held == {key: chain for key, (chain, _) in self.bench.journal.claims().items()}

    @invariant()
    def nobody_waits_for_a_key_that_was_freed_and_not_declined(self) -> None:
        core = self.bench.core
        for chain, wait in core.claims.waiting().items():
            live = core.live[chain]
            assert isinstance(live.state, WaitingForClerk)
            free = {key for key in wait.keys if core.claims.holder(key) is None and in_the_office(core, key)}
            # A request that declined a clerk, or was let go by one, may wait although somebody is free.
            assert not free or live.state.offer > 0 or "Granted" in self.bench.heard(chain)

    @invariant()
    def what_the_journal_holds_is_what_is_in_memory(self) -> None:
        core = self.bench.core
        for stored in self.bench.journal.load(list(core.live)):
            live = core.live[stored.chain]
            assert (stored.sequence, stored.at, stored.final, stored.deadline) == (
                live.sequence, live.at, live.final, live.deadline,
            )  # fmt: skip
            assert stored.state == core.codec.encode(live.state)
            assert stored.origins == live.origins

    @invariant()
    def every_live_chain_has_a_deadline_in_the_timer_or_a_reason(self) -> None:
        core = self.bench.core
        for chain, live in core.live.items():
            if not live.final:
                deadline = live.machine.deadline(live.state)
                assert core.timer._own.get(chain) == deadline
                assert deadline is not None or live.machine.standing(live.state).reason

    @invariant()
    def every_approved_amount_is_booked_exactly_once(self) -> None:
        core = self.bench.core
        book = core.live[LEDGER].state if LEDGER in core.live else None
        entries: tuple[ChainId, ...] = book.entries if book is not None else ()  # type: ignore[attr-defined]
        assert len(entries) == len(set(entries))
        approved = {chain for chain, *_ in self._over("approved")}
        assert approved == set(entries)

    def _over(self, how: str) -> list[tuple[ChainId, Any]]:
        rows = self.bench.journal.load([request(name) for name in NAMES])
        machine = self.bench.core.machine("request", 1)
        states = [(row.chain, self.bench.core.codec.state(machine, row.state, row.schema)) for row in rows]
        return [(chain, state) for chain, state in states if isinstance(state, Over) and state.how == how]

    def teardown(self) -> None:
        """The log folds to the same bytes, in another process."""
        bench = self.bench.restart()
        chains = {line.chain for line in bench.log()}
        for stored in bench.journal.load(sorted(chains)):
            assert replay(bench.core, bench.history(stored.chain), stored).differences == ()
        positions = [line.position for line in bench.log()]
        assert positions == sorted(set(positions))
        bench.journal.close()


TestOffice = Office.TestCase
TestOffice.settings = settings(max_examples=40, stateful_step_count=30)
